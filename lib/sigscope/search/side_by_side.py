"""Results side by side: which are shared, and what each list lacks of what exact search finds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sigscope.ann.measure import single_ms
from sigscope.search.searcher import Searcher

REPEATS = 30  # of one query, for the median of its time


@dataclass(frozen=True)
class Shared:
    """A result that several lists have, and its number, from 1."""

    number: int
    lists: int  # how many have it


def shared_results(tables: Sequence[pd.DataFrame]) -> dict[str, Shared]:
    """Return the ids that at least two tables of results have, numbered by their best rank.

    Ties in rank go to the earlier table.
    """
    ranks: dict[str, list[int]] = {}
    for table in tables:
        for rank, id in zip(table["rank"], table["id"], strict=True):
            ranks.setdefault(id, []).append(rank)
    several = sorted((id for id in ranks if len(ranks[id]) > 1), key=lambda id: min(ranks[id]))
    return {id: Shared(number, len(ranks[id])) for number, id in enumerate(several, 1)}


def missed(found: pd.DataFrame, exact: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of exact whose id is not among found, in their order, with their rank."""
    return exact[~exact["id"].isin(set(found["id"]))].reset_index(drop=True)


def facts(searcher: Searcher, k: int, vector: np.ndarray) -> dict[str, float]:
    """Return what a searcher's index costs for one query.

    Args:
        searcher: with the effort it searches at.
        k: how many results.
        vector: the query, a unit vector, float32, shape (d,).

    Returns:
        ms: the median of REPEATS searches, after a warm-up, in milliseconds; bytes_per_vector: of
        the index, and of the vectors it re-ranks with beside it; build_s: seconds.
    """
    index = searcher.index
    effort = searcher.effort if index.spec.knob else None
    times = single_ms(index, np.repeat(vector[None], REPEATS, axis=0), k, effort, REPEATS)
    size = index.bytes_per_vector + index.rerank_bytes_per_vector
    return {"ms": float(np.median(times)), "bytes_per_vector": size, "build_s": index.build_s}
