"""Placing: a query put on a map that was made without it, at once and without UMAP's transform.

The query goes among the places of its nearest points, each weighted by the membership strength that
UMAP itself gives to a neighbour (McInnes, Healy & Melville 2018, section 3.1):

    strength(j) = exp(-max(0, distance(j) - rho) / sigma),  distance = 1 - cosine,

rho being the distance to the nearest, and sigma such that the strengths add up to log2(k). UMAP's
transform begins at the weighted mean of these places; here it is their weighted geometric median
(Weiszfeld's iteration), the point with the least weighted distance to all of them. Where a few
neighbours lie on another island, a mean ends up in the empty water between; the median stays with
the most. A place is a reading aid, and says how far to trust it.
"""

from dataclasses import dataclass

import numpy as np

from sigscope.indexes.exact import nearest
from sigscope.maps.map import Map

K = 15
NEAR = 0.05  # of the map's diagonal: how far a neighbour may be from the query to lie with it
ENOUGH = 0.5  # the share of the weight that must lie with the query for its place to be trusted
STEPS = 64
HOW = "weighted geometric median of its {k} nearest {kind}s, by UMAP's membership strengths"


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a query was put, and by what.

    Attributes:
        place: float32, (2,) or (3,), in the axes of the map.
        ids: of the neighbours it was placed by, the strongest first.
        weights: of these neighbours, float64, falling, adding up to 1.
        gathered: the share of the weight within a 20th of the map's diagonal from place, [0, 1].
        how: how it was placed, to be shown beside the map.
    """

    place: np.ndarray
    ids: list[str]
    weights: np.ndarray
    gathered: float
    how: str

    @property
    def trusted(self) -> bool:
        """Whether at least half of the weight lies around the place."""
        return self.gathered >= ENOUGH

    @property
    def note(self) -> str:
        """What to say about the place, as sentences."""
        said = f"Placed at the {self.how}; {self.gathered:.0%} of their weight lies around it."
        if self.trusted:
            return said
        return f"{said} They lie in several far places, so this one is not to be trusted."


def place(
    map: Map, vectors: np.ndarray, vector: np.ndarray, *, kind: str = "picture", k: int = K
) -> Placement:
    """Return where a query belongs on a map; 4 ms among 3,900 points.

    Args:
        map: a map in whose making the query had no part.
        vectors: of the map's points of that kind, in their order, unit rows, float32, (n, d); for
            pictures ``embeddings.images``, also where the map is one of a sample.
        vector: the query, a unit vector, (d,). A text may be placed among pictures: only the order
            and the differences of the cosines count.
        kind: among which points: "picture", or "caption" on a map that has them, where a text has
            its nearest neighbours.
        k: by how many of them; all of them where there are fewer.

    Raises:
        ValueError: The vectors are not those of the map's points of that kind, or the query does
            not fit them.
    """
    rows = map.of(kind)
    if map.rows is not None and kind == "picture":
        vectors = vectors[map.rows]
    if len(rows) != len(vectors) or not len(rows):
        raise ValueError(f"the map has {len(rows)} points of kind {kind}, not {len(vectors)}")
    xq = np.asarray(vector, np.float32).reshape(1, -1)
    if xq.shape[1] != vectors.shape[1] or not np.isfinite(xq).all():
        raise ValueError(f"the query must be {vectors.shape[1]} finite numbers")
    cosines, near = nearest(vectors, xq, min(k, len(vectors)))
    weights = strengths(cosines)
    found = rows[near[0]]
    at = geometric_median(map.places[found][None], weights)[0]
    off = np.linalg.norm(map.places[found] - at, axis=1)
    gathered = float(weights[0][off <= NEAR * map.size].sum())
    how = HOW.format(k=len(found), kind=kind)
    return Placement(at.astype(np.float32), list(map.ids[found]), weights[0], gathered, how)


def _place_pictures(map: Map, vectors: np.ndarray) -> np.ndarray:
    """Return where each picture of a map would be put if it were a query, (n, 2 or 3).

    Each is placed by the others. Compared with its real place this tells how well placing works,
    somewhat too kindly: the others lie where they do with its help.
    """
    rows = map.of("picture")
    cosines, near = nearest(vectors, vectors, K, own=np.arange(len(vectors)))
    return geometric_median(map.places[rows][near], strengths(cosines))


def placement_error(map: Map, vectors: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Return how far `_place_pictures` puts pictures from where they are.

    Returns:
        median and p90, as shares of the map's diagonal; and chance, the median for pictures put at
        the place of a random one.
    """
    real = map.places[map.of("picture")]
    off = np.linalg.norm(_place_pictures(map, vectors) - real, axis=1) / map.size
    random = np.linalg.norm(rng.permutation(real) - real, axis=1) / map.size
    low, high = np.quantile(off, [0.5, 0.9])
    return {"median": float(low), "p90": float(high), "chance": float(np.median(random))}


def strengths(cosines: np.ndarray) -> np.ndarray:
    """Return UMAP's membership strengths of neighbours, each row divided by its sum.

    Args:
        cosines: to the nearest points, best first, (queries, k).

    Returns:
        float64, same shape, falling, adding up to 1 in each row; equal where all are equally near.
    """
    beyond = (cosines[:, :1] - cosines).astype(np.float64)
    wanted = np.log2(max(cosines.shape[1], 2))
    low = np.zeros((len(cosines), 1))
    high = np.full((len(cosines), 1), 2.0)  # at 2, the largest distance, strengths are about equal
    for _ in range(STEPS):
        sigma = np.maximum((low + high) / 2, 1e-12)
        too_wide = np.exp(-beyond / sigma).sum(axis=1, keepdims=True) > wanted
        low, high = np.where(too_wide, low, sigma), np.where(too_wide, sigma, high)
    weights = np.exp(-beyond / sigma)
    return weights / weights.sum(axis=1, keepdims=True)


def geometric_median(places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the point with the least weighted sum of distances to the places of each query.

    Args:
        places: (queries, k, 2 or 3).
        weights: (queries, k), adding up to 1.
    """
    places = places.astype(np.float64)
    tiny = 1e-4 * max(float(np.ptp(places.reshape(-1, places.shape[2]), axis=0).max()), 1e-9)
    at = (weights[..., None] * places).sum(axis=1)
    for _ in range(STEPS):
        pulls = weights / np.maximum(np.linalg.norm(places - at[:, None], axis=2), tiny)
        at = (pulls[..., None] * places).sum(axis=1) / pulls.sum(axis=1, keepdims=True)
    return at
