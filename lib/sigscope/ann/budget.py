"""A budget for an index, and the setting of its knob that keeps it, found by asking.

A recall in here is the worst of the kinds of query, less a margin for having asked few of them; a
time is the median of single queries of the slowest kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from sigscope.ann.measure import efforts_of, single_ms
from sigscope.arguments import real
from sigscope.indexes.exact import exact_neighbours, neighbour_recall

SINGLES = 32  # of each kind
LITTLE = 0.005  # added to both shares of missed neighbours that are compared, as one may be 0
STEPS = 4  # of bisection


@dataclass(frozen=True)
class IndexBudget:
    """What an index may lose, hold and take; None means it does not matter."""

    recall: float | None  # at least, in [0, 1]
    memory: float | None  # bytes per vector, at most
    latency: float | None  # ms of a single query, at most

    def __post_init__(self) -> None:
        """Refuse what cannot be a budget."""
        if self.recall is None and self.latency is None:
            raise ValueError("ask for a recall or a latency; flat is the answer to neither")
        if self.recall is not None:
            real("recall", self.recall, "it is a share, above 0 and at most 1", above=0, most=1)
        for name in ("memory", "latency"):
            value = getattr(self, name)
            if value is not None:
                real(name, value, "it must be above 0", above=0)

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
    """Queries by kind, with their exact neighbours among the rows that are searched."""

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
            ms.append(np.median(single_ms(index, xq, self.k, effort, SINGLES)))
        return Point(effort, float(max(0.0, min(recalls))), float(max(ms)))


def _climb(index: Any, questions: Questions, budget: IndexBudget, margin: float) -> list[Point]:
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


def tune(index: Any, questions: Questions, budget: IndexBudget, margin: float) -> Point:
    """Return the best setting: the knob's values are climbed, then bisected around the best."""
    memory = index.bytes_per_vector
    points = _climb(index, questions, budget, margin)

    def key(point: Point) -> tuple:
        return budget.key(point.recall, point.ms, memory)

    for _ in range(STEPS):
        best = min(range(len(points)), key=lambda i: key(points[i]))
        sides = [best - 1] if budget.excess(points[best].recall, 0, 0) == 1 else [best - 1, best]
        sides = [best] if budget.recall is None else sides
        between = [_between(points, side) for side in sides]
        new = [questions.ask(index, effort, margin) for effort in between if effort]
        if not new:
            break
        points = sorted([*points, *new], key=lambda point: point.effort)
    return min(points, key=key)


def _between(points: list[Point], side: int) -> int | None:
    """Return an effort between point side and the next, or None if they are close enough."""
    if not 0 <= side < len(points) - 1:
        return None
    low, high = points[side].effort, points[side + 1].effort
    middle = round(sqrt(low * high))
    return middle if low < middle < high and high / low > 1.05 else None
