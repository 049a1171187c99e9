"""Rankings: at which places the right answers of each query stand.

A place counts from 1. Ties are settled against the system: of answers with equal score the wrong
ones stand first, then the right ones from the lowest grade to the highest. So a system that gives
every answer one score gains nothing from the order in which the answers happen to be stored.

A query may have several right answers (the five captions of a picture in Flickr30k and COCO, the
pictures with an equal caption, the pictures of a class), and a picture may have several queries.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigscope.indexes.exact import check_vectors, cosines_float64

CHUNK_BYTES = 64 * 2**20  # scores held at once


@dataclass(frozen=True, eq=False)
class Rankings:
    """The places of the right answers of q queries, h of them in the lists, and what is ideal.

    A right answer that a list does not hold counts as not found. A query with no right answer
    stays here, and every measure of it is nan.
    """

    places: np.ndarray  # (h,) int64, from 1, rising within each query
    query: np.ndarray  # (h,) int64, the query each place belongs to, rising
    grades: np.ndarray  # (h,) float64 above 0, how right each is; 1 where grades were not given
    n_right: np.ndarray  # (q,) int64, the right answers there are, found or not
    ideal: np.ndarray  # (sum of n_right,) float64, all grades, falling within each query
    n: int  # how many answers there are to choose from

    def __len__(self) -> int:
        """Return the number of queries, q."""
        return len(self.n_right)

    @property
    def order(self) -> np.ndarray:
        """How many right answers stand at each place or before it, int64, shape (h,)."""
        return _counted(np.bincount(self.query, minlength=len(self)))

    @property
    def first(self) -> np.ndarray:
        """The place of each query's first right answer, float64, shape (q,); inf: none found."""
        first = np.full(len(self), np.inf)
        np.minimum.at(first, self.query, self.places)
        return first


def rank_relevant(
    xq: np.ndarray,
    xb: np.ndarray,
    right: Sequence[np.ndarray],
    *,
    grades: Sequence[np.ndarray] | None = None,
    without: Sequence[np.ndarray] | None = None,
) -> Rankings:
    """Return where the right answers stand when all of xb is ranked by inner product.

    Args:
        xq: query unit vectors, float32, shape (q, d).
        xb: unit vectors of what is searched, float32, shape (n, d).
        right: for each query the rows of ``xb`` that are right.
        grades: for each of these rows how right it is, above 0; None makes all of them 1.
        without: for each query the rows that are left out of its ranking (the query's own
            picture, say); they must not be right.

    Raises:
        ValueError: shapes do not fit, a vector is not finite, or a row is out of range.
    """
    check_vectors(xq, xb)
    truth = _Truth.of(right, grades, len(xq), len(xb))
    if without is not None and len(without) != len(xq):
        raise ValueError(f"{len(xq)} queries need {len(xq)} lists of rows to leave out")
    places = np.empty(truth.rows.size, dtype=np.int64)
    order = np.empty(truth.rows.size, dtype=np.int64)
    step = max(1, CHUNK_BYTES // (8 * max(len(xb), 1)))
    for start in range(0, len(xq), step):
        stop = min(start + step, len(xq))
        scores = cosines_float64(xq[start:stop], xb)
        if without is not None:
            _leave_out(scores, without, truth, start)
        here = slice(truth.starts[start], truth.starts[stop])
        own = scores[truth.query[here] - start, truth.rows[here]]
        scores.sort(axis=1)
        order[here] = here.start + np.lexsort((truth.grades[here], -own, truth.query[here]))
        own = own[order[here] - here.start]
        for i, row in enumerate(scores, start):
            mine = slice(truth.starts[i], truth.starts[i + 1])
            places[mine] = _places(row, own[mine.start - here.start : mine.stop - here.start])
    return truth.rankings(places, truth.query, truth.grades[order])


def from_lists(
    found: np.ndarray,
    right: Sequence[np.ndarray],
    n: int,
    *,
    scores: np.ndarray | None = None,
    grades: Sequence[np.ndarray] | None = None,
) -> Rankings:
    """Return where the right answers stand in lists that a search gave back.

    Args:
        found: row numbers, best first, int64, shape (q, k); -1 is an empty slot.
        right: for each query the rows that are right.
        n: how many rows there are to choose from.
        scores: of the results, shape (q, k), falling. Given, ties in a list count against the
            system; None takes the order of the list as it is.
        grades: as in `rank_relevant`.

    Raises:
        ValueError: shapes do not fit, a row is out of range, or a list holds a row twice.
    """
    found = np.asarray(found)
    truth = _Truth.of(right, grades, len(found), n)
    _check_lists(found, n)
    query = np.repeat(np.arange(len(found)), found.shape[1]).reshape(found.shape)
    keys = np.where(found >= 0, query * n + found, -1)
    known = truth.query * n + truth.rows  # rising: rows are sorted within each query
    at = np.searchsorted(known, keys)
    is_right = (at < known.size) & (np.append(known, -2)[at] == keys)
    graded = np.where(is_right, np.append(truth.grades, 0.0)[at], 0.0)
    if scores is not None:
        order = np.lexsort((graded, -np.asarray(scores, dtype=np.float64)), axis=1)
        graded = np.take_along_axis(graded, order, axis=1)
    hit_query, column = np.nonzero(graded > 0)
    return truth.rankings(column + 1, hit_query, graded[hit_query, column])


def shuffled(rankings: Rankings, rng: np.random.Generator) -> Rankings:
    """Return what rankings would be were every ranking a random order: chance, for any measure."""
    query = np.repeat(np.arange(len(rankings)), rankings.n_right)
    flat = np.empty(query.size, dtype=np.int64)
    for r in np.unique(rankings.n_right):
        chosen = rankings.n_right == r
        flat[chosen[query]] = _random_places(int(r), rankings.n, int(chosen.sum()), rng).ravel()
    mixed = np.lexsort((rng.random(query.size), query))
    return Rankings(
        flat, query, rankings.ideal[mixed], rankings.n_right, rankings.ideal, rankings.n
    )


@dataclass(frozen=True, eq=False)
class _Truth:
    """The right rows of every query, one after another, rising within each query."""

    rows: np.ndarray
    query: np.ndarray
    grades: np.ndarray
    starts: np.ndarray  # (q + 1,)
    n: int

    @classmethod
    def of(
        cls,
        right: Sequence[np.ndarray],
        grades: Sequence[np.ndarray] | None,
        queries: int,
        n: int,
    ) -> "_Truth":
        if len(right) != queries or (grades is not None and len(grades) != queries):
            raise ValueError(
                f"{queries} queries need {queries} lists of right answers, not {len(right)}"
            )
        sizes = np.array([len(rows) for rows in right], dtype=np.int64)
        query = np.repeat(np.arange(queries), sizes)
        rows = np.concatenate([np.empty(0, np.int64), *map(np.asarray, right)]).astype(np.int64)
        flat = np.ones(rows.size)
        if grades is not None:
            flat = np.concatenate([np.empty(0), *map(np.asarray, grades)]).astype(np.float64)
        if flat.shape != rows.shape or not (flat > 0).all():
            raise ValueError("each right answer needs one grade above 0; leave out what is wrong")
        if rows.size and (rows.min() < 0 or rows.max() >= n):
            raise ValueError(f"right answers run from {rows.min()} to {rows.max()}; there are {n}")
        order = np.lexsort((rows, query))
        if ((np.diff(rows[order]) == 0) & (np.diff(query[order]) == 0)).any():
            raise ValueError("a query has the same right answer twice; give each row once")
        return cls(rows[order], query, flat[order], np.append(0, np.cumsum(sizes)), n)

    def rankings(self, places: np.ndarray, query: np.ndarray, grades: np.ndarray) -> Rankings:
        ideal = self.grades[np.lexsort((-self.grades, self.query))]
        return Rankings(places, query, grades, np.diff(self.starts), ideal, self.n)


def _random_places(r: int, n: int, times: int, rng: np.random.Generator) -> np.ndarray:
    """Return r different places of n, rising, drawn many times, shape (times, r)."""
    if r * r > n:  # many would be drawn twice: leave no chance to that
        drawn = [rng.choice(n, size=r, replace=False, shuffle=False) for _ in range(times)]
        return np.sort(np.array(drawn, dtype=np.int64), axis=1) + 1
    places = np.sort(rng.integers(1, n + 1, size=(times, r)), axis=1)
    while (again := (np.diff(places, axis=1) == 0).any(axis=1)).any():
        places[again] = np.sort(rng.integers(1, n + 1, size=(again.sum(), r)), axis=1)
    return places


def _places(ranked: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the places of scores own (falling) among ranked (all scores, rising), ties last."""
    at_least = ranked.size - np.searchsorted(ranked, own, side="left")
    own_at_least = np.searchsorted(-own, -own, side="right")
    return np.arange(1, own.size + 1) + at_least - own_at_least


def _counted(sizes: np.ndarray) -> np.ndarray:
    """Return 1, 2, … for each group of these sizes, one after another."""
    ends = np.cumsum(sizes)
    return np.arange(1, sizes.sum() + 1) - np.repeat(ends - sizes, sizes)


def _leave_out(
    scores: np.ndarray, without: Sequence[np.ndarray], truth: _Truth, start: int
) -> None:
    for i, row in enumerate(scores, start):
        rows = np.asarray(without[i], dtype=np.int64)
        right = truth.rows[truth.starts[i] : truth.starts[i + 1]]
        if np.isin(rows, right).any():
            raise ValueError(f"query {i} has a right answer among the rows that are left out")
        row[rows] = -np.inf


def _check_lists(found: np.ndarray, n: int) -> None:
    if found.ndim != 2 or found.dtype.kind not in "iu":
        raise ValueError(f"found must be row numbers of shape (queries, k), not {found.shape}")
    if found.size and (found.min() < -1 or found.max() >= n):
        raise ValueError(f"found runs from {found.min()} to {found.max()}; there are {n} rows")
    ordered = np.sort(found, axis=1)
    if ((np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0)).any():
        raise ValueError("a list holds the same row twice; a search gives each row once")
