"""Trials: an index measured on samples of growing size, and what that forecasts for all the rows.

A recall in here is the worst of the kinds of query, less a margin for having asked few of them; a
time is the median of single queries of the slowest kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isinf, log, sqrt
from typing import Any

import numpy as np

from sigscope.ann.measure import efforts_of, single_ms
from sigscope.indexes.exact import exact_neighbours, neighbour_recall

SINGLES = 32  # of each kind
PASSES = 2  # over them; the quicker median counts, as a busy moment slows one and not the other
LITTLE = 0.005  # added to both shares of missed neighbours that are compared, as one may be 0
GOALS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 1.0)
UNKNOWN_GROWTH = 0.5  # exponent where one size alone reached the recall


@dataclass(frozen=True)
class Budget:
    """What an index may lose, hold and take; None means it does not matter."""

    recall: float | None  # at least, in [0, 1]
    memory: float | None  # bytes per vector, at most
    latency: float | None  # ms of a single query, at most

    def __post_init__(self) -> None:
        """Refuse what cannot be a budget."""
        if self.recall is None and self.latency is None:
            raise ValueError("ask for a recall or a latency; flat is the answer to neither")
        if self.recall is not None and not 0 < self.recall <= 1:
            raise ValueError(f"recall is {self.recall}; it is a share, above 0 and at most 1")
        for name in ("memory", "latency"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}; it must be above 0")

    def excess(self, recall: float, ms: float, memory: float) -> float:
        """Return by what factor the budget is missed, 1 if it is kept.

        The factors of latency, of bytes and of missed neighbours are multiplied.
        """
        factor = 1.0
        if self.latency is not None:
            factor *= max(1.0, ms / self.latency)
        if self.memory is not None:
            factor *= max(1.0, memory / self.memory)
        if self.recall is not None and recall < self.recall:
            factor *= (1 - recall + LITTLE) / (1 - self.recall + LITTLE)
        return factor

    def key(self, recall: float, ms: float, memory: float) -> tuple[float, float, float]:
        """Return what to sort by, best first: budget kept, then speed, or recall if none is set."""
        aim = 1 - recall if self.recall is None else ms
        return self.excess(recall, ms, memory), aim, ms


@dataclass(frozen=True)
class Point:
    """One setting of one index: how much it finds and how long a query takes."""

    effort: int | None
    recall: float
    ms: float


@dataclass(frozen=True, eq=False)
class Questions:
    """Queries by kind, with their exact neighbours among the rows of one sample."""

    queries: Mapping[str, np.ndarray]
    exact: Mapping[str, np.ndarray]
    k: int

    @classmethod
    def of(cls, xb: np.ndarray, queries: Mapping[str, np.ndarray], k: int) -> "Questions":
        """Return the queries with their k exact neighbours in xb."""
        return cls(queries, {kind: exact_neighbours(xb, xq, k) for kind, xq in queries.items()}, k)

    def ask(self, index: Any, effort: int | None, margin: float) -> Point:
        """Return how an index answers with this effort.

        Args:
            index: what to ask.
            effort: value of its knob.
            margin: standard errors that are taken off each kind's mean recall.
        """
        recalls, ms = [], []
        for kind, xq in self.queries.items():
            _, found = index.search(xq, self.k, effort=effort)
            pairs = zip(found, self.exact[kind], strict=True)
            each = [neighbour_recall(f[None], e[None]) for f, e in pairs]
            recalls.append(np.mean(each) - margin * np.std(each) / sqrt(len(each)))
            passes = [single_ms(index, xq, self.k, effort, SINGLES) for _ in range(PASSES)]
            ms.append(min(map(np.median, passes)))
        return Point(effort, float(max(0.0, min(recalls))), float(max(ms)))


def climb(index: Any, questions: Questions, budget: Budget, margin: float) -> list[Point]:
    """Return one point per value of the knob, rising, up to the first with recall enough.

    Without a recall to reach it stops where the time runs out instead.
    """
    goal = 1.0 if budget.recall is None else budget.recall
    points = []
    for effort in efforts_of(index):
        points.append(questions.ask(index, effort, margin))
        too_slow = budget.latency is not None and points[-1].ms > budget.latency
        if points[-1].recall >= goal or (too_slow and budget.recall is None):
            break
    return points


def tune(index: Any, questions: Questions, budget: Budget, margin: float, steps: int = 4) -> Point:
    """Return the best setting: the knob's values are climbed, then bisected around the best."""
    memory = index.bytes_per_vector
    points = climb(index, questions, budget, margin)

    def key(point: Point) -> tuple:
        return budget.key(point.recall, point.ms, memory)

    for _ in range(steps):
        best = min(range(len(points)), key=lambda i: key(points[i]))
        sides = [best - 1] if budget.excess(points[best].recall, 0, 0) == 1 else [best - 1, best]
        sides = [best] if budget.recall is None else sides
        between = [_between(points, side) for side in sides]
        new = [questions.ask(index, effort, margin) for effort in between if effort]
        if not new:
            break
        points = sorted([*points, *new], key=lambda point: point.effort)
    return min(points, key=key)


def _between(points: Sequence[Point], side: int) -> int | None:
    """Return an effort between point side and the next, or None if they are close enough."""
    if not 0 <= side < len(points) - 1:
        return None
    low, high = points[side].effort, points[side + 1].effort
    middle = round(sqrt(low * high))
    return middle if low < middle < high and high / low > 1.05 else None


@dataclass(frozen=True, eq=False)
class Trial:
    """One index on one sample."""

    name: str
    rows: int
    points: list[Point]
    bytes_per_vector: float
    rerank_bytes_per_vector: float
    build_s: float

    def best(self, budget: Budget) -> Point:
        """Return the setting that suits a budget best on this sample."""
        return min(self.points, key=lambda p: budget.key(p.recall, p.ms, self.bytes_per_vector))

    def ms_at(self, recall: float) -> float:
        """Return the time at a recall, interpolated between settings; inf if out of reach."""
        reached = [point for point in self.points if point.recall >= recall]
        if not reached:
            return float("inf")
        above = min(reached, key=lambda point: point.ms)
        below = [p for p in self.points if p.recall < recall and p.ms < above.ms]
        if not below:
            return above.ms
        under = max(below, key=lambda point: point.recall)
        missed = [log(1 + LITTLE - r) for r in (under.recall, recall, above.recall)]
        share = (missed[0] - missed[1]) / (missed[0] - missed[2])
        return exp((1 - share) * log(under.ms) + share * log(above.ms))


@dataclass(frozen=True)
class Forecast:
    """What an index is expected to do over all rows when tuned to a recall."""

    name: str
    recall: float
    ms: float
    bytes_per_vector: float


def forecast(trials: Sequence[Trial], n: int, budget: Budget, call_ms: float = 0.0) -> Forecast:
    """Return the best that one index is expected to do over n rows under a budget.

    At a fixed recall a query's time, less what any call takes, grows as a power of the number of
    rows, and the exponent (0 to 1) comes from the two largest samples. Bytes grow in a straight
    line through the same two, as codes are per row and codebooks are not.

    Args:
        trials: of one index, on samples of rising size; the last may be all n rows.
        n: all rows.
        budget: what to be best at.
        call_ms: what any call takes, as measured on a flat index of a few rows.
    """
    goals = sorted({*GOALS, *([budget.recall] if budget.recall else [])})
    goals = [goal for goal in goals if budget.recall is None or goal <= budget.recall]
    memory = _bytes(trials, n)
    last = trials[-1]
    best_reached = max(point.recall for point in last.points)
    goals = [goal for goal in goals if goal < best_reached] + [min(best_reached, goals[-1])]
    cases = [Forecast(last.name, goal, _ms(trials, n, goal, call_ms), memory) for goal in goals]
    return min(cases, key=lambda case: budget.key(case.recall, case.ms, case.bytes_per_vector))


def _ms(trials: Sequence[Trial], n: int, recall: float, call_ms: float) -> float:
    last, ms = trials[-1], trials[-1].ms_at(recall)
    if last.rows == n:
        return ms
    work, growth = _work(ms, call_ms), UNKNOWN_GROWTH
    if len(trials) > 1 and not isinf(trials[-2].ms_at(recall)):
        before = _work(trials[-2].ms_at(recall), call_ms)
        growth = log(work / before) / log(last.rows / trials[-2].rows)
    return ms - work + work * (n / last.rows) ** min(1.0, max(0.0, growth))


def _work(ms: float, call_ms: float) -> float:
    """Return the part of a time that grows; at least a tenth of it, as call_ms is not exact."""
    return max(ms - call_ms, ms / 10)


def _bytes(trials: Sequence[Trial], n: int) -> float:
    last = trials[-1]
    total = last.bytes_per_vector * last.rows
    if len(trials) == 1 or last.rows == n:
        return last.bytes_per_vector
    before = trials[-2]
    slope = (total - before.bytes_per_vector * before.rows) / (last.rows - before.rows)
    return (total + slope * (n - last.rows)) / n
