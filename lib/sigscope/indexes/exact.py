"""Exact search: the neighbours that every index is judged by, found by looking at every row."""

import numpy as np

from sigscope.arguments import whole

BLOCK = 16_384  # rows compared, or held in float64, at once
AT_ONCE = 1024  # queries
DIGITS = 12  # decimals of a score; float64 leaves about 15 of a cosine


def nearest(
    xb: np.ndarray, xq: np.ndarray, k: int, *, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k rows of xb nearest each query by exhaustive search, best first.

    Of rows with the same float32 score the lower row number comes first. Rows are read and compared
    BLOCK at a time.

    Args:
        xb: unit rows to search, shape (n, d), a memory map if need be.
        xq: unit queries, float32, shape (q, d).
        k: how many; at most n, or n - 1 where a row is left out.
        own: a row number per query that is not to be found; None leaves out nothing.

    Returns:
        Cosines, float32, and row numbers, int64, both (q, k).
    """
    if xb.ndim != 2 or xq.ndim != 2 or xb.shape[1] != xq.shape[1]:
        raise ValueError(f"vectors {xb.shape} and queries {xq.shape} need two axes and the same d")
    most, extra = len(xb) - (own is not None), own is not None
    hint = f"with {len(xb):,} rows it must be from 1 to {most:,}"
    k = whole("k", k, hint if most > 0 else "there are too few vectors to search", most=most)
    xq = np.ascontiguousarray(xq, np.float32)
    scores, rows = np.empty((len(xq), k + extra), np.float32), np.empty((len(xq), k + extra), int)
    for start in range(0, len(xq), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        scores[some], rows[some] = _nearest(xb, xq[some], k + extra)
    if own is None:
        return scores, rows
    other = rows != np.asarray(own)[:, None]
    other[other.all(axis=1), -1] = False  # its own row was too far to be seen: drop the last
    return scores[other].reshape(-1, k), rows[other].reshape(-1, k)


def exact_neighbours(xb: np.ndarray, xq: np.ndarray, k: int) -> np.ndarray:
    """Return the rows of `nearest`, int64, shape (q, min(k, n)); k may be more than n."""
    k = whole("k", k, "ask for at least one neighbour")
    return nearest(xb, xq, max(1, min(k, len(xb))))[1]


def _nearest(xb: np.ndarray, xq: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    scores, rows = np.empty((len(xq), 0), np.float32), np.empty((len(xq), 0), np.int64)
    for start in range(0, len(xb), BLOCK):
        block = np.ascontiguousarray(xb[start : start + BLOCK], np.float32)
        new, found = _with_ties(block, xq, min(k, len(block)))
        scores, rows = np.hstack([scores, new]), np.hstack([rows, start + found])
        order = np.lexsort((rows, -scores))[:, :k]
        scores, rows = (np.take_along_axis(x, order, 1) for x in (scores, rows))
    return scores, rows


def _with_ties(block: np.ndarray, xq: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k best rows of each query and, of those as good as the k-th, at least all."""
    import faiss

    wide = min(k + 1, len(block))
    while True:
        scores, rows = faiss.knn(xq, block, wide, metric=faiss.METRIC_INNER_PRODUCT)
        if wide == len(block) or (scores[:, k - 1] > scores[:, -1]).all():
            return scores, rows
        wide = min(2 * wide, len(block))


def cosines_float64(xq: np.ndarray, xb: np.ndarray) -> np.ndarray:
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
    if not exact.size:
        raise ValueError(f"exact {exact.shape} holds no neighbour; ask for one of a query at least")
    hits = sum(np.intersect1d(f[f >= 0], e).size for f, e in zip(found, exact, strict=True))
    return hits / exact.size
