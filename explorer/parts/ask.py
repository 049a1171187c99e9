"""The ways to ask, and what is being asked just now."""

import streamlit as st

import query
import resources
from parts import grid, paste
from query import Piece
from sigscope.images import MachineTrouble, PictureError, open_picture, picture_side

KINDS = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif"]
TO_THE_TOP = "document.querySelector('[data-testid=stMain]')?.scrollTo(0, 0)"
UPLOAD, ADDRESS = "upload", "address"
BOUND = {"bind": "query-params"}


def box() -> None:
    """Show the text box, the examples and the ways to show a picture."""
    with (
        st.form("ask", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input(
            "Describe what you look for",
            key="q",
            placeholder="for example: a cat on a chair",
            autocomplete="off",
            **BOUND,
        )
        st.text_input(
            "but less like", key="not", placeholder="a drawing", autocomplete="off", width=200,
            help="Words that the pictures should be less like.", **BOUND,
        )  # fmt: skip
        st.form_submit_button("Search", type="primary", on_click=query.ask_words)
    query.keep()
    with st.container(horizontal=True, gap="xsmall", key="examples"):
        for example in query.EXAMPLES:
            st.button(example, key=f"try-{example}", on_click=query.ask_words, args=(example,))
        with st.popover("Show a picture"):
            _picture()
    if reason := st.session_state.pop("not a picture", None):
        trouble(reason)


def words_only(button: str) -> None:
    """Show a text box for the words of the query; its pictures stay what they are."""
    with (
        st.form("ask", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input(
            "Describe what you look for", key="q", placeholder="for example: a cat on a chair",
            autocomplete="off", **BOUND,
        )  # fmt: skip
        st.form_submit_button(button, type="primary")
    query.keep()


def panel() -> None:
    """Say what is being searched for, part by part; go to the top when it is new."""
    acts = st.session_state.get("acts", 0)  # in the script, so that each act makes it a new one
    st.html(f"<script>/* {acts} */ {TO_THE_TOP}</script>", unsafe_allow_javascript=True)
    several = len(query.parts()) > 1
    with st.container(horizontal=True, key="asked", border=True, vertical_alignment="center"):
        if query.words():
            _part("q", f"“{query.words()}”", True, several)
        for piece in query.pieces():
            _part(piece.key, piece.name, piece.wanted, several, piece)
        if query.unwanted():
            _part("not", f"“{query.unwanted()}”", False, several)
        st.button("Clear", key="clear", on_click=query.clear)


def trouble(reason: Exception) -> None:
    """Show what went wrong as a sentence."""
    sentence = str(reason).strip().rstrip(".")
    st.error(f"{sentence[:1].upper()}{sentence[1:]}.".replace("$", r"\$"))


def _part(key: str, name: str, wanted: bool, several: bool, piece: Piece | None = None) -> None:
    """Show one part of the query: what it is, how much it counts, and a way to take it out."""
    with st.container(width=220, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if piece:
                grid.asked(piece.value)
            with st.container(width="stretch", gap=None):
                st.caption(("pictures like" if piece else "pictures of") if wanted else "less like")
                st.text(name)
            st.button("✕", key=f"remove-{key}", help=f"Search without {name}", type="tertiary",
                      on_click=query.remove, args=(key,))  # fmt: skip
        if several:
            start = 1.0 if wanted else query.NEGATIVE
            st.slider(
                f"How much {name} counts", 0.1, 2.0, start, 0.1, key=f"weight-{key}",
                label_visibility="collapsed", persist_state="session",
            )  # fmt: skip


def _picture() -> None:
    """Show the ways to search by a picture: a file, an address, the clipboard."""
    st.file_uploader(
        "A picture of your own", type=KINDS, key=UPLOAD, on_change=_uploaded, width=320
    )
    st.text_input(
        "Or the address of one", key=ADDRESS, placeholder="https://…", type="url",
        on_change=_fetched, help="Only public addresses are fetched, and only pictures are kept.",
    )  # fmt: skip
    st.caption("Or paste one anywhere on this page (Ctrl-V).")


def listen_for_paste() -> None:
    """Take a picture that the visitor pastes."""
    paste.listen(lambda data: _add(data, "your picture"))


def _uploaded() -> None:
    file = st.session_state[UPLOAD]
    if file is not None:
        _add(file.getvalue(), file.name)
    else:
        st.session_state["pieces"] = [p for p in query.pieces() if p.kind != "picture"]


def _fetched() -> None:
    from sigscope.downloads.fetch import fetch_picture

    url = st.session_state[ADDRESS].strip()
    if not url:
        return
    try:
        data = fetch_picture(url)
    except (MachineTrouble, ValueError, OSError) as reason:
        st.session_state["not a picture"] = reason
        return
    _add(data, url.rsplit("/", 1)[-1] or url)


def _add(data: bytes, name: str) -> None:
    """Make a picture part of the query, unless it cannot be read."""
    try:
        open_picture(data, max_side=picture_side(resources.searcher().encoder))
    except (MachineTrouble, PictureError) as reason:
        st.session_state["not a picture"] = str(reason).replace("The picture", name, 1)
        return
    query.add(Piece("picture", data, name))
