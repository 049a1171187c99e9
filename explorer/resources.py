"""What is slow to load, loaded once for every visitor; nothing here changes afterwards."""

import os

import pandas as pd
import streamlit as st
from PIL import Image

from sigscope.gallery import Gallery, load_gallery
from sigscope.search import Searcher


@st.cache_resource(show_spinner=False)
def gallery() -> Gallery:
    """The gallery that SIGSCOPE_GALLERY names, or the shipped one."""
    return load_gallery(os.environ.get("SIGSCOPE_GALLERY") or None)


@st.cache_resource(show_spinner=False)
def searcher(index: str = "flat", effort: int | None = None) -> Searcher:
    """The gallery made searchable by an index; all indexes share one model and its vectors."""
    ready = exact()
    if index == "flat":
        return ready
    if effort is not None:
        return searcher(index).at(effort)
    return Searcher(ready.gallery, ready.embeddings, ready.encoder, index)


@st.cache_resource(show_spinner="Loading the model (a few seconds, once) …")
def exact() -> Searcher:
    """Exact search; the first text and picture, which are slow, are behind it."""
    ready = Searcher.open(gallery())
    ready.by_text("warm-up", 1)
    ready.by_picture(Image.new("RGB", (64, 64), "white"), 1)
    return ready


@st.cache_data(show_spinner=False)
def categories() -> dict[str, int]:
    """How many pictures each category has, in the order of the alphabet."""
    named = gallery().items["category"].replace("", pd.NA).dropna()
    return named.value_counts().sort_index().to_dict()


@st.cache_data(show_spinner=False)
def sample(n: int, seed: int, chosen: tuple[str, ...]) -> pd.DataFrame:
    """Draw n items at random, of the chosen categories where there are any."""
    items = gallery().items
    items = items[items["category"].isin(chosen)] if chosen else items
    items = items[items["duplicate_of"] == ""] if "duplicate_of" in items else items
    return items.sample(min(n, len(items)), random_state=seed)[["id", "caption", "category"]]


def facts(ready: Searcher | None = None) -> str:
    """Which model, gallery and index answer; waits for the model where it is not loaded yet."""
    ready = ready or searcher()
    spec, how = ready.index.spec, "compares with every picture"
    if spec.knob:
        how = f"{spec.knob} {ready.effort or spec.default_effort(len(ready))}"
    return (
        f"Model: {ready.encoder.describe()} · Gallery: {ready.gallery.name}, {len(ready):,} "
        f"pictures of every split · Index: {ready.index_name}, {how} · "
        "Nothing you type or upload leaves this machine."
    )
