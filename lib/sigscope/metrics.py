"""How good a ranking is, and how sure of it we are.

Two different recalls, kept apart by name: ``neighbour_recall`` asks of an index whether it found
what exact search finds; ``hit_rate_at_k`` asks of an embedding whether the search found what a
person would want. R1 and R3 print the latter as "Recall@K" and "precision@k".
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import hypergeom


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
    hits = sum(np.intersect1d(f, e).size for f, e in zip(found, exact, strict=True))
    return hits / exact.size


def first_right_ranks(
    xq: np.ndarray, xb: np.ndarray, right: Sequence[np.ndarray], *, chunk: int = 1024
) -> np.ndarray:
    """Return at which place each query's best right answer stands in the exact ranking.

    The rank is 1 + the number of wrong answers that score as high or higher, so a tie counts
    against the model, and right answers never push each other down.

    Args:
        xq: query unit vectors, float32, shape (q, d).
        xb: unit vectors of what is searched, float32, shape (n, d).
        right: for each query, the rows of ``xb`` that are right; at least one.
        chunk: queries scored at once; memory is chunk x n floats.

    Returns:
        Ranks from 1 (best) to n, int64, shape (q,).
    """
    if len(right) != len(xq):
        raise ValueError(
            f"{len(xq)} queries need {len(xq)} lists of right answers, not {len(right)}"
        )
    ranks = np.empty(len(xq), dtype=np.int64)
    for start in range(0, len(xq), chunk):
        scores = xq[start : start + chunk] @ xb.T
        for i, row in enumerate(scores, start):
            rows = right[i]
            if not len(rows):
                raise ValueError(f"query {i} has no right answer, so it has no rank; leave it out")
            at_least = np.count_nonzero(row >= row[rows].max())
            ranks[i] = 1 + at_least - np.count_nonzero(row[rows] >= row[rows].max())
    return ranks


def hit_rate_at_k(ranks: np.ndarray, k: int) -> float:
    """Return the share of queries with a right answer among the first k, in [0, 1].

    With one right answer a query this is what R1 and R4 call Recall@K and R3 precision@k.

    Args:
        ranks: place of each query's best right answer, from 1, shape (q,).
        k: how far down the list one looks, >= 1.
    """
    return float(np.mean(np.asarray(ranks) <= k))


def chance_hit_rate(n_right: np.ndarray, n: int, k: int) -> float:
    """Return the hit rate at k of a random order: 1 - C(n - r, k) / C(n, k), mean over queries.

    Args:
        n_right: r, how many of the n answers are right for each query, shape (q,).
        n: how many answers are ranked.
        k: how far down the list one looks; beyond n it means n.
    """
    return float(np.mean(hypergeom.sf(0, n, np.asarray(n_right), min(k, n))))


def bootstrap_interval(
    values: np.ndarray,
    clusters: np.ndarray,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    draws: int = 2000,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean, resampling whole clusters.

    The captions of one picture succeed and fail together, so pictures are drawn, not captions
    (the cluster bootstrap: Field & Welsh 2007, "Bootstrapping clustered data").

    Args:
        values: one number a query (a hit is 1, a miss 0), shape (q,).
        clusters: which picture each query belongs to, shape (q,).
        rng: where the draws come from.
        level: the share of the bootstrap means that the interval holds.
        draws: how many resamples.

    Returns:
        The lower and upper end.
    """
    _, member = np.unique(clusters, return_inverse=True)
    sums = np.bincount(member, weights=np.asarray(values, dtype=float))
    sizes = np.bincount(member)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    means = (drawn @ sums) / (drawn @ sizes)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
