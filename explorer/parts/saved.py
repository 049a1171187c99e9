"""Searches that are kept by name, for all who look at the gallery."""

import streamlit as st

import address
import kept
from literal import literal
from parts import notices

NAME = "name of the search"
PASSING = {"chosen": "", "show": "", "on": "", "draw": 0, "k": 20, "gallery": "main"}  # not kept


def chip() -> None:
    """Show the searches that are kept, and a way to keep the one of the moment."""
    with st.popover("Saved", key="saved chip"):
        here = address.written(**PASSING)
        if here:
            st.text_input("Save this search as", key=NAME, max_chars=40, autocomplete="off",
                          placeholder="red ships", on_change=_save, args=(here,))  # fmt: skip
        searches = kept.searches()
        for name, where in searches.items():
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.button(literal(name), key=f"saved {name}", on_click=address.restore,
                          args=(where,), width="stretch")  # fmt: skip
                st.button("✕", key=f"forget {name}", help=literal(f"Keep {name} no longer"),
                          type="tertiary", on_click=_forget, args=(name,))  # fmt: skip
        if not here and not searches:
            st.caption("No search is saved yet: search for something, then give it a name here.")


@notices.guarded
def _save(here: dict) -> None:
    if typed := st.session_state[NAME].strip():
        kept.store().save_search(typed, here)
        st.session_state[NAME] = ""


@notices.guarded
def _forget(name: str) -> None:
    kept.store().forget_search(name)
