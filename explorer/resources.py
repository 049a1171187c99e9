"""What is slow to load, loaded once for every visitor; nothing here changes afterwards.

A visitor looks at one gallery at a time, by its key; what is cached is cached by that key.
"""

import os
from threading import Lock

import pandas as pd
import streamlit as st
from PIL import Image

from sigscope import Gallery, Searcher, load_gallery
from sigscope.models import BlipCaptions, Captioner, NearestCaptions, small_model_note
from sigscope.search import Endpoint, Merger, by_template, example_queries

MAIN = "main"  # the gallery that SIGSCOPE_GALLERY names, or the shipped one
_one_at_a_time = Lock()  # a gallery is embedded once, whoever asks first


@st.cache_resource(show_spinner=False)
def sources() -> dict[str, str | None]:
    """What load_gallery takes, by key; the page "Data" adds to it."""
    return {MAIN: os.environ.get("SIGSCOPE_GALLERY") or None}


def current() -> str:
    """Return the key of the gallery that this visitor looks at."""
    return st.session_state.get("gallery", MAIN)


def gallery(key: str | None = None) -> Gallery:
    """Return a gallery, or the one this visitor looks at."""
    return _gallery(key or current())


@st.cache_resource(show_spinner="Reading the gallery …")
def _gallery(key: str) -> Gallery:
    return load_gallery(sources()[key])


def models() -> list[str]:
    """The models to choose from: "" is the explorer's own, the others are in SIGSCOPE_MODELS."""
    named = os.environ.get("SIGSCOPE_MODELS", "").split(",")
    return ["", *(name.strip() for name in named if name.strip())]


def searcher(
    index: str = "flat", effort: int | None = None, key: str | None = None, model: str = ""
) -> Searcher:
    """The gallery made searchable by an index; all its indexes share one model and its vectors."""
    key = key or current()
    ready = _exact(key, model) if index == "flat" else _indexed(key, model, index)
    return ready if effort is None else ready.at(effort)


@st.cache_resource(show_spinner="Opening the index …", max_entries=64)
def _indexed(key: str, model: str, index: str) -> Searcher:
    ready = _exact(key, model)
    return Searcher(ready.gallery, ready.embeddings, ready.encoder, index, keep_index=True)


@st.cache_resource(show_spinner="Loading the model (a few seconds, once) …", max_entries=4)
def _exact(key: str, model: str) -> Searcher:
    """Exact search; the first text and picture, which are slow, are behind it."""
    with _one_at_a_time:
        ready = Searcher.open(_gallery(key), model or None)
    ready.by_text("warm-up", 1)
    ready.by_picture(Image.new("RGB", (64, 64), "white"), 1)
    return ready


@st.cache_resource(show_spinner="Loading the captioner (once) …")
def captioner() -> Captioner:
    """What describes a picture in R2's way: the BLIP that SIGSCOPE_CAPTIONER names, if it does.

    Otherwise a picture borrows the nearest caption of the gallery.
    """
    model = os.environ.get("SIGSCOPE_CAPTIONER")
    return BlipCaptions(model) if model else NearestCaptions()


def reader() -> str:
    """Return the model that reads the first results again, which SIGSCOPE_RERANKER names, or ""."""
    return os.environ.get("SIGSCOPE_RERANKER", "")


@st.cache_resource(show_spinner=False)
def merger() -> Merger:
    """What makes one sentence of a caption and words: a template, or a configured endpoint."""
    return Endpoint.from_environment() or by_template


def examples() -> list[str]:
    """Return queries to try on the visitor's gallery."""
    return _examples(current())


@st.cache_data(show_spinner=False)
def _examples(key: str) -> list[str]:
    return example_queries(searcher(key=key))


def counts(column: str) -> dict[str, int]:
    """How many pictures have each value of a column of the items, in the order of the alphabet."""
    return _counts(current(), column)


@st.cache_data(show_spinner=False)
def _counts(key: str, column: str) -> dict[str, int]:
    named = _gallery(key).items[column].replace("", pd.NA).dropna()
    return named.value_counts().sort_index().to_dict()


def sample(n: int, seed: int, **only: list[str]) -> pd.DataFrame:
    """Draw n items at random, of the chosen values of a column where there are any."""
    return _sample(current(), n, seed, tuple((name, tuple(only[name])) for name in sorted(only)))


@st.cache_data(show_spinner=False, max_entries=256)
def _sample(key: str, n: int, seed: int, only: tuple) -> pd.DataFrame:
    items = _gallery(key).items
    for column, values in only:
        items = items[items[column].isin(values)] if values else items
    items = items[items["duplicate_of"] == ""]
    return items.sample(min(n, len(items)), random_state=seed)[["id", "caption", "category"]]


@st.cache_resource(show_spinner=False, max_entries=8)
def rows(key: str) -> dict[str, int]:
    """Return the row of each item of a gallery, by its id."""
    return {id: row for row, id in enumerate(_gallery(key).items["id"])}


def knows(id: str) -> bool:
    """Return whether the visitor's gallery has an item of this id."""
    return id in rows(current())


def name_of(id: str) -> str:
    """Return an item's caption, or the name of its file if it has none."""
    return gallery().items["caption"].iat[rows(current())[id]] or id.rpartition("/")[2]


def facts(ready: Searcher | None = None) -> str:
    """Which model, gallery and index answer; waits for the model where it is not loaded yet."""
    ready = ready or searcher()
    spec, how = ready.index.spec, "compares with every picture"
    if spec.knob:
        how = f"{spec.knob} {ready.effort or spec.default_effort(len(ready))}"
    return (
        f"Model: {ready.encoder.describe()} · Gallery: {ready.gallery.name}, {len(ready):,} "
        f"pictures of every split · Index: {ready.index_name}, {how} · "
        f"Nothing you type or upload leaves this machine. {small_model_note(ready.encoder.folder)}"
    ).strip()
