"""How good a ranking is: one number a query, each with its formula.

Two different recalls, kept apart by name: ``neighbour_recall`` asks of an index whether it found
what exact search finds; ``recall_at_k`` and ``hit_at_k`` ask of an embedding whether the
search found what a person would want. What R1 and R4 print as "Recall@K" and R3 as "precision@k"
is the hit rate: the share of queries with a right answer among the first k.

Symbols: a query has R right answers; p_1 < p_2 < … are the places, from 1, of those that its list
holds (see `rankings` for ties); k is how far down the list one looks. A k beyond the list
looks at the whole list. A query with R = 0 has no measure: nan.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.stats import hypergeom

from sigscope.arguments import whole
from sigscope.evaluation.rankings import Rankings

GAINS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exponential": lambda grade: 2.0**grade - 1,  # Burges et al. 2005, "Learning to rank"
    "linear": lambda grade: grade,  # Järvelin & Kekäläinen 2002; what trec_eval uses
}


def chance_hit_rate(n_right: np.ndarray, n: int, k: int) -> float:
    """Return the hit rate at k of a random order: 1 - C(n - r, k) / C(n, k), mean over queries.

    Args:
        n_right: r, how many of the n answers are right for each query, shape (q,).
        n: how many answers are ranked.
        k: how far down the list one looks; beyond n it means n.
    """
    right, queries = np.unique(n_right, return_counts=True)
    return float(np.average(hypergeom.sf(0, n, right, min(_k(k), n)), weights=queries))


def hit_at_k(rankings: Rankings, k: int) -> np.ndarray:
    """Return 1 where a right answer is among the first k: [p_1 <= k]. Its mean is the hit rate.

    It is what R1 and R4 call Recall@K and R3 precision@k, and what papers on retrieval call R@K,
    several right answers or one. trec_eval calls it success.
    """
    return _defined(rankings, (rankings.first <= _k(k)).astype(float))


def recall_at_k(rankings: Rankings, k: int) -> np.ndarray:
    """Return the share of the right answers among the first k: #{p_j <= k} / R, in [0, 1].

    With one right answer a query it is the hit rate; with more it cannot reach 1 while k < R.
    """
    return _share(rankings, _found(rankings, k), rankings.n_right)


def precision_at_k(rankings: Rankings, k: int) -> np.ndarray:
    """Return the share of the first k that are right: #{p_j <= k} / k, in [0, 1].

    It divides by k even where the list is shorter, as trec_eval does. R1's Precision@3 and
    Precision@5 are this, from human ratings; R3's precision@k is the hit rate instead.
    """
    return _defined(rankings, _found(rankings, k) / _k(k))


def reciprocal_rank(rankings: Rankings, k: int | None = None) -> np.ndarray:
    """Return 1 / p_1, or 0 where no right answer is found (by k); in [0, 1]. Its mean is MRR."""
    far = np.inf if k is None else _k(k)
    return _defined(rankings, np.where(rankings.first <= far, 1 / rankings.first, 0.0))


def average_precision(
    rankings: Rankings, k: int | None = None, *, over: str = "right"
) -> np.ndarray:
    """Return AP, or AP@k: the precision at each right answer found, summed, over a denominator.

    AP@k = (sum over p_j <= k of j / p_j) / D, in [0, 1]; its mean over queries is mAP, or mAP@k.
    Reports seldom say which D they use, and figures under different D do not compare:

    - ``right``: D = R. trec_eval's ``map`` and ``map_cut``. Cannot reach 1 while k < R.
    - ``best``: D = min(R, k). A perfect list has 1 at any k.
    - ``found``: D = #{p_j <= k}, the right answers found (0 gives 0). It forgives what is
      missing, and it can fall as k grows, which neither of the others can once k >= R: so R2,
      whose mAP@5 to mAP@50 fall with about five pictures a class, must have used this.

    Args:
        rankings: the places.
        k: how far down the list one looks; None looks at all of it.
        over: which denominator: right, best or found.
    """
    far = np.inf if k is None else _k(k)
    near = rankings.places <= far
    terms = np.where(near, rankings.order / rankings.places, 0.0)
    sums = np.bincount(rankings.query, weights=terms, minlength=len(rankings))
    found = np.bincount(rankings.query, weights=near, minlength=len(rankings))
    denominators = {"right": rankings.n_right, "best": np.minimum(rankings.n_right, far)}
    if over == "found":
        return _defined(rankings, sums / np.maximum(found, 1))
    if over not in denominators:
        raise ValueError(f"there is no denominator {over!r}; choose from right, best, found")
    return _share(rankings, sums, denominators[over])


def ndcg_at_k(rankings: Rankings, k: int | None = None, *, gain: str = "exponential") -> np.ndarray:
    """Return NDCG@k: the discounted gain of the list over that of the ideal list, in [0, 1].

    DCG@k = sum over p_j <= k of gain(grade_j) / log2(p_j + 1); the ideal list has all R right
    answers first, from the highest grade to the lowest (Järvelin & Kekäläinen 2002).

    Args:
        rankings: the places and grades.
        k: how far down the list one looks; None looks at all of it.
        gain: ``exponential``, 2^grade - 1, or ``linear``, the grade; where all grades are 1 both
            are 1. R3's NDCG is another thing: `cosine_gain_ndcg`.
    """
    if gain not in GAINS:
        raise ValueError(f"there is no gain {gain!r}; choose from {', '.join(GAINS)}")
    far = np.inf if k is None else _k(k)
    query = np.repeat(np.arange(len(rankings)), rankings.n_right)
    starts = np.repeat(np.cumsum(rankings.n_right) - rankings.n_right, rankings.n_right)
    places = np.arange(query.size) - starts + 1
    ideal = _dcg(query, places, GAINS[gain](rankings.ideal), far, len(rankings))
    dcg = _dcg(rankings.query, rankings.places, GAINS[gain](rankings.grades), far, len(rankings))
    return _share(rankings, dcg, ideal)


def r_precision(rankings: Rankings) -> np.ndarray:
    """Return the share of the first R that are right: #{p_j <= R} / R, in [0, 1].

    For class labels: of the first as many results as the class has members, how many are of it.
    """
    near = rankings.places <= rankings.n_right[rankings.query]
    return _share(rankings, np.bincount(rankings.query, near, len(rankings)), rankings.n_right)


def cosine_gain_ndcg(found: np.ndarray, exact: np.ndarray, xb: np.ndarray) -> np.ndarray:
    """Return R3's NDCG: how near the results lie to what plain kNN calls the right answer.

    The right answer of a query is kNN's first result, a. A result r has rel = cos(x_r, x_a) and
    gain 2^rel - 1, an empty slot 0. The NDCG is DCG@k of the results over DCG@k of kNN's own first
    k, in kNN's order (R3, "external" tasks). It is 1 where both lists are the same. It can pass 1,
    since kNN orders by nearness to the query and not to a; and it is high for any result at
    all where vectors lie close together, so read it beside the neighbour recall.

    Args:
        found: row numbers from the index, best first, int64, shape (q, k); -1 is an empty slot.
        exact: row numbers from plain kNN, same shape.
        xb: unit vectors, float32, shape (n, d).

    Returns:
        NDCG, float64, shape (q,).
    """
    if found.shape != exact.shape or found.shape[1] < 1:
        raise ValueError(f"found {found.shape} and exact {exact.shape} need the same queries and k")
    anchor = xb[exact[:, 0]]
    discount = 1 / np.log2(np.arange(2, found.shape[1] + 2))

    def dcg(rows: np.ndarray) -> np.ndarray:
        total = np.zeros(len(rows))
        for place, column in enumerate(rows.T):  # one place at a time: (q, d) floats, not (q, k, d)
            rel = np.vecdot(xb[column], anchor).astype(np.float64)
            total += np.where(column >= 0, GAINS["exponential"](rel), 0.0) * discount[place]
        return total

    return dcg(found) / dcg(exact)


MEASURES: dict[str, Callable[..., np.ndarray]] = {  # asked for as "recall@10", "AP", "NDCG@5" …
    "hit rate": hit_at_k,
    "recall": recall_at_k,
    "precision": precision_at_k,
    "MRR": reciprocal_rank,
    "AP": average_precision,
    "AP of best": partial(average_precision, over="best"),
    "AP of found": partial(average_precision, over="found"),
    "NDCG": ndcg_at_k,
    "linear NDCG": partial(ndcg_at_k, gain="linear"),
    "R-precision": r_precision,
}


def measured(rankings: Rankings, measure: str) -> np.ndarray:
    """Return one number per query for a measure by name, float64, shape (q,).

    Args:
        rankings: the places of the right answers.
        measure: a key of ``MEASURES``, with "@k" behind it where only the first k count.
    """
    name, _, k = measure.partition("@")
    if name not in MEASURES or (k and not k.isdecimal()):
        known = ", ".join(MEASURES)
        raise ValueError(f"there is no measure {measure!r}; choose from {known}, with @k behind it")
    return MEASURES[name](rankings, int(k)) if k else MEASURES[name](rankings)


def _k(k: int) -> int:
    return whole("k", k, "look at one result at least")


def _found(rankings: Rankings, k: int) -> np.ndarray:
    near = rankings.places <= _k(k)
    return np.bincount(rankings.query, weights=near, minlength=len(rankings))


def _dcg(
    query: np.ndarray, places: np.ndarray, gains: np.ndarray, far: float, queries: int
) -> np.ndarray:
    terms = np.where(places <= far, gains / np.log2(places + 1), 0.0)
    return np.bincount(query, weights=terms, minlength=queries)


def _share(rankings: Rankings, parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    return _defined(rankings, parts / np.where(rankings.n_right > 0, wholes, 1))


def _defined(rankings: Rankings, values: np.ndarray) -> np.ndarray:
    return np.where(rankings.n_right > 0, values, np.nan)
