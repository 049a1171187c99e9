"""Match scores: how well queries with something to find are told from those with nothing.

ROC AUC is the chance that a query with a match has the better evidence; 0.5 is a guess. Queries are
items of the test split; what the gallery taught (`match.Calibration`) came from val.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from sigscope.search.evidence import Shown, with_and_without
from sigscope.search.match import KINDS, Calibration, excess
from sigscope.search.searcher import Searcher

THERE = "as it is"
CATEGORY, SERIES = "its category left out", "its series left out"
EVIDENCE = ["best", "middle", "spread", "captions"]
STATISTICS = ("match", "best five", "standing")
COLUMNS = ["kind", "nothing", "statistic", "auc", "low", "high", "called_none", "kept", "queries"]
DRAWS = 1000
SYLLABLES = [start + end for start in "bdfgklmnprstvz" for end in "aeiou"]


def nonsense(n: int, rng: np.random.Generator) -> list[str]:
    """Return n texts of one to three made-up words of two or three syllables."""

    def word() -> str:
        return "".join(rng.choice(SYLLABLES, size=rng.integers(2, 4)))

    return [" ".join(word() for _ in range(rng.integers(1, 4))) for _ in range(n)]


def evaluate_match(
    searcher: Searcher,
    *,
    split: str = "test",
    texts: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Return how well a searcher's `match` tells whether anything is there.

    Queries with a match are the split's items: a caption, a picture, or both. Queries without are
    the same with their category left out of the gallery, or (where there is such a column) only
    their series, and texts for which it has nothing.

    Args:
        searcher: of a gallery with captions, categories and this split.
        split: whose items ask; not val, from which `match` learns.
        texts: further queries with nothing to find, by what to call them.
        seed: of the bootstrap, which draws items.
        progress: show a bar on stderr.

    Returns:
        One row per kind of query, kind of nothing and statistic ("match" is what is used, the best
        five cosines and how far they stand out are what it is made of): auc with its 95 % interval
        low, high; and for "match" the share of queries with nothing called none (called_none), and
        of queries with a match not called none (kept); queries.
    """
    asked = _asked(searcher, split, texts or {}, progress)
    found = [row for one in asked for row in _rows(one, seed)]
    return pd.DataFrame(found, columns=COLUMNS)


def evidence_table(
    searcher: Searcher,
    *,
    split: str = "test",
    texts: Mapping[str, Sequence[str]] | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Return the evidence for each query of `evaluate_match`, which has the same arguments.

    Returns:
        One row per query: kind, asked (`THERE`, or why there is nothing to find), best, middle,
        spread, captions (`search.evidence`) and value, the log odds that something is there.
    """
    tables = []
    for one in _asked(searcher, split, texts or {}, progress):
        sides = {one.name: one.nothing}
        if one.name == CATEGORY:  # what is there is the same for each kind of nothing
            sides = {THERE: one.there, **sides}
        for name, evidence in sides.items():
            table = pd.DataFrame(evidence, columns=EVIDENCE)
            table = table.assign(value=one.calibration.value(evidence))
            table.insert(0, "asked", name)
            table.insert(0, "kind", one.kind)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def auc_interval(
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


@dataclass(frozen=True, eq=False)
class _Asked:
    """The evidence for one kind of query, (q, 4), with something to find and with nothing."""

    kind: str
    name: str  # why there is nothing
    calibration: Calibration
    there: np.ndarray
    nothing: np.ndarray
    paired: bool  # whether query i of both is of one item


def _asked(
    searcher: Searcher, split: str, texts: Mapping[str, Sequence[str]], progress: bool
) -> Iterator[_Asked]:
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
    for kind in tqdm(KINDS, "kinds of query", disable=not progress):
        calibration = matcher.calibration(kind)
        if calibration is None:
            raise ValueError(f"{searcher.gallery.name} is too small to learn from, so match is not")
        for name, numbers in groups.items():
            there, nothing = with_and_without(shown, rows, kind, matcher.composer, numbers)
            yield _Asked(kind, name, calibration, there, nothing, paired=True)
        for name, asked in texts.items() if kind == "text" else ():
            nothing = shown.evidence(searcher.encoder.encode_texts(list(asked)), None, None)
            yield _Asked(kind, name, calibration, there, nothing, paired=False)


def _steady(shown: Shown) -> Shown:
    """Return it in float64, where the last digits are those of any machine."""
    images, captions = (x.astype(np.float64) for x in (shown.images, shown.captions))
    return replace(shown, images=images, captions=captions)


def _rows(one: _Asked, seed: int) -> list[dict]:
    rows = []
    for statistic in STATISTICS:
        pair = [_values(statistic, x, one.calibration) for x in (one.there, one.nothing)]
        ends = auc_interval(*pair, paired=one.paired, rng=np.random.default_rng(seed))
        row = {"kind": one.kind, "nothing": one.name, "statistic": statistic}
        row |= dict(zip(("auc", "low", "high"), ends, strict=True))
        if statistic == "match":
            called = [float((values < one.calibration.none_below).mean()) for values in pair]
            row |= {"called_none": called[1], "kept": 1 - called[0]}
        rows.append(row | {"queries": len(one.nothing)})
    return rows


def _values(statistic: str, evidence: np.ndarray, calibration: Calibration) -> np.ndarray:
    if statistic == "match":
        return calibration.value(evidence)
    if statistic == "best five":
        return evidence[:, 0]
    return np.array([excess(one, 0) for one in evidence])
