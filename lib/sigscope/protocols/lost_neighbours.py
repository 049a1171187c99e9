"""Does lost neighbour recall matter? What people would want, beside what exact search finds.

`neighbour_recall` falls when an index misses an exact neighbour; hit rate and NDCG on captions fall
only when what it misses was right. Both are measured here on the same lists.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.evaluate import scored
from sigscope.evaluation.intervals import bootstrap_interval, interval
from sigscope.evaluation.rankings import from_lists
from sigscope.evaluation.tasks import Task, caption_tasks
from sigscope.gallery.gallery import Gallery
from sigscope.indexes.exact import exact_neighbours, neighbour_recall
from sigscope.protocols.methods import open_methods

SHORT = {"hit_rate": "hit rate", "ndcg": "NDCG"}


def relevance_of(
    indexes: Sequence[Any] | Mapping[str, Any],
    gallery: Gallery,
    embeddings: Embeddings,
    *,
    split: str = "test",
    k: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Return one row per index and effort: relevance on captions beside neighbour recall.

    Args:
        indexes: names in ``INDEXES`` or anything else that `methods.open_methods` takes; each is
            swept over its knob's values.
        gallery: what the embeddings are of.
        embeddings: of the whole gallery, all of which is searched.
        split: whose captions are the queries.
        k: how far down the list one looks, for all three measures.
        seed: of the bootstrap, which draws pictures.

    Returns:
        Columns index, effort (the knob's value, <NA> without one), k, neighbour_recall,
        hit_rate, hit_rate_low, hit_rate_high, hit_rate_lost (exact less index, on the same
        queries), hit_rate_lost_low, hit_rate_lost_high, the same six for ndcg, queries, pictures,
        note (why there are no numbers, where there are none). Intervals are of 95 %.
    """
    task = caption_tasks(gallery, embeddings, split)["text to image"]
    exact = exact_neighbours(task.xb, task.xq, k)
    truth = _scored(task, exact, k)
    rows = []
    for method in open_methods(indexes, task.xb, task.answers):
        for effort in method.efforts:
            row = {"index": method.name, "effort": effort, "k": k}
            if method.search is None:
                rows.append({**row, "note": method.problem})
                continue
            _, found = method.found(task.xq, k, effort)
            here = _scored(task, found, k)
            row["neighbour_recall"] = neighbour_recall(found[:, : exact.shape[1]], exact)
            for name in SHORT:
                row |= _columns(name, here[name], truth[name], task.ids, seed)
            pictures = len(set(task.ids))
            rows.append({**row, "queries": len(task), "pictures": pictures, "note": ""})
    table = pd.DataFrame(rows)
    return table.astype({"effort": "Int64"})


def _scored(task: Task, found: np.ndarray, k: int) -> pd.DataFrame:
    ranked = from_lists(found, task.right, len(task.answers))
    table = scored(task, ranked, [f"{measure}@{k}" for measure in SHORT.values()])
    return table.rename(columns={f"{measure}@{k}": name for name, measure in SHORT.items()})


def _columns(
    name: str, here: pd.Series, exact: pd.Series, pictures: np.ndarray, seed: int
) -> dict[str, float]:
    """Return a measure's mean and interval, and what is lost of it against exact search."""
    low, high = interval(here, pictures, np.random.default_rng(seed))
    lost = exact - here
    lost_low, lost_high = bootstrap_interval(lost, pictures, np.random.default_rng(seed))
    return {
        name: here.mean(),
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_lost": lost.mean(),
        f"{name}_lost_low": lost_low,
        f"{name}_lost_high": lost_high,
    }
