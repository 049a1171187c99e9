"""A gallery whose vectors and rows stay on disk: the same answers, nothing held for each row."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from toy import ToyEncoder, write_gallery
from vector_folders import Blind, of_gallery, random_folder

from sigscope import paths
from sigscope.ann import recommend, sweep
from sigscope.datasets.load import load_gallery
from sigscope.embeddings import vector_folder
from sigscope.embeddings.embed import open_embeddings
from sigscope.embeddings.load import load_embeddings
from sigscope.embeddings.stored_rows import StayOnDisk
from sigscope.gallery import rows
from sigscope.search import stored_index, targets, term_table
from sigscope.search.compose import Part
from sigscope.search.examples import example_queries
from sigscope.search.export import as_csv, as_paths, as_zip
from sigscope.search.searcher import Searcher

N = 24  # of the toy gallery
D, MANY = 64, 30_000  # of random vectors
KEPT, MOST = 90, 90  # bytes in memory an item; as float32 it has 256, its id as an object some 70


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    home = tmp_path_factory.mktemp("many")
    pictures = write_gallery(home / "pictures", N)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "CACHE", home / "cache")
        patch.setenv("SIGSCOPE_VECTORS", "disk")
        patch.setattr(rows, "MANY", 5)
        patch.setattr(term_table, "BATCH", 7)
        of_gallery(pictures, pictures / "vectors")
        yield pictures


@pytest.fixture(scope="module")
def stored(homes):
    gallery = load_gallery(f"vectors:{homes / 'vectors'}")
    return Searcher(gallery, open_embeddings(gallery, ToyEncoder()), ToyEncoder())


@pytest.fixture(scope="module")
def held(homes, stored):
    """The same gallery with everything in memory: pandas' objects, float32."""
    gallery, of = stored.gallery, load_embeddings(homes / "vectors")
    items = pd.DataFrame({name: gallery.items[name].tolist() for name in gallery.items})
    plain = type(gallery)(gallery.name, gallery.root, items, gallery.problems)
    return Searcher(plain, of, ToyEncoder())


ASKED = {
    "words": lambda s: s.by_text("a red square", 7),
    "all": lambda s: s.by_text("a blue thing", 100),
    "category": lambda s: s.by_text("a red square", 7, category="cold"),
    "splits": lambda s: s.by_text("a red square", 9, split=["val", "test"], category="warm"),
    "ids": lambda s: s.by_text("red", 9, ids=["000-red.png", "009-green.png", "nothing"]),
    "no text": lambda s: s.by_text("red", 9, max_text=0.5),
    "like": lambda s: s.like("003-yellow.png", 5),
    "parts": lambda s: s.by_parts([Part("text", "blue"), Part("item", "000-red.png")], 6),
    "both": lambda s: s.by_text("a red square", 7, by="both"),
    "words alone": lambda s: s.by_text("orange", 7, by="words"),
    "hubs": lambda s: s.by_text("a red square", 7, tame_hubs=True),
    "less text": lambda s: s.by_text("a red square", 7, less_text=0.3),
    "captions": lambda s: s.captions_for("003-yellow.png", 8),
    "captions of some": lambda s: s.captions_for("003-yellow.png", 8, split="val"),
    "caption": lambda s: s.by_caption("003-yellow.png", "in blue", 5),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=list(ASKED))
def test_every_search_finds_the_same_as_in_memory(stored, held, ask):
    found, expected = ask(stored), ask(held)
    assert len(found) > 0
    both = [table.astype({"score": "float64"}).round({"score": 5}) for table in (found, expected)]
    pd.testing.assert_frame_equal(*both, check_dtype=False, check_like=False)


@pytest.mark.parametrize("by", ["both", "words"])
@pytest.mark.parametrize("how", [{}, {"category": "warm"}, {"split": "val"}])
@pytest.mark.parametrize("words", ["a red square", "square", "blue or orange squares"])
def test_only_those_of_many_named_rows_are_scored_that_can_be_found(
    stored, words, how, by, monkeypatch
):
    whole = stored.by_text(words, 3, by=by, **how)
    monkeypatch.setattr(targets, "MANY_NAMED", 3)
    pd.testing.assert_frame_equal(stored.by_text(words, 3, by=by, **how), whole)


def test_match_and_examples_are_the_same_as_in_memory(stored, held):
    for text in ("a red square", "nothing of the kind"):
        one, other = (searcher.match(searcher.by_text(text, 5)) for searcher in (stored, held))
        assert (one.label, one.sentence) == (other.label, other.sentence)
        assert one.excess == pytest.approx(other.excess, abs=1e-4)
    assert example_queries(stored) == example_queries(held)


def test_a_subset_searches_its_own_rows_alone(stored):
    part = stored.gallery.subset(split="val")
    searcher = Searcher(part, open_embeddings(part, ToyEncoder()), ToyEncoder())
    found = searcher.by_text("a red square", 100)
    assert len(found) == N // 3 and set(found["id"]) == set(part.items["id"])
    with_whole = Searcher(part, stored.embeddings, ToyEncoder()).by_text("a red square", 100)
    assert with_whole["score"].tolist() == pytest.approx(found["score"].tolist())
    assert part.fingerprint != stored.gallery.fingerprint


def test_results_are_taken_home_with_their_pictures(stored):
    table = stored.by_text("a red square", 3)
    assert as_paths(table, stored.gallery, whole=False).decode().split() == table["path"].tolist()
    assert stored.gallery.picture(table["id"][0]).size == (8, 8)
    assert as_csv(table).count(b"\n") == 4 and len(as_zip(table, stored.gallery)) > 300


def test_another_index_than_flat_says_that_the_vectors_stay_on_disk(stored):
    with pytest.raises(ValueError, match="the 24 of these pictures stay on disk; search them with"):
        Searcher(stored.gallery, stored.embeddings, ToyEncoder(), "hnsw")


def test_what_would_hold_all_vectors_is_refused(stored):
    images, ids = stored.embeddings.images, stored.embeddings.ids
    for hold in (
        lambda: np.asarray(images, dtype=np.float32),
        lambda: sweep(["flat"], images, ids, {"image": images[:5]}),
        lambda: recommend(images, images[:20]),
    ):
        with pytest.raises(StayOnDisk, match="24 vectors in memory .* set SIGSCOPE_VECTORS=memory"):
            hold()


def test_vectors_that_fit_are_held_and_searched_by_every_index(stored, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_VECTORS", "auto")
    there = open_embeddings(stored.gallery, ToyEncoder())
    assert isinstance(there.images, np.ndarray) and there.images.dtype == np.float32
    quick = Searcher(stored.gallery, there, ToyEncoder(), "hnsw")
    found, expected = (s.by_text("a red square", 7) for s in (quick, stored))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, atol=1e-3)
    runs = sweep(["flat"], there.images, there.ids, {"image": there.images[:5]}, k=3)
    assert [run.neighbour_recall for run in runs] == [1.0]


def asked(folder):
    """Search a folder of vectors by words, filtered, by an item and by captions."""
    gallery = load_gallery(f"vectors:{folder}")
    searcher = Searcher(gallery, open_embeddings(gallery, Blind(D)), Blind(D))
    id = gallery.items["id"].iat[77]
    searcher.by_text("a red dog", 10)
    searcher.by_text("a red dog", 10, category="dog", split=["train", "val"])
    searcher.like(id, 10)
    searcher.captions_for(id, 10)
    return searcher


def test_a_search_of_many_rows_holds_nothing_for_each_but_numbers(tmp_path, monkeypatch):
    """Some arrays of numbers, a byte or eight a row: no object, no vector of every row."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(rows, "MANY", 5)
    monkeypatch.setattr(vector_folder, "ALIKE", -2)  # what the texts say is not in their vectors
    monkeypatch.setattr(stored_index, "BLOCK", 500)
    asked(random_folder(tmp_path / "few", 500, D))  # what is loaded once
    folder = random_folder(tmp_path / "vectors", MANY, D)
    load_gallery(f"vectors:{folder}")
    tracemalloc.start()
    try:
        searcher = asked(folder)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(searcher) == MANY
    assert kept / MANY < KEPT and most / MANY < MOST
