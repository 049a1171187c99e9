"""An index on disk is what an index in memory is, holds little in memory, and survives a kill."""

import logging
import subprocess
import sys
import time
import tracemalloc

import faiss
import numpy as np
import pytest
from faiss.contrib.ondisk import merge_ondisk
from toy import unit

from sigscope.embeddings.stored_rows import StoredRows
from sigscope.indexes import disk_files, on_disk
from sigscope.indexes.disk_files import (
    ABOUT,
    MAKING,
    build_on_disk,
    grow_on_disk,
    merge,
    open_on_disk,
)
from sigscope.indexes.files import StaleIndex
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.on_disk import DiskIndex, add
from sigscope.indexes.specs import INDEXES
from sigscope.paths import ROOT

SPEC = INDEXES["ivf-rabitq+disk"]
N, D, PART = 2000, 32, 300


@pytest.fixture(scope="module")
def xb():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, D))
    return unit(centres[rng.integers(40, size=N)] + 0.7 * rng.normal(size=(N, D)))


@pytest.fixture(scope="module")
def stored(xb, tmp_path_factory):
    """The vectors as a store has them: float16, in files of another size than the parts."""
    folder = tmp_path_factory.mktemp("vectors")
    for start in range(0, N, 170):
        np.save(folder / f"img_emb_{start:04}.npy", xb[start : start + 170].astype(np.float16))
    return StoredRows(sorted(folder.glob("*.npy")))


@pytest.fixture(scope="module")
def file_of(stored, tmp_path_factory):
    file = tmp_path_factory.mktemp("file") / "all.npy"
    np.save(file, stored[:].astype(np.float16))
    return file


class Rows:
    """Rows that can be read in part only, and remember the largest part that was asked for."""

    def __init__(self, xb):
        self.xb, self.shape, self.most = xb, xb.shape, 0

    def __len__(self):
        return len(self.xb)

    def __array__(self, *how, **further):
        raise AssertionError("all rows were asked for at once")

    def __getitem__(self, which):
        found = self.xb[which]
        self.most = max(self.most, len(found))
        return found


def same(one, other, xq):
    for effort in (None, 1, 5):
        found = one.search(xq, 10, effort), other.search(xq, 10, effort)
        for ours, theirs in zip(*found, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def parts_in(folder):
    return sorted(path.name for path in folder.glob(f"{MAKING}/*/part-*"))


@pytest.fixture
def stopped(stored, tmp_path):
    """A folder in which a build was stopped in its fourth part."""

    def stop_at_last(index, xb, rows, first, told):
        add(index, xb, rows[:50], first)
        if first == 3 * PART:
            raise KeyboardInterrupt
        add(index, xb, rows[50:], first + 50)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(disk_files, "add", stop_at_last)
        build_on_disk(tmp_path / "i", SPEC, stored, "toys", part_rows=PART)
    return tmp_path / "i"


def test_finds_the_same_rows_with_the_same_scores_as_in_memory(xb, stored, tmp_path, capfd):
    built = build_on_disk(tmp_path / "i", SPEC, stored, "toys", part_rows=PART)
    in_memory = DiskIndex.build(SPEC, stored[:])
    same(built, in_memory, xb[:50])
    same(open_on_disk(tmp_path / "i", SPEC, stored, "toys"), in_memory, xb[:50])
    scores, rows = built.search(xb[:50], 1, SPEC.cells(N))
    assert (rows[:, 0] == np.arange(50)).all()
    np.testing.assert_allclose(scores[:, 0], np.vecdot(xb[:50], stored[:50]), atol=1e-6)
    assert capfd.readouterr() == ("", "")


def test_some_rows_are_searched_alone(xb, stored, tmp_path, monkeypatch):
    built = build_on_disk(tmp_path / "i", SPEC, stored, "toys", part_rows=PART)
    among = np.arange(0, N, 3)
    exact = among[np.argsort(-(xb[:20] @ stored[among].T), axis=1)[:, :5]]
    np.testing.assert_array_equal(built.search_among(xb[:20], 5, among)[1], exact)
    monkeypatch.setattr(on_disk, "FEW", 10)  # so that the codes propose
    _, found = built.search_among(xb[:20], 5, among, SPEC.cells(N))
    assert np.mean(found == exact) > 0.95 and np.isin(found, among).all()


def test_no_more_is_read_at_once_than_a_block_or_the_sample(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(on_disk, "BLOCK", 64)
    monkeypatch.setattr(on_disk, "TRAINED_PER_CELL", 2)
    rows, sample = Rows(stored), 2 * SPEC.cells(N)
    build_on_disk(tmp_path / "warm", SPEC, rows, "toys", part_rows=PART)
    tracemalloc.start()
    build_on_disk(tmp_path / "i", SPEC, rows, "toys", part_rows=PART)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows.most == max(64, sample)
    assert most < N * D * 4 * 1.5, "and what a file is hashed through"


def test_lies_in_the_folder_of_the_index_alone_once_it_is_whole(stored, tmp_path):
    build_on_disk(tmp_path / "i", SPEC, stored, "toys", part_rows=PART)
    names = sorted(path.name for path in (tmp_path / "i").iterdir())
    assert [name.split("-")[0] for name in names] == ["codes", "lists", ABOUT]
    (tmp_path / "i").rename(tmp_path / "moved")
    assert open_on_disk(tmp_path / "moved", SPEC, stored, "toys").ntotal == N


def test_what_was_stopped_goes_on_and_ends_the_same(stopped, xb, stored, caplog):
    assert len(parts_in(stopped)) == 3
    with pytest.raises(StaleIndex, match="no whole index"):
        open_on_disk(stopped, SPEC, stored, "toys")
    rows = Rows(stored)
    built = build_on_disk(stopped, SPEC, rows, "toys", part_rows=PART)
    assert f"holds {3 * PART} of {N} rows already" in caplog.text
    assert rows.most <= PART, "nothing is trained again"
    same(built, DiskIndex.build(SPEC, stored[:]), xb[:50])


@pytest.mark.parametrize("how", [{"of": "others"}, {"part_rows": 500}])
def test_what_was_begun_for_something_else_is_begun_again(how, stopped, xb, stored, caplog):
    how = {"of": "toys", "part_rows": PART} | how
    built = build_on_disk(stopped, SPEC, stored, **how)
    assert "was begun for something else; it is begun again" in caplog.text
    same(built, DiskIndex.build(SPEC, stored[:]), xb[:20])


def test_killed_anywhere_it_is_whole_or_absent_and_ends_the_same(file_of, xb, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    command = [sys.executable, str(ROOT / "tests/support/build_slowly.py"), file_of, tmp_path / "i"]
    stored, kills = StoredRows([file_of]), 0
    for wait_s in (0.05, 0.3, 0.6, 0.9):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "begun\n"
        time.sleep(wait_s)
        process.kill()
        kills += process.wait() != 0
        process.stdout.close()
        for part in (tmp_path / "i").glob(f"{MAKING}/*/[ep]*.faiss"):
            assert faiss.read_index(str(part)).is_trained
        if (tmp_path / "i" / ABOUT).exists():
            break
    assert kills
    built = build_on_disk(tmp_path / "i", SPEC, stored, "toys", part_rows=100)
    same(built, DiskIndex.build(SPEC, stored[:]), xb[:20])
    assert not [path for path in (tmp_path / "i").iterdir() if path.name.startswith(MAKING)]


@pytest.mark.parametrize("harm", ["codes", "lists", "about", "cut"])
def test_broken_files_are_refused(harm, stored, tmp_path):
    build_on_disk(tmp_path, SPEC, stored, "toys", part_rows=PART)
    file = tmp_path / ABOUT if harm == "about" else next(tmp_path.glob(f"{harm}-*"), None)
    file = file or next(tmp_path.glob("lists-*"))
    data = file.read_bytes()
    file.write_bytes(data[:-9] if harm == "cut" else data[:40] + b"?" + data[41:])
    with pytest.raises(StaleIndex, match="not as it was written|no whole index"):
        open_on_disk(tmp_path, SPEC, stored, "toys")


def test_another_index_and_other_vectors_are_refused(stored, tmp_path):
    build_on_disk(tmp_path, SPEC, stored, "toys", part_rows=PART)
    for spec, of in ((SPEC, "others"), (INDEXES["ivf-rabitq"], "toys")):
        with pytest.raises(StaleIndex, match="of another kind or of other vectors"):
            open_on_disk(tmp_path, spec, stored, of)


def test_rows_that_are_no_numbers_are_refused(stored, tmp_path):
    wrong = stored[:]
    wrong[1234] = np.nan
    with pytest.raises(ValueError, match="row 1234 holds NaN"):
        build_on_disk(tmp_path, SPEC, wrong, "toys", part_rows=PART)


def test_grows_by_a_part_and_is_then_searched_whole(xb, stored, tmp_path):
    first = np.arange(1500)
    build_on_disk(tmp_path, SPEC, stored[:1500], "first", part_rows=PART)
    there = open_on_disk(tmp_path, SPEC, stored, "first", first)
    place = np.concatenate([first, np.arange(1999, 1499, -1)])  # new ones in another order
    grown = grow_on_disk(tmp_path, there, stored, place, "all", part_rows=PART)
    for index in (grown, open_on_disk(tmp_path, SPEC, stored, "all", place)):
        scores, found = index.search(xb[1500:], 1, SPEC.cells(1500))
        assert index.ntotal == N and np.mean(place[found[:, 0]] == np.arange(1500, N)) == 1
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(StaleIndex):
        open_on_disk(tmp_path, SPEC, stored, "first", first)


def test_lists_are_merged_as_faiss_merges_them(stopped, xb, tmp_path, monkeypatch):
    making = next((stopped / MAKING).iterdir())
    parts = [making / name for name in parts_in(stopped)]
    ours, theirs = (faiss.read_index(str(making / "empty.faiss")) for _ in range(2))
    merge(ours, parts, tmp_path / "ours")
    merge_ondisk(theirs, [str(part) for part in parts], str(tmp_path / "theirs"))
    assert (tmp_path / "ours").stat().st_size == (tmp_path / "theirs").stat().st_size
    faiss.downcast_InvertedLists(ours.invlists).do_mmap()
    for one, other in zip(ours.search(xb[:50], 10), theirs.search(xb[:50], 10), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_index_in_memory_and_one_on_disk_count_the_same_bytes(stored, tmp_path):
    ids, in_memory = np.arange(N), DiskIndex.build(SPEC, stored)
    built = build_on_disk(tmp_path, SPEC, stored, "toys", part_rows=PART)
    sizes = [
        VectorIndex("disk", SPEC, one, ids, "", 0.0, D).bytes_per_vector
        for one in (in_memory, built)
    ]
    assert abs(sizes[0] - sizes[1]) * N < 24 * SPEC.cells(N) + 400  # where each list lies
    with pytest.raises(ValueError, match="lies in a folder of its own"):
        VectorIndex("disk", SPEC, built, ids, "", 0.0, D).save(tmp_path / "file")


def test_where_faiss_has_no_lists_on_disk_it_says_so(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(disk_files, "LISTS_ON_DISK", ())
    with pytest.raises(OSError, match="Faiss keeps no lists on disk on this system"):
        build_on_disk(tmp_path, SPEC, stored, "toys")


def test_stored_rows_are_indexed_through_the_registry_and_others_say_what_to_take(stored, xb):
    index = VectorIndex.build("ivf-rabitq+disk", stored, np.arange(N).astype(str))
    assert index.search(xb[:9], 1)[1][:, 0].tolist() == list(range(9))
    with pytest.raises(ValueError, match="must be float32 .* not StoredRows"):
        VectorIndex.build("hnsw", stored, np.arange(N).astype(str))
