"""Tags as a filter: the chip beside the others, and tags that leave and come as a table."""

import streamlit as st

import kept
from literal import literal
from parts import notices
from sigscope.search import as_csv

FILE = "tags file"


def chip() -> None:
    """Show the tags there are, the choice among them, and the way back from a selection alone."""
    chosen, there = st.session_state["tag"], kept.counts()
    with st.popover(f"Tags: {literal(', '.join(chosen))}" if chosen else "Tags", key="tag chip"):
        if there:
            st.multiselect("Tags", list(there), key="tag", placeholder="all",
                           format_func=lambda name: f"{name} ({there.get(name, 0):,})")  # fmt: skip
            st.download_button("All tags as CSV", lambda: as_csv(kept.table_of()), "tags.csv",
                               "text/csv", key="tags csv", on_click="ignore")  # fmt: skip
        else:
            st.caption("Nothing is tagged yet: select pictures, then give them a tag or a star.")
        number = st.session_state.get("tag files", 0)  # a new one each time
        st.file_uploader("Take in tags (CSV)", "csv", key=f"{FILE} {number}", on_change=_take_in,
                         args=(f"{FILE} {number}",), width=320)  # fmt: skip
    if alone := kept.selection(kept.AMONG):
        st.button(f"Selection of {len(alone):,} ✕", key="whole", on_click=kept.clear,
                  args=(kept.AMONG,), help="Show the whole gallery again")  # fmt: skip


@notices.guarded
def _take_in(key: str) -> None:
    if (file := st.session_state[key]) is None:
        return
    st.session_state["tag files"] = st.session_state.get("tag files", 0) + 1
    known, others = kept.store().take_in(file.getvalue())
    st.toast(f"{known:,} tags taken in")
    if others:
        notices.say(f"{others:,} rows name pictures that this gallery does not have")
