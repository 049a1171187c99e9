"""How to search: how many, among what, by which index, and what is held against pictures.

Each choice is in the page's address, so that a shared link searches the same way.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

import address
import kept
import resources
import store
from literal import literal
from parts import notices, tagged, text_limit
from sigscope import Searcher
from sigscope.indexes import fitting
from sigscope.search import BY, DEPTH

WAYS = {"vectors": "add their vectors", "sentence": "one sentence (R2)"}
INDEX_HELP = (
    "Flat compares with every picture. The others look at fewer, or at shorter codes: notebooks 4 "
    "and 5 measure what that loses. Milvus is the database that SIGSCOPE_STORE names."
)
BY_HELP = (
    "By meaning: what the model sees in pictures. By words: what is written of them, in captions, "
    "translations, categories, and names of files and folders. Both finds most."
)
WIDEST = 1152  # dimensions that a model may have; the widest SigLIP has as many


@dataclass(frozen=True)
class Settings:
    k: int
    categories: tuple[str, ...]
    splits: tuple[str, ...]
    max_text: float  # in [0, 1]; 1 leaves nothing out
    index: str
    effort: int | None
    as_sentence: bool
    tame_hubs: bool
    less_text: float
    by: str
    reread: bool
    ids: tuple[str, ...] | None  # only these; None is all

    @property
    def searcher(self) -> Searcher:
        """What searches so; waits for the model where it is not loaded yet."""
        return resources.searcher(self.index, self.effort)

    @property
    def only(self) -> dict[str, Any]:
        """What the results are chosen from, as the methods of a Searcher take it."""
        found: dict[str, Any] = {"category": self.categories or None, "split": self.splits or None}
        found["ids"] = self.ids
        return found if self.max_text >= 1 else {**found, "max_text": self.max_text}


def now() -> Settings:
    """Return what is chosen; what cannot be had here is said and taken out."""
    index = address.possible("index", indexes()) or "flat"
    _, efforts, start = _efforts(index)
    effort = address.possible("effort", efforts) or start if len(efforts) > 1 else start
    max_text, less = text_limit.now()
    return Settings(
        st.session_state["k"], tuple(_chosen("category")), tuple(_chosen("split")), max_text, index,
        effort, st.session_state["mix"] == "sentence", st.session_state["tame"], less,
        st.session_state["by"], bool(resources.reader()) and st.session_state["read"],
        kept.shown_alone(),
    )  # fmt: skip


def chips() -> None:
    """Show the settings as a row of chips."""
    _several("Category", "category")
    _several("Split", "split")
    text_limit.chip()
    tagged.chip()
    if st.session_state["q"].strip():
        st.segmented_control("Find by", BY, key="by", required=True, help=BY_HELP,
                             label_visibility="collapsed")  # fmt: skip
    with st.popover("How to search", key="how"):
        index = st.selectbox(
            "Index", indexes(), format_func=lambda name: store.indexes()[name].label,
            help=INDEX_HELP, **address.varying("index", "index here", indexes(), "flat"),
        )  # fmt: skip
        effort_of(index)
        st.radio(
            "Mix a picture and words by", list(WAYS), key="mix", format_func=WAYS.get,
            help="Adding vectors corrects the gap between pictures and words first. R2's way "
            "writes a sentence: the caption that fits the picture best, and your words.",
        )  # fmt: skip
        st.toggle(
            "Tame hubs", key="tame",
            help="Lowers pictures that are near to many captions (CSLS). For searches by "
            "words alone. Notebook 7 measures whether it helps.",
        )  # fmt: skip
        if resources.reader():
            st.toggle(
                f"Let {Path(resources.reader()).name} read the first {DEPTH}", key="read",
                help="A model that sees words and picture together orders them anew; that takes a "
                "while, each pair once. For searches by words alone.",
            )  # fmt: skip


def indexes() -> list[str]:
    """The indexes that can be built over the visitor's gallery, whichever model is loaded."""
    there = fitting(len(resources.gallery()), WIDEST, stored=resources.vectors_stay_on_disk())
    return [name for name in store.indexes() if name in there or name == store.NAME]


def effort_of(index: str, name: str = "effort") -> int | None:
    """Show a slider over the index's knob and return its value; None where it has no knob."""
    knob, efforts, start = _efforts(index)
    if len(efforts) < 2:
        return start
    return st.select_slider(
        f"Effort ({knob})", efforts,
        help="More of it finds more of what exact search finds, and takes longer.",
        **address.varying(name, f"{name}-{index}", efforts, start),
    )  # fmt: skip


def _efforts(index: str) -> tuple[str, list[int], int | None]:
    """Return the name of an index's knob, its values here, and the one to start with."""
    spec, n = store.indexes()[index], len(resources.gallery())
    efforts = spec.efforts(n) if spec.knob else []
    start = min(efforts, key=lambda value: abs(value - spec.default_effort(n)), default=None)
    return spec.knob, efforts, start


def _chosen(column: str) -> list[str]:
    """Return the chosen values of a column, none is all; those that nothing has are taken out."""
    values = resources.counts(column)
    for value in [value for value in st.session_state[column] if value not in values]:
        notices.say(f"{column}={value[:80]} cannot be had here: no picture of this gallery has it")
        st.session_state[column] = [other for other in st.session_state[column] if other != value]
    return st.session_state[column]


def _several(label: str, column: str) -> None:
    """Show the values of a column to choose from, where there are any."""
    chosen = _chosen(column)
    if values := list(resources.counts(column)):
        called = f"{label}: {literal(', '.join(chosen))}" if chosen else label
        with st.popover(called, key=f"{column} chip"):
            st.multiselect(label, values, key=column, placeholder="all")
