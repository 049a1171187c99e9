"""From ratings to scores: how good each system is to people, and how far people agree.

Tables come from ``RatingStore.ratings`` and ``RatingStore.rankings``, or from files written here.
A picture is relevant to a rater who gives it ``relevant_from`` or more. Precision is reckoned per
rater and averaged over raters, as R1 does; AP and NDCG, which need one verdict a picture, take the
consensus: the median grade, of two in the middle the lower.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from sigscope.evaluation.intervals import bootstrap_interval
from sigscope.evaluation.metrics import average_precision, ndcg_at_k, precision_at_k
from sigscope.evaluation.rankings import Rankings, from_lists
from sigscope.ratings.agreement import alpha_interval, krippendorff_alpha
from sigscope.spreadsheets import csv_of

R1_TABLE_2 = pd.DataFrame(  # as printed: P@3, P@5, AP
    [
        ("r1-01", 0.33, 0.60, 0.47),
        ("r1-02", 0.67, 0.47, 0.57),
        ("r1-03", 0.89, 0.73, 0.81),
        ("r1-04", 0.67, 0.40, 0.54),
        ("r1-05", 0.44, 0.27, 0.36),
        ("r1-06", 0.33, 0.40, 0.37),
        ("r1-07", 0.44, 0.27, 0.36),
        ("r1-08", 0.22, 0.20, 0.21),
        ("r1-09", 0.33, 0.33, 0.33),
        ("r1-10", 0.67, 0.40, 0.53),
    ],
    columns=["query", "P@3", "P@5", "AP as R1"],
)
R1_MAP = 0.453


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha of some ratings: 1 is full agreement, 0 is what chance would give."""

    alpha: float  # at most 1; below 0 for raters who disagree by system; nan where undefined
    low: float
    high: float
    level: str
    raters: int
    pictures: int  # pairs of query and picture that two raters or more have graded


def score_lists(
    ratings: pd.DataFrame,
    rankings: pd.DataFrame,
    *,
    relevant_from: int = 1,
    ks: Sequence[int] = (3, 5),
) -> pd.DataFrame:
    """Return one row per system and query: how good the system's list is to the raters.

    Columns: system, query; ``P@k`` for each of ks, the mean over raters of their precision;
    ``AP as R1``, the mean of these precisions, which is what R1's Table 2 prints as AP (each of its
    rows, and its mAP of 0.453, are this and not average precision); ``AP@depth`` and
    ``NDCG@depth``, of the consensus, where depth is the length of the longest list;
    ``raters``, how many count at the largest k; ``judged``, the share of the list that anybody has
    graded.

    What is missing is never taken for irrelevant in silence: a rater who has not graded all of a
    list's first k does not count for its ``P@k``, which is nan without any rater. AP and NDCG know
    only what is judged, so mind ``judged``; they are nan where nothing pooled for the query is
    relevant, as no system could have found it. Results that a short list lacks count as wrong. A
    query for which no system found anything has no row.
    """
    check(ratings)
    lists = _Lists.of(rankings)
    grades = [lists.grades(rows) for _, rows in ratings.groupby("rater")]
    table = lists.named.copy()
    for k in ks:
        each = np.array([_precision(lists, own, k, relevant_from) for own in grades])
        table[f"P@{k}"] = pd.DataFrame(each).mean().to_numpy()  # of those that are not nan
    table["AP as R1"] = table[[f"P@{k}" for k in ks]].mean(axis=1, skipna=False)
    agreed = lists.grades(consensus(ratings))
    depth = lists.found.shape[1]
    relevant = lists.rankings(np.where(agreed >= relevant_from, 1.0, 0.0))
    table[f"AP@{depth}"] = average_precision(relevant, depth)
    table[f"NDCG@{depth}"] = ndcg_at_k(lists.rankings(np.nan_to_num(agreed)), depth)
    table["raters"] = np.sum([lists.complete(own, max(ks)) for own in grades], axis=0)
    table["judged"] = lists.share_graded(agreed)
    return table


def mean_scores(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the mean of each measure over queries, one row per system and measure.

    Columns: system, measure, value, low, high, queries. The mean of ``AP as R1`` is R1's mAP, that
    of ``AP@k`` is mAP@k. The 95 % interval resamples queries; it knows nothing of other raters, and
    with some ten queries it is a little too narrow. Queries without a value are left out.
    """
    measures = [name for name in table if name.startswith(("P@", "AP", "NDCG"))]
    rows = []
    for system, part in table.groupby("system", sort=False):
        for measure in measures:
            known = part[measure].dropna().to_numpy()
            ends = (np.nan, np.nan)
            if known.size:
                ends = bootstrap_interval(known, np.arange(known.size), rng)
            value = known.mean() if known.size else np.nan
            rows.append((system, measure, value, *ends, known.size))
    return pd.DataFrame(rows, columns=["system", "measure", "value", "low", "high", "queries"])


def beside_r1(table: pd.DataFrame, system: str) -> pd.DataFrame:
    """Return R1's Table 2 with ours beside it, one row per query of R1 and their mean last.

    Columns: query, then for P@3, P@5 and AP as R1 the report's figure and the one here.
    """
    here = table[table["system"] == system]
    both = R1_TABLE_2.merge(here, "left", "query", suffixes=(", report", ", here"))
    both = both[["query", *(c for c in both if c.endswith((", report", ", here")))]]
    mean = both.drop(columns="query").mean().to_frame().T.assign(query="mean")
    mean["AP as R1, report"] = R1_MAP
    return pd.concat([both, mean], ignore_index=True)[both.columns]


def consensus(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return one verdict per picture: query, id, grade (int64), raters (how many gave one).

    The grade is the median; of two in the middle the lower, so that an even vote is a no.
    """
    grouped = ratings.groupby(["query", "id"], sort=True)["grade"]
    table = grouped.agg(grade=lambda g: np.sort(g)[(len(g) - 1) // 2], raters="size")
    return table.reset_index().astype({"grade": "int64", "raters": "int64"})


def agreement_between_raters(
    ratings: pd.DataFrame,
    rng: np.random.Generator,
    *,
    level: str = "ordinal",
    draws: int = 2000,
) -> Agreement:
    """Return Krippendorff's alpha of one session's ratings, with its 95 % bootstrap interval.

    The interval resamples queries, as pictures for one query are judged alike. With two grades all
    levels give the same alpha.

    Args:
        ratings: of one session.
        rng: where the draws come from.
        level: how grades differ: nominal, ordinal or interval.
        draws: how many resamples.
    """
    check(ratings)
    wide = ratings.pivot(index="rater", columns=["query", "id"], values="grade")
    grades, clusters = wide.to_numpy(dtype=float), wide.columns.get_level_values("query")
    pairable = (~np.isnan(grades)).sum(axis=0) > 1
    alpha = krippendorff_alpha(grades, level)
    low, high = alpha_interval(grades, level, clusters, rng, draws=draws)
    return Agreement(alpha, low, high, level, len(grades), int(pairable.sum()))


def check(ratings: pd.DataFrame) -> None:
    """Raise ValueError unless these are ratings of one session, all real or all simulated."""
    if ratings.empty:
        raise ValueError("there are no ratings yet; rate some pictures on the explorer's Rate page")
    for column, what in (("kind", "real and simulated ratings"), ("session", "several sessions")):
        found = sorted(set(ratings[column])) if column in ratings else []
        if len(found) > 1:
            raise ValueError(f"{what} are mixed ({', '.join(found)}); score each on its own")
    if ratings.duplicated(["rater", "query", "id"]).any():
        raise ValueError("a rater has two grades for one picture; keep the newer")


def csv_text(ratings: pd.DataFrame) -> str:
    """Return ratings as CSV with a heading, one line per grade."""
    return csv_of(ratings)


def qrels_text(ratings: pd.DataFrame) -> str:
    """Return the consensus as TREC qrels: query, 0, id and grade on each line, spaces between.

    Spaces and the like in an id are written as in a URL (%20), as the format has no quotes.
    trec_eval, ir-measures, ranx and pytrec_eval read it.
    """
    check(ratings)
    rows = consensus(ratings)[["query", "id", "grade"]].itertuples(index=False)
    return "".join(f"{quote(query)} 0 {quote(id)} {grade}\n" for query, id, grade in rows)


def read_qrels(path: str | Path) -> pd.DataFrame:
    """Return TREC qrels as a table: query, id, grade (int64)."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if len(parts) != 4 or not parts[3].lstrip("-").isdecimal():
            raise ValueError(f"{path}, line {number}: {line!r} is not 'query 0 id grade'")
        rows.append((unquote(parts[0]), unquote(parts[2]), int(parts[3])))
    return pd.DataFrame(rows, columns=["query", "id", "grade"]).astype({"grade": "int64"})


@dataclass(frozen=True, eq=False)
class _Lists:
    """The lists of all systems as row numbers, so that grades can be looked up at once."""

    named: pd.DataFrame  # system, query: one row per list, l of them
    found: np.ndarray  # (l, depth) int64, numbers of ids, -1 is an empty slot
    query: np.ndarray  # (l,) number of each list's query
    queries: pd.Index
    ids: pd.Index

    @classmethod
    def of(cls, rankings: pd.DataFrame) -> "_Lists":
        wide = rankings.pivot(index=["system", "query"], columns="rank", values="id")
        queries, ids = pd.Index(rankings["query"].unique()), pd.Index(rankings["id"].unique())
        systems = rankings["system"].unique()
        wide = wide.reindex(pd.MultiIndex.from_product([systems, queries]))
        found = np.stack([ids.get_indexer(wide[rank]) for rank in sorted(wide)], axis=1)
        named = wide.index.to_frame(index=False).set_axis(["system", "query"], axis=1)
        return cls(named, found, queries.get_indexer(named["query"]), queries, ids)

    def grades(self, rows: pd.DataFrame) -> np.ndarray:
        """Return grades by query and id, nan where there is none, shape (queries, ids)."""
        table = np.full((len(self.queries), len(self.ids)), np.nan)
        query = self.queries.get_indexer(rows["query"])
        id = self.ids.get_indexer(rows["id"])
        known = (query >= 0) & (id >= 0)
        table[query[known], id[known]] = rows["grade"].to_numpy(dtype=float)[known]
        return table

    def rankings(self, grades: np.ndarray) -> Rankings:
        """Return where what has a grade above 0 stands in each list."""
        right = [np.flatnonzero(grades[query] > 0) for query in self.query]
        given = [grades[query][rows] for query, rows in zip(self.query, right, strict=True)]
        return from_lists(self.found, right, len(self.ids), grades=given)

    def complete(self, grades: np.ndarray, k: int) -> np.ndarray:
        """Return whether all of each list's first k have a grade, shape (l,)."""
        return ~(np.isnan(self._in_lists(grades)) & (self.found >= 0))[:, :k].any(axis=1)

    def share_graded(self, grades: np.ndarray) -> np.ndarray:
        """Return which share of each list has a grade, shape (l,); nan for an empty list."""
        there = self.found >= 0
        graded = (there & ~np.isnan(self._in_lists(grades))).sum(axis=1)
        return np.where(there.any(axis=1), graded / np.maximum(there.sum(axis=1), 1), np.nan)

    def _in_lists(self, grades: np.ndarray) -> np.ndarray:
        return grades[self.query[:, None], self.found]


def _precision(lists: _Lists, grades: np.ndarray, k: int, relevant_from: int) -> np.ndarray:
    """Return one rater's precision at k of each list, nan where they have not graded it all."""
    relevant = lists.rankings(np.where(grades >= relevant_from, 1.0, 0.0))
    found = np.nan_to_num(precision_at_k(relevant, k))  # nan: nothing is relevant, so none of k is
    return np.where(lists.complete(grades, k), found, np.nan)
