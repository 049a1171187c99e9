"""What a visitor is looking for: words, a picture of theirs, or one of the gallery's.

There is one query at a time, and the newest act makes it. The widgets of the other two ways to ask
are emptied then, so that what is on the page is what is searched.
"""

from dataclasses import dataclass

import pandas as pd
import streamlit as st
from settings import Settings

from sigscope.search import Searcher

EXAMPLES = ("a cat", "red apple", "sailing ship", "music", "airplane", "stop sign")


@dataclass(frozen=True)
class Query:
    kind: str  # "words", "picture" or "like"
    text: str  # the words, the name of the file, or the id of the item
    picture: bytes = b""


def current() -> Query | None:
    """Return this visitor's query, if there is one."""
    return st.session_state.setdefault("query", None)


def picture_key() -> str:
    """Return the key of the upload widget; a new one makes an empty widget."""
    return f"picture-{st.session_state.setdefault('uploads', 0)}"


def ask_words(words: str | None = None) -> None:
    """Look for words: those given, or those in the text box."""
    words = st.session_state["words"] if words is None else words
    _ask(Query("words", words.strip()), words=words)


def ask_picture() -> None:
    """Look for what is like the uploaded picture; taking it away takes the query away."""
    file = st.session_state[picture_key()]
    if file is None:
        clear()
    else:
        _ask(Query("picture", file.name, file.getvalue()), keep_picture=True)


def ask_like(id: str) -> None:
    """Look for what is like an item of the gallery."""
    _ask(Query("like", id))


def clear() -> None:
    """Begin anew."""
    _ask(None)


def results(query: Query, how: Settings, k: int, categories: list[str]) -> pd.DataFrame:
    """Return the best pictures; ValueError says in a sentence why there are none."""
    kept, searcher = categories or None, how.searcher
    if query.kind == "words":
        adjusted = {"tame_hubs": how.tame_hubs, "less_text": how.less_text}
        return searcher.by_text(query.text, k, category=kept, **adjusted)
    if query.kind == "picture":
        return searcher.by_picture(query.picture, k, category=kept)
    return searcher.like(query.text, k, category=kept)


def captions(query: Query, searcher: Searcher, k: int) -> pd.DataFrame:
    """Return the k captions that fit the picture of a query best, each wording once."""
    table = searcher.captions_for(query.picture or query.text, 10 * k)
    return table.drop_duplicates("caption").head(k)


def _ask(query: Query | None, words: str = "", keep_picture: bool = False) -> None:
    state = st.session_state
    state["query"], state["words"] = query, words
    state["acts"] = state.get("acts", 0) + 1
    if not keep_picture:
        state["uploads"] = state.get("uploads", 0) + 1


def seed() -> int:
    """Return which draw of pictures this visitor sees before asking anything."""
    return st.session_state.setdefault("seed", 0)


def show_others() -> None:
    """Draw other pictures for a visitor who has not asked anything yet."""
    st.session_state["seed"] += 1
