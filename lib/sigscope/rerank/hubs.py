"""Hubs: rows that appear in far more result lists than their share, counted and listed.

k-occurrence, N_k(x), is the number of queries that have row x among their first k results. A few
rows with a large N_k (hubs) push out right answers, and many rows are never found (N_k = 0). What
may help against them is in `sigscope.rerank.hubness`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sigscope.ann.difficulty import skewness


def hub_summary(counts: np.ndarray, queries: int, k: int) -> dict[str, float]:
    """Return what a hub report states, beside what a random order would have.

    Args:
        counts: from `k_occurrence`, shape (n,).
        queries: how many result lists were counted.
        k: how long each was.

    Returns:
        skewness, and chance_skewness: at random N_k is binomial with p = k / n, whose skewness is
        (1 - 2p) / sqrt(queries p (1 - p)); never_found, the share of rows with N_k = 0 in [0, 1],
        and chance_never_found, (1 - p)^queries; largest, the biggest N_k; top_share, the share of
        all places in the lists that the biggest 1 % of rows hold, in [0, 1].
    """
    p = min(k / len(counts), 1.0)
    spread = np.sqrt(queries * p * (1 - p))
    ordered = np.sort(counts)[::-1]
    top = ordered[: max(1, round(len(counts) / 100))]
    return {
        "skewness": skewness(counts),
        "chance_skewness": float((1 - 2 * p) / spread) if spread > 0 else 0.0,
        "never_found": float(np.mean(ordered == 0)),
        "chance_never_found": float((1 - p) ** queries),
        "largest": int(ordered[0]),
        "top_share": float(top.sum() / max(1, ordered.sum())),
    }


def occurrence_table(counts: np.ndarray) -> pd.DataFrame:
    """Return the distribution of N_k as far as it occurs, ascending.

    Returns:
        Columns occurrence, rows (how many have exactly that N_k), at_least (the share of rows with
        that N_k or a larger one, in [0, 1]).
    """
    occurrence, rows = np.unique(counts, return_counts=True)
    at_least = np.cumsum(rows[::-1])[::-1] / rows.sum()
    return pd.DataFrame({"occurrence": occurrence, "rows": rows, "at_least": at_least})


def hub_gallery(
    counts: np.ndarray, ids: Sequence[str], queries: int, top: int = 20
) -> pd.DataFrame:
    """Return the largest hubs, largest first; equal counts keep the order of the rows.

    Returns:
        Columns id, row, occurrence (N_k), share (of the queries that found it, in [0, 1]).
    """
    counts = np.asarray(counts)
    rows = np.argsort(-counts, kind="stable")[:top]
    table = {"id": np.asarray(ids)[rows], "row": rows, "occurrence": counts[rows]}
    return pd.DataFrame(table | {"share": counts[rows] / queries})
