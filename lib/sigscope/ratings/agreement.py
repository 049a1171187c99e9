"""Krippendorff's alpha: how far raters agree, beyond what chance would give.

It serves any number of raters, grades that are missing, and grades that are names, ranks or
numbers. A unit is what gets graded: here a picture for a query.
"""

from collections.abc import Sequence

import numpy as np

LEVELS = ("nominal", "ordinal", "interval")


def krippendorff_alpha(grades: np.ndarray, level: str = "nominal") -> float:
    """Return Krippendorff's alpha, 1 - observed / expected disagreement; nan where undefined.

    Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", sections C and E. A unit with
    one grade only says nothing of agreement and is left out. Where all grades are equal there is
    nothing to tell apart and alpha is undefined.

    Args:
        grades: one row per rater, one column per unit, nan where there is none, shape (r, u).
        level: how grades differ: nominal, ordinal or interval.
    """
    pairs, values = _coincidences(grades)
    return _alpha(pairs.sum(axis=0), values, level)


def alpha_interval(
    grades: np.ndarray,
    level: str,
    clusters: Sequence,
    rng: np.random.Generator,
    *,
    interval: float = 0.95,
    draws: int = 2000,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of alpha, resampling whole clusters of units.

    Krippendorff's own bootstrap draws single pairs of grades, as if they were independent; units
    that share a query are not. Resamples without an alpha are left out; without any, both are nan.

    Args:
        grades: as in `krippendorff_alpha`.
        level: as there.
        clusters: which cluster each unit belongs to, u of them.
        rng: where the draws come from.
        interval: the share of the bootstrap's alphas between the two ends.
        draws: how many resamples.
    """
    pairs, values = _coincidences(grades)
    _, member = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((member.max(initial=-1) + 1, values.size**2))
    np.add.at(sums, member, pairs.reshape(len(pairs), -1))
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    tables = (drawn @ sums).reshape(draws, values.size, values.size)
    alphas = np.array([_alpha(table, values, level) for table in tables])
    alphas = alphas[np.isfinite(alphas)]
    if not alphas.size:
        return np.nan, np.nan
    low, high = np.quantile(alphas, [(1 - interval) / 2, (1 + interval) / 2])
    return float(low), float(high)


def _coincidences(grades: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each unit's pairs of grades, (u, v, v), each of weight 1 / (m - 1), and the values."""
    grades = np.asarray(grades, dtype=float)
    if grades.ndim != 2:
        raise ValueError(f"grades have shape {grades.shape}; give one row per rater")
    values = np.unique(grades[~np.isnan(grades)])
    counts = (grades[:, :, None] == values).sum(axis=0).astype(float)  # (u, v)
    m = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(values.size), np.arange(values.size)] -= counts
    return pairs / np.where(m > 1, m - 1, np.inf)[:, None, None], values


def _alpha(pairs: np.ndarray, values: np.ndarray, level: str) -> float:
    """Return alpha of a coincidence matrix, shape (v, v)."""
    if level not in LEVELS:
        raise ValueError(f"there is no level {level!r}; choose from {', '.join(LEVELS)}")
    totals = pairs.sum(axis=1)
    n = totals.sum()
    apart = _apart(totals, values, level)
    expected = (np.outer(totals, totals) * apart).sum()
    if n < 2 or expected <= 0:
        return float("nan")
    return float(1 - (n - 1) * (pairs * apart).sum() / expected)


def _apart(totals: np.ndarray, values: np.ndarray, level: str) -> np.ndarray:
    """Return the squared difference between each two values, 0 on the diagonal, shape (v, v)."""
    if level == "nominal":
        return 1.0 - np.eye(values.size)
    if level == "interval":
        return (values[:, None] - values) ** 2
    middle = np.cumsum(totals) - totals / 2  # how many grades lie below the middle of each value's
    return (middle[:, None] - middle) ** 2
