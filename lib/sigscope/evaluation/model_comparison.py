"""Models beside each other on one gallery: the same queries, the same pictures, paired intervals.

Recall@K of the papers is the hit rate here: whether any right answer is among the first K. How
alike two models see the pictures is linear CKA (Kornblith et al. 2019, "Similarity of neural
network representations revisited") and the share of nearest neighbours that they have in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter

import numpy as np
import pandas as pd

from sigscope.evaluation.evaluate import Result, compare, evaluate, summary
from sigscope.models.zoo import learnt_from
from sigscope.search.searcher import Searcher
from sigscope.search.side_by_side import facts

RECALL = ("hit rate@1", "hit rate@5", "hit rate@10")
TIMED = 20  # captions encoded one by one
COMPARED = 2_000  # pictures at most behind CKA and neighbours
FIRST = 10


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Two to four models on one gallery, as tables; the first model is what others are held to.

    ``scores``: model, direction, measure, value, low, high (95 %), chance, better (than the first
    model), better_low, better_high, p. ``costs``: model, dimension, bytes_per_vector, encode_ms
    (one text), search_ms (one query). ``likeness``: model, other, cka, neighbours (0 to 1).
    ``warnings``: sentences on benchmarks that a model has learnt from.
    """

    scores: pd.DataFrame
    costs: pd.DataFrame
    likeness: pd.DataFrame
    warnings: list[str]
    results: dict[str, Result]

    def wins(self, model: str, n: int = 8) -> pd.DataFrame:
        """Return captions that a model alone answers, the clearest first.

        Its right picture is among the first FIRST, and among those of no other model.

        Returns:
            Columns id, caption, rank (by this model), best_other (the best rank by another).
        """
        asked = {name: _asked(result) for name, result in self.results.items()}
        own = asked.pop(model)
        others = np.min([table["rank"] for table in asked.values()], axis=0)
        table = own[["id", "caption", "rank"]].assign(best_other=others)
        table = table[(table["rank"] <= FIRST) & (table["best_other"] > FIRST)]
        return table.sort_values(["rank", "best_other"], ascending=[True, False]).head(n)


def compare_models(
    searchers: Sequence[Searcher], split: str = "test", *, seed: int = 0
) -> ModelComparison:
    """Return how models answer the captions and pictures of a split, with what they cost.

    Args:
        searchers: of one gallery, each with another model; the first is what others are held to.
        split: whose captions and pictures are the queries; the whole gallery is searched.
        seed: of bootstraps and permutation tests.

    Raises:
        ValueError: fewer than two, two with one name, or not of the same pictures and captions.
    """
    by_name = {one.encoder.identity["model"]: one for one in searchers}
    if len(by_name) < len(searchers) or len(by_name) < 2:
        raise ValueError(
            f"two or more models of different names are compared, not {', '.join(by_name)} "
            f"({len(searchers)} given)"
        )
    results = {
        name: evaluate(one.gallery, one.embeddings, split, RECALL, encoder=one.encoder)
        for name, one in by_name.items()
    }
    return ModelComparison(
        scores=_scores(results, seed),
        costs=pd.DataFrame([{"model": name} | _costs(one) for name, one in by_name.items()]),
        likeness=_likeness(by_name),
        warnings=_warnings(by_name),
        results=results,
    )


def _linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Return linear CKA of two sets of vectors of the same n things, shapes (n, d) and (n, e).

    0 to 1, or NaN where the vectors of either are all the same; a rotation, a shift or a common
    scale of either changes nothing.
    """
    x, y = (rows - rows.mean(axis=0) for rows in (x, y))
    norms = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / norms) if norms > 0 else float("nan")


def _shared_neighbours(x: np.ndarray, y: np.ndarray, k: int = FIRST) -> float:
    """Return the mean share of the k nearest rows that two sets of unit rows agree on, 0 to 1.

    It is NaN where there is one row, which has no others near.
    """
    ours, theirs = _nearest(x, k), _nearest(y, k)
    both = [len(set(a) & set(b)) for a, b in zip(ours, theirs, strict=True)]
    return float(np.mean(both) / ours.shape[1]) if ours.shape[1] else float("nan")


def _nearest(x: np.ndarray, k: int) -> np.ndarray:
    scores = x @ x.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, : min(k, len(x) - 1)]


def _scores(results: dict[str, Result], seed: int) -> pd.DataFrame:
    first, *others = results
    tables = []
    for name, result in results.items():
        table = summary(result, seed=seed).assign(model=name)
        if name in others:
            paired = compare(results[first], result, seed=seed)
            columns = ["difference", "low", "high", "p"]
            table[["better", "better_low", "better_high", "p"]] = paired[columns].to_numpy()
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    return table[["model", *(name for name in table if name != "model")]]


def _costs(searcher: Searcher) -> dict[str, float]:
    texts = list(searcher.embeddings.caption_texts[:TIMED])
    vectors = searcher.encoder.encode_texts(texts[:1])
    took = []
    for text in texts:
        start = perf_counter()
        searcher.encoder.encode_texts([text])
        took.append(1000 * (perf_counter() - start))
    found = facts(searcher, FIRST, vectors[0])
    return {
        "dimension": vectors.shape[1],
        "bytes_per_vector": found["bytes_per_vector"],
        "encode_ms": float(np.median(took)),
        "search_ms": found["ms"],
    }


def _likeness(by_name: dict[str, Searcher]) -> pd.DataFrame:
    n = len(next(iter(by_name.values())).embeddings)
    rows = np.unique(np.linspace(0, n - 1, min(n, COMPARED)).round().astype(int))
    images = {name: one.embeddings.images[rows] for name, one in by_name.items()}
    records = [
        {"model": one, "other": other, "cka": _linear_cka(images[one], images[other])}
        | {"neighbours": _shared_neighbours(images[one], images[other])}
        for one, other in combinations(images, 2)
    ]
    return pd.DataFrame(records)


def _warnings(by_name: dict[str, Searcher]) -> list[str]:
    seen = {name: learnt_from(name, one.gallery.name) for name, one in by_name.items()}
    return [
        f"{name} learnt from {benchmark}, so its scores here are not those of a model that sees "
        "such pictures and captions for the first time."
        for name, benchmark in seen.items()
        if benchmark
    ]


def _asked(result: Result) -> pd.DataFrame:
    return result.queries[result.queries["caption"] != ""]
