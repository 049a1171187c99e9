"""The ways to ask, and what is being asked just now."""

import streamlit as st

import address
import query
import resources
from literal import literal
from parts import grid, notices, paste
from parts.settings import Settings
from query import Piece
from sigscope.images import MachineTrouble, PictureError, open_picture, picture_side
from sigscope.search import gallery_words, unknown_words

MOST_MB = 25  # of a picture shown; the widget itself lets more through, to be answered in words
ADDRESS = "address"


def box(button: str = "Search", placeholder: str = "Describe what you look for") -> None:
    """Show the line for the words of the query."""
    with (
        st.form("ask", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input("Describe what you look for", key="q", placeholder=placeholder,
                      max_chars=address.MOST_LETTERS, autocomplete="off",
                      label_visibility="collapsed")  # fmt: skip
        st.form_submit_button(button, type="primary")


def more() -> None:
    """Show the other ways to ask as chips: by a picture, and what results should be less like."""
    with st.popover("Picture", key="by picture", help="Search by a picture of your own"):
        _picture()
    less = query.unwanted()
    with st.popover(f"Less like “{literal(less)}”" if less else "Less like", key="less like"):
        st.text_input("Words that pictures should be less like", key="not", autocomplete="off",
                      placeholder="a drawing")  # fmt: skip
    if not query.is_empty():
        st.button("Clear", key="clear", help="Begin anew", on_click=query.clear)


def examples() -> None:
    """Show queries that the gallery itself suggests."""
    with st.container(horizontal=True, gap="xsmall", key="examples"):
        for example in resources.examples():
            st.button(
                literal(example), key=f"try-{example}", on_click=query.ask_words, args=(example,)
            )


def advice(how: Settings) -> None:
    """Suggest another spelling of the words, and say when the model knows none of them."""
    if how.by != "words" and (unknown := unknown_words(how.searcher.encoder, query.words())):
        st.caption(unknown)
    if spelt := gallery_words(resources.gallery()).suggestion(query.words()):
        st.button(f"Did you mean “{literal(spelt)}”?", key="suggestion", type="tertiary",
                  on_click=query.reword, args=(spelt,))  # fmt: skip


def asked() -> None:
    """Say what is being searched for where it is more than words, part by part."""
    several = len(query.parts()) > 1
    if not (query.pieces() or query.unwanted()):
        return
    with st.container(horizontal=True, key="asked", vertical_alignment="center"):
        if query.words():
            _part("q", f"“{query.words()}”", True, several)
        for piece in query.pieces():
            _part(piece.key, piece.name, piece.wanted, several, piece)
        if query.unwanted():
            _part("not", f"“{query.unwanted()}”", False, several)


def _part(key: str, name: str, wanted: bool, several: bool, piece: Piece | None = None) -> None:
    """Show one part of the query: what it is, how much it counts, and a way to take it out."""
    with st.container(width=220, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if piece:
                grid.asked(piece.value)
            with st.container(width="stretch", gap=None):
                st.caption(("pictures like" if piece else "pictures of") if wanted else "less like")
                st.text(name)
            st.button("✕", key=f"remove-{key}", help=literal(f"Search without {name}"),
                      type="tertiary", on_click=query.remove, args=(key,))  # fmt: skip
        if several:
            widget = f"weight of {key}"
            st.session_state[widget] = query.weight(key, wanted)
            st.slider(f"How much {literal(name)} counts", 0.1, 2.0, step=0.1, key=widget,
                      label_visibility="collapsed", on_change=query.weigh,
                      args=(key, widget))  # fmt: skip


def _picture() -> None:
    """Show the ways to search by a picture: a file, an address, the clipboard."""
    number = st.session_state.get("uploads", 0)  # a new one each time, as the old keeps its file
    key = f"upload-{number}"
    st.file_uploader("A picture of your own, or paste one (Ctrl-V)", key=key,
                     on_change=_uploaded, args=(key,), max_upload_size=8 * MOST_MB,
                     width=320)  # fmt: skip
    st.text_input(
        "Or the address of one", key=ADDRESS, placeholder="https://…", type="url",
        on_change=_fetched, help="Only public addresses are fetched, and only pictures are kept.",
    )  # fmt: skip


def listen_for_paste() -> None:
    """Take a picture that the visitor pastes."""
    paste.listen(notices.guarded(lambda data: _add(data, "your picture")))


@notices.guarded
def _uploaded(key: str) -> None:
    file = st.session_state[key]
    if file is None:
        return
    st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1
    if file.size > MOST_MB * 1_000_000:
        notices.say(f"{file.name} has {file.size / 1e6:.0f} MB; a picture to search by may have "
                    f"{MOST_MB} MB at most")  # fmt: skip
        return
    _add(file.getvalue(), file.name)


@notices.guarded
def _fetched() -> None:
    from sigscope.downloads.fetch import fetch_picture

    url = st.session_state[ADDRESS].strip()
    if url:
        _add(fetch_picture(url), url.rsplit("/", 1)[-1] or url)
        st.session_state[ADDRESS] = ""


def _add(data: bytes, name: str) -> None:
    """Make a picture part of the query, unless it cannot be read."""
    try:
        open_picture(data, max_side=picture_side(resources.searcher().encoder))
    except (MachineTrouble, PictureError) as reason:
        notices.say(str(reason).replace("The picture", name, 1))
        return
    query.add_picture(data, name)
