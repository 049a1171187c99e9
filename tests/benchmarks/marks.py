"""Marks: one measured thing each, what it should keep to, and what it is measured against."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import pandas as pd

WARM_UP = 10


@dataclass(frozen=True)
class Mark:
    """One measured thing and the mark it should keep to; no mark means for information."""

    name: str
    value: float
    unit: str
    mark: float | None = None
    at_least: bool = False
    limit: float | None = None  # what this machine allows, measured in the same run, in that unit
    peer: float | None = None  # what others reach by the usual way, in the same run, in that unit

    @property
    def ok(self) -> bool:
        """Whether the value keeps to the mark."""
        if self.mark is None:
            return True
        return self.value >= self.mark if self.at_least else self.value <= self.mark

    @property
    def row(self) -> dict[str, str]:
        """The mark as a row of the printed table."""
        return {
            "measured": self.name,
            "value": written(self.value, self.unit),
            "of the limit": _ratio(self.value, self.limit),
            "of the peer": _ratio(self.value, self.peer),
            "mark": "" if self.mark is None else f"{'≥' if self.at_least else '≤'} {self.mark:g}",
            "kept": "" if self.mark is None else ("yes" if self.ok else "NO"),
        }


def written(value: float, unit: str) -> str:
    """Return a value as it is printed: three digits, with its unit."""
    number = f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{number} {unit}".strip()


def as_table(marks: list[Mark]) -> pd.DataFrame:
    """Return one row per mark, as it is printed."""
    return pd.DataFrame([mark.row for mark in marks])


def in_turns(one: Callable, other: Callable, pairs: int) -> tuple[float, float]:
    """Return the median microseconds of two functions, called in turns in changing order."""
    times: dict[Callable, list[float]] = {one: [], other: []}
    for turn in range(pairs + WARM_UP):
        for work in (one, other) if turn % 2 else (other, one):
            seconds = timed(work)
            if turn >= WARM_UP:
                times[work].append(1e6 * seconds)
    return statistics.median(times[one]), statistics.median(times[other])


def timed(work: Callable) -> float:
    """Return the seconds that a function takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def _ratio(value: float, other: float | None) -> str:
    return "" if not other else f"{value / other:.2f} x"
