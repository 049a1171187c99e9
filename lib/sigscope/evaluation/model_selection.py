"""Choosing a setting on the val split by one rule, so that a lucky one is not taken for a good one.

What is compared is each query's mean of hit@1, hit@5 and hit@10. The setting with the best mean is
chosen if it beats the first one, which is the one in use, with the whole 95 % interval of the
difference above 0; else the first one stays. The verdict on what was chosen is the test split's.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from sigscope.evaluation.intervals import bootstrap_interval
from sigscope.evaluation.metrics import hit_at_k
from sigscope.evaluation.rankings import Rankings

KS = (1, 5, 10)
ROUNDING = 1e-9  # a gain below this is none


def choose(
    settings: pd.DataFrame,
    rank: Callable[[int], Rankings],
    pictures: np.ndarray,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Return settings with what each reaches, and which one is chosen.

    Args:
        settings: one row per setting, the one in use first.
        rank: how the queries of the val split are ranked under the setting with this row number.
        pictures: the picture of each query, shape (q,): what the interval draws.
        seed: of the bootstrap.

    Returns:
        The columns of settings, then hit rate@1, @5, @10 and their mean; gain, the mean less that
        of the first setting, with its 95 % interval low, high; chosen, true in one row. Of equal
        means the earlier row is preferred.
    """
    if not len(settings):
        raise ValueError("there are no settings to choose from; give the one in use at least")
    ranked = map(rank, range(len(settings)))
    hits = [np.stack([hit_at_k(rankings, k) for k in KS]) for rankings in ranked]
    known = np.isfinite(hits[0][0])  # a query without a right answer has no hit to count
    values = [own[:, known].mean(axis=0) for own in hits]
    records = []
    for own, value in zip(hits, values, strict=True):
        rates = dict(zip(KS, own[:, known].mean(axis=1), strict=True))
        gain = value - values[0]
        rng = np.random.default_rng(seed)
        low, high = bootstrap_interval(gain, np.asarray(pictures)[known], rng)
        record = {f"hit rate@{k}": float(rate) for k, rate in rates.items()}
        found = {"mean": value.mean(), "gain": gain.mean(), "low": low, "high": high}
        records.append(record | found)
    table = pd.concat([settings.reset_index(drop=True), pd.DataFrame(records)], axis=1)
    best = int(table["mean"].round(9).to_numpy().argmax())
    best = best if table["low"].iloc[best] > ROUNDING else 0
    return table.assign(chosen=np.arange(len(table)) == best)
