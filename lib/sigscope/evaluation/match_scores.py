"""Match scores: how well queries with something to find are told from those with nothing.

ROC AUC is the chance that a query with a match has the better evidence; 0.5 is a guess. Queries are
items of the test split; what the gallery taught (`match.Calibration`) came from val.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from sigscope.search.evidence import MatchEvidence, with_and_without
from sigscope.search.match import KINDS, Calibration, excess
from sigscope.search.searcher import Searcher

THERE = "as it is"
CATEGORY, SERIES = "its category left out", "its series left out"
EVIDENCE = ["best", "middle", "spread", "captions"]
COLUMNS = ["kind", "nothing", "statistic", "auc", "low", "high", "called_none", "kept", "queries"]
DRAWS = 1000
SYLLABLES = [start + end for start in "bdfgklmnprstvz" for end in "aeiou"]


def nonsense(n: int, rng: np.random.Generator) -> list[str]:
    """Return n texts of one to three made-up words of two or three syllables."""

    def word() -> str:
        return "".join(rng.choice(SYLLABLES, size=rng.integers(2, 4)))

    return [" ".join(word() for _ in range(rng.integers(1, 4))) for _ in range(n)]


def evidence_table(
    searcher: Searcher,
    *,
    split: str = "test",
    texts: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Return the evidence for queries with something to find, and with nothing.

    Queries with a match are the split's items: a caption, a picture, or both. Queries without are
    the same with their category left out of the gallery, or (where there is such a column) only
    their series, and texts for which it has nothing.

    Args:
        searcher: of a gallery with captions, categories and this split.
        split: whose items ask; not val, from which `match` learns.
        texts: further queries with nothing to find, by what to call them.

    Returns:
        One row per query: kind, asked (`THERE`, or why there is nothing to find), best, middle,
        spread, captions (`search.evidence`) and value, the log odds that something is there. Rows
        of one kind are of the same items in the same order, but for those of ``texts``.
    """
    matcher = searcher.matcher
    shown = _steady(matcher.shown)
    items = searcher.gallery.items.set_index("id").loc[shown.ids]
    captioned = np.unique(shown.owners)
    rows = captioned[items["split"].to_numpy()[captioned] == split]
    if not rows.size:
        raise ValueError(f"{searcher.gallery.name} has no captioned item in split {split!r}")
    groups = {CATEGORY: shown.groups}
    if "series" in items:
        groups[SERIES] = pd.factorize(items["series"])[0]
    tables = []
    for kind in KINDS:
        found = {}
        for name, numbers in groups.items():  # what is there is the same for both
            found[THERE], found[name] = with_and_without(
                shown, rows, kind, matcher.composer, numbers
            )
        for name, asked in (texts or {}).items() if kind == "text" else ():
            vectors = searcher.encoder.encode_texts(list(asked))
            found[name] = shown.evidence(vectors, None, None)
        calibration = _calibration(searcher, kind)
        for name, evidence in found.items():
            table = pd.DataFrame(evidence, columns=EVIDENCE)
            table = table.assign(value=calibration.value(evidence))
            table.insert(0, "asked", name)
            table.insert(0, "kind", kind)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def evaluate_match(searcher: Searcher, evidence: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Return how well a searcher's `match` tells whether anything is there.

    Args:
        searcher: whose `match` it is.
        evidence: of queries, from `evidence_table`.
        seed: of the bootstrap, which draws items.

    Returns:
        One row per kind of query, kind of nothing and statistic ("match" is what is used, the best
        five cosines and how far they stand out are what it is made of): auc with its 95 % interval
        low, high; and for "match" the share of queries with nothing called none (called_none), and
        of queries with a match not called none (kept); queries.
    """
    found = []
    for (kind, name), nothing in evidence.groupby(["kind", "asked"], sort=False):
        if name == THERE:
            continue
        there = evidence[(evidence["kind"] == kind) & (evidence["asked"] == THERE)]
        for statistic, value in STATISTICS.items():
            pair = value(there).to_numpy(), value(nothing).to_numpy()
            rng = np.random.default_rng(seed)
            ends = _auc_interval(*pair, paired=name in (CATEGORY, SERIES), rng=rng)
            row = dict(zip(COLUMNS, (kind, name, statistic, *ends), strict=False))
            if statistic == "match":
                line = _calibration(searcher, kind).none_below
                called = [float((values < line).mean()) for values in pair]
                row |= {"called_none": called[1], "kept": 1 - called[0]}
            found.append(row | {"queries": len(nothing)})
    return pd.DataFrame(found, columns=COLUMNS)


def _auc_interval(
    there: np.ndarray, nothing: np.ndarray, *, paired: bool, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return the ROC AUC and the ends of its 95 % bootstrap interval.

    Args:
        there: values of queries with a match, (p,); a larger one should mean a match.
        nothing: values of queries without, (n,).
        paired: whether query i of both is of one item, which is then drawn as one.
        rng: where the draws come from.
    """
    wins = (there[:, None] > nothing) + 0.5 * (there[:, None] == nothing)
    p, n = wins.shape
    aucs = []
    for _ in range(DRAWS):
        first = np.bincount(rng.integers(0, p, p), minlength=p) / p
        second = first if paired else np.bincount(rng.integers(0, n, n), minlength=n) / n
        aucs.append(first @ wins @ second)
    low, high = np.quantile(aucs, [0.025, 0.975])
    return float(wins.mean()), float(low), float(high)


def _calibration(searcher: Searcher, kind: str) -> Calibration:
    calibration = searcher.matcher.calibration(kind)
    if calibration is None:
        raise ValueError(f"{searcher.gallery.name} is too small to learn from, so match is not")
    return calibration


def _steady(shown: MatchEvidence) -> MatchEvidence:
    """Return it in float64, where the last digits are those of any machine."""
    images, captions = (x.astype(np.float64) for x in (shown.images, shown.captions))
    return replace(shown, images=images, captions=captions)


def _standing(evidence: pd.DataFrame) -> pd.Series:
    rows = evidence[EVIDENCE].to_numpy()
    return pd.Series([excess(row, 0) for row in rows], evidence.index)


STATISTICS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "match": lambda evidence: evidence["value"],
    "best five": lambda evidence: evidence["best"],
    "standing": _standing,
}
