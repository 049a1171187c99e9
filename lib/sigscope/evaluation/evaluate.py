"""Caption retrieval, both ways, on a gallery: the protocol of R1 and R4 with its rules written out.

A query is a caption (text to image) or a picture (image to text) of one split; what is searched is
the whole gallery. Right answers to a caption are its own picture, the pictures with an equal
caption (ignoring case), and marked duplicates of these; right answers to a picture are all
captions of its right pictures. So a twin that is found in place of the own picture counts as right
under the rules ``equal`` and ``twins``, and as a miss under ``own``, the reports' rule; and a twin
in another split is an error.

Several captions a picture (Flickr30k, COCO) are several text queries, and intervals draw pictures;
the other way a picture has a hit when any of its captions is among the first k, as in the papers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sigscope.embeddings.embed import Embeddings
from sigscope.evaluation.intervals import interval, paired_difference
from sigscope.evaluation.metrics import (
    MEASURES,
    chance_hit_rate,
    first_right_ranks,
    hit_rate_at_k,
    measured,
)
from sigscope.evaluation.rankings import Judged, shuffled
from sigscope.evaluation.tasks import DIRECTIONS, Task, caption_tasks
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.twins import right_pictures, twins
from sigscope.types import EncoderLike

__all__ = [
    "DIRECTIONS",
    "Result",
    "compare",
    "evaluate",
    "hit_rates",
    "query_table",
    "ranked_captions",
    "right_pictures",
    "scored",
    "summary",
    "twins",
]

USUAL = ("hit rate@1", "hit rate@5", "hit rate@10", "recall@10", "MRR", "AP", "NDCG@10")
RANDOM_QUERIES = 20_000  # lists in random order behind a figure of chance
SAME = ("gallery", "fingerprint", "split", "rule")  # what two results must share to be compared


@dataclass(frozen=True, eq=False)
class Result:
    """An evaluation: what it was of, and one row per query to drill down into.

    ``queries`` has the columns direction, id (the query's picture), caption ("" for a picture
    query), rank (of the first right answer, from 1; inf when a search missed it), n_right, n (how
    many were ranked), and one column per measure; nan where nothing is right.
    """

    about: dict
    queries: pd.DataFrame

    @property
    def measures(self) -> list[str]:
        """The names of the measures, in the order they were asked for."""
        return [name for name in self.queries if name.partition("@")[0] in MEASURES]


def evaluate(
    gallery: Gallery,
    embeddings: Embeddings,
    split: str = "test",
    measures: Sequence[str] = USUAL,
    *,
    rule: str = "equal",
    encoder: EncoderLike | None = None,
) -> Result:
    """Return caption retrieval in both directions, ranked exactly, with a row for each query.

    Args:
        gallery: what the embeddings are of.
        embeddings: of the whole gallery.
        split: whose captions and pictures are the queries.
        measures: as for `metrics.measured`.
        rule: what counts as right; see `tasks.caption_tasks`.
        encoder: the model the embeddings must be by; None leaves that unchecked.

    Raises:
        StaleEmbeddings: the embeddings are of another gallery, of other splits, or by another
            model.
        LeakError: a picture of the split has a marked duplicate in another split.
    """
    tasks = caption_tasks(gallery, embeddings, split, rule=rule, encoder=encoder)
    tables = [scored(task, task.judged(), measures) for task in tasks.values()]
    return Result(tasks[DIRECTIONS[0]].about, pd.concat(tables, ignore_index=True))


def scored(task: Task, judged: Judged, measures: Sequence[str]) -> pd.DataFrame:
    """Return the per-query table of one task; the columns are those of `Result`."""
    table = query_table(
        task.name, task.ids, task.texts, judged.first, task.right, len(task.answers)
    )
    for name in measures:
        table[name] = measured(judged, name)
    return table


def summary(
    result: Result, measures: Sequence[str] | None = None, *, seed: int = 0
) -> pd.DataFrame:
    """Return one row per direction and measure: the mean, its 95 % interval, and chance.

    Queries without a right answer have no measure and are left out; ``queries`` counts the rest.

    Args:
        result: from `evaluate`.
        measures: some of its measures; None means all.
        seed: of the bootstrap, which draws pictures, and of the random orders that are chance.

    Returns:
        Columns direction, measure, value, low, high, chance, queries, pictures, searched.
    """
    records = []
    for direction, rows in result.queries.groupby("direction", sort=False):
        rows = rows[rows["n_right"] > 0]
        random = _random(rows, np.random.default_rng(seed))
        for name in result.measures if measures is None else measures:
            low, high = interval(rows[name], rows["id"], np.random.default_rng(seed))
            records.append(
                {
                    "direction": direction,
                    "measure": name,
                    "value": rows[name].mean(),
                    "low": low,
                    "high": high,
                    "chance": float(measured(random, name).mean()),
                    "queries": len(rows),
                    "pictures": rows["id"].nunique(),
                    "searched": int(rows["n"].iloc[0]),
                }
            )
    return pd.DataFrame(records)


def compare(
    first: Result, second: Result, measures: Sequence[str] | None = None, *, seed: int = 0
) -> pd.DataFrame:
    """Return how much second is better than first, per direction and measure, query by query.

    Args:
        first: one system.
        second: another on the same queries.
        measures: which both have; None means all of first's.
        seed: of the bootstrap and of the permutation test.

    Returns:
        Columns direction, measure, first, second, difference, low, high, p, queries, pictures.

    Raises:
        ValueError: the two are of another gallery, split, rule, or of other queries.
    """
    _check_same(first, second)
    records = []
    for direction, rows in first.queries.groupby("direction", sort=False):
        rows = rows[rows["n_right"] > 0]
        others = second.queries.loc[rows.index]
        for name in first.measures if measures is None else measures:
            rng = np.random.default_rng(seed)
            found = paired_difference(rows[name], others[name], rows["id"], rng)
            records.append(
                {
                    "direction": direction,
                    "measure": name,
                    "first": rows[name].mean(),
                    "second": others[name].mean(),
                    "difference": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "p": found.p,
                    "queries": found.queries,
                    "pictures": found.clusters,
                }
            )
    return pd.DataFrame(records)


def ranked_captions(gallery: Gallery, embeddings: Embeddings, split: str = "test") -> pd.DataFrame:
    """Return one row per query, both directions, with the place of its first right answer.

    Args:
        gallery: says which picture is in which split and which are duplicates.
        embeddings: of the whole gallery.
        split: whose captions and pictures are the queries.

    Returns:
        Columns direction, id (the query's picture), caption ("" for a picture query), rank
        (from 1), n_right, n (how many were ranked).
    """
    tables = [
        query_table(
            task.name,
            task.ids,
            task.texts,
            first_right_ranks(task.xq, task.xb, task.right),
            task.right,
            len(task.answers),
        )
        for task in caption_tasks(gallery, embeddings, split).values()
    ]
    return pd.concat(tables, ignore_index=True)


def query_table(
    direction: str,
    ids: np.ndarray,
    captions: Sequence[str],
    ranks: np.ndarray,
    right: Sequence[np.ndarray],
    n: int,
) -> pd.DataFrame:
    """Return the per-query table of one direction; see `ranked_captions` for its columns."""
    return pd.DataFrame(
        {
            "direction": direction,
            "id": ids,
            "caption": captions,
            "rank": ranks,
            "n_right": [len(rows) for rows in right],
            "n": n,
        }
    )


def hit_rates(
    queries: pd.DataFrame, ks: Sequence[int] = (1, 5, 10), *, seed: int = 0
) -> pd.DataFrame:
    """Return one row per direction and k: the hit rate, its 95 % interval, and chance.

    Args:
        queries: a table from `ranked_captions`.
        ks: how far down the list one looks.
        seed: of the bootstrap, which resamples pictures.

    Returns:
        Columns direction, k, hit_rate, low, high, chance, queries, pictures, searched.
    """
    records = []
    for direction, rows in queries.groupby("direction", sort=False):
        for k in ks:
            hits = (rows["rank"] <= k).to_numpy()
            low, high = interval(hits, rows["id"], np.random.default_rng(seed))
            records.append(
                {
                    "direction": direction,
                    "k": k,
                    "hit_rate": hit_rate_at_k(rows["rank"].to_numpy(), k),
                    "low": low,
                    "high": high,
                    "chance": chance_hit_rate(rows["n_right"].to_numpy(), rows["n"].iloc[0], k),
                    "queries": len(rows),
                    "pictures": rows["id"].nunique(),
                    "searched": int(rows["n"].iloc[0]),
                }
            )
    return pd.DataFrame(records)


def _random(queries: pd.DataFrame, rng: np.random.Generator) -> Judged:
    """Return the same queries, several times over, with every list in random order."""
    times = -(-RANDOM_QUERIES // len(queries))
    n_right = np.tile(queries["n_right"].to_numpy(np.int64), times)
    nothing = np.empty(0, np.int64)
    judged = Judged(
        nothing, nothing, np.empty(0), n_right, np.ones(n_right.sum()), int(queries["n"].iloc[0])
    )
    return shuffled(judged, rng)


def _check_same(first: Result, second: Result) -> None:
    for what in SAME:
        one, other = first.about.get(what), second.about.get(what)
        if one != other:
            raise ValueError(
                f"the two results have another {what} ({one} and {other}), so they do not "
                "compare; evaluate both on the same"
            )
    asked = ["direction", "id", "caption", "n_right"]
    if not first.queries[asked].equals(second.queries[asked]):
        raise ValueError("the two results are of other queries, or in another order; pair the same")
