"""What a visitor rates next, and what becomes of their answer."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import pandas as pd
import streamlit as st

import resources
from parts.compared import Contender
from sigscope.ratings import (
    RatingsError,
    RatingStore,
    begin_session,
    rng_of,
    shuffled,
    topics_of,
)

WORDS = {1: ("no", "yes"), 2: ("no", "partly", "yes")}  # by top grade


@dataclass(frozen=True)
class Task:
    """One session as one rater goes through it."""

    store: RatingStore
    session: str
    rater: str
    about: dict  # what the store knows of the session
    words: dict[str, str]  # of each query
    order: list[tuple[str, str]]  # what to rate: query and id

    @property
    def top_grade(self) -> int:
        return self.about["top_grade"]

    def rate(self, place: int, grade: int) -> None:
        """Keep a grade; a place is fixed to its picture, so a late click never hits the next."""
        _keep(self.store.rate, self.session, self.rater, *self.order[place], grade)

    def skip(self, place: int) -> None:
        _keep(self.store.skip, self.session, self.rater, *self.order[place])

    def undo(self) -> None:
        _keep(self.store.undo, self.session, self.rater)

    def change(self, place: int) -> None:
        """Take the grade from the small buttons under a picture; none chosen is a skip."""
        grade = st.session_state[key_of(place)]
        self.skip(place) if grade is None else self.rate(place, grade)

    def beside(self, place: int) -> list[int]:
        """Return the places of a place's own query."""
        return [p for p, pair in enumerate(self.order) if pair[0] == self.order[place][0]]


def current(store: RatingStore, sessions: pd.DataFrame) -> Task | None:
    """Return what this visitor is rating, if they have begun."""
    session, rater = st.session_state.get("rating", ("", ""))
    if session not in sessions["session"].tolist() or session != st.session_state["session"]:
        return None  # or the visitor went back to before they began
    about = sessions.set_index("session").loc[session].to_dict()
    words, order = _content(str(store.path), session, rater)
    return Task(store, session, rater, about, words, order)


def make(store: RatingStore, top_grade: int) -> str:
    """Return a session of the gallery with the model at hand, made now if there is none."""
    return begin_session(store, resources.searcher(), top_grade=top_grade)


def make_own(
    store: RatingStore, top_grade: int, text: str, systems: Sequence[Contender], depth: int
) -> str:
    """Return a session of a visitor's own queries, one a line, and of the systems they chose."""
    queries, named = topics_of(text), {one.name: one for one in systems}
    with st.spinner("Searching …"):
        return begin_session(
            store, resources.searcher(), systems={name: one.search for name, one in named.items()},
            queries=queries, depth=depth, top_grade=top_grade,
            how={name: asdict(one) for name, one in named.items()},
        )  # fmt: skip


def begin(store: RatingStore, name: str, session: Callable[[], str]) -> None:
    """Let this visitor rate a session, perhaps made now; RatingsError says why not."""
    rater = store.known_as(name)
    chosen = session()
    st.session_state["rated before"] = len(store.grades(chosen, rater))
    st.session_state["rating"] = (chosen, rater)
    st.session_state["session"] = chosen


def leave(task: Task) -> None:
    """Go back to where sessions are chosen; this one stays chosen."""
    st.session_state.pop("rating", None)
    back_up(task)


def back_up(task: Task) -> None:
    """Keep a copy of all answers once somebody has ended."""
    _keep(task.store.back_up)


def key_of(place: int) -> str:
    """Return the key of the small buttons; no id, as an id names what it shows."""
    return f"grade-of-{place}"


def trouble() -> RatingsError | None:
    """Return why the last answer was not kept, once."""
    return st.session_state.pop("not kept", None)


def _keep(act: Callable, *what: str | int) -> None:
    try:
        act(*what)
    except RatingsError as reason:
        st.session_state["not kept"] = reason


@st.cache_data(show_spinner=False, max_entries=64)
def _content(path: str, session: str, rater: str) -> tuple[dict, list]:
    """Return a session's queries and a rater's order, neither of which ever changes."""
    store = RatingStore(path)
    words = store.queries(session).set_index("query")["text"].to_dict()
    return words, shuffled(store.rankings(session), rng_of(session, rater))
