"""Simulated raters: invented grades with known truth, to try the scoring on. No person gave them.

What goes in is how good each system is assumed to be, so what the scores say can be held against
it. They are kept in a file of their own kind (``RatingStore(path, simulated=True)``), every row
says ``simulated``, so do the raters' names, and nothing scores them together with real ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sigscope.ratings.pools import Pool, shuffled
from sigscope.ratings.store import SIMULATED, RatingStore


@dataclass(frozen=True)
class Habits:
    """How simulated raters behave; every share is in [0, 1].

    Attributes:
        raters: how many there are.
        slip: how often one gives the grade next to the true one.
        skip: how often one gives none.
        partly: with three grades, the share of relevant pictures that are only partly so.
    """

    raters: int = 3
    slip: float = 0.1
    skip: float = 0.02
    partly: float = 0.5


def true_grades(
    pool: Pool,
    quality: Mapping[str, float],
    rng: np.random.Generator,
    *,
    top_grade: int = 2,
    partly: float = 0.5,
) -> pd.DataFrame:
    """Return an invented true grade for each pooled picture: query, id, grade (int64).

    A picture that one system found is relevant with the probability that ``quality`` gives the
    system; one that several found, with the highest of theirs. So a system's expected precision is
    at least its quality, and just that where no better system has found the same.
    """
    unknown = sorted(set(pool.rankings["system"]) - set(quality))
    if unknown:
        raise ValueError(f"say in quality how good {unknown} are assumed to be, from 0 to 1")
    chance = pool.rankings.assign(chance=pool.rankings["system"].map(dict(quality)))
    table = chance.groupby(["query", "id"], as_index=False)["chance"].max()
    relevant = rng.random(len(table)) < table.pop("chance").to_numpy()
    halved = (rng.random(len(table)) < partly) & (top_grade > 1)
    return table.assign(grade=np.where(relevant, np.where(halved, 1, top_grade), 0))


def simulate(
    store: RatingStore,
    session: str,
    truth: pd.DataFrame,
    rng: np.random.Generator,
    habits: Habits | None = None,
) -> None:
    """Let simulated raters rate a whole session into a store of simulated ratings.

    Args:
        store: opened with ``simulated=True``; a store of real ratings refuses these raters.
        session: what to rate.
        truth: as `true_grades` returns it, with every pair of the session.
        rng: where slips and skips come from.
        habits: None for the ones above.
    """
    habits = habits or Habits()
    top = int(store.sessions().set_index("session").loc[session, "top_grade"])
    grade_of = truth.set_index(["query", "id"])["grade"]
    rows = [
        (f"{SIMULATED}-{number}", query, id, _seen(int(grade_of[query, id]), top, habits, rng))
        for number in range(1, habits.raters + 1)
        for query, id in shuffled(store.rankings(session), rng)
    ]
    store.take_in(session, pd.DataFrame(rows, columns=["rater", "query", "id", "grade"]))


def _seen(grade: int, top: int, habits: Habits, rng: np.random.Generator) -> float:
    """Return the true grade, now and then one next to it, and now and then none: nan."""
    if rng.random() < habits.skip:
        return np.nan
    if rng.random() >= habits.slip:
        return grade
    near = [other for other in (grade - 1, grade + 1) if 0 <= other <= top]
    return near[rng.integers(len(near))]
