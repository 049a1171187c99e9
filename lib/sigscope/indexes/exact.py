"""Exact search: the neighbours that every index is judged by, found by looking at every row."""

import numpy as np

BLOCK = 16_384  # rows held in float64 at once

DIGITS = 12  # decimals of a score; float64 leaves about 15 of a cosine


def exact_neighbours(
    xb: np.ndarray, xq: np.ndarray, k: int, *, chunk: int = 16_384, queries_at_once: int = 1024
) -> np.ndarray:
    """Return the rows nearest each query by exhaustive search, best first.

    Of rows with the same float32 score the lower row number comes first. Rows are visited in blocks
    that grow to chunk, and after the first only what beats the k-th best so far is looked at again.

    Args:
        xb: unit rows to search, shape (n, d), a memory map if need be.
        xq: unit queries, float32, shape (q, d).
        k: how many; more than n means n.
        chunk: rows scored at once; memory is queries_at_once x chunk floats.
        queries_at_once: queries scored at once.

    Returns:
        Row numbers, int64, shape (q, min(k, n)).
    """
    if k < 1:
        raise ValueError(f"k is {k}; ask for at least one neighbour")
    if xb.ndim != 2 or xq.ndim != 2 or xb.shape[1] != xq.shape[1]:
        raise ValueError(f"vectors {xb.shape} and queries {xq.shape} need two axes and the same d")
    k = min(k, len(xb))
    parts = [
        _exact(xb, xq[start : start + queries_at_once], k, chunk)
        for start in range(0, len(xq), queries_at_once)
    ]
    return np.concatenate(parts) if parts else np.empty((0, k), np.int64)


def _exact(xb: np.ndarray, xq: np.ndarray, k: int, chunk: int) -> np.ndarray:
    scores = np.full((len(xq), k), -np.inf, np.float32)
    rows = np.full((len(xq), k), len(xb), np.int64)
    start, size = 0, min(chunk, max(k, 256))
    while start < len(xb):
        block = np.asarray(xb[start : start + size], np.float32)
        found = xq @ block.T
        query, column = np.nonzero(found > scores[:, -1:])  # a later row never wins a tie
        scores, rows = _merged(scores, rows, query, found[query, column], start + column)
        start, size = start + len(block), min(chunk, 2 * size)
    return rows


def _merged(
    scores: np.ndarray,
    rows: np.ndarray,
    query: np.ndarray,
    new_scores: np.ndarray,
    new_rows: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best of the kept (q, k) and of the new, which are listed with their query."""
    q, k = scores.shape
    query = np.concatenate([np.repeat(np.arange(q), k), query])
    every = np.concatenate([scores.ravel(), new_scores])
    where = np.concatenate([rows.ravel(), new_rows])
    order = np.lexsort((where, -every, query))
    first = np.searchsorted(query[order], np.arange(q))
    best = order[first[:, None] + np.arange(k)]
    return every[best], where[best]


def steady_scores(xq: np.ndarray, xb: np.ndarray) -> np.ndarray:
    """Return the inner product of each query and row, float64, shape (q, n), the same everywhere.

    In float32 the last digits depend on the processor and on how many threads there are, and with
    them the order of rows that are nearly alike. These are computed in float64 and rounded to
    DIGITS decimals, so that equal rows tie, and a ranking is one ranking on every machine.
    """
    scores = np.empty((len(xq), len(xb)))
    queries = xq.astype(np.float64)
    for start in range(0, len(xb), BLOCK):
        block = xb[start : start + BLOCK].astype(np.float64)
        np.matmul(queries, block.T, out=scores[:, start : start + BLOCK])
    return scores.round(DIGITS, out=scores)


def check_vectors(xq: np.ndarray, xb: np.ndarray) -> None:
    """Raise unless queries and vectors have rows of one width and hold finite numbers only."""
    if xq.ndim != 2 or xb.ndim != 2 or xq.shape[1] != xb.shape[1]:
        raise ValueError(f"queries {xq.shape} and vectors {xb.shape} need the same dimensions")
    for name, x in (("queries", xq), ("vectors", xb)):
        if not np.isfinite(x).all():
            raise ValueError(f"the {name} hold NaN or infinity, which has no place in a ranking")


def neighbour_recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the share of the exact neighbours that the index also found.

    Args:
        found: row numbers returned by the index, int64, shape (queries, k); -1 is an empty slot.
        exact: row numbers returned by exhaustive search, same shape.

    Returns:
        A fraction in [0, 1]; the order within a row does not matter.
    """
    if found.shape != exact.shape:
        raise ValueError(f"found {found.shape} and exact {exact.shape} need the same queries and k")
    hits = sum(np.intersect1d(f[f >= 0], e).size for f, e in zip(found, exact, strict=True))
    return hits / exact.size
