"""R1's and R4's protocols: captions ask for their pictures, and pictures for their captions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.evaluate import evaluate, scored, summary
from sigscope.evaluation.metrics import chance_hit_rate
from sigscope.evaluation.rankings import from_lists
from sigscope.evaluation.tasks import DIRECTIONS, Task, caption_tasks
from sigscope.gallery.gallery import Gallery
from sigscope.protocols.methods import Method, open_methods
from sigscope.protocols.published import (
    BENCHMARKS,
    MARKS,
    MARKS_MODEL,
    R1_QUERIES,
    R1_RECALL,
    R4_RECALL,
    Outcome,
    Row,
    beside,
    depends,
    report_interval,
)

NEAR = 0.02  # how far a figure may be from its mark, whatever its interval
RULE_WORDS = {
    "own": "own picture right",
    "equal": "own picture, equal captions and duplicates right",
}
LOOK_AT = (
    "padding: SigLIP's texts are padded to 64 tokens (padding='max_length'), not to the longest",
    "case: texts are lower-cased and stripped of punctuation as the tokenizer's rules say",
    "pictures: resized to 224 x 224 bicubic without a crop, mean and deviation 0.5",
    "split: Karpathy's test split (COCO 5,000 pictures, Flickr30k 1,000), five captions a picture",
    "rows: vectors and ids in one order, all rows of length 1",
)


def caption_recall(
    gallery: Gallery,
    embeddings: Embeddings,
    *,
    split: str = "test",
    indexes: Sequence[Any] | Mapping[str, Any] = ("flat-l2", "hnsw-l2"),
    ks: Sequence[int] = (3, 5, 10, 20, 50),
    n_random: int = R1_QUERIES,
    seed: int = 0,
) -> Outcome:
    """Return R1's evaluation 1: is a caption's picture among the first k of each index?

    It is asked three ways: of N random captions with the own picture alone right, as R1 did; of
    all captions of the split by the same rule; and of all captions with equal captions and marked
    duplicates right too. R1's "Recall@K" is `metrics.hit_at_k`.

    Args:
        gallery: what the embeddings are of.
        embeddings: of the whole gallery, all of which is searched.
        split: whose captions are the queries.
        indexes: names in ``INDEXES`` or anything else that `methods.open_methods` takes.
        ks: the k of Recall@k.
        n_random: how many captions are drawn; R1 drew 50.
        seed: of the draw and of the bootstrap.
    """
    tasks = {
        rule: caption_tasks(gallery, embeddings, split, rule=rule)[DIRECTIONS[0]]
        for rule in RULE_WORDS
    }
    every = len(tasks["own"])
    drawn = np.random.default_rng(seed).choice(every, min(n_random, every), replace=False)
    asked = [
        (f"{len(drawn)} random", tasks["own"].only(np.sort(drawn))),
        ("all", tasks["own"]),
        ("all", tasks["equal"]),
    ]
    rows, tables = [], []
    for method in open_methods(indexes, tasks["own"].xb, tasks["own"].answers):
        for which, task in asked:
            more, table = _recalls(method, task, which, ks, seed)
            rows += more
            tables.append(table)
        rows.append(_run_time(method, asked[0][1], max(ks)))
    return Outcome(beside(rows), pd.concat(tables, ignore_index=True), asked[0][1].about)


def both_ways(
    gallery: Gallery,
    embeddings: Embeddings,
    *,
    split: str = "test",
    benchmark: str = "Flickr30k",
    ks: Sequence[int] = (1, 5, 10),
    seed: int = 0,
) -> Outcome:
    """Return R4's evaluation: Recall@1, 5, 10 and mAP, text to image and image to text, exactly.

    R4's "Recall@k" is `metrics.hit_at_k`: a picture has a hit when any of its captions is among
    the first k. mAP looks at the whole list and divides by all right answers.

    Args:
        gallery: what the embeddings are of.
        embeddings: of the whole gallery, all of which is searched.
        split: whose captions and pictures are the queries.
        benchmark: which of R4's two columns stands beside: Flickr30k or COCO.
        ks: the k of Recall@k.
        seed: of the bootstrap.
    """
    said = R4_RECALL[R4_RECALL["benchmark"] == benchmark].set_index("k")["recall"]
    if said.empty:
        raise ValueError(f"R4 has no benchmark {benchmark!r}; choose from Flickr30k, COCO")
    names = {f"hit rate@{k}": f"Recall@{k}" for k in ks} | {"AP": "mAP"}
    rows, tables = [], []
    for rule in RULE_WORDS:
        result = evaluate(gallery, embeddings, split, list(names), rule=rule)
        tables.append(result.queries.assign(rule=rule))
        for row in summary(result, seed=seed).to_dict("records"):
            k = int(row["measure"].partition("@")[2] or 0)
            queries = f"{row['queries']:,} queries of {row['pictures']:,} pictures"
            further = (queries, RULE_WORDS[rule], f"report: {benchmark}, direction not said")
            key = {"direction": row["direction"], "measure": names[row["measure"]], "rule": rule}
            rows.append(
                Row(
                    f"{key['measure']}, {row['direction']}",
                    depends(result.about, *further),
                    said.get(k, np.nan),
                    row["value"],
                    row["low"],
                    row["high"],
                    key | {"chance": row["chance"]},
                )
            )
    return Outcome(beside(rows), pd.concat(tables, ignore_index=True), result.about)


@dataclass(frozen=True, eq=False)
class SetupCheck:
    """Whether a run on a benchmark lands where open_clip's run of the same model did."""

    verdict: str  # near, far, or not comparable
    table: pd.DataFrame  # figure, mark, here, difference, verdict
    advice: tuple[str, ...]  # what to look at, likeliest first

    def __str__(self) -> str:
        """Return the verdict and the advice, a line each."""
        return "\n- ".join([f"{self.verdict}: {MARKS_MODEL}", *self.advice])


def setup_check(outcome: Outcome, benchmark: str) -> SetupCheck:
    """Return whether an outcome of `both_ways` is near open_clip's published marks.

    A figure is near when it lies within 0.02 of its mark, or when the mark is in its interval.

    Args:
        outcome: from `both_ways` with SigLIP base (224) on the benchmark's test split.
        benchmark: COCO or Flickr30k.
    """
    if benchmark not in BENCHMARKS:
        raise ValueError(f"there are no marks for {benchmark!r}; choose from COCO, Flickr30k")
    table = _against_marks(outcome, benchmark)
    unlike = _unlike(outcome.about, benchmark)
    if unlike:
        return SetupCheck("not comparable", table, unlike)
    far = table[table["verdict"] == "far"]
    if far.empty:
        return SetupCheck("near", table, ())
    if (far["difference"] > 0).all():
        leak = "too good: are equal captions, or fewer pictures, counted than the benchmark has?"
        return SetupCheck("far", table, (leak, *LOOK_AT))
    return SetupCheck("far", table, LOOK_AT)


def _recalls(
    method: Method, task: Task, which: str, ks: Sequence[int], seed: int
) -> tuple[list[Row], pd.DataFrame]:
    """Return the rows of one index and one set of queries, and their per-query table."""
    key = {"method": method.name, "queries": which, "rule": task.about["rule"]}
    words = (f"{which} captions ({len(task):,})", RULE_WORDS[key["rule"]], f"index {method.name}")
    of_report = R1_RECALL.set_index("index")
    known = method.name in of_report.index
    label = of_report.loc[method.name, "method"] if known else method.name
    if method.search is None:
        return [Row(f"Recall, {label}", method.problem, key=key)], pd.DataFrame()
    scores, found = method.found(task.xq, max(ks))
    ranked = from_lists(found, task.right, len(task.answers), scores=scores)
    table = scored(task, ranked, [f"hit rate@{k}" for k in ks]).assign(**key)
    rows = []
    for k in ks:
        said = of_report.at[method.name, k] if known and k in of_report else np.nan
        more = () if np.isnan(said) else (_report_words(said),)
        chance = chance_hit_rate(table["n_right"], len(task.answers), k)
        rows.append(
            Row.mean(
                f"Recall@{k}, {label}",
                depends(task.about, *words, *more),
                table[f"hit rate@{k}"],
                table["id"],
                seed=seed,
                report=said,
                **key,
                k=k,
                chance=chance,
            )
        )
    return rows, table


def _report_words(share: float) -> str:
    low, high = report_interval(share)
    return f"report: {R1_QUERIES} queries, 95 % interval {low:.2f} to {high:.2f}"


def _run_time(method: Method, task: Task, k: int) -> Row:
    of_report = R1_RECALL.set_index("index")["seconds_at_50"]
    said = of_report.get(method.name, np.nan) if (len(task), k) == (R1_QUERIES, 50) else np.nan
    seconds = np.nan
    if method.search is not None:
        seconds = method.seconds(task.xq, k).sum()
    return Row(
        f"run time for the {len(task)} queries at K = {k} (s), {method.name}",
        depends(task.about, "one query at a time, encoding not counted; this machine"),
        said,
        seconds,
        key={"method": method.name, "queries": f"{len(task)} random", "k": k},
    )


def _against_marks(outcome: Outcome, benchmark: str) -> pd.DataFrame:
    marks = MARKS[MARKS["benchmark"] == benchmark].melt(
        ["benchmark", "direction"], var_name="k", value_name="mark"
    )
    here = outcome.table[outcome.table["rule"] == "own"].set_index("figure")
    rows = []
    for mark in marks.itertuples(index=False):
        figure = f"Recall@{mark.k}, {mark.direction}"
        ours = here.loc[figure]
        near = abs(ours["here"] - mark.mark) <= NEAR or ours["low"] <= mark.mark <= ours["high"]
        difference, verdict = ours["here"] - mark.mark, "near" if near else "far"
        rows.append((figure, mark.mark, ours["here"], difference, verdict))
    return pd.DataFrame(rows, columns=["figure", "mark", "here", "difference", "verdict"])


def _unlike(about: dict, benchmark: str) -> tuple[str, ...]:
    """Return why an outcome cannot be held against the marks; nothing when it can."""
    model, reasons = about["model"].lower(), []
    if about["searched"] != BENCHMARKS[benchmark]:
        reasons.append(
            f"{about['searched']:,} pictures were searched, and {benchmark}'s test split has "
            f"{BENCHMARKS[benchmark]:,}"
        )
    if model != "unknown" and not ("siglip" in model and "base" in model and "224" in model):
        reasons.append(f"the model is {about['model']}, and the marks are of {MARKS_MODEL}")
    return tuple(reasons)
