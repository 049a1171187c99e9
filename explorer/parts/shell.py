"""What is around every page: the sidebar with the pages and galleries, and its JavaScript."""

from collections.abc import Mapping, Sequence

import streamlit as st

import address
import resources
from parts import grid, notices


def sidebar(pages: Sequence, galleries: Mapping[str, str]) -> None:
    """Show the pages, each a link that keeps the state, and the galleries where there are several.

    Args:
        pages: those of st.navigation.
        galleries: what each gallery is called, by its key.
    """
    if st.session_state["gallery"] not in galleries:
        notices.say(f"There is no gallery {st.session_state['gallery'][:80]} in the explorer's "
                    "list; this is the one it started with")  # fmt: skip
        st.session_state["gallery"] = resources.MAIN
    with st.sidebar:
        for page in pages:
            st.page_link(page, query_params=address.written())
        if len(galleries) > 1:
            st.selectbox("Gallery", list(galleries), key="gallery", format_func=galleries.get,
                         on_change=leave)  # fmt: skip


def frame(key: str, script: str = "") -> None:
    """Mount what every page needs of JavaScript; what draws a map is fetched while one is made.

    Args:
        key: of the gallery.
        script: the address of a script that the page will want.
    """
    data = {"gallery": key, "script": script}
    grid.component("shell")(key="shell", height="content", data=data)


def leave() -> None:
    """Forget what only the gallery has that a visitor has just left."""
    for name in ("like", "unlike", "category", "split", "tag"):
        st.session_state[name] = []
    for name in ("on", "show", "group", "among", "chosen"):
        st.session_state[name] = ""
