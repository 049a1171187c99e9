"""The recommender: which index to use for one's own vectors and queries under a budget.

It measures, rather than knows: every candidate on one sample of the rows, and the best of them on
every row, where queries that nothing was tuned on have the last word.
"""

import gc
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from sigscope.ann.budget import IndexBudget, Point, Questions, tune
from sigscope.ann.candidates import candidates
from sigscope.ann.measure import IndexRun, build, measure, name_of, threads_set
from sigscope.ann.trials import Trial, Verified, try_on_sample
from sigscope.indexes.specs import IndexSpec

QUESTIONS = 256  # queries of each kind to tune on, and again to verify with
CAUTION = ((1.0, 0.02), (2.0, 0.08))  # standard errors of recall, share of latency kept in hand
NEAR = 1.25  # times slower by forecast than what was measured: built as well


@dataclass(frozen=True, eq=False)
class Recommendation:
    """An index that was built, and why this one."""

    name: str
    effort: int | None  # value of its knob, for ``index.search(..., effort=...)``
    met: bool  # whether the queries held out say that the budget is kept
    reason: str  # one or two sentences
    table: pd.DataFrame  # every trial it was decided from
    verified: list[IndexRun]  # on the queries held out, one per kind
    index: Any  # a VectorIndex over all the vectors


def recommend(
    vectors: np.ndarray,
    queries: np.ndarray | Mapping[str, np.ndarray],
    *,
    recall: float | None = 0.95,
    memory: float | None = None,
    latency: float | None = None,
    k: int = 10,
    ids: Sequence[str] | None = None,
    among: Sequence[str | IndexSpec] | None = None,
    builds: int = 3,
    threads: int = 1,
    rng: np.random.Generator | None = None,
    progress: bool = False,
) -> Recommendation:
    """Return the fastest index that keeps a budget for these vectors and queries.

    The rule:

    1. Half of the queries of each kind, at most 256, are held out; the others are tuned on.
    2. Every candidate is built on one random sample, 1/8 of the rows from 10,000 to 50,000 (or all
       there are), and its knob tuned until recall less one standard error is reached. For all rows
       its time is forecast to grow with their number if it scans, and with the 0.7th power of it if
       it is an inverted file or a graph (as measured on synthetic galleries from 12,500 to 100,000
       rows); bytes, as on a part of the sample.
    3. The best by forecast is built on all rows and tuned there, so that recall less one standard
       error, and time and 2 % more, keep the budget. The queries held out must agree. If they do
       not, the knob is tuned again with two standard errors and 8 %, and they are asked a second
       and last time.
    4. So is the next by forecast, if the budget is not kept yet or its forecast is at most a
       quarter slower than what was measured; ``builds`` says how many in all. What was measured
       best is recommended.

    If nothing keeps the budget the answer is the nearest miss: the smallest product of the factors
    by which latency, bytes and missed neighbours exceed it. Recall and latency must hold for each
    kind of query. Memory counts the index alone; vectors to re-rank with are reported beside it.

    Args:
        vectors: unit rows, float32, shape (n, d).
        queries: unit queries, float32, shape (q, d), or such by kind ("text", "image"); they should
            be like those to come, and at least 20 of each kind.
        recall: the least share of the k exact neighbours to find; None finds as many as memory and
            latency allow.
        memory: bytes per vector, at most.
        latency: ms of a single query (median), at most.
        k: neighbours asked for.
        ids: the id of each row; None counts them.
        among: what to choose from: names in INDEXES, specs or builders; None is
            ``candidates.candidates``.
        builds: how many indexes may be built over all rows.
        threads: for building and searching.
        rng: where the sample and the split of the queries come from; None is a generator with
            seed 0.
        progress: show a bar on stderr.

    Raises:
        StayOnDisk: the vectors are `StoredRows`, and indexes are built over arrays here.
        ValueError: a budget, the vectors or the queries are not what they should be.
    """
    budget, vectors = IndexBudget(recall, memory, latency), np.asarray(vectors)
    rng = np.random.default_rng(0) if rng is None else rng
    asked = queries if isinstance(queries, Mapping) else {"query": queries}
    tuning, held_out = _split(asked, rng)
    ids = [str(row) for row in range(len(vectors))] if ids is None else ids
    entries = {name_of(entry): entry for entry in among or candidates(*vectors.shape, memory)}
    with tqdm(disable=not progress, file=sys.stderr, unit="index") as bar, threads_set(threads):
        trials = try_on_sample(entries, vectors, tuning, k, budget, rng, bar)
        bar.set_description("all rows")
        questions = [Questions.of(vectors, part, k) for part in (tuning, held_out)]
        built = _build_best(entries, trials, vectors, ids, *questions, budget, builds, threads)
    best = min(built, key=lambda one: one.key(budget))
    return Recommendation(
        name=best.index,
        effort=best.effort,
        met=best.key(budget)[0] == 1,
        reason=_reason(best, budget),
        table=_table(trials, built, best),
        verified=best.runs,
        index=best.built,
    )


def _split(
    queries: Mapping[str, np.ndarray], rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the queries to tune on and those held out, at most QUESTIONS of each kind each."""
    if not queries:
        raise ValueError("there are no queries; give some that are like those to come")
    tuning, held_out = {}, {}
    for kind, xq in queries.items():
        if len(xq) < 4:
            raise ValueError(f"{len(xq)} {kind} queries are too few to tune and to verify with")
        order = rng.permutation(len(xq))
        half = min(len(xq) // 2, QUESTIONS)
        tuning[kind], held_out[kind] = xq[order[:half]], xq[order[half : 2 * half]]
    return tuning, held_out


def _build_best(
    entries: Mapping[str, Any],
    trials: Sequence[Trial],
    vectors: np.ndarray,
    ids: Sequence[str],
    tuning: Questions,
    held_out: Questions,
    budget: IndexBudget,
    builds: int,
    threads: int,
) -> list[Verified]:
    """Return the first by forecast, and as many more as are allowed and near enough."""
    built: list[Verified] = []
    for one in sorted((t for t in trials if not t.note), key=lambda t: t.key(budget)):
        if len(built) == max(1, builds) or (built and not _worth(one, built, budget)):
            break
        try:
            index = build(entries[one.index], vectors, ids)
            built.append(_verified(index, tuning, held_out, budget, threads))
        except Exception as error:  # the next may do; the table says why
            one.note = f"failed: {error or type(error).__name__}"
        gc.collect()
    if not built:
        failed = "; ".join(f"{one.index} {one.note}" for one in trials)
        raise ValueError(f"no candidate could be built over these vectors: {failed}")
    return built


def _worth(one: Trial, built: Sequence[Verified], budget: IndexBudget) -> bool:
    """Tell whether a forecast promises enough, next to the best that was measured."""
    best = min(done.key(budget) for done in built)
    missed, aim, _ = one.key(budget)
    return missed < best[0] if best[0] > 1 else missed == 1 and aim < NEAR * best[1]


def _verified(
    index: Any, tuning: Questions, held_out: Questions, budget: IndexBudget, threads: int
) -> Verified:
    """Return the index tuned with caution, and once more with greater caution if need be."""
    for margin, reserve in CAUTION:
        strict = replace(budget, latency=budget.latency and budget.latency * (1 - reserve))
        effort = tune(index, tuning, strict, margin).effort
        how = {"effort": effort, "threads": threads}
        runs = [
            measure(index, xq, held_out.exact[kind], tuning.k, kind=kind, **how)
            for kind, xq in held_out.queries.items()
        ]
        worst = min(run.neighbour_recall for run in runs), max(run.ms_median for run in runs)
        how = {"forecast_ms": worst[1], "built": index, "runs": runs}
        verified = Verified.of(index, "held out", Point(effort, *worst), **how)
        if verified.key(budget)[0] == 1:
            break
    return verified


def _table(trials: Sequence[Trial], built: Sequence[Verified], best: Verified) -> pd.DataFrame:
    """Return one row per candidate on the sample, and one per index built over all rows."""
    for one in built:
        one.note = "recommended" if one is best else "built, not the best"
    table = pd.DataFrame([vars(one) for one in [*trials, *built]])
    return table.drop(columns=["built", "runs"]).astype({"effort": "Int64"})


def _reason(best: Verified, budget: IndexBudget) -> str:
    """Return what was found, and what it means for the budget, in words."""
    run, index = best.runs[0], best.built
    knob = f" with {index.spec.knob} {best.effort}" if index.spec.knob else ""
    kinds = " and ".join(f"{run.neighbour_recall:.3f} ({run.kind})" for run in best.runs)
    what = (
        f"on {run.queries} queries of each kind held out it finds {kinds} of the {run.k} nearest "
        f"of {run.n:,} vectors, in {best.ms_median:.3g} ms and with "
        f"{best.bytes_per_vector:,.0f} bytes a vector"
    )
    if index.rerank_bytes_per_vector:
        what += f", besides {index.rerank_bytes_per_vector:,.0f} bytes a vector to re-rank with"
    if best.key(budget)[0] == 1:
        return f"{best.index}{knob} keeps the budget: {what}."
    return f"Nothing keeps the budget; {best.index}{knob} misses {_missed(best, budget)}: {what}."


def _missed(best: Verified, budget: IndexBudget) -> str:
    parts = []
    if budget.recall is not None and best.neighbour_recall < budget.recall:
        parts.append(f"recall {budget.recall:g} by {budget.recall - best.neighbour_recall:.3f}")
    if budget.latency is not None and best.ms_median > budget.latency:
        parts.append(f"{budget.latency:g} ms by {best.ms_median - budget.latency:.3g}")
    if budget.memory is not None and best.bytes_per_vector > budget.memory:
        over = best.bytes_per_vector - budget.memory
        parts.append(f"{budget.memory:,.0f} bytes a vector by {over:,.0f}")
    return " and ".join(parts) + " (the nearest miss)"
