"""Hubs: rows that appear in far more result lists than their share, counted and listed.

k-occurrence, N_k(x), is the number of queries that have row x among their first k results. A few
rows with a large N_k (hubs) push out right answers, and many rows are never found (N_k = 0). What
may help against them is in `sigscope.rerank.hubness`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd


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
