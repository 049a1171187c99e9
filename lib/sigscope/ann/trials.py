"""Trials: what every candidate does on one sample, and what that forecasts for all the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from sigscope.ann.budget import IndexBudget, Point, Questions, tune
from sigscope.ann.measure import NAN, IndexRun, build
from sigscope.indexes.specs import CELLS, GRAPH

LEAST, MOST, SHARE = 10_000, 50_000, 8  # the sample: 1/8 of the rows, within these bounds
PART = 4  # a quarter of the sample, from which the growth of bytes is read
GROWTH = {CELLS: 0.7, GRAPH: 0.7}  # power of n by which time grows at equal recall; scans, 1
MARGIN = 1.0  # standard errors taken off a recall


@dataclass(eq=False)
class Trial:
    """One candidate at its best setting, on the sample or on all rows; or why it failed."""

    index: str
    rows: int = 0
    queries: str = "tuned on"  # or "held out"
    effort: int | None = None
    neighbour_recall: float = NAN
    ms_median: float = NAN  # measured on these rows
    bytes_per_vector: float = NAN  # over all rows
    rerank_bytes_per_vector: float = NAN
    build_s: float = NAN
    forecast_ms: float = NAN  # over all rows
    note: str = ""

    @classmethod
    def of(cls, index: Any, queries: str, point: Point, **more: Any) -> "Trial":
        """Return what was measured of an index over some rows."""
        sizes = index.bytes_per_vector, index.rerank_bytes_per_vector, index.build_s
        measured = point.effort, point.recall, point.ms
        return cls(index.name, len(index), queries, *measured, *sizes, **more)

    def key(self, budget: IndexBudget) -> tuple[float, float, float]:
        """Return what to sort by, best first."""
        return budget.key(self.neighbour_recall, self.forecast_ms, self.bytes_per_vector)


@dataclass(eq=False)
class Verified(Trial):
    """An index over all rows, tuned, with what the queries held out say of it."""

    built: Any = None
    runs: Sequence[IndexRun] = ()


def _sample_size(n: int) -> int:
    """Return how many of n rows the candidates are tried on."""
    return min(n, max(LEAST, min(MOST, n // SHARE)))


def try_on_sample(
    entries: Mapping[str, Any],
    vectors: np.ndarray,
    queries: Mapping[str, np.ndarray],
    k: int,
    budget: IndexBudget,
    rng: np.random.Generator,
    bar: tqdm,
) -> list[Trial]:
    """Return every candidate as it did on one sample, in their order."""
    size, trials = _sample_size(len(vectors)), []
    sample = np.ascontiguousarray(vectors[np.sort(rng.permutation(len(vectors))[:size])])
    questions = Questions.of(sample, queries, k)
    for name, entry in entries.items():
        bar.set_description(f"{name}, {size:,} rows")
        try:
            trials.append(_try(name, entry, sample, questions, budget, len(vectors)))
        except Exception as error:  # it is no candidate; the table says why
            trials.append(Trial(name, note=f"failed: {error or type(error).__name__}"))
        bar.update()
    return trials


def _try(
    name: str,
    entry: Any,
    sample: np.ndarray,
    questions: Questions,
    budget: IndexBudget,
    n: int,
) -> Trial:
    size = len(sample)
    index = build(entry, sample, [str(row) for row in range(size)])
    slower = (n / size) ** GROWTH.get(index.spec.knob, 1.0)
    quick = replace(budget, latency=budget.latency and budget.latency / slower)
    point = tune(index, questions, quick, MARGIN)
    trial = Trial.of(index, "tuned on", point, forecast_ms=point.ms * slower)
    if budget.memory is not None and n > size:  # codes are for each row, codebooks are not
        part = build(entry, sample[: size // PART], [str(row) for row in range(size // PART)])
        held = trial.bytes_per_vector * size
        slope = (held - part.bytes_per_vector * len(part)) / (size - len(part))
        trial.bytes_per_vector = (held + slope * (n - size)) / n
    return trial
