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
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES
from sigscope.search import saved_indexes
from sigscope.search.saved_indexes import FILE, open_index
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

    monkeypatch.setattr(VectorIndex, "build", counted)
    return names


def kept():
    return sorted((paths.CACHE / "indexes").glob("*"))


@pytest.mark.parametrize("name", [name for name, spec in INDEXES.items() if spec.factory])
def test_the_second_opening_finds_the_same_without_building(name, xb, built):
    first = open_index(name, xb, IDS, of="toys")
    second = open_index(name, xb, IDS, of="toys")
    assert built.count(name) == (2 if name in ("flat", "flat-l2") else 1)
    for rows in (None, np.arange(0, N, 3)):
        for one, other in zip(
            first.search(xb[:9], 5, rows=rows), second.search(xb[:9], 5, rows=rows), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    assert (second.name, second.spec, second.build_s) == (first.name, first.spec, second.build_s)


@pytest.mark.parametrize("name", ["flat", "flat-l2", "numpy", "knn"])
def test_what_takes_no_time_to_build_is_not_kept(name, xb):
    open_index(name, xb, IDS, of="toys")
    assert not kept()


def test_a_kept_index_is_mapped_into_memory(xb, monkeypatch):
    asked, load = [], VectorIndex.load
    open_index("hnsw", xb, IDS, of="toys")
    monkeypatch.setattr(VectorIndex, "load", lambda *a, **how: asked.append(how) or load(*a, **how))
    open_index("hnsw", xb, IDS, of="toys")
    assert [how["mmap"] for how in asked] == [True]


def test_other_vectors_ids_specs_and_versions_lie_elsewhere(xb, built, monkeypatch):
    open_index("hnsw", xb, IDS, of="toys")
    open_index("hnsw", xb[::-1], IDS, of="toys")
    open_index("hnsw", xb, IDS[::-1], of="toys")
    open_index(replace(INDEXES["hnsw"], default=32), xb, IDS, of="toys")
    monkeypatch.setattr(saved_indexes.faiss, "__version__", "0")
    open_index("hnsw", xb, IDS, of="toys")
    assert len(kept()) == len(built) == 5


@pytest.mark.parametrize("harm", ["cut", "changed", "empty", "another's"])
def test_a_broken_or_foreign_file_is_built_again_and_said_so(harm, xb, built, caplog):
    open_index("hnsw", xb, IDS, of="toys")
    (folder,) = kept()
    file = folder / FILE
    data = file.read_bytes()
    if harm == "another's":
        VectorIndex.build("hnsw", xb[::-1].copy(), IDS).save(file)
    else:
        changed = {"cut": data[:-20], "changed": data[:500] + b"?" + data[501:], "empty": b""}
        file.write_bytes(changed[harm])
    built.clear()
    found = open_index("hnsw", xb, IDS, of="toys")
    assert built == ["hnsw"] and "It is built again now." in caplog.text
    assert found.search(xb[:5], 1)[1][:, 0].tolist() == list(range(5))
    caplog.clear()
    open_index("hnsw", xb, IDS, of="toys")
    assert built == ["hnsw"] and not caplog.text


def test_what_a_killed_process_left_half_written_is_taken_away(xb):
    open_index("hnsw", xb, IDS, of="toys")
    (folder,) = kept()
    (folder / FILE).rename(folder / f".part-0123456789ab-{FILE}")
    open_index("hnsw", xb, IDS, of="toys")
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_of_several_at_once_one_builds_and_the_others_wait(xb, built):
    threads = [
        threading.Thread(target=open_index, args=("ivf", xb, IDS), kwargs={"of": "toys"})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == ["ivf"] and [path.name for path in kept()[0].iterdir()] == [FILE]


def test_a_cache_that_cannot_be_written_to_only_costs_time(xb, caplog):
    paths.CACHE.write_text("a file where the folder should be")
    found = open_index("hnsw", xb, IDS, of="toys")
    assert len(found) == N and "cannot be kept" in caplog.text


def test_a_disk_that_is_full_costs_no_second_building(xb, built, monkeypatch, caplog):
    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(VectorIndex, "save", full)
    assert len(open_index("hnsw", xb, IDS, of="toys")) == N
    assert built == ["hnsw"] and "No space left" in caplog.text


def test_an_index_nobody_uses_is_cleaned_away_and_one_in_use_is_not(xb):
    open_index("hnsw", xb, IDS, of="toys")
    (folder,) = kept()
    os.utime(folder / FILE, (0, 0))
    assert [thing.path for thing in cache.unused(30)] == [folder]
    open_index("hnsw", xb, IDS, of="toys")
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
