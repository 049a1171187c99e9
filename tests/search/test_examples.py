"""Queries to begin with come from the gallery, are answered by it, and are not all the same."""

import pytest
from small_gallery import CLASSES, NameEncoder, small_embeddings, small_gallery

from sigscope.gallery.gallery import Gallery
from sigscope.search.examples import THINGS, example_queries
from sigscope.search.searcher import Searcher


@pytest.fixture(scope="module")
def searcher():
    gallery = small_gallery()
    return Searcher(gallery, small_embeddings(gallery), NameEncoder())


def test_words_that_captions_have_and_results_bear_out_are_suggested(searcher):
    assert set(example_queries(searcher)) == set(CLASSES)


def test_words_that_find_other_pictures_are_not(searcher):
    class Astray(NameEncoder):
        def encode_texts(self, texts):
            return super().encode_texts([text.replace("cat", "dog") for text in texts])

    astray = Searcher(searcher.gallery, searcher.embeddings, Astray())
    assert "cat" not in example_queries(astray)


def test_gallery_without_captions_is_asked_for_things_that_it_shows(searcher):
    items = searcher.gallery.items
    bare = Gallery.__new__(Gallery)
    bare.__dict__.update(searcher.gallery.__dict__)
    captions = [[] for _ in range(len(items))]
    bare.__dict__["items"] = items.assign(caption="", captions=captions)
    bare.__dict__.pop("captions", None)
    bare.__dict__.pop("fingerprint", None)
    held = small_embeddings(searcher.gallery)
    found = example_queries(Searcher(bare, held, NameEncoder()))
    assert {"a dog", "a cat"} <= set(found) and set(found) <= set(THINGS)


def test_gallery_of_one_picture_without_words_suggests_something_or_nothing():
    gallery = small_gallery(1)
    found = example_queries(Searcher(gallery, small_embeddings(gallery), NameEncoder()))
    assert len(found) <= 3 and all(isinstance(text, str) for text in found)
