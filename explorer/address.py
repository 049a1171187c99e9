"""The address is the state: each choice that changes what is shown has a short name in it.

Streamlit's own binding writes labels and forgets what another page holds, so the address is read
and written here and nowhere else. It wins when a visitor arrives with it and when they go back or
forward; else their acts win, and a run that finds another state than the last writes one entry of
the browser's history. What an address names and nobody knows is said in a sentence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

import store
from parts import notices
from sigscope.search import BY

KEPT, WRITTEN, PAGE = "address kept", "address written", "address page"
MOST_LETTERS = 1000  # of words asked for; a model reads some sixty words
SIDES = range(1, 5)  # of the page Compare


@dataclass(frozen=True)
class Choice:
    """What one name in the address stands for.

    Attributes:
        start: its value where the address is silent; a list where a name may stand there often.
        read: makes a value of text; ValueError says in a few words what it should be.
    """

    start: Any = ""
    read: Callable[[str], Any] = str

    @property
    def is_many(self) -> bool:
        return isinstance(self.start, list)


def _number(least: float, most: float, kind: type = int) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise ValueError(f"is no number from {least:g} to {most:g}")
        return value

    return read


def _one_of(*known: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f"is none of {', '.join(known)}")
        return text

    return read


def _index(text: str) -> str:
    return _one_of(*store.indexes())(text)


def _words(text: str) -> str:
    if len(text) > MOST_LETTERS:
        raise ValueError(f"has more than {MOST_LETTERS:,} letters")
    return text


def _weight(text: str) -> tuple[str, float]:
    part, _, value = text.rpartition(":")
    return part, _number(0.1, 2.0, float)(value)


ASKED = ("q", "not", "like", "unlike", "picture", "weight")  # the query
COLOURS = ("category", "tag", "cluster", "split", "score", "hubness", "trust", "kind")
MOST_SHOWN = 1_000_000
CHOICES = {
    "gallery": Choice("main"),
    "q": Choice("", _words),
    "not": Choice("", _words),
    "like": Choice([]),
    "unlike": Choice([]),
    "picture": Choice([]),  # digests of pictures that a visitor showed
    "weight": Choice([], _weight),
    "category": Choice([]),
    "split": Choice([]),
    "tag": Choice([]),
    "among": Choice(),  # a selection that is shown alone
    "chosen": Choice(),  # the selection of the moment
    "text": Choice(1.0, _number(0, 1, float)),
    "k": Choice(20, _number(1, MOST_SHOWN)),
    "size": Choice(150, _number(80, 400)),
    "index": Choice(next(iter(store.indexes())), _index),
    "effort": Choice(None, _number(1, 1_000_000)),
    "by": Choice("both", _one_of(*BY)),
    "mix": Choice("vectors", _one_of("vectors", "sentence")),
    "tame": Choice(False, lambda text: _one_of("1")(text) == "1"),
    "read": Choice(False, lambda text: _one_of("1")(text) == "1"),
    "copies": Choice(False, lambda text: _one_of("1")(text) == "1"),  # shown as well
    "group": Choice(),  # the picture whose copies are shown first
    "less": Choice(0.0, _number(0, 0.3, float)),
    "view": Choice("pictures", _one_of("pictures", "captions")),
    "draw": Choice(0, _number(0, 999_999)),  # which pictures a first visit shows
    "show": Choice(),  # the picture that is open in the panel
    "points": Choice("pictures", _one_of("pictures", "both")),
    "dims": Choice(2, _number(2, 3)),
    "colour": Choice(None, _one_of(*COLOURS)),
    "on": Choice(),  # the picture that the map points at
    "sides": Choice(2, _number(2, 4)),
    "each": Choice(10, _number(5, 30)),
    **{f"index{n}": Choice(None, _index) for n in SIDES},
    **{f"effort{n}": Choice(None, _number(1, 1_000_000)) for n in SIDES},
    **{f"model{n}": Choice() for n in SIDES},
    **{f"by{n}": Choice(None, _one_of(*BY)) for n in SIDES},
    **{f"apart{n}": Choice(False, lambda text: _one_of("1")(text) == "1") for n in SIDES},
    "rate": Choice("given", _one_of("given", "own")),  # a session there is, or queries of one's own
    "session": Choice(None),  # which session is rated
    "notebook": Choice(None),
    "kinds": Choice(["tables", "figures"], _one_of("tables", "figures", "none")),
}


def follow(page: str) -> None:
    """Bring the state and the address together, once in each run and before all widgets."""
    came, st.session_state[PAGE] = st.session_state.get(PAGE) != page, page
    if KEPT not in st.session_state or get_script_run_ctx().is_history_navigation:
        _arrive()
        return
    kept = st.session_state[KEPT]
    before = [kept[name] for name in ASKED]
    for name in CHOICES:
        kept[name] = st.session_state.get(name, kept[name])
        if came or name not in st.session_state:  # Streamlit forgets what another page showed
            st.session_state[name] = kept[name]
    if before != [kept[name] for name in ASKED]:  # another query's pictures, from the first
        kept["k"] = st.session_state["k"] = CHOICES["k"].start
    if (now := written()) != st.session_state[WRITTEN]:
        st.session_state[WRITTEN] = now
        st.query_params.from_dict(now)


def written(**other: Any) -> dict[str, Any]:
    """Return the state as an address holds it: what is not as it starts; perhaps with changes."""
    values = st.session_state[KEPT] | other
    named = {name: values[name] for name in CHOICES if values[name] != CHOICES[name].start}
    return {name: _written(value) for name, value in named.items()}


def restore(saved: Mapping[str, str | list[str]]) -> None:
    """Make the state what an address said that `written` gave, in the gallery of now."""
    for name in CHOICES.keys() - {"gallery"}:
        texts = saved.get(name, [])
        st.session_state[name] = _read(name, [texts] if isinstance(texts, str) else texts)


def take(name: str, key: str) -> None:
    """Make what a widget of another key says the value of a name."""
    st.session_state[name] = st.session_state[key]


def possible(name: str, options: Sequence[Any]) -> Any:
    """Return the value of a name; one that is not among the options is said, and None then."""
    wanted = st.session_state[name]
    if wanted is not None and wanted not in options:
        there = ", ".join(map(str, list(options)[:12]))
        notices.say(f"{name}={wanted} cannot be had here; there is {there}.")
        wanted = st.session_state[name] = None
    return wanted


def varying(name: str, key: str, options: Sequence[Any], start: Any) -> dict[str, Any]:
    """Return the key and the callback of a widget whose options depend on more than the name."""
    wanted = possible(name, options)
    st.session_state[key] = start if wanted is None else wanted
    return {"key": key, "on_change": take, "args": (name, key)}


def _arrive() -> None:
    """Take everything from the address."""
    values = {name: _read(name, st.query_params.get_all(name)) for name in CHOICES}
    st.session_state[KEPT] = values
    st.session_state.update(values)
    st.session_state[WRITTEN] = written()
    for name in st.query_params:
        if name not in CHOICES:
            notices.say(f"The address says {name}, which means nothing here.")


def _read(name: str, texts: Sequence[str]) -> Any:
    choice, values = CHOICES[name], []
    for text in texts:
        try:
            values.append(choice.read(text))
        except ValueError as reason:
            notices.say(f"The address says {name}={text[:80]}, which {reason}.")
    if choice.is_many:
        return values or list(choice.start)
    return values[-1] if values else choice.start


def _written(value: Any) -> str | list[str]:
    if isinstance(value, list):
        return [f"{one[0]}:{one[1]:g}" if isinstance(one, tuple) else str(one) for one in value]
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:g}" if isinstance(value, float) else str(value)
