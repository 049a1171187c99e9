"""Neighbourhoods: numbers that tell how hard a set of unit vectors is to search.

Rows are float32 with length 1, distance is the chord ``sqrt(2 - 2 cosine)``, and the neighbours of
a query that belongs to a row leave that row out by its number, never by its rank.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sigscope.indexes.exact import nearest

RANKS = (1, 10, 100)
K_DIMENSION, K_HUBS = 20, 10
SHORTEST = 5e-4  # the chord that the rounding of a float32 cosine can no longer tell from 0
AGAINST = 4096  # rows that a query's mean distance is taken over


@dataclass(frozen=True, eq=False)
class Vectors:
    """Pictures to search, and captions as text queries.

    ``own`` tells which picture each caption belongs to, so that it can be left out: a made caption
    has none among the made pictures (None), and a new query has none in a gallery either.
    """

    images: np.ndarray  # (n, d) float32, unit rows
    texts: np.ndarray  # (m, d) float32, unit rows
    own: np.ndarray | None = None  # (m,) row numbers of images


def chords(cosines: np.ndarray) -> np.ndarray:
    """Return the distances ``sqrt(2 - 2 cosine)`` in [0.0005, 2], the shape of cosines."""
    return np.sqrt(np.maximum(2 - 2 * np.asarray(cosines, np.float64), SHORTEST**2))


def intrinsic_dimension(cosines: np.ndarray) -> float:
    """Return the local intrinsic dimension around the queries, from their k nearest neighbours.

    Levina & Bickel 2004, eq. 8: at one query the inverse dimension is the mean over j < k of
    ``log(T_k / T_j)``, T_j being the distance to the j-th neighbour. Inverses are averaged over
    queries (MacKay & Ghahramani 2005); the average of dimensions itself is biased upwards.

    Args:
        cosines: to the k nearest, best first, shape (queries, k), k at least 3.
    """
    if cosines.shape[1] < 3:
        raise ValueError(f"{cosines.shape[1]} neighbours are too few for a dimension; give 3")
    distances = chords(cosines)
    inverses = np.log(distances[:, -1:] / distances[:, :-1]).mean(axis=1)
    return float(1 / max(inverses.mean(), 1e-9))


def k_occurrence(found: np.ndarray, n: int) -> np.ndarray:
    """Return N_k, how many result lists each row is in, int64, shape (n,).

    Args:
        found: row numbers returned for each query, shape (queries, k); -1 is an empty slot.
        n: how many rows were searched.
    """
    found = np.asarray(found)
    if found.size and found.max() >= n:
        raise ValueError(
            f"row {found.max()} was found among {n} rows; give the n that was searched"
        )
    return np.bincount(found[found >= 0].ravel(), minlength=n)


def skewness(counts: np.ndarray) -> float:
    """Return S = E[(N_k - mean)^3] / sd^3, the third standardised moment; 0 for equal counts.

    This is the population form (no small-sample correction), with which Radovanović, Nanopoulos &
    Ivanović 2010, "Hubs in space" (JMLR 11, section 3), define S_Nk. A random order has about 0.
    """
    off = np.asarray(counts, dtype=np.float64)
    off = off - off.mean()
    spread = np.sqrt(np.mean(off**2))
    return float(np.mean(off**3) / spread**3) if spread > 0 else 0.0


def modality_gap(images: np.ndarray, texts: np.ndarray) -> float:
    """Return the length of the difference of the mean vectors, in [0, 2] (Liang et al. 2022)."""
    return float(np.linalg.norm(images.mean(0, dtype=np.float64) - texts.mean(0, dtype=np.float64)))


def _mean_resultant_length(x: np.ndarray) -> float:
    """Return the length of the mean unit vector, 0 spread evenly, 1 all alike (Mardia & Jupp 2000).

    It is the root of the mean cosine of all pairs, a row with itself included.
    """
    return float(np.linalg.norm(x.mean(axis=0, dtype=np.float64)))


def _relative_contrast(xb: np.ndarray, xq: np.ndarray, first: np.ndarray) -> float:
    """Return how much farther a row is on average than the nearest one; near 1 is hard to search.

    He, Kumar & Chang 2012: the mean distance over queries and rows, divided by the mean distance
    of the nearest row.

    Args:
        xb: unit rows; every so-manyth is used where there are more than 4,096.
        xq: unit queries.
        first: the cosine of each query's nearest row, (queries,).
    """
    some = xb[:: max(1, len(xb) // AGAINST)]
    return float(chords(xq @ some.T).mean() / chords(first).mean())


def describe(vectors: Vectors, *, queries: int | None = None) -> pd.DataFrame:
    """Return the statistics of vectors, one per row: query, statistic, value.

    Args:
        vectors: at least 102 pictures; image queries are the pictures, each without itself.
        queries: use only the first so many as queries, of each kind. Hubness then counts fewer
            visits, so compare it between equal numbers only.
    """
    images, texts, n = vectors.images, vectors.texts, len(vectors.images)
    if n < max(RANKS) + 2:
        raise ValueError(f"{n} pictures have no {max(RANKS)}th neighbour; give {max(RANKS) + 2}")
    kinds = {
        "image": (images[:queries], np.arange(n)[:queries]),
        "text": (texts[:queries], None if vectors.own is None else vectors.own[:queries]),
    }
    found = [
        {"query": kind, **row}
        for kind, (xq, own) in kinds.items()
        for row in _of_queries(images, xq, own)
    ]
    alone = {
        "modality gap": modality_gap(images, texts),
        "mean resultant length, pictures": _mean_resultant_length(images),
        "mean resultant length, captions": _mean_resultant_length(texts),
    }
    found += [{"query": "", "statistic": name, "value": value} for name, value in alone.items()]
    return pd.DataFrame(found)


def compare(real: Vectors, made: Vectors, *, queries: int | None = None) -> pd.DataFrame:
    """Return the statistics of both side by side: query, statistic, real, made, made / real.

    Args:
        real: vectors of a model.
        made: vectors from a generator, as many pictures and captions (distances shrink with n).
        queries: use only the first so many as queries, of each kind.
    """
    sizes = [(len(v.images), min(len(v.texts), queries or len(v.texts))) for v in (real, made)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"the real vectors are {sizes[0]} pictures and captions, the made ones {sizes[1]}; "
            "neighbours get nearer with n, so compare equal numbers"
        )
    table = describe(real, queries=queries).rename(columns={"value": "real"})
    table["made"] = describe(made, queries=queries)["value"]
    return table.assign(**{"made / real": table["made"] / table["real"]})


def by_size(
    name: str,
    vectors: Vectors,
    sizes: Sequence[int],
    *,
    queries: int = 1000,
    ranks: Sequence[int] = RANKS,
) -> pd.DataFrame:
    """Return how near the neighbours are among the first n pictures, for each n in sizes.

    Rows must be in random order (a gallery is not: shuffle it, with its captions).

    Args:
        name: what these vectors are called in the table and the figure.
        vectors: the largest set; its first ``queries`` captions are the text queries of every n.
        sizes: how many of its pictures to search, each more than the largest rank.
        queries: of each kind.
        ranks: which neighbours.

    Returns:
        One row per query kind, n and rank: vectors, query, n, rank, the median cosine and its
        quartiles as cosine, low, high, and the intrinsic dimension (K = 20) at that n.
    """
    rows = []
    for n in sizes:
        images = vectors.images[:n]
        own = None if vectors.own is None else vectors.own[:queries]
        for kind, xq, without in (
            ("image", images[:queries], np.arange(len(images))[:queries]),
            ("text", vectors.texts[:queries], own),
        ):
            cosines, _ = nearest(images, xq, max(*ranks, K_DIMENSION), own=without)
            dimension = intrinsic_dimension(cosines[:, :K_DIMENSION])
            for rank in ranks:
                low, mid, high = np.quantile(cosines[:, rank - 1], [0.25, 0.5, 0.75])
                rows.append((name, kind, n, rank, low, mid, high, dimension))
    names = ["vectors", "query", "n", "rank", "low", "cosine", "high", "dimension"]
    return pd.DataFrame(rows, columns=names)


def _of_queries(xb: np.ndarray, xq: np.ndarray, own: np.ndarray | None) -> list[dict]:
    cosines, rows = nearest(xb, xq, max(RANKS), own=own)
    first = cosines[:, 0]
    values = {f"median cosine at rank {r}": np.median(cosines[:, r - 1]) for r in RANKS}
    values |= {f"{q:.0%} of cosines at rank 1": np.quantile(first, q) for q in (0.05, 0.95)}
    values |= {
        f"intrinsic dimension (k = {K_DIMENSION})": intrinsic_dimension(cosines[:, :K_DIMENSION]),
        f"hubness (k = {K_HUBS})": skewness(k_occurrence(rows[:, :K_HUBS], len(xb))),
        "relative contrast": _relative_contrast(xb, xq, first),
    }
    return [{"statistic": name, "value": float(value)} for name, value in values.items()]
