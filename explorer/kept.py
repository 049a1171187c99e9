"""What visitors keep of a gallery: tags, which all of them share, and a selection of pictures.

A selection has a short name in the address, so that a link and Back bring it again. What lies in
the file of tags may be damaged or gone; that is said, and the rest of the page goes on without it.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

import resources
from parts import notices
from sigscope import Gallery
from sigscope.tags import STAR, TagsError, TagStore

CHOSEN, AMONG = "chosen", "among"  # names in the address: what is chosen, and what is shown alone


def store(key: str | None = None) -> TagStore:
    """Return what is kept of a gallery, or of the one this visitor looks at."""
    gallery = resources.gallery(key)
    kept = _opened(gallery.fingerprint, os.environ.get("SIGSCOPE_TAGS"), gallery)
    kept.check()
    return kept


@dataclass(frozen=True)
class Kept:
    """What is kept of a gallery at one moment."""

    table: pd.DataFrame  # id, tag, at
    by_picture: dict[str, list[str]]
    counts: dict[str, int]  # of pictures, by tag, in alphabetical order
    searches: dict[str, dict]  # the address of each, by name


def by_picture(key: str | None = None) -> dict[str, list[str]]:
    """Return the tags of each tagged picture, the star first."""
    return _now(key).by_picture


def table_of(key: str | None = None) -> pd.DataFrame:
    """Return who is tagged: id, tag, at; only pictures that the gallery has."""
    return _now(key).table


def counts() -> dict[str, int]:
    """Return how many pictures have each tag, in alphabetical order."""
    return _now().counts


def searches() -> dict[str, dict]:
    """Return the addresses of the searches that are kept, by name, in alphabetical order."""
    return _now().searches


def _now(key: str | None = None) -> Kept:
    version, held = resources.version(key), resources.of_run()
    if version in held:
        return held[version]
    try:
        kept = store(key)
        held[version] = _read(version, kept.state, kept)
    except TagsError as reason:
        notices.say(reason)
        held[version] = Kept(pd.DataFrame(columns=["id", "tag", "at"]), {}, {}, {})
    return held[version]


@st.cache_resource(show_spinner=False, max_entries=16)
def _read(version: str, state: tuple, _kept: TagStore) -> Kept:
    table = _kept.tags()
    table = table[table["id"].isin(resources.known(table["id"], version))]
    ordered = table.assign(later=table["tag"] != STAR).sort_values(["later", "tag"])
    return Kept(
        table=table,
        by_picture=ordered.groupby("id")["tag"].agg(list).to_dict(),
        counts=table["tag"].value_counts().sort_index().to_dict(),
        searches=_kept.searches(),
    )


def tag(ids: Iterable[str], name: str, on: bool = True) -> None:
    """Tag pictures of the visitor's gallery, or take the tag away."""
    here = resources.known(ids)
    store().tag(here, name) if on else store().untag(here, name)


def choose(ids: Iterable[str]) -> None:
    """Make these pictures the selection."""
    here = resources.known(dict.fromkeys(ids))
    st.session_state[CHOSEN] = store().select(here) if here else ""


def selection(name: str = CHOSEN) -> list[str]:
    """Return the pictures of a selection that the address names, [] where it names none."""
    called = st.session_state[name]
    return _selection(resources.version(), called) if called else []


@st.cache_resource(show_spinner=False, max_entries=64)
def _selection(version: str, called: str) -> list[str]:
    return resources.known(store(version).selection(called), version)


def shown_alone() -> tuple[str, ...] | None:
    """Return the pictures that the address narrows a search to, None where it does not.

    They have one of the tags, and are in the selection that was opened as a gallery of its own.
    """
    kept = []
    if tags := st.session_state["tag"]:
        table = table_of()
        kept.append(table.loc[table["tag"].isin(tags), "id"].drop_duplicates().tolist())
    if st.session_state[AMONG]:
        kept.append(selection(AMONG))
    if not kept:
        return None
    everywhere = set(kept[0]).intersection(*kept[1:])
    return tuple(id for id in kept[0] if id in everywhere)


def check() -> None:
    """Say which tags and selections of the address there are not, and go on without them."""
    there = counts()
    for name in [name for name in st.session_state["tag"] if name not in there]:
        notices.say(f"tag={name[:80]} cannot be had here: no picture of this gallery has it")
        st.session_state["tag"] = [other for other in st.session_state["tag"] if other != name]
    for name in (CHOSEN, AMONG):
        try:
            selection(name)
        except TagsError as reason:
            notices.say(reason)
            st.session_state[name] = ""


def open_selection() -> None:
    """Show the selection as a gallery of its own, with nothing chosen yet."""
    st.session_state[AMONG], st.session_state[CHOSEN] = st.session_state[CHOSEN], ""


def clear(name: str = CHOSEN) -> None:
    """Choose nothing, or show the whole gallery again."""
    st.session_state[name] = ""


def shared_tags(ids: Sequence[str]) -> list[str]:
    """Return the tags that all of these pictures have."""
    table = table_of()
    many = table.loc[table["id"].isin(set(ids)), "tag"].value_counts()
    return sorted(many.index[many == len(set(ids))])


@st.cache_resource(show_spinner=False, max_entries=16)
def _opened(fingerprint: str, path: str | None, _gallery: Gallery) -> TagStore:
    kept = TagStore(_gallery, path)
    kept.back_up()  # as the last run of the explorer left it
    return kept
