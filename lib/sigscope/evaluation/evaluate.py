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

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.intervals import interval, paired_difference
from sigscope.evaluation.metrics import (
    MEASURES,
    chance_hit_rate,
    measured,
)
from sigscope.evaluation.rankings import Rankings, shuffled
from sigscope.evaluation.tasks import DIRECTIONS, Task, caption_tasks
from sigscope.gallery.gallery import Gallery
from sigscope.types import EncoderLike

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

    @classmethod
    def of(
        cls, task: Task, measures: Sequence[str] = USUAL, rankings: Rankings | None = None
    ) -> "Result":
        """Return the evaluation of one task, ranked exactly, or as a search has ranked it."""
        return cls(task.about, scored(task, rankings or task.rankings(), measures))

    def only(self, chosen: pd.Series) -> "Result":
        """Return the result for these rows of ``queries`` alone (a mask)."""
        return Result(self.about, self.queries[chosen])


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
    tables = [Result.of(task, measures).queries for task in tasks.values()]
    return Result(tasks[DIRECTIONS[0]].about, pd.concat(tables, ignore_index=True))


def scored(task: Task, rankings: Rankings, measures: Sequence[str]) -> pd.DataFrame:
    """Return the per-query table of one task; the columns are those of `Result`."""
    about = {
        "direction": task.name,
        "id": task.ids,
        "caption": task.texts,
        "rank": rankings.first,
        "n_right": [len(rows) for rows in task.right],
        "n": len(task.answers),
    }
    return pd.DataFrame(about | {name: measured(rankings, name) for name in measures})


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
                    "chance": _chance(random, name),
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
            records.append({"direction": direction, "measure": name} | vars(found))
    return pd.DataFrame(records)


def _random(queries: pd.DataFrame, rng: np.random.Generator) -> Rankings:
    """Return the same queries, several times over, with every list in random order."""
    times = -(-RANDOM_QUERIES // len(queries))
    n_right = np.tile(queries["n_right"].to_numpy(np.int64), times)
    nothing = np.empty(0, np.int64)
    rankings = Rankings(
        nothing, nothing, np.empty(0), n_right, np.ones(n_right.sum()), int(queries["n"].iloc[0])
    )
    return shuffled(rankings, rng)


def _chance(random: Rankings, measure: str) -> float:
    """Return a measure's mean over random orders; of the hit rate what it tends to."""
    name, _, k = measure.partition("@")
    if name == "hit rate":
        return chance_hit_rate(random.n_right, random.n, int(k))
    return float(measured(random, measure).mean())


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
