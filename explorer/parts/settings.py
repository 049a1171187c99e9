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
from literal import literal
from parts import notices, tagged, text_limit
from sigscope import INDEXES, Searcher
from sigscope.indexes import fitting
from sigscope.search import BY, DEPTH

WAYS = {"vectors": "add their vectors", "sentence": "one sentence (R2)"}
INDEX_HELP = (
    "Flat compares with every picture. The others look at fewer, or at shorter codes: notebooks 4 "
    "and 5 measure what that loses."
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


def chips() -> Settings:
    """Show the settings as a row of chips and return what is chosen."""
    categories = _several("Category", "category")
    splits = _several("Split", "split")
    max_text, less = text_limit.chip()
    tagged.chip()
    if st.session_state["q"].strip():
        st.segmented_control("Find by", BY, key="by", required=True, help=BY_HELP,
                             label_visibility="collapsed")  # fmt: skip
    with st.popover("How to search", key="how"):
        index = st.selectbox(
            "Index", indexes(), format_func=lambda name: INDEXES[name].label,
            help=INDEX_HELP, **address.varying("index", "index here", indexes(), "flat"),
        )  # fmt: skip
        effort = effort_of(index)
        way = st.radio(
            "Mix a picture and words by", list(WAYS), key="mix", format_func=WAYS.get,
            help="Adding vectors corrects the gap between pictures and words first. R2's way "
            "writes a sentence: the caption that fits the picture best, and your words.",
        )  # fmt: skip
        tame = st.toggle(
            "Tame hubs", key="tame",
            help="Lowers pictures that are near to many captions (CSLS). For searches by "
            "words alone. Notebook 7 measures whether it helps.",
        )  # fmt: skip
        reread = bool(resources.reader()) and st.toggle(
            f"Let {Path(resources.reader()).name} read the first {DEPTH}", key="read",
            help="A model that sees words and picture together orders them anew; that takes a "
            "while, each pair once. For searches by words alone.",
        )  # fmt: skip
    return Settings(
        st.session_state["k"], tuple(categories), tuple(splits), max_text, index, effort,
        way == "sentence", tame, less, st.session_state["by"], reread, kept.shown_alone(),
    )  # fmt: skip


def indexes() -> list[str]:
    """The indexes that can be built over the visitor's gallery, whichever model is loaded."""
    return list(fitting(len(resources.gallery()), WIDEST))


def effort_of(index: str, name: str = "effort") -> int | None:
    """Show a slider over the index's knob and return its value; None where it has no knob."""
    spec, n = INDEXES[index], len(resources.gallery())
    efforts = spec.efforts(n) if spec.knob else []
    if len(efforts) < 2:
        return efforts[0] if efforts else None
    start = min(efforts, key=lambda value: abs(value - spec.default_effort(n)))
    return st.select_slider(
        f"Effort ({spec.knob})", efforts,
        help="More of it finds more of what exact search finds, and takes longer.",
        **address.varying(name, f"{name}-{index}", efforts, start),
    )  # fmt: skip


def _several(label: str, column: str) -> list[str]:
    """Show the values of a column, and return the chosen ones; none is all."""
    values = list(resources.counts(column))
    for value in [value for value in st.session_state[column] if value not in values]:
        notices.say(f"{column}={value[:80]} cannot be had here: no picture of this gallery has it")
        st.session_state[column] = [other for other in st.session_state[column] if other != value]
    if not values:
        return []
    chosen = st.session_state[column]
    with st.popover(
        f"{label}: {literal(', '.join(chosen))}" if chosen else label, key=f"{column} chip"
    ):
        return st.multiselect(label, values, key=column, placeholder="all")
