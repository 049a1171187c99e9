"""A gallery whose vectors stay on disk is searched with an index whose lists do, too."""

import tracemalloc

import numpy as np
import pytest
from vector_folders import Blind, random_folder

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings import vector_folder
from sigscope.embeddings.embed import open_embeddings
from sigscope.gallery import rows
from sigscope.indexes import disk_files, on_disk
from sigscope.indexes.disk_files import ABOUT
from sigscope.search import saved_indexes
from sigscope.search.saved_indexes import open_index
from sigscope.search.searcher import Searcher

N, D, INDEX = 3000, 32, "ivf-rabitq+disk"


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_VECTORS", "disk")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(rows, "MANY", 5)
    monkeypatch.setattr(vector_folder, "ALIKE", -2)  # what the texts say is not in their vectors
    return load_gallery(f"vectors:{random_folder(tmp_path / 'vectors', N, D)}")


def searcher_of(gallery, index=INDEX, **how):
    return Searcher(gallery, open_embeddings(gallery, Blind(D)), Blind(D), index, **how)


def folders():
    return sorted((paths.CACHE / "indexes").glob("*"))


ASKED = {
    "words": lambda s: s.by_text("a dog", 10),
    "filtered": lambda s: s.by_text("a dog", 10, category="dog", split=["val", "test"]),
    "like": lambda s: s.like(s.gallery.items["id"].iat[77], 10),
    "captions": lambda s: s.captions_for(s.gallery.items["id"].iat[77], 10),
}


@pytest.mark.parametrize("keep_index", [False, True])
def test_finds_what_flat_finds_with_every_cell_visited(gallery, keep_index):
    flat = searcher_of(gallery, "flat")
    quick = searcher_of(gallery, effort=1000, keep_index=keep_index)
    for ask in ASKED.values():
        found, expected = ask(quick), ask(flat)
        assert found["id"].tolist()[:3] == expected["id"].tolist()[:3]
        assert len({*found["id"]} & {*expected["id"]}) >= 9
        assert found["score"][0] == pytest.approx(expected["score"][0], abs=1e-5)


def test_is_kept_and_opened_again_without_building(gallery, monkeypatch):
    first = searcher_of(gallery, keep_index=True)
    (folder,) = folders()
    assert (folder / ABOUT).exists() and first.index.index.ntotal == N
    monkeypatch.setattr(saved_indexes, "build_on_disk", None)
    again = searcher_of(gallery, keep_index=True)
    for ask in (ASKED["words"], ASKED["filtered"], ASKED["like"]):
        assert ask(again).equals(ask(first))
    assert again.index.build_s == first.index.build_s > 0


def test_goes_on_after_a_stop_and_says_so(gallery, monkeypatch, caplog):
    add, done = on_disk.add, []

    def stopping(*about):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(add(*about))

    monkeypatch.setattr(disk_files, "PART_ROWS", 1000)
    monkeypatch.setattr(disk_files, "add", stopping)
    with pytest.raises(KeyboardInterrupt):
        searcher_of(gallery, keep_index=True)
    monkeypatch.setattr(disk_files, "add", add)
    assert len(searcher_of(gallery, keep_index=True)) == N
    assert "holds 2000 of 3000 rows already; it goes on there" in caplog.text


def test_what_is_broken_is_built_again_and_said_so(gallery, caplog):
    expected = ASKED["words"](searcher_of(gallery, keep_index=True))
    lists = next(folders()[0].glob("lists-*"))
    lists.write_bytes(lists.read_bytes()[:-50])
    assert ASKED["words"](searcher_of(gallery, keep_index=True)).equals(expected)
    assert "not as it was written. It is built again now." in caplog.text


def test_grows_by_new_rows_and_passes_over_those_that_are_gone(gallery, caplog):
    vectors, ids = open_embeddings(gallery, Blind(D)).images, gallery.items["id"].array
    few, most = np.arange(2000), np.arange(100, 3000)
    open_index(INDEX, vectors.only(few), ids.take(few), ["toys"])
    caplog.set_level("INFO")
    found = open_index(INDEX, vectors.only(most), ids.take(most), ["toys"])
    assert "grew from 2000 rows to 3000" in caplog.text and len(found) == len(most)
    nearest = found.search(vectors[most], 1, effort=found.efforts[-1])[1][:, 0]
    assert (nearest == np.arange(len(most))).mean() > 0.99
    caplog.clear()
    again = open_index(INDEX, vectors.only(most), ids.take(most), ["toys"])
    assert not caplog.text and again.index.ntotal == N
    fewer = most[1500:]
    open_index(INDEX, vectors.only(fewer), ids.take(fewer), ["toys"])
    assert "is gone from the gallery. It is built again now." in caplog.text


def test_a_build_and_a_search_hold_no_vector_of_every_row(gallery, monkeypatch):
    """A row number is eight bytes; the vector of one is 128 in float32."""
    monkeypatch.setattr(on_disk, "BLOCK", 200)
    monkeypatch.setattr("sigscope.indexes.growing.BLOCK", 200)
    monkeypatch.setattr("sigscope.indexes.files._ROWS", 200)
    monkeypatch.setattr(on_disk, "TRAINED_PER_CELL", 4)
    monkeypatch.setattr("sigscope.indexes.exact.BLOCK", 200)
    embeddings = open_embeddings(gallery, Blind(D))
    open_index(INDEX, embeddings.images, gallery.items["id"].array, ["warm"])
    tracemalloc.start()
    found = open_index(INDEX, embeddings.images, gallery.items["id"].array, ["toys"])
    found.search(embeddings.images[:5], 10)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < N * D * 4
