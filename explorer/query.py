"""What a visitor is looking for: words, pictures, and what it should not be like.

All of it together is one query. It is in the page's address, so that it can be kept and shared; of
a visitor's own picture the address has a digest only, as the picture never leaves this machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

import address
import resources
from parts import notices
from parts.settings import Settings
from sigscope import Part, Searcher
from sigscope.files import sha256
from sigscope.search import DEPTH, LESS, by_reading

MOST_PIECES = 6
OWN = "own pictures"  # bytes and name of each that a visitor showed, by digest
MOST_OWN = 4


@dataclass(frozen=True)
class Piece:
    """A picture in a query: a visitor's own, or an item of the gallery."""

    kind: str  # "picture" or "item"
    value: bytes | str  # the file's bytes, or the id
    name: str  # what to call it on the page
    key: str  # what it is called in the address: the digest, or the id
    wanted: bool = True  # or less like it


def words() -> str:
    """Return the words looked for, or ""."""
    return st.session_state["q"].strip()


def unwanted() -> str:
    """Return the words that results should be less like, or ""."""
    return st.session_state["not"].strip()


def pieces() -> list[Piece]:
    """Return the pictures of the query, as far as they are there."""
    own = st.session_state.get(OWN, {})
    shown = [Piece("picture", *own[key], key) for key in st.session_state["picture"] if key in own]
    for name, wanted in (("like", True), ("unlike", False)):
        ids = st.session_state[name][:MOST_PIECES]
        shown += [Piece("item", id, resources.name_of(id), id, wanted)
                  for id in ids if resources.knows(id)]  # fmt: skip
    return shown


def check() -> None:
    """Say which pictures of the query are not there, and go on without them."""
    own = st.session_state.get(OWN, {})
    if any(key not in own for key in st.session_state["picture"]):
        notices.say("A picture of this search was a visitor's own and is kept no longer; show it "
                    "again to search by it")  # fmt: skip
        st.session_state["picture"] = [key for key in st.session_state["picture"] if key in own]
    for name in ("like", "unlike"):
        for id in [id for id in st.session_state[name] if not resources.knows(id)]:
            notices.say(f"This gallery has no picture {id[:80]}, which the address names")
            st.session_state[name] = [one for one in st.session_state[name] if one != id]


def is_empty() -> bool:
    """Return whether nothing is asked."""
    return not (words() or unwanted() or pieces())


def weight(key: str, wanted: bool = True) -> float:
    """Return how much a part counts."""
    return dict(st.session_state["weight"]).get(key, 1.0 if wanted else LESS)


def weigh(key: str, widget: str) -> None:
    """Note how much a part is to count."""
    others = [pair for pair in st.session_state["weight"] if pair[0] != key]
    st.session_state["weight"] = [*others, (key, st.session_state[widget])]


def parts() -> list[Part]:
    """Return the query, part by part, with its weights."""
    found = [Part("text", words(), weight("q"))] if words() else []
    for piece in pieces():
        heavy = weight(piece.key, piece.wanted)
        found.append(Part(piece.kind, piece.value, heavy if piece.wanted else -heavy))
    if unwanted():
        found.append(Part("text", unwanted(), -weight("not", wanted=False)))
    return found


def title() -> str:
    """Return the query in a few words."""
    wanted = [f"“{words()}”"] if words() else []
    wanted += [f"like {piece.name}" for piece in pieces() if piece.wanted]
    less = [f"less like {piece.name}" for piece in pieces() if not piece.wanted]
    less += [f"less like “{unwanted()}”"] if unwanted() else []
    return ", ".join(wanted + less)


def results(how: Settings) -> pd.DataFrame:
    """Return the best pictures; ValueError says in a sentence why there are none."""
    return found_for(parts(), how)


def found_for(asked: Sequence[Part], how: Settings) -> pd.DataFrame:
    """Return the best pictures for these parts."""
    searcher, k, only = how.searcher, how.k, how.only
    if len(asked) == 1 and asked[0].kind == "text" and asked[0].weight > 0:
        adjusted = {"tame_hubs": how.tame_hubs, "less_text": how.less_text, "by": how.by}
        if how.reread:
            return _reread(searcher, asked[0].value, k, **only, **adjusted)
        return searcher.by_text(asked[0].value, k, **only, **adjusted)
    if how.as_sentence and (pair := picture_and_words(asked)):
        how_r2 = {"captioner": resources.captioner(), "merge": resources.merger()}
        return searcher.by_caption(*pair, k, **how_r2, **only)
    return searcher.by_parts(asked, k, by=how.by, **only)


def _reread(searcher: Searcher, text: str, k: int, **how: object) -> pd.DataFrame:
    """Return what is found in the reader's order; what was shown before stays until it is there."""
    bar = st.progress(0.0, f"Reading the first {DEPTH} pictures …")

    def tell(done: int, n: int) -> None:
        bar.progress(done / max(n, 1), f"{done} of {n} pictures are read")

    found = by_reading(searcher, text, k, rerank=resources.reader(), progress=tell, **how)
    bar.empty()
    return found


def picture_and_words(asked: Sequence[Part]) -> tuple[bytes | str, str] | None:
    """Return the picture and the words of a query that is one of each, and nothing else."""
    texts = [part.value for part in asked if part.kind == "text" and part.weight > 0]
    shown = [part.value for part in asked if part.kind != "text" and part.weight > 0]
    if len(asked) == 2 and len(texts) == len(shown) == 1:
        return shown[0], texts[0]
    return None


def only_picture() -> bytes | str | None:
    """Return the picture of a query that is that one picture, else None."""
    asked = parts()
    alone = len(asked) == 1 and asked[0].kind != "text" and asked[0].weight > 0
    return asked[0].value if alone else None


def ask_words(example: str) -> None:
    """Look for words alone."""
    clear()
    st.session_state["q"] = example


def reword(text: str) -> None:
    """Look for other words, and leave all else as it is."""
    st.session_state["q"] = text


def ask_like(id: str) -> None:
    """Look for what is like an item of the gallery, and nothing else."""
    clear()
    st.session_state["like"] = [id]


def add_item(id: str, wanted: bool) -> None:
    """Make an item part of the query, as what results should be like, or less like."""
    for name in ("like", "unlike"):
        kept = [other for other in st.session_state[name] if other != id]
        kept += [id] if (name == "like") == wanted else []
        st.session_state[name] = kept[-MOST_PIECES:]


def add_picture(data: bytes, name: str) -> None:
    """Make a visitor's own picture part of the query, in the place of their last."""
    key = sha256(data)[:12]
    own = st.session_state.setdefault(OWN, {})
    own.pop(key, None)
    own[key] = (data, name)
    for oldest in list(own)[:-MOST_OWN]:
        del own[oldest]
    st.session_state["picture"] = [key]


def remove(key: str) -> None:
    """Take a part out of the query: "q", "not", or a picture by its key."""
    if key in ("q", "not"):
        st.session_state[key] = ""
    for name in ("like", "unlike", "picture"):
        st.session_state[name] = [other for other in st.session_state[name] if other != key]
    st.session_state["weight"] = [pair for pair in st.session_state["weight"] if pair[0] != key]


def clear() -> None:
    """Begin anew."""
    for name in address.ASKED:
        start = address.CHOICES[name].start
        st.session_state[name] = list(start) if isinstance(start, list) else start


def show_others() -> None:
    """Draw other pictures for a visitor who has not asked anything yet."""
    st.session_state["draw"] += 1
