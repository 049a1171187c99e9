"""What a visitor is looking for: words, pictures, and what it should not be like.

All of it together is one query. The words and the ids of items are in the page's address, so that a
query can be kept and shared; a visitor's own picture is not, as it never leaves this machine.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

import resources
from parts.settings import Settings
from sigscope import Part

EXAMPLES = ("a cat", "red apple", "sailing ship", "music", "airplane", "stop sign")
LIKE, UNLIKE = "like", "unlike"  # in the address
NEGATIVE = 0.5  # how much a new "less like this" weighs
MOST_PIECES = 6


@dataclass(frozen=True)
class Piece:
    """A picture in a query: a visitor's own, or an item of the gallery."""

    kind: str  # "picture" or "item"
    value: bytes | str  # the file's bytes, or the id
    name: str  # what to call it on the page
    wanted: bool = True  # or less like it

    @property
    def key(self) -> str:
        """Names the piece's widgets."""
        value = self.value if isinstance(self.value, bytes) else self.value.encode()
        return f"{self.kind}-{hashlib.sha256(value).hexdigest()[:12]}"


def words() -> str:
    """Return the words looked for, or ""."""
    return st.session_state.get("q", "").strip()


def unwanted() -> str:
    """Return the words that results should be less like, or ""."""
    return st.session_state.get("not", "").strip()


def pieces() -> list[Piece]:
    """Return the pictures of the query; those in the address are read once, on arrival."""
    if "pieces" not in st.session_state:
        st.session_state["pieces"] = _from_address()
    return st.session_state["pieces"]


def is_empty() -> bool:
    """Return whether nothing is asked."""
    return not (words() or unwanted() or pieces())


def weight(key: str, wanted: bool = True) -> float:
    """Return how much a part counts, as its slider says."""
    return st.session_state.get(f"weight-{key}", 1.0 if wanted else NEGATIVE)


def parts() -> list[Part]:
    """Return the query, part by part, with its weights."""
    found = [Part("text", words(), weight("q"))] if words() else []
    for piece in pieces():
        heavy = weight(piece.key, piece.wanted)
        found.append(Part(piece.kind, piece.value, heavy if piece.wanted else -heavy))
    if unwanted():
        found.append(Part("text", unwanted(), -weight("not", wanted=False)))
    return found


def keep() -> None:
    """Note the words in the boxes, which Streamlit forgets when the page changes."""
    for name in ("q", "not"):
        if name in st.session_state:
            st.session_state[f"kept {name}"] = st.session_state[name]


def restore(page: str) -> None:
    """Put the words back into the boxes of a page that a visitor has just come to."""
    if st.session_state.get("page") == page:
        return
    st.session_state["page"] = page
    for name in ("q", "not"):
        if name not in st.query_params and f"kept {name}" in st.session_state:
            st.session_state[name] = st.session_state[f"kept {name}"]


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
        adjusted = {"tame_hubs": how.tame_hubs, "less_text": how.less_text}
        return searcher.by_text(asked[0].value, k, **only, **adjusted)
    if how.as_sentence and (pair := picture_and_words(asked)):
        how_r2 = {"captioner": resources.captioner(), "merge": resources.merger()}
        return searcher.by_caption(*pair, k, **how_r2, **only)
    return searcher.by_parts(asked, k, **only)


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


def ask_words(example: str | None = None) -> None:
    """Look for words: those in the text box beside what is there, or an example alone."""
    if example is not None:
        _replace(words=example)
    _acted()


def ask_like(id: str) -> None:
    """Look for what is like an item of the gallery, and nothing else."""
    _replace([Piece("item", id, resources.caption_of(id))])
    _acted()


def add(piece: Piece) -> None:
    """Make a picture part of the query; a visitor's newest takes the place of their last."""
    kept = [other for other in pieces() if other.key != piece.key]
    if piece.kind == "picture":
        kept = [other for other in kept if other.kind != "picture"]
    st.session_state["pieces"] = [*kept, piece][-MOST_PIECES:]
    _acted()


def add_item(id: str, wanted: bool) -> None:
    """Make an item part of the query, as what results should be like, or less like."""
    add(Piece("item", id, resources.caption_of(id), wanted))


def remove(key: str) -> None:
    """Take a part out of the query: "q", "not", or a piece by its key."""
    if key in ("q", "not"):
        st.session_state[key] = ""
    else:
        st.session_state["pieces"] = [piece for piece in pieces() if piece.key != key]
    _acted()


def clear() -> None:
    """Begin anew."""
    _replace()
    _acted()


def _replace(pieces: Sequence[Piece] = (), words: str = "") -> None:
    st.session_state["pieces"] = list(pieces)
    st.session_state["q"], st.session_state["not"] = words, ""


def _acted() -> None:
    """Note an act of the visitor's, so that the page goes to its top; keep the address right."""
    st.session_state["acts"] = st.session_state.get("acts", 0) + 1
    for name, wanted in ((LIKE, True), (UNLIKE, False)):
        ids = [p.value for p in pieces() if p.kind == "item" and p.wanted == wanted]
        if ids:
            st.query_params[name] = ids
        else:
            st.query_params.pop(name, None)


def _from_address() -> list[Piece]:
    """Return the items that the address names, as far as the gallery has them."""
    return [
        Piece("item", id, resources.caption_of(id), wanted)
        for name, wanted in ((LIKE, True), (UNLIKE, False))
        for id in st.query_params.get_all(name)[:MOST_PIECES]
        if resources.knows(id)
    ]


def seed() -> int:
    """Return which draw of pictures this visitor sees before asking anything."""
    return st.session_state.setdefault("seed", 0)


def show_others() -> None:
    """Draw other pictures for a visitor who has not asked anything yet."""
    st.session_state["seed"] = seed() + 1
