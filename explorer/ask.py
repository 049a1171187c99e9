"""The ways to ask, and what is being asked just now."""

from collections.abc import Callable

import grid
import pandas as pd
import query
import streamlit as st

KINDS = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif"]
TO_THE_TOP = "document.querySelector('[data-testid=stMain]')?.scrollTo(0, 0)"


def box() -> None:
    """Show the text box, the examples and the place for a picture."""
    words, picture = st.columns([3, 2], gap="medium")
    with words:
        with (
            st.form("ask", border=False),
            st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
        ):
            st.text_input(
                "Describe what you look for",
                key="words",
                placeholder="for example: a cat on a chair",
                autocomplete="off",
            )
            st.form_submit_button("Search", type="primary", on_click=query.ask_words)
        with st.container(horizontal=True, gap="xsmall", key="examples"):
            for words in query.EXAMPLES:
                st.button(words, key=f"try-{words}", on_click=query.ask_words, args=(words,))
    picture.file_uploader(
        "Or show a picture of your own",
        type=KINDS,
        key=query.picture_key(),
        on_change=query.ask_picture,
    )


def panel(asked: query.Query, captions: Callable[[], pd.DataFrame]) -> None:
    """Say what is being searched for, with a way to begin anew; go to the top when it is new."""
    acts = st.session_state["acts"]  # in the script, so that each act makes it a new one
    st.html(f"<script>/* {acts} */ {TO_THE_TOP}</script>", unsafe_allow_javascript=True)
    height = "center" if asked.kind == "words" else "top"
    with st.container(horizontal=True, vertical_alignment=height, key="asked", border=True):
        if asked.kind != "words":
            grid.asked(asked.picture or asked.text)
        with st.container(width="stretch", gap="xsmall"):
            st.text(_title(asked))
            if asked.kind != "words":
                grid.captions(captions())
        st.button("Clear", key="clear", on_click=query.clear)


def trouble(reason: Exception) -> None:
    """Show what went wrong as a sentence."""
    sentence = str(reason).strip().rstrip(".")
    st.error(f"{sentence[:1].upper()}{sentence[1:]}.".replace("$", r"\$"))


def _title(asked: query.Query) -> str:
    if asked.kind == "words":
        return f"Pictures for “{asked.text}”"
    if asked.kind == "picture":
        return f"Pictures like yours, {asked.text}"
    return f"Pictures like “{grid.caption_of(asked.text)}”"
