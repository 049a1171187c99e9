"""The bar of the selection: how many pictures are chosen, and what can be done with them."""

import streamlit as st

import kept
import resources
from parts import export, notices
from sigscope.tags import STAR

NEW, SHARED = "new tag", "shared tags"  # the keys of two widgets


def bar() -> None:
    """Show what can be done with the selection, at the foot of the window, where there is one."""
    ids = kept.selection()
    if not ids:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="chosen bar"):
        st.markdown(f"**{len(ids):,} selected**", width="content")
        starred = STAR in kept.shared_tags(ids)
        st.button("Unstar" if starred else "Star", key="star", on_click=_tag,
                  args=(ids, STAR, not starred))  # fmt: skip
        with st.popover("Tag", key="tag them"):
            _tags(ids)
        export.buttons(rows(ids), "selected", "-chosen")
        st.button("Open alone", key="open alone", on_click=kept.open_selection,
                  help="Search and map these pictures as a gallery of their own")  # fmt: skip
        st.button("Deselect", key="choose none", on_click=kept.clear)


def rows(ids: list[str]):
    """Return the items of these ids, in their order."""
    return resources.items_of(ids)


def _tags(ids: list[str]) -> None:
    """Show the tags that all of the selection has among all there are, and take a new one."""
    st.text_input("New tag", key=NEW, max_chars=40, placeholder="ship", autocomplete="off",
                  on_change=_name, args=(ids,))  # fmt: skip
    if names := list(kept.counts()):
        shared = st.session_state[SHARED] = kept.shared_tags(ids)
        st.pills("Tags that all of them have", names, selection_mode="multi", key=SHARED,
                 on_change=_switch, args=(ids, shared))  # fmt: skip


@notices.guarded
def _tag(ids: list[str], name: str, on: bool) -> None:
    kept.tag(ids, name, on)


@notices.guarded
def _name(ids: list[str]) -> None:
    if typed := st.session_state[NEW].strip():
        kept.tag(ids, typed)
        st.session_state[NEW] = ""


@notices.guarded
def _switch(ids: list[str], before: list[str]) -> None:
    now = set(st.session_state[SHARED])
    for name in now ^ set(before):
        kept.tag(ids, name, name in now)
