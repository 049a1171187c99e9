"""What is slow to load, loaded once for every visitor; nothing here changes afterwards.

A visitor looks at one gallery at a time, by its key. It may be embedded still, and its folder may
change: what is cached goes by its version, which is the key and how often it has changed. A run
sees one version from its beginning to its end.
"""

import os
from collections.abc import Iterable, Sequence
from threading import Lock

import pandas as pd
import streamlit as st
from PIL import Image
from streamlit.runtime.scriptrunner import get_script_run_ctx

import store
from sigscope import Encoder, Gallery, Searcher, load_gallery
from sigscope.embeddings import embeddings_so_far, open_embeddings
from sigscope.gallery import GalleryError
from sigscope.models import BlipCaptions, Captioner, NearestCaptions, small_model_note
from sigscope.search import Endpoint, Merger, by_template, example_queries

MAIN = "main"  # the gallery that SIGSCOPE_GALLERY names, or the shipped one
AT_ONCE = 32  # pictures that are embedded while a visitor waits; more are a job of the server's
MANY = 50_000  # pictures; the vectors of fewer stay on disk only where SIGSCOPE_VECTORS says so
SEEN, READ = "versions seen", "read in this run"
_one_at_a_time = Lock()  # a gallery is embedded once, whoever asks first
_changes: dict[str, int] = {}  # how often each gallery has changed, by its key
_unfinished: set[str] = set()  # versions of which not all is embedded


@st.cache_resource(show_spinner=False)
def sources() -> dict[str, str | None]:
    """What load_gallery takes, by key; the page "Data" adds to it."""
    return {MAIN: os.environ.get("SIGSCOPE_GALLERY") or None}


def current() -> str:
    """Return the key of the gallery that this visitor looks at."""
    return st.session_state.get("gallery", MAIN)


def version(key: str | None = None) -> str:
    """Return the version of a gallery, or of the one this visitor looks at."""
    key = key or current()
    if "~" in key:
        return key
    seen = st.session_state.get(SEEN, _changes) if _is_run() else _changes
    return f"{key}~{seen.get(key, 0)}"


def see() -> None:
    """Let this run see every gallery as it is now."""
    st.session_state[SEEN] = dict(_changes)
    st.session_state[READ] = {}


def of_run() -> dict:
    """Return what this run has read already, to be read once; outside of a run nothing."""
    return st.session_state.get(READ, {}) if _is_run() else {}


def _is_run() -> bool:
    return get_script_run_ctx(suppress_warning=True) is not None


def is_seen(key: str) -> bool:
    """Return whether a gallery is still as this visitor's run sees it."""
    return st.session_state[SEEN].get(key, 0) == _changes.get(key, 0)


def has_changed(key: str) -> None:
    """Note that more of a gallery is embedded, or that something in its folder is another."""
    _changes[key] = _changes.get(key, 0) + 1


def is_unfinished(key: str) -> bool:
    """Return whether a part of a gallery is not embedded, as far as anybody has seen."""
    return version(key) in _unfinished


def gallery(key: str | None = None) -> Gallery:
    """Return a gallery, or the one this visitor looks at."""
    return _gallery(version(key))


@st.cache_resource(show_spinner="Reading the gallery …", max_entries=16)
def _gallery(version: str) -> Gallery:
    key = version.partition("~")[0]
    if key not in sources():
        raise GalleryError(f"The gallery {key} is not on the explorer's list any more.")
    return load_gallery(sources()[key])


@st.cache_resource(show_spinner=False)
def _encoder(model: str) -> Encoder:
    return Encoder.load(model or None)


def models() -> list[str]:
    """The models to choose from: "" is the explorer's own, the others are in SIGSCOPE_MODELS."""
    named = os.environ.get("SIGSCOPE_MODELS", "").split(",")
    return ["", *(name.strip() for name in named if name.strip())]


def searcher(
    index: str = "flat", effort: int | None = None, key: str | None = None, model: str = ""
) -> Searcher:
    """The gallery made searchable by an index; all its indexes share one model and its vectors."""
    key = version(key)
    ready = _exact(key, model) if index == "flat" else _indexed(key, model, index)
    return ready if effort is None else ready.at(effort)


@st.cache_resource(show_spinner="Opening the index …", max_entries=64)
def _indexed(key: str, model: str, index: str) -> Searcher:
    ready = _exact(key, model)
    how = {"index": index, "keep_index": True}
    if index == store.NAME:
        how = {"index": store.kind(), "store": store.url()}
    return Searcher(ready.gallery, ready.embeddings, ready.encoder, **how)


@st.cache_resource(show_spinner="Loading the model (a few seconds, once) …", max_entries=4)
def _exact(key: str, model: str) -> Searcher:
    """Exact search; the first text and picture, which are slow, are behind it."""
    with _one_at_a_time:
        gallery, encoder = _gallery(key), _encoder(model)
        found = embeddings_so_far(gallery, encoder)
        missing = len(gallery) - len(found) - len(found.failed)
        is_whole = found.manifest.get("complete", True)
        if not is_whole and (model or missing <= AT_ONCE):
            found, is_whole = open_embeddings(gallery, encoder), True
        if not is_whole:
            _unfinished.add(key)
            if not len(found):
                raise GalleryError(
                    f"None of the {len(gallery):,} pictures of {gallery.name} is searchable yet; "
                    "the first are in a moment, and this page then shows them"
                )
        ready = Searcher(gallery, found, encoder, keep_index=is_whole)
    _forget_older(key, model)
    ready.by_text("warm-up", 1)
    ready.by_picture(Image.new("RGB", (64, 64), "white"), 1)
    return ready


def vectors_stay_on_disk() -> bool:
    """Whether the vectors of the visitor's gallery are read from disk when they are needed."""
    they_may = len(gallery()) >= MANY or os.environ.get("SIGSCOPE_VECTORS") == "disk"
    return they_may and searcher().embeddings.stay_on_disk


def _forget_older(version: str, model: str) -> None:
    """Give back the memory of a version that no visitor looks at any more."""
    key, _, number = version.partition("~")
    older = f"{key}~{int(number) - 2}"
    _exact.clear(older, model)
    for index in store.indexes():
        _indexed.clear(older, model, index)


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
    return _examples(version())


@st.cache_data(show_spinner=False)
def _examples(key: str) -> list[str]:
    return example_queries(searcher(key=key))


def counts(column: str) -> dict[str, int]:
    """How many pictures have each value of a column of the items, in the order of the alphabet."""
    return _counts(version(), column)


@st.cache_data(show_spinner=False)
def _counts(key: str, column: str) -> dict[str, int]:
    named = _gallery(key).items[column].replace("", pd.NA).dropna()
    return named.value_counts().sort_index().to_dict()


def sample(n: int, seed: int, **only: Sequence[str] | None) -> pd.DataFrame:
    """Draw n items at random, of the chosen values of a column where there is a choice."""
    chosen = {name: tuple(values) for name, values in only.items() if values is not None}
    return _sample(version(), n, seed, tuple(sorted(chosen.items())))


@st.cache_data(show_spinner=False, max_entries=256)
def _sample(key: str, n: int, seed: int, only: tuple) -> pd.DataFrame:
    items = _gallery(key).items
    for column, values in only:
        items = items[items[column].isin(values)]
    items = items[items["duplicate_of"] == ""]
    return items.sample(min(n, len(items)), random_state=seed)[["id", "caption", "category"]]


def known(ids: Iterable[str], key: str | None = None) -> list[str]:
    """Return those of some ids that are items of a gallery, or of the visitor's."""
    ids = list(ids)
    rows = gallery(key).rows(ids)
    return [id for id, row in zip(ids, rows, strict=True) if row >= 0]


def knows(id: str) -> bool:
    """Return whether the visitor's gallery has an item of this id."""
    return gallery().has(id)


def items_of(ids: Iterable[str]) -> pd.DataFrame:
    """Return id, caption and category of items of the visitor's gallery, in the order of ids."""
    items, rows = gallery().items, gallery().rows(list(ids))
    return items[["id", "caption", "category"]].iloc[rows].reset_index(drop=True)


def name_of(id: str) -> str:
    """Return an item's caption, or the name of its file if it has none."""
    shown = gallery()
    return shown.items["caption"].iat[shown.row(id)] or id.rpartition("/")[2]


def facts(ready: Searcher | None = None) -> str:
    """Which model, gallery and index answer; waits for the model where it is not loaded yet."""
    ready = ready or searcher()
    spec, how = ready.index.spec, "compares with every picture"
    if spec.knob:
        how = f"{spec.knob} {ready.effort or spec.default_effort(len(ready))}"
    return (
        f"Model: {ready.encoder.describe()} · Gallery: {ready.gallery.name}, {len(ready):,} "
        f"pictures of every split · Index: {ready.index_name}, {how} · "
        f"Nothing you type or upload leaves this machine. {small_model_note(ready.encoder.folder)} "
        f"{ready.index.note}"
    ).strip()
