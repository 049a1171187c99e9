"""Fusion: embedding search joined with what the stored captions say, by words or by vectors.

Keyword search (BM25) ranks pictures by their captions, reciprocal rank fusion joins two rankings,
and re-ranking looks at the captions of the first 100 results again. All of it is off by default.

A caption that is asked as a query is found by itself, which measures nothing. So whoever evaluates
must say which stored captions a query may not see: `evaluation.systems.own_captions`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sigscope.arguments import real
from sigscope.embeddings.load import Embeddings

DEPTH = 100  # results that are fused or ranked again
Lists = tuple[np.ndarray, np.ndarray]  # scores and rows, (queries, k), best first; -inf and -1
ARTICLES = {"a", "an", "the"}
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False)
class StoredTexts:
    """The texts that pictures are stored with: m texts over n pictures."""

    texts: np.ndarray  # (m,)
    rows: np.ndarray  # (m,) int64, the picture of each
    n: int

    @cached_property
    def numbers_of(self) -> list[np.ndarray]:
        """The numbers of the captions of each picture, n arrays."""
        order = np.argsort(self.rows, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.rows, minlength=self.n))[:-1])


@dataclass(frozen=True, eq=False)
class StoredCaptions(StoredTexts):
    """The captions that pictures are stored with, and their vectors."""

    vectors: np.ndarray  # (m, d) float32, unit rows

    @classmethod
    def of(cls, embeddings: Embeddings) -> "StoredCaptions":
        """Return the captions in embeddings; rows count its pictures."""
        row_of = {id: row for row, id in enumerate(embeddings.ids)}
        rows = np.array([row_of[id] for id in embeddings.caption_ids], dtype=np.int64)
        return cls(embeddings.caption_texts, rows, len(embeddings), embeddings.captions)


def words_of(text: str) -> list[str]:
    """Return the words of a text, runs of letters and digits, case folded."""
    return _WORD.findall(text.casefold())


@dataclass(frozen=True, eq=False)
class Keywords:
    """Keyword search over texts: BM25 in Lucene's form, k1 = 1.5, b = 0.75, by ``bm25s``.

    Robertson & Zaragoza 2009, "The probabilistic relevance framework", has the formula. A picture
    scores as its best text; one that shares no word with the query is not found. Words are runs of
    letters and digits, case ignored, without stemming, unless others are given; of a query, only
    those that are `telling` count.
    """

    stored: StoredTexts
    retriever: Any  # bm25s.BM25
    terms: Callable[[str], list[str]]  # the words of a text

    @classmethod
    def build(cls, stored: StoredTexts, terms: Callable[[str], list[str]] = words_of) -> "Keywords":
        """Return the index of the stored texts."""
        import bm25s

        if not len(stored.texts):
            raise ValueError("no picture has a caption, so there is nothing to search by words")
        retriever = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
        retriever.index([terms(text) or [""] for text in stored.texts], show_progress=False)
        return cls(stored, retriever, terms)

    def scores(self, query: str, left_out: Sequence[int] = ()) -> np.ndarray:
        """Return the BM25 score of each picture, float32 from 0, shape (n,).

        Captions in left_out give nothing; how rare a word is, is still counted with them.
        """
        words, scores = telling(self.terms(query)), np.zeros(self.stored.n, np.float32)
        if words:
            of_captions = np.array(self.retriever.get_scores(words), dtype=np.float32)
            of_captions[np.asarray(left_out, np.int64)] = 0
            np.maximum.at(scores, self.stored.rows, of_captions)
        return scores

    def search(
        self,
        queries: Sequence[str],
        k: int = DEPTH,
        *,
        left_out: Sequence[np.ndarray] | None = None,
    ) -> Lists:
        """Return the best k pictures of each query; ties keep the order of the pictures.

        Args:
            queries: texts.
            k: how many; fewer are found where fewer pictures share a word.
            left_out: for each query the captions it may not see; see `own_captions`.

        Returns:
            BM25 scores, float32, and rows, int64, both (queries, min(k, n)); -inf and -1 in empty
            slots, which are last.
        """
        left_out = [()] * len(queries) if left_out is None else left_out
        pairs = zip(queries, left_out, strict=True)
        scores = [self.scores(query, numbers) for query, numbers in pairs]
        found = [_best(row, np.arange(len(row)), k, above=0.0) for row in scores]
        return _stacked(found, min(k, self.stored.n))


def telling(words: list[str]) -> list[str]:
    """Return the words that are none of Lucene's English stop words, or all where all are."""
    from bm25s.stopwords import STOPWORDS_EN

    return [word for word in words if word not in STOPWORDS_EN] or words


def reciprocal_rank_fusion(lists: Sequence[np.ndarray], k: int, *, constant: int = 60) -> Lists:
    """Return the rankings joined: score(x) = sum over the lists that hold x of 1 / (60 + place).

    Cormack, Clarke & Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet …" (SIGIR),
    whose constant is 60. Places count from 1; scores of the lists are not looked at.

    Args:
        lists: of each system the rows found, int64, (queries, any number), best first, -1 in empty
            slots; the same queries in all.
        k: how many results of each query to return.
        constant: the 60 of the formula.

    Returns:
        As `Keywords.search`; ties keep the order in which the lists first name them.
    """
    weights = [1 / (constant + 1 + np.arange(rows.shape[1])) for rows in lists]
    weight = np.concatenate(weights)
    found = []
    for rows in np.concatenate(lists, axis=1):
        held, first, member = np.unique(rows, return_index=True, return_inverse=True)
        scores = np.bincount(member, weights=weight)[held >= 0]
        order = np.argsort(first[held >= 0])
        found.append(_best(scores[order], held[held >= 0][order], k))
    return _stacked(found, min(k, weight.size))


def caption_cosines(
    rows: np.ndarray,
    xq: np.ndarray,
    stored: StoredCaptions,
    *,
    left_out: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Return for each result the cosine of the query and the picture's nearest caption.

    Args:
        rows: the pictures found, int64, (queries, k), -1 in empty slots.
        xq: text vectors of the queries, float32 unit rows, (queries, d).
        stored: captions with vectors of the same model.
        left_out: for each query the captions it may not see, from `own_captions`.

    Returns:
        float32, (queries, k); nan where the picture has no caption that the query may see.
    """
    nearest = np.full(rows.shape, np.nan, np.float32)
    for i, listed in enumerate(rows):
        places = np.flatnonzero(listed >= 0)
        groups = [stored.numbers_of[row] for row in listed[places]]
        place = np.repeat(places, [len(group) for group in groups]).astype(np.int64)
        numbers = np.concatenate([np.empty(0, np.int64), *groups])
        if left_out is not None:
            seen = ~np.isin(numbers, left_out[i])
            place, numbers = place[seen], numbers[seen]
        np.fmax.at(nearest[i], place, stored.vectors[numbers] @ xq[i])
    return nearest


def rerank(cosines: np.ndarray, rows: np.ndarray, nearest: np.ndarray, weight: float) -> Lists:
    """Return the same results, best first by (1 - weight) * cosine + weight * nearest.

    A picture without a caption counts with the mean of the query's other results, so that it
    neither gains nor loses.

    Args:
        cosines: of query and picture, float32, (queries, k).
        rows: the pictures, int64, (queries, k), -1 in empty slots.
        nearest: from `caption_cosines`, same shape.
        weight: of the captions, in [0, 1]; 0 leaves the order as it is.

    Returns:
        Scores, float32, and rows, int64, both (queries, k).
    """
    weight = real("the weight", weight, "it must lie between 0 and 1", least=0, most=1)
    there = np.isfinite(nearest)
    known = there.sum(axis=1, keepdims=True)
    mean = np.where(there, nearest, 0).sum(axis=1, keepdims=True) / np.maximum(known, 1)
    share = np.where(known > 0, weight, 0)  # where no result has a caption nothing is changed
    own = np.where(rows >= 0, cosines, 0)
    scores = (1 - share) * own + share * np.where(there, nearest, mean)
    scores = np.where(rows >= 0, scores, -np.inf).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _best(
    scores: np.ndarray, rows: np.ndarray, k: int, *, above: float = -np.inf
) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-scores, kind="stable")[:k]
    order = order[scores[order] > above]
    return scores[order], rows[order]


def _stacked(found: Sequence[tuple[np.ndarray, np.ndarray]], k: int) -> Lists:
    """Return lists of unequal length as two arrays, (queries, k)."""
    scores = np.full((len(found), k), -np.inf, np.float32)
    rows = np.full((len(found), k), -1, np.int64)
    for i, (own, listed) in enumerate(found):
        scores[i, : len(own)], rows[i, : len(listed)] = own, listed
    return scores, rows
