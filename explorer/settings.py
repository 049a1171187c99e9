"""How to search: the index, how hard it tries, and what a visitor may hold against pictures."""

from dataclasses import dataclass

import resources
import streamlit as st

from sigscope.indexes import INDEXES
from sigscope.search import Searcher

MOST = 0.3  # in units of cosine


@dataclass(frozen=True)
class Settings:
    index: str
    effort: int | None
    tame_hubs: bool
    less_text: float

    @property
    def searcher(self) -> Searcher:
        """What searches so; waits for the model where it is not loaded yet."""
        return resources.searcher(self.index, self.effort)


def chosen() -> Settings:
    """Show the settings in the sidebar, folded, and return what is chosen."""
    with st.sidebar.expander("How to search"):
        index = st.selectbox(
            "Index",
            list(INDEXES),
            key="index",
            format_func=lambda name: INDEXES[name].label,
            help="Flat compares with every picture. The others look at fewer, or at shorter codes: "
            "notebooks 4 and 5 measure what that loses.",
        )
        effort = effort_of(index) if INDEXES[index].knob else None
        tame = st.toggle(
            "Tame hubs",
            key="tame",
            help="Lowers pictures that are near to many captions (CSLS). For searches by words. "
            "Notebook 7 measures whether it helps.",
        )
        less = st.slider(
            "Lower pictures of text", 0.0, MOST, 0.0, 0.05, key="less_text",
            help="What a picture that looks like text to the model loses, in units of cosine, "
            "unless the words ask for text. For searches by words.",
        )  # fmt: skip
    return Settings(index, effort, tame, less)


def effort_of(index: str) -> int:
    """Show a slider over the index's knob, and return its value."""
    spec, n = INDEXES[index], len(resources.gallery())
    efforts = spec.efforts(n)
    if len(efforts) == 1:
        return efforts[0]
    start = min(efforts, key=lambda value: abs(value - spec.default_effort(n)))
    return st.select_slider(
        f"Effort ({spec.knob})", efforts, start, key=f"effort-{index}",
        help="More of it finds more of what exact search finds, and takes longer.",
    )  # fmt: skip
