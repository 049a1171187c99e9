"""How sure a figure is: intervals, and tests between two systems, that draw whole clusters.

The captions of one picture succeed and fail together, so what is drawn is pictures, not captions
(the cluster bootstrap: Field & Welsh 2007, "Bootstrapping clustered data").
"""

from dataclasses import dataclass

import numpy as np

DRAWN_BYTES = 64 * 2**20  # resamples held at once
EXACT_CLUSTERS = 13  # up to so many, every choice of signs is tried: 8,192


@dataclass(frozen=True)
class Difference:
    """How much a second system is better than a first on the same queries, and how surely."""

    first: float  # the means of the two
    second: float
    difference: float  # second - first
    low: float
    high: float
    p: float  # two-sided, in (0, 1]: how often chance alone differs as much
    queries: int
    pictures: int  # or whatever the clusters are


def bootstrap_interval(
    values: np.ndarray,
    clusters: np.ndarray,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    draws: int = 2000,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean, resampling whole clusters.

    Where all values are equal both ends are that value, however few there are: `interval` then
    does better. Below some 30 clusters it is a little too narrow.

    Args:
        values: one number a query (a hit is 1, a miss 0), shape (q,).
        clusters: which picture each query belongs to, shape (q,).
        rng: where the draws come from.
        level: the share of the bootstrap means that the interval holds, in (0, 1).
        draws: how many resamples.

    Returns:
        The lower and upper end.

    Raises:
        ValueError: there are no values, one is nan, or shapes differ.
    """
    from scipy.stats import bootstrap

    values, member = _checked(values, clusters)
    sums, counts = np.bincount(member, weights=values), np.bincount(member)
    if len(sums) == 1:
        return float(values.mean()), float(values.mean())

    def mean(sums: np.ndarray, counts: np.ndarray, axis: int) -> np.ndarray:
        return sums.sum(axis=axis) / counts.sum(axis=axis)

    found = bootstrap(
        (sums, counts),
        mean,
        paired=True,
        vectorized=True,
        method="percentile",
        confidence_level=level,
        n_resamples=draws,
        batch=max(1, DRAWN_BYTES // (32 * len(sums))),
        rng=rng,
    )
    low, high = found.confidence_interval
    return float(low), float(high)


def interval(
    values: np.ndarray, clusters: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the cluster bootstrap's 95 % interval of the mean, or Wilson's if it has no width.

    All hits, or all misses, resample to themselves; each cluster then counts as one trial.
    """
    values, member = _checked(values, clusters)
    if values.min() == values.max() and values[0] in (0, 1):
        trials = int(member.max()) + 1
        return wilson_interval(int(values[0]) * trials, trials)
    return bootstrap_interval(values, member, rng)


def wilson_interval(hits: int, trials: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a share, for single trials (Wilson 1927).

    It serves published figures of which only the share and the number of queries are known.

    Args:
        hits: how many trials succeeded, from 0 to trials.
        trials: how many there were, >= 1.
    """
    from scipy.stats import binomtest

    low, high = binomtest(hits, trials).proportion_ci(method="wilson")
    return float(low), float(high)


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    clusters: np.ndarray,
    rng: np.random.Generator,
    *,
    draws: int = 2000,
) -> Difference:
    """Return how much second is better than first, query by query.

    The 95 % interval is the cluster bootstrap's of the mean difference. For p, the sum T of the
    differences is compared with its value when the systems are swapped for pictures at random
    (Fisher's randomisation test): p = (1 + #{|T*| >= |T|}) / (1 + swaps); with at most 13 pictures
    all ways to swap are tried, and p = #{|T*| >= |T|} / 2^pictures.

    Args:
        first: one number a query, shape (q,).
        second: the other system's numbers for the same queries in the same order, shape (q,).
        clusters: which picture each query belongs to, shape (q,).
        rng: where the draws come from.
        draws: how many resamples; there are five times as many swaps.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape} values; pair the same queries")
    better, member = _checked(second - first, clusters)
    low, high = bootstrap_interval(better, member, rng, draws=draws)
    p = _sign_flip_test(better, member, rng, flips=5 * draws)
    means = (float(each.mean()) for each in (first, second, better))
    return Difference(*means, low, high, p, better.size, int(member.max()) + 1)


def _sign_flip_test(
    differences: np.ndarray, clusters: np.ndarray, rng: np.random.Generator, *, flips: int = 10_000
) -> float:
    """Return p as `paired_difference` says."""
    differences, member = _checked(differences, clusters)
    sums = np.bincount(member, weights=differences)
    seen = abs(sums.sum()) * (1 - 1e-12)  # so that rounding does not undo a tie
    if sums.size <= EXACT_CLUSTERS:
        bits = np.arange(2**sums.size)[:, None] >> np.arange(sums.size) & 1
        return float(np.mean(np.abs((2 * bits - 1) @ sums) >= seen))
    step = max(1, DRAWN_BYTES // (8 * sums.size))
    as_far = 0
    for start in range(0, flips, step):
        flipped = rng.integers(0, 2, size=(min(step, flips - start), sums.size), dtype=np.int8)
        as_far += np.count_nonzero(np.abs(2 * (flipped @ sums) - sums.sum()) >= seen)
    return float(1 + as_far) / (1 + flips)


def _checked(values: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values as floats and the number of each one's cluster, or raise."""
    values, clusters = np.asarray(values, dtype=float), np.asarray(clusters)
    if values.ndim != 1 or values.shape != clusters.shape:
        raise ValueError(f"{values.shape} values and {clusters.shape} clusters; give one for each")
    if not values.size:
        raise ValueError("there are no values, and so nothing to be sure of")
    if np.isnan(values).any():
        raise ValueError(
            f"{np.isnan(values).sum()} of {values.size} values are nan; leave out the queries that "
            "have no right answer"
        )
    return values, np.unique(clusters, return_inverse=True)[1]
