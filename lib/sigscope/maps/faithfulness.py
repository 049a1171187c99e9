"""Faithfulness: how far the neighbourhoods of a map can be trusted, as numbers beside it.

Near in the vectors is by cosine, near on the map by straight distance, and no point is its own
neighbour. A rank is 1 + the number of points that are strictly nearer, so ties (such as copies of
one picture) are never held against a map. For a point i with k neighbours, n points in all:

    trust(i)      = 1 - sum over its k map neighbours j of max(0, rank in the vectors - k) / worst
    continuity(i) = 1 - sum over its k vector neighbours j of max(0, rank on the map - k) / worst
    worst         = k (2n - 3k - 1) / 2, which is what the k farthest points would sum to
    kept(i)       = share of its k vector neighbours that are among its k map neighbours

Trustworthiness and continuity are their means (Venna & Kaski 2001, "Neighborhood preservation in
nonlinear projection methods"): 1 is perfect, a random layout has about 0.5, and low trust means
strangers that look like neighbours, low continuity neighbours that were torn apart. A random
layout keeps k / (n - 1) of the neighbours.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sigscope.arguments import whole

K = 15
AT_MOST = 5000  # points that are judged, each among all; more would only sharpen the third decimal
BLOCK = 16_000_000  # numbers held at once


@dataclass(frozen=True)
class Faithfulness:
    """How faithful a map is; every score is in [0, 1] and a mean over the points judged."""

    trustworthiness: float
    continuity: float
    neighbours_kept: float
    chance_neighbours_kept: float
    k: int
    judged: int  # points judged, each among all n
    n: int

    def sentence(self) -> str:
        """Return the scores as a sentence to print beside the map."""
        which = "all" if self.judged == self.n else f"{self.judged:,} sampled"
        return (
            f"Trustworthiness {self.trustworthiness:.3f}, continuity {self.continuity:.3f} "
            f"(1 is perfect, a random layout has 0.5); {self.neighbours_kept:.0%} of each point's "
            f"{self.k} nearest are kept (by chance {self.chance_neighbours_kept:.1%}); judged at "
            f"{which} of {self.n:,} points."
        )


def sampled(n: int, rng: np.random.Generator, at_most: int = AT_MOST) -> np.ndarray:
    """Return the row numbers to judge: all n, or at_most of them drawn by rng, rising."""
    return np.arange(n) if n <= at_most else np.sort(rng.choice(n, at_most, replace=False))


def point_scores(
    vectors: np.ndarray, places: np.ndarray, *, k: int = K, rows: np.ndarray | None = None
) -> pd.DataFrame:
    """Return the scores of single points, each judged among all n.

    Args:
        vectors: unit rows, float32, (n, d).
        places: where the map puts them, (n, 2) or (n, 3).
        k: how many neighbours; less than n / 2.
        rows: which points to judge; None judges all.

    Returns:
        One row per judged point: row, trust, continuity, kept, each in [0, 1].

    Raises:
        ValueError: k does not fit n, or the two do not have the same rows.
    """
    n = len(vectors)
    if len(places) != n:
        raise ValueError(f"{n} vectors and {len(places)} places; each vector needs its own place")
    hint = f"with {n} points it must be at least 1 and below {n / 2:g}"
    whole("k", k, hint, most=(n - 1) // 2)
    rows = np.arange(n) if rows is None else np.asarray(rows)
    step = max(1, BLOCK // n)
    parts = [
        _block(vectors, places, rows[start : start + step], k)
        for start in range(0, len(rows), step)
    ]
    trust, continuity, kept = np.concatenate(parts, axis=1)
    return pd.DataFrame({"row": rows, "trust": trust, "continuity": continuity, "kept": kept})


def summary(points: pd.DataFrame, n: int, k: int = K) -> Faithfulness:
    """Return the scores of a map of n points from those of its points, all or a sample."""
    means = points[["trust", "continuity", "kept"]].mean()
    return Faithfulness(*means.astype(float), k / (n - 1), k, len(points), n)


def judge_map(
    vectors: np.ndarray, places: np.ndarray, *, k: int = K, rng: np.random.Generator
) -> Faithfulness:
    """Return how faithful a map is, judged at all its points or at 5,000 that rng draws."""
    n = len(vectors)
    return summary(point_scores(vectors, places, k=k, rows=sampled(n, rng)), n, k)


def other_kind_share(near: np.ndarray, kinds: np.ndarray) -> dict[str, float]:
    """Return the share of the points' neighbours that are of another kind, beside chance.

    Chance is the share of other points that are of another kind: what a model without a modality
    gap would come near to.

    Args:
        near: row numbers of each point's neighbours, without itself, (n, k).
        kinds: the kind of each point, (n,).
    """
    other = kinds[near] != kinds[:, None]
    _, counts = np.unique(kinds, return_counts=True)
    n = len(kinds)
    chance = float((counts * (n - counts)).sum() / (n * (n - 1)))
    return {"other_kind_share": float(other.mean()), "chance_other_kind_share": chance}


def _block(vectors: np.ndarray, places: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Return trust, continuity and kept of some rows, (3, rows)."""
    n, own = len(vectors), np.arange(len(rows))
    high = vectors[rows] @ vectors.T
    low = -_squared_distances(places[rows], places)
    for near in (high, low):
        near[own, rows] = -np.inf
    high_near, low_near = _k_largest(high, k), _k_largest(low, k)
    worst = k * (2 * n - 3 * k - 1) / 2
    trust = 1 - np.maximum(_ranks(high, low_near) - k, 0).sum(axis=1) / worst
    places_of_near = _ranks(low, high_near)
    continuity = 1 - np.maximum(places_of_near - k, 0).sum(axis=1) / worst
    return np.stack([trust, continuity, (places_of_near <= k).mean(axis=1)])


def _squared_distances(some: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Return squared distances, one axis after another: exact for near points, unlike a product."""
    sums = np.zeros((len(some), len(every)), np.float32)
    for a, b in zip(some.T, every.T, strict=True):
        off = a.astype(np.float32)[:, None] - b.astype(np.float32)[None]
        sums += np.square(off, out=off)
    return sums


def _k_largest(near: np.ndarray, k: int) -> np.ndarray:
    return np.argpartition(-near, k - 1, axis=1)[:, :k]


def _ranks(near: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the rank, from 1, of some columns in each row, the largest first."""
    values = np.take_along_axis(near, columns, axis=1)
    ranks = [(near > value[:, None]).sum(axis=1) for value in values.T]
    return np.stack(ranks, axis=1) + 1
