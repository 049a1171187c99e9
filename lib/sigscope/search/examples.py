"""Queries to begin with, made from the gallery itself: frequent in it, far apart, and answered."""

from collections.abc import Sequence

import numpy as np

from sigscope.search.compose import MOST_ROWS, evenly
from sigscope.search.searcher import Searcher

CANDIDATES = 48  # words that are looked at
TRIED, ANSWERED = 5, 0.6  # of so many results so many must be named by the words
WORD = r"(?u)\b[^\W\d_]{3,}\b"
THINGS = (
    *("people", "a child", "a portrait", "a crowd", "a dog", "a cat", "a bird", "a horse"),
    *("flowers", "trees", "mountains", "the sea", "a beach", "a river", "snow", "a sunset"),
    *("a house", "a street", "a car", "a bicycle", "a boat", "a plane", "food", "sport"),
    *("music", "a document", "a map", "a drawing", "clothes", "furniture", "at night"),
)  # what a gallery without captions is asked for


def example_queries(searcher: Searcher, n: int = 3) -> list[str]:
    """Return up to n queries for a visitor who does not know what a gallery holds.

    Words come from the captions: those that most pictures have, where `TRIED` results of a query
    bear them out; of many pictures `MOST_ROWS` are looked at. A gallery without captions is asked
    for everyday `THINGS`, and those count that fit most pictures better than the others do. Of the
    best, those are chosen that lie farthest from each other.
    """
    captioned = bool(len(searcher.gallery.captions))
    captions = evenly(searcher.gallery.items["caption"], MOST_ROWS)
    words = _frequent(captions) if captioned else THINGS
    if not len(words):
        return []
    vectors = searcher.encoder.encode_texts(words)
    worth = _answered(searcher, words) if captioned else _shown(searcher, vectors)
    return [words[row] for row in _far_apart(vectors, worth, n)]


def _frequent(captions: Sequence[str]) -> list[str]:
    """Return the words that most captions have, those of most captions first."""
    from sklearn.feature_extraction.text import CountVectorizer

    reader = CountVectorizer(stop_words="english", binary=True, token_pattern=WORD)
    try:
        counts = np.asarray(reader.fit_transform(captions).sum(axis=0))[0]
    except ValueError:  # there is no word in them
        return []
    order = np.argsort(-counts, kind="stable")[:CANDIDATES]
    return [str(word) for word in reader.get_feature_names_out()[order]]


def _answered(searcher: Searcher, words: Sequence[str]) -> np.ndarray:
    """Return what share of each word's results it names, 0 where too few or no good match."""
    gallery = searcher.gallery
    captions = gallery.items["caption"].array
    shares = np.zeros(len(words))
    for row, word in enumerate(words):
        found = searcher.by_text(word, TRIED)
        share = np.mean([word in captions[gallery.row(id)].lower() for id in found["id"]])
        if share >= ANSWERED and searcher.match(found).label == "good":
            shares[row] = share
    return shares


def _shown(searcher: Searcher, vectors: np.ndarray) -> np.ndarray:
    """Return for each text how many pictures it fits best, in deviations of its own scores."""
    scores = evenly(searcher.embeddings.images, MOST_ROWS) @ vectors.T
    scores = (scores - scores.mean(axis=0)) / np.maximum(scores.std(axis=0), 1e-6)
    return np.bincount(scores.argmax(axis=1), minlength=len(vectors)).astype(float)


def _far_apart(vectors: np.ndarray, worth: np.ndarray, n: int) -> list[int]:
    """Return up to n rows, the best of worth first, each then as far from the others as can be."""
    rows = np.flatnonzero(worth > 0)
    rows = rows[np.argsort(-worth[rows], kind="stable")][: max(4 * n, 1)]
    chosen = list(rows[:1])
    while len(chosen) < min(n, len(rows)):
        left = [row for row in rows if row not in chosen]
        nearest = (vectors[left] @ vectors[chosen].T).max(axis=1)
        chosen.append(left[int(np.argmin(nearest))])
    return [int(row) for row in chosen]
