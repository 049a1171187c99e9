"""Krippendorff's alpha: how far raters agree, beyond what chance would give.

It serves any number of raters, grades that are missing, and grades that are names, ranks or
numbers. A unit is what gets graded: here a picture for a query.
"""

from collections.abc import Sequence

import krippendorff
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
    return _alpha(*_counted(grades), level)


def alpha_interval(
    grades: np.ndarray,
    level: str,
    clusters: Sequence,
    rng: np.random.Generator,
    *,
    draws: int = 2000,
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of alpha, resampling whole clusters of units.

    Krippendorff's own bootstrap draws single pairs of grades, as if they were independent; units
    that share a query are not. Resamples without an alpha are left out; without any, both are nan.

    Args:
        grades: as in `krippendorff_alpha`.
        level: as there.
        clusters: which cluster each unit belongs to, u of them.
        rng: where the draws come from.
        draws: how many resamples.
    """
    counts, values = _counted(grades)
    _, member = np.unique(np.asarray(clusters), return_inverse=True)
    n = member.max(initial=-1) + 1
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    alphas = [_alpha(np.repeat(counts, each[member], axis=0), values, level) for each in drawn]
    if np.isnan(alphas).all():
        return np.nan, np.nan
    low, high = np.nanquantile(alphas, [0.025, 0.975])
    return float(low), float(high)


def _counted(grades: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each unit got each grade, int64, (u, v), and the v grades."""
    grades = np.asarray(grades, dtype=float)
    if grades.ndim != 2:
        raise ValueError(f"grades have shape {grades.shape}; give one row per rater")
    values = np.unique(grades[~np.isnan(grades)])
    return (grades[:, :, None] == values).sum(axis=0), values


def _alpha(counts: np.ndarray, values: np.ndarray, level: str) -> float:
    if level not in LEVELS:
        raise ValueError(f"there is no level {level!r}; choose from {', '.join(LEVELS)}")
    pairable = counts[counts.sum(axis=1) > 1]
    if np.count_nonzero(pairable.sum(axis=0)) < 2:
        return float("nan")
    return float(
        krippendorff.alpha(value_counts=pairable, value_domain=values, level_of_measurement=level)
    )
