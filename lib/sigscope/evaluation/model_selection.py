"""Choosing a setting on the val split by one rule, so that a lucky one is not taken for a good one.

What is compared is each query's mean of hit@1, hit@5 and hit@10. The setting with the best mean is
chosen if it beats the first one, which is the one in use, with the whole 95 % interval of the
difference above 0; else the first one stays. The verdict on what was chosen is the test split's.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sigscope.evaluation.intervals import bootstrap_interval
from sigscope.evaluation.metrics import hit_at_k
from sigscope.evaluation.rankings import Judged
from sigscope.evaluation.tasks import Task, among, corrected
from sigscope.rerank.hubness import Remedy, name_of, setting_of

KS = (1, 5, 10)
ROUNDING = 1e-9  # a gain below this is none


def decided(
    settings: pd.DataFrame, judged: Sequence[Judged], clusters: np.ndarray, *, seed: int = 0
) -> pd.DataFrame:
    """Return settings with what each reaches, and which one is chosen.

    Args:
        settings: one row per setting, the one in use first.
        judged: how each setting ranks the same queries, one per row of settings.
        clusters: the picture of each query, shape (q,): what the interval draws.
        seed: of the bootstrap.

    Returns:
        The columns of settings, then hit rate@1, @5, @10 and their mean; gain, the mean less that
        of the first setting, with its 95 % interval low, high; chosen, true in one row. Of equal
        means the earlier row is preferred.
    """
    if not len(settings) == len(judged) > 0:
        raise ValueError(f"{len(settings)} settings and {len(judged)} rankings; give one for each")
    hits = [np.stack([hit_at_k(ranking, k) for k in KS]) for ranking in judged]
    known = np.isfinite(hits[0][0])  # a query without a right answer has no hit to count
    values = [own[:, known].mean(axis=0) for own in hits]
    records = []
    for own, value in zip(hits, values, strict=True):
        rates = dict(zip(KS, own[:, known].mean(axis=1), strict=True))
        gain = value - values[0]
        rng = np.random.default_rng(seed)
        low, high = bootstrap_interval(gain, np.asarray(clusters)[known], rng)
        record = {f"hit rate@{k}": float(rate) for k, rate in rates.items()}
        found = {"mean": value.mean(), "gain": gain.mean(), "low": low, "high": high}
        records.append(record | found)
    table = pd.concat([settings.reset_index(drop=True), pd.DataFrame(records)], axis=1)
    best = int(table["mean"].round(9).to_numpy().argmax())
    best = best if table["low"].iloc[best] > ROUNDING else 0
    return table.assign(chosen=np.arange(len(table)) == best)


def choose(
    remedies: Sequence[Remedy], task: Task, bank: Task, rows: np.ndarray, *, seed: int = 0
) -> tuple[Remedy, pd.DataFrame]:
    """Return the remedy that wins by the rule of `choosing`, and the table it was decided from.

    Args:
        remedies: what to try, `Unchanged` first, such as the settings in ``REMEDIES``.
        task: the queries to choose by, of the val split.
        bank: the same direction's task of the train split, whose queries are the bank.
        rows: what is ranked to choose by: the rows of the task's own split, int64 or a mask. Were
            rows of the train split among them, a remedy would win by lowering those alone.
        seed: of the bootstrap.

    Returns:
        The chosen one, and a row per remedy: remedy, setting, and the columns of
        `choosing.decided`.

    Raises:
        ValueError: the two tasks have queries of one split, or search different rows.
    """
    splits = task.about.get("split"), bank.about.get("split")
    if splits[0] == splits[1] is not None:
        raise ValueError(f"the bank and the queries are both of split {splits[0]}; part them")
    if len(bank.xb) != len(task.xb):
        raise ValueError(
            f"the bank has {len(bank.xb)} rows and the task {len(task.xb)}; match them"
        )
    rows = np.arange(len(task.xb))[rows]
    fits = [remedy.fit(bank.xq, task.xb, bank.right).among(rows) for remedy in remedies]
    own = among(task, rows)
    names = {"remedy": map(name_of, remedies), "setting": map(setting_of, remedies)}
    judged = [corrected(own, fit).judged() for fit in fits]
    table = decided(pd.DataFrame(names), judged, own.ids, seed=seed)
    return remedies[int(table["chosen"].argmax())], table
