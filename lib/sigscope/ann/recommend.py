"""The recommender: which index to use for one's own vectors and queries under a budget.

It measures, rather than knows: a few candidates on small samples, the better ones on larger ones,
and the best of all on every row, where queries that nothing was tuned on have the last word.
"""

import gc
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from sigscope.ann.candidates import candidates
from sigscope.ann.forecast import Budget, Forecast, Questions, tune
from sigscope.ann.halving import Ladder
from sigscope.ann.measure import IndexRun, build, measure, threads_set
from sigscope.indexes.specs import IndexSpec

QUESTIONS = 256  # queries of each kind to tune on, and again to verify with
CAUTION = ((1.0, 0.02), (2.0, 0.08))  # standard errors of recall, share of latency kept in hand
WORTH = 1.25  # times quicker by forecast than what was measured: the next is built as well
CHEAP = 1.5  # times slower by forecast: built as well while building is cheap


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
    2. Every candidate is built on two random samples of the rows, the second four times larger,
       and its knob climbed until the recall is reached. The four that are forecast to be best for
       all rows go on to a third sample, again four times larger: 1/8 of the rows, from 10,000 to
       50,000, or all there are. Time is forecast as a power of the number of rows at equal recall,
       bytes as a straight line. A latency missed by less than a forecast may err counts as kept
       here.
    3. The best by forecast is built on all rows and its knob tuned by bisection, so that recall
       less one standard error, and time and 2 % more, keep the budget.
    4. The queries held out must agree. If they do not, the knob is tuned again with two standard
       errors and 8 %, and they are asked a second and last time.
    5. The next by forecast is built as well if the budget is still not kept, if its forecast is
       much quicker than what was measured, or, while building all rows has taken less time than
       the samples did, if its forecast is not much slower; ``builds`` says how many in all.

    If nothing keeps the budget the answer is the nearest miss: the smallest product of the factors
    by which latency, bytes and missed neighbours exceed it. Recall and latency must hold for each
    kind of query. Memory counts the index alone; vectors to re-rank with, which a memory map can
    leave on disk, are reported beside it, and the time to read them is in the latency.

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
        rng: where samples and the split of the queries come from; None is a generator with seed 0.
        progress: show a bar on stderr.

    Raises:
        ValueError: a budget, the vectors or the queries are not what they should be.
    """
    budget = Budget(recall, memory, latency)
    rng = np.random.default_rng(0) if rng is None else rng
    asked = queries if isinstance(queries, Mapping) else {"query": queries}
    tuning, held_out = _split(asked, rng)
    ids = [str(row) for row in range(len(vectors))] if ids is None else ids
    chosen = list(among or candidates(*vectors.shape, memory))
    with tqdm(disable=not progress, file=sys.stderr, unit="trial") as bar, threads_set(threads):
        ladder = Ladder(vectors, tuning, k, budget, rng, bar)
        start = perf_counter()
        ladder.climb(chosen)
        sampling_s = perf_counter() - start
        bar.set_description("all rows")
        questions = [Questions.of(vectors, part, k) for part in (tuning, held_out)]
        built = _build_best(ladder, ids, *questions, builds, threads, sampling_s)
    best = min(built, key=lambda one: one.key(budget))
    return Recommendation(
        name=best.index.name,
        effort=best.effort,
        met=best.met(budget),
        reason=_reason(best, budget),
        table=_table(ladder, built, best),
        verified=best.runs,
        index=best.index,
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


@dataclass(frozen=True, eq=False)
class _Built:
    """An index over all rows, tuned, with what the queries held out say of it."""

    index: Any
    effort: int | None
    runs: list[IndexRun]

    @property
    def recall(self) -> float:
        return min(run.neighbour_recall for run in self.runs)

    @property
    def ms(self) -> float:
        return max(run.ms_median for run in self.runs)

    def key(self, budget: Budget) -> tuple[float, float, float]:
        return budget.key(self.recall, self.ms, self.index.bytes_per_vector)

    def met(self, budget: Budget) -> bool:
        return self.key(budget)[0] == 1


def _build_best(
    ladder: Ladder,
    ids: Sequence[str],
    tuning: Questions,
    held_out: Questions,
    builds: int,
    threads: int,
    sampling_s: float,
) -> list[_Built]:
    """Return the first by forecast, and as many more as are allowed and worth it."""
    built: list[_Built] = []
    start = perf_counter()
    for one in ladder.ranked():
        cheap = perf_counter() - start < sampling_s
        if len(built) == max(1, builds) or (built and not _worth(one, built, ladder, cheap)):
            break
        try:
            index = build(ladder.entries[one.name], ladder.vectors, ids)
            built.append(_verified(index, tuning, held_out, ladder.budget, threads))
        except Exception as error:  # the next may do; the table says why
            ladder.notes[one.name] = f"failed: {error or type(error).__name__}"
        gc.collect()
    if not built:
        failed = "; ".join(f"{name} {note}" for name, note in ladder.notes.items())
        raise ValueError(f"no candidate could be built over these vectors: {failed}")
    return built


def _worth(one: Forecast, built: Sequence[_Built], ladder: Ladder, cheap: bool) -> bool:
    """Tell whether a forecast promises enough, next to the best that was measured."""
    budget = ladder.budget
    best = min(built, key=lambda done: done.key(budget))
    kept, aim, _ = ladder.lenient(one.name).key(one.recall, one.ms, one.bytes_per_vector)
    if not best.met(budget):
        return kept < best.key(budget)[0]
    return kept == 1 and aim < best.key(budget)[1] * (CHEAP if cheap else 1 / WORTH)


def _verified(
    index: Any, tuning: Questions, held_out: Questions, budget: Budget, threads: int
) -> _Built:
    """Return the index tuned with caution, and once more with greater caution if need be."""
    for margin, reserve in CAUTION:
        strict = budget
        if budget.latency is not None:
            strict = replace(budget, latency=budget.latency * (1 - reserve))
        effort = tune(index, tuning, strict, margin).effort
        runs = [
            measure(
                index, xq, held_out.exact[kind], tuning.k, kind=kind, effort=effort, threads=threads
            )
            for kind, xq in held_out.queries.items()
        ]
        built = _Built(index, effort, runs)
        if built.met(budget):
            break
    return built


def _table(ladder: Ladder, built: Sequence[_Built], best: _Built) -> pd.DataFrame:
    """Return one row per trial at its best setting, and one per index built over all rows."""
    n, records = len(ladder.vectors), []
    for name, trials in ladder.trials.items():
        for trial in trials:
            point = trial.best(ladder.budget)
            last = trial is trials[-1]
            records.append(
                {
                    "index": name,
                    "rows": trial.rows,
                    "queries": "tuned on",
                    "effort": point.effort,
                    "neighbour_recall": point.recall,
                    "ms_median": point.ms,
                    "bytes_per_vector": trial.bytes_per_vector,
                    "rerank_bytes_per_vector": trial.rerank_bytes_per_vector,
                    "build_s": trial.build_s,
                    "forecast_ms": ladder.forecast(name).ms if last else float("nan"),
                    "note": ladder.notes.get(name, "") if last else "",
                }
            )
    for one in built:
        records.append(
            {
                "index": one.index.name,
                "rows": n,
                "queries": "held out",
                "effort": one.effort,
                "neighbour_recall": one.recall,
                "ms_median": one.ms,
                "bytes_per_vector": one.index.bytes_per_vector,
                "rerank_bytes_per_vector": one.index.rerank_bytes_per_vector,
                "build_s": one.index.build_s,
                "forecast_ms": float("nan"),
                "note": "recommended" if one is best else "built, not the best",
            }
        )
    untried = [name for name in ladder.entries if name not in ladder.trials]
    records += [{"index": name, "rows": 0, "note": ladder.notes[name]} for name in untried]
    return pd.DataFrame(records).astype({"effort": "Int64"})


def _reason(best: _Built, budget: Budget) -> str:
    """Return what was found, and what it means for the budget, in words."""
    run, index = best.runs[0], best.index
    knob = f" with {index.spec.knob} {best.effort}" if index.spec.knob else ""
    kinds = " and ".join(f"{run.neighbour_recall:.3f} ({run.kind})" for run in best.runs)
    what = (
        f"on {run.queries} queries of each kind held out it finds {kinds} of the {run.k} nearest "
        f"of {run.n:,} vectors, in {best.ms:.3g} ms and with {index.bytes_per_vector:,.0f} bytes "
        "a vector"
    )
    if index.rerank_bytes_per_vector:
        what += f", besides {index.rerank_bytes_per_vector:,.0f} bytes a vector to re-rank with"
    if best.met(budget):
        return f"{index.name}{knob} keeps the budget: {what}."
    return f"Nothing keeps the budget; {index.name}{knob} misses {_missed(best, budget)}: {what}."


def _missed(best: _Built, budget: Budget) -> str:
    parts = []
    if budget.recall is not None and best.recall < budget.recall:
        parts.append(f"recall {budget.recall:g} by {budget.recall - best.recall:.3f}")
    if budget.latency is not None and best.ms > budget.latency:
        parts.append(f"{budget.latency:g} ms by {best.ms - budget.latency:.3g}")
    if budget.memory is not None and best.index.bytes_per_vector > budget.memory:
        over = best.index.bytes_per_vector - budget.memory
        parts.append(f"{budget.memory:,.0f} bytes a vector by {over:,.0f}")
    return " and ".join(parts) + " (the nearest miss)"
