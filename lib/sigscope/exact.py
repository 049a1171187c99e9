"""Exact search: the neighbours that every index is judged by, found by looking at every row."""

import numpy as np


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
