"""How to search: how many, among what, by which index, and what is held against pictures.

Each widget is bound to the page's address, so that a shared link searches the same way.
"""

from dataclasses import dataclass
from typing import Any

import streamlit as st

import resources
from parts import text_limit
from sigscope import INDEXES, Searcher
from sigscope.indexes import fitting

MOST = 0.3  # in units of cosine
WAYS = {"vectors": "add their vectors", "sentence": "one sentence (R2)"}
BOUND = {"bind": "query-params"}
WIDEST = 1152  # dimensions that a model may have; the widest SigLIP has as many


@dataclass(frozen=True)
class Settings:
    k: int
    size: int  # pixels of a card's width
    categories: tuple[str, ...]
    splits: tuple[str, ...]
    max_text: float  # in [0, 1]; 1 leaves nothing out
    index: str
    effort: int | None
    as_sentence: bool
    tame_hubs: bool
    less_text: float

    @property
    def searcher(self) -> Searcher:
        """What searches so; waits for the model where it is not loaded yet."""
        return resources.searcher(self.index, self.effort)

    @property
    def only(self) -> dict[str, Any]:
        """What the results are chosen from, as the methods of a Searcher take it."""
        found: dict[str, Any] = {"category": self.categories or None, "split": self.splits or None}
        return found if self.max_text >= 1 else {**found, "max_text": self.max_text}


def chosen() -> Settings:
    """Show the settings in the sidebar and return what is chosen."""
    with st.sidebar:
        k = st.slider("Results", 5, 60, 20, 5, key="k", **BOUND)
        size = st.slider("Picture size", 100, 300, 150, 25, key="size", **BOUND)
        categories = _several("Categories", "category")
        splits = _several("Splits", "split")
        max_text = text_limit.slider()
        with st.expander("How to search"):
            index = index_choice("index")
            effort = effort_of(index)
            way = st.radio(
                "Mix a picture and words by", list(WAYS), key="mix", format_func=WAYS.get, **BOUND,
                help="Adding vectors corrects the gap between pictures and words first. R2's way "
                "writes a sentence: the caption that fits the picture best, and your words.",
            )  # fmt: skip
            tame = st.toggle(
                "Tame hubs", key="tame", **BOUND,
                help="Lowers pictures that are near to many captions (CSLS). For searches by "
                "words alone. Notebook 7 measures whether it helps.",
            )  # fmt: skip
            less = st.slider(
                "Lower pictures of text", 0.0, MOST, 0.0, 0.05, key="less", **BOUND,
                help="What a picture that looks like text to the model loses, in units of cosine, "
                "unless the words ask for text. For searches by words alone.",
            )  # fmt: skip
    return Settings(
        k, size, tuple(categories), tuple(splits), max_text, index, effort, way == "sentence",
        tame, less,
    )  # fmt: skip


def indexes() -> list[str]:
    """The indexes that can be built over the visitor's gallery, whichever model is loaded."""
    return list(fitting(len(resources.gallery()), WIDEST))


def index_choice(key: str, label: str = "Index") -> str:
    """Show the indexes there are, and return the chosen one's name."""
    return st.selectbox(
        label,
        indexes(),
        key=key,
        format_func=lambda name: INDEXES[name].label,
        help="Flat compares with every picture. The others look at fewer, or at shorter codes: "
        "notebooks 4 and 5 measure what that loses.",
        **BOUND,
    )


def effort_of(index: str, key: str = "effort") -> int | None:
    """Show a slider over the index's knob and return its value; None where it has no knob."""
    spec, n = INDEXES[index], len(resources.gallery())
    if not spec.knob:
        return None
    efforts = spec.efforts(n)
    if len(efforts) == 1:
        return efforts[0]
    start = min(efforts, key=lambda value: abs(value - spec.default_effort(n)))
    return st.select_slider(
        f"Effort ({spec.knob})", efforts, start, key=f"{key}-{index}",
        help="More of it finds more of what exact search finds, and takes longer.",
    )  # fmt: skip


def _several(label: str, column: str) -> list[str]:
    """Show the values of a column, and return the chosen ones; none is all.

    They stand in the address as they are shown, so they are shown without their counts.
    """
    values = list(resources.counts(column))
    if not values:
        return []
    return st.multiselect(label, values, key=column, placeholder="all", **BOUND)
