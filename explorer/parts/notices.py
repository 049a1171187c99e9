"""What a visitor must be told: sentences at the top of the page, whoever says them and where."""

import logging
from collections.abc import Callable
from functools import wraps

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from literal import literal
from sigscope.files import sha256

SAID = "said"
TO_THE_TOP = "document.querySelector('[data-testid=stMain]')?.scrollTo(0, 0)"
UNFORESEEN = (
    "Something went wrong that the explorer did not foresee. What was said of it is in the "
    "explorer's log; the other pages go on as before."
)


def say(reason: Exception | str) -> None:
    """Note a sentence, or what an exception of the package says, for the top of the page."""
    sentence = str(reason).strip().rstrip(".")
    sentence = literal(f"{sentence[:1].upper()}{sentence[1:]}.")
    said = st.session_state.setdefault(SAID, [])
    if sentence not in said:
        said.append(sentence)


def trouble(reason: Exception) -> None:
    """Say why something could not be done; what nobody foresaw is logged and said in our words."""
    if _is_foreseen(reason):
        say(reason)
        return
    logging.getLogger(__name__).exception("the explorer failed", exc_info=reason)
    say(UNFORESEEN)


def show(box: DeltaGenerator) -> None:
    """Show what was noted since the last time."""
    if said := st.session_state.pop(SAID, []):
        with box:
            for sentence in said:
                st.error(sentence)
            news = sha256(repr(said).encode())[:12]  # no sentence itself: it would be a script
            st.html(f"<script>/* {news} */ {TO_THE_TOP}</script>", unsafe_allow_javascript=True)


def guarded(act: Callable) -> Callable:
    """Return a callback that says what stops it; outside of app.py nobody else would."""

    @wraps(act)
    def done(*what: object) -> None:
        try:
            act(*what)
        except Exception as reason:
            trouble(reason)

    return done


def _is_foreseen(reason: Exception) -> bool:
    """Return whether the package itself, or the system about a file, says what is wrong."""
    return type(reason).__module__.partition(".")[0] == "sigscope" or isinstance(reason, OSError)
