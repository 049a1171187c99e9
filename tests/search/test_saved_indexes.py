"""A built index is kept in the cache, and nothing else than what was asked for is taken from it."""

import logging
import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from toy import ToyEncoder, unit, write_gallery

from sigscope import cache, paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.indexes.disk_files import build_on_disk
from sigscope.indexes.exact import exact_neighbours, neighbour_recall
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES, find_spec
from sigscope.search import saved_indexes
from sigscope.search.saved_indexes import FILE, ROWS, STEPS, open_index
from sigscope.search.searcher import Searcher

N = 200
IDS = [f"{row:03}" for row in range(N)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def xb():
    return unit(np.random.default_rng(0).normal(size=(N, 16)))


@pytest.fixture
def built(monkeypatch):
    """The names of the indexes that were built."""
    names, build = [], VectorIndex.build

    def counted(name, xb, ids):
        names.append(name)
        return build(name, xb, ids)

    def counted_on_disk(folder, spec, *about, **how):
        names.append(find_spec(spec)[0])
        return build_on_disk(folder, spec, *about, **how)

    monkeypatch.setattr(VectorIndex, "build", counted)
    monkeypatch.setattr(saved_indexes, "build_on_disk", counted_on_disk)
    return names


def kept():
    return sorted((paths.CACHE / "indexes").glob("*"))


@pytest.mark.parametrize("name", [name for name, spec in INDEXES.items() if spec.factory])
def test_the_second_opening_finds_the_same_without_building(name, xb, built):
    first = open_index(name, xb, IDS, of=["toys"])
    second = open_index(name, xb, IDS, of=["toys"])
    assert built.count(name) == (2 if name in ("flat", "flat-l2") else 1)
    for rows in (None, np.arange(0, N, 3)):
        for one, other in zip(
            first.search(xb[:9], 5, rows=rows), second.search(xb[:9], 5, rows=rows), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    assert (second.name, second.spec, second.build_s) == (first.name, first.spec, second.build_s)


@pytest.mark.parametrize("name", ["flat", "flat-l2", "numpy", "knn"])
def test_what_takes_no_time_to_build_is_not_kept(name, xb):
    open_index(name, xb, IDS, of=["toys"])
    assert not kept()


def test_a_kept_index_is_mapped_into_memory(xb, monkeypatch):
    asked, load = [], VectorIndex.load
    open_index("hnsw", xb, IDS, of=["toys"])
    monkeypatch.setattr(VectorIndex, "load", lambda *a, **how: asked.append(how) or load(*a, **how))
    open_index("hnsw", xb, IDS, of=["toys"])
    assert [how["mmap"] for how in asked] == [True]


def test_other_specs_versions_and_places_lie_elsewhere(xb, built, monkeypatch):
    open_index("hnsw", xb, IDS, of=["toys"])
    open_index("hnsw", xb, IDS, of=["toys", "captions"])
    open_index(replace(INDEXES["hnsw"], default=32), xb, IDS, of=["toys"])
    monkeypatch.setattr(saved_indexes.faiss, "__version__", "0")
    open_index("hnsw", xb, IDS, of=["toys"])
    assert len(kept()) == len(built) == 4


def test_the_same_rows_in_another_order_are_found_without_building(xb, built):
    open_index("ivf", xb, IDS, of=["toys"])
    found = open_index("ivf", xb[::-1], IDS[::-1], of=["toys"])
    assert built == ["ivf"]
    assert found.search(xb[:9], 1)[1][:, 0].tolist() == list(range(N - 1, N - 10, -1))
    assert found.search(xb[:9], 1, rows=np.arange(195, N))[1][:5, 0].tolist() == [
        *range(199, 194, -1)
    ]


@pytest.mark.parametrize("harm", ["cut", "changed", "empty", "another's", "rows", "no rows"])
def test_a_broken_or_foreign_file_is_built_again_and_said_so(harm, xb, built, caplog):
    open_index("hnsw", xb, IDS, of=["toys"])
    (folder,) = kept()
    file = folder / FILE
    data = file.read_bytes()
    if harm == "another's":
        VectorIndex.build("hnsw", xb[::-1].copy(), IDS).save(file)
    elif harm == "rows":
        (folder / ROWS).write_bytes((folder / ROWS).read_bytes()[:-30])
    elif harm == "no rows":
        (folder / ROWS).unlink()
    else:
        changed = {"cut": data[:-20], "changed": data[:500] + b"?" + data[501:], "empty": b""}
        file.write_bytes(changed[harm])
    built.clear()
    found = open_index("hnsw", xb, IDS, of=["toys"])
    assert built == ["hnsw"] and "It is built again now." in caplog.text
    assert found.search(xb[:5], 1)[1][:, 0].tolist() == list(range(5))
    caplog.clear()
    open_index("hnsw", xb, IDS, of=["toys"])
    assert built == ["hnsw"] and not caplog.text


def test_what_a_killed_process_left_half_written_is_taken_away(xb):
    open_index("hnsw", xb, IDS, of=["toys"])
    (folder,) = kept()
    (folder / FILE).rename(folder / f".part-0123456789ab-{FILE}")
    open_index("hnsw", xb, IDS, of=["toys"])
    assert sorted(path.name for path in folder.iterdir()) == [FILE, ROWS]


def test_of_several_at_once_one_builds_and_the_others_wait(xb, built):
    threads = [
        threading.Thread(target=open_index, args=("ivf", xb, IDS), kwargs={"of": ["toys"]})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == ["ivf"]
    assert sorted(path.name for path in kept()[0].iterdir()) == [FILE, ROWS]


def test_a_cache_that_cannot_be_written_to_only_costs_time(xb, caplog):
    paths.CACHE.write_text("a file where the folder should be")
    found = open_index("hnsw", xb, IDS, of=["toys"])
    assert len(found) == N and "cannot be kept" in caplog.text


def test_a_disk_that_is_full_costs_no_second_building(xb, built, monkeypatch, caplog):
    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(VectorIndex, "save", full)
    assert len(open_index("hnsw", xb, IDS, of=["toys"])) == N
    assert built == ["hnsw"] and "No space left" in caplog.text


def test_an_index_nobody_uses_is_cleaned_away_and_one_in_use_is_not(xb):
    open_index("hnsw", xb, IDS, of=["toys"])
    (folder,) = kept()
    os.utime(folder / FILE, (0, 0))
    assert [thing.path for thing in cache.unused(30)] == [folder]
    open_index("hnsw", xb, IDS, of=["toys"])
    assert not cache.unused(30)


def test_a_searcher_opened_again_takes_both_its_indexes_from_the_cache(
    tmp_path, built, monkeypatch, caplog
):
    monkeypatch.setattr("sigscope.models.encoder.Encoder.load", lambda model: ToyEncoder())
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 24))
    with caplog.at_level(logging.WARNING):
        first = Searcher.open(gallery, index="hnsw")
        words, captions = first.by_text("red", 5), first.captions_for("000-red.png", 5)
        cold = first.by_text("red", 9, category="cold")
        built.clear()
        again = Searcher.open(gallery, index="hnsw")
        assert again.by_text("red", 5).equals(words)
        assert again.by_text("red", 9, category="cold").equals(cold)
        assert again.captions_for("000-red.png", 5).equals(captions)
    assert not built and not caplog.text and len(kept()) == 2


def test_a_searcher_made_by_hand_keeps_nothing(tmp_path):
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 24))
    embeddings = embed_gallery(gallery, ToyEncoder(), tmp_path / "store")
    Searcher(gallery, embeddings, ToyEncoder(), "hnsw")
    assert not kept()


DISK = "ivf-rabitq+disk"
GROWING = [name for name, spec in INDEXES.items() if spec.factory and "flat" not in name]

BY_HEART = ("ivfpq", "opq")  # 256 code words of 200 rows are these rows


def changed(xb, added, gone):
    """Return xb with other rows among its own, and without some; and their ids."""
    new = unit(np.random.default_rng(1).normal(size=(added, xb.shape[1])))
    rows = np.concatenate([xb[gone:], new])
    ids = np.array([*IDS[gone:], *(f"new {row}" for row in range(added))])
    order = np.random.default_rng(2).permutation(len(rows))
    return rows[order], ids[order]


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize(("added", "gone"), [(20, 0), (0, 10), (60, 10), (150, 90)])
def test_an_index_grows_without_building_and_finds_what_is_there(name, added, gone, xb, built):
    open_index(name, xb, IDS, of=["toys"])
    rows, ids = changed(xb, added, gone)
    for _ in range(2):  # grown, and then opened as it was kept
        found = open_index(name, rows, ids, of=["toys"])
        most = found.efforts[-1] if found.spec.knob else None
        _, nearest = found.search(rows, 5, effort=most)
        anew = name == DISK and gone > 60  # there it is not filled again, but built
        assert built == [name] * (1 + anew) and len(found) == len(rows)
        assert nearest.min() >= 0 and nearest.max() < len(rows)
        exact = exact_neighbours(rows, rows, 5)
        other = VectorIndex.build(name, rows, ids)
        built.pop()
        fresh = other.search(rows, 5, effort=other.efforts[-1] if other.spec.knob else None)[1]
        recall = neighbour_recall(nearest, exact)
        assert recall > neighbour_recall(fresh, exact) - 0.12 or name in BY_HEART
        among = np.arange(0, len(rows), 3)
        few = found.search(rows[among], 3, rows=among)[1]
        assert np.isin(few, among).all()
        assert np.mean(few[:, 0] == among) > 0.9 or recall < 0.9


def test_scores_of_a_grown_index_are_cosines_of_the_rows_it_names(xb):
    open_index("ivf", xb, IDS, of=["toys"])
    rows, ids = changed(xb, 50, 30)
    scores, found = open_index("ivf", rows, ids, of=["toys"]).search(rows[:20], 5)
    np.testing.assert_allclose(scores, np.vecdot(rows[found], rows[:20, None]), atol=1e-5)


def test_what_is_gone_is_masked_and_then_taken_out(xb):
    open_index("hnsw", xb, IDS, of=["toys"])
    few, many = N - 30, N - 60  # of 200: 15 and 30 % gone
    masked = open_index("hnsw", xb[:few], IDS[:few], of=["toys"])
    assert masked.index.ntotal == N
    assert open_index("hnsw", xb[:many], IDS[:many], of=["toys"]).index.ntotal == many


def test_beyond_twice_its_rows_an_index_is_built_anew_and_says_so(xb, built, caplog):
    open_index("ivf", xb[:90], IDS[:90], of=["toys"])
    open_index("ivf", xb[:180], IDS[:180], of=["toys"])
    assert built == ["ivf"] and not caplog.text
    open_index("ivf", xb, IDS, of=["toys"])
    assert built == ["ivf", "ivf"] and "was trained on 90 rows, and there are 200" in caplog.text


def test_a_changed_picture_is_found_by_its_new_vector_alone(xb):
    open_index("hnsw", xb, IDS, of=["toys"])
    rows = xb.copy()
    rows[7] = unit(-xb[7:8])
    found = open_index("hnsw", rows, IDS, of=["toys"])
    assert found.search(rows[7:8], 1)[1].item() == 7
    assert found.search(xb[7:8], 1)[1].item() != 7


def test_equal_captions_of_one_picture_keep_a_row_each(xb):
    twice, ids = np.repeat(xb, 2, axis=0), np.repeat(IDS, 2)
    open_index("hnsw", twice[:-10], ids[:-10], of=["toys"])
    found = open_index("hnsw", twice, ids, of=["toys"]).search(xb[-3:], 2)[1]
    assert np.sort(found).tolist() == [[394, 395], [396, 397], [398, 399]]


def test_recall_is_measured_at_each_step_of_growth_and_its_fall_is_said(xb, monkeypatch, caplog):
    said = iter([{"text": 0.99}, {"text": 0.98}, {"text": 0.9}, {"text": 0.8}])
    monkeypatch.setattr(saved_indexes, "recalls", lambda *_: next(said))
    notes = []
    for share in (0, 0.05, *STEPS):
        n = int(100 + 100 * share)
        notes.append(open_index("ivf", xb[:n], IDS[:n], of=["toys"]).note)
    assert not any(notes[:3]) and not list(said)
    assert "0.900 with texts (0.990)" in notes[3] and "0.800" in notes[4]
    assert notes[3] in caplog.text
    assert open_index("ivf", xb, IDS, of=["toys"]).note == notes[4]


def test_recall_is_that_of_exact_search_over_the_grown_rows(xb):
    asked = {"picture": xb, "text": unit(xb[::-1] + 0.2), "none": xb[:0]}
    index = VectorIndex.build("hnsw", xb, IDS)
    assert saved_indexes.recalls(index, xb, asked, 4096) == {"picture": 1.0, "text": 1.0}
    lame = VectorIndex.build("ivf", xb, IDS)
    exact = exact_neighbours(xb, xb, 10)
    expected = neighbour_recall(lame.search(xb, 10, effort=1)[1], exact)
    assert saved_indexes.recalls(lame, xb, asked, 1)["picture"] == expected < 1


def test_an_index_that_has_grown_refuses_to_be_saved_as_another(xb, tmp_path):
    open_index("hnsw", xb[:150], IDS[:150], of=["toys"])
    with pytest.raises(ValueError, match="has grown; build it anew"):
        open_index("hnsw", xb[::-1], IDS[::-1], of=["toys"]).save(tmp_path / "index")


def test_a_folder_that_gets_pictures_and_loses_some_keeps_its_index(tmp_path, built, monkeypatch):
    monkeypatch.setattr("sigscope.models.encoder.Encoder.load", lambda model: ToyEncoder())
    folder = write_gallery(tmp_path / "gallery", 16)
    (folder / "metadata.jsonl").unlink()
    Searcher.open(folder, index="hnsw")
    write_gallery(folder, 24)
    (folder / "metadata.jsonl").unlink()
    (folder / "002-blue.png").unlink()
    built.clear()
    found = Searcher.open(folder, index="hnsw")
    assert not built and len(found) == 23
    expected = Searcher.open(folder).by_text("blue", 30)
    assert found.by_text("blue", 30)[["id", "score"]].equals(expected[["id", "score"]])
    (folder / "010-blue.png").unlink()
    assert "010-blue.png" not in set(Searcher.open(folder, index="hnsw").by_text("blue", 30)["id"])
