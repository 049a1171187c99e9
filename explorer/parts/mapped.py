"""The parts of the page "Map": what is drawn, how it is coloured, and what is asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

import address
import kept
import query
import resources
from parts import notices
from parts.settings import Settings
from sigscope.figures import (
    THEMES,
    Theme,
    add_dimmed,
    add_labels,
    add_pairs,
    add_pointer,
    add_query,
    map_figure,
)
from sigscope.gallery import rows_of
from sigscope.indexes import nearest
from sigscope.maps import (
    KINDS,
    Making,
    Map,
    MapSettings,
    Placement,
    place,
    quick_map,
    start_map,
    zero_shot_names,
)
from sigscope.rerank import k_occurrence

COLOURS = {
    "category": "category",
    "tag": "tag",
    "cluster": "cluster",
    "split": "split",
    "score": "score of the query",
    "hubness": "hubness",
    "trust": "trust",
    "kind": "picture or caption",
}
MEANS = {
    "cluster": "Clusters are dense places of the map, named by words that are frequent in their "
    "captions and rare in others; without captions, by words that the model finds near.",
    "score": "The cosine of the query and each picture.",
    "hubness": "How often a picture is among the ten nearest of other pictures; 10 on average.",
    "trust": "How far a point's neighbours on the map are its neighbours among the vectors; 1 is "
    "all of them.",
}
HEIGHT, LEGEND, HUB_K = 680, 0.2, 10  # the legend scrolls beyond a fifth of the height
AT_ONCE = 5_000  # pictures whose hubness is worked out in a moment
GROUPS = 35  # with a colour and symbol of their own
MOST_FOUND = 60  # results with a ring
NAMES, FEWER_NAMES = 40, 12  # of clusters on the map
PAGE = {"light": "#FCFBF8", "dark": "#15191C"}  # the grounds of the two themes


@dataclass(frozen=True, eq=False)
class Asked:
    """A query on the map: where it was put, what it found, and the score of every picture on it."""

    name: str
    found: pd.DataFrame
    placement: Placement
    scores: pd.Series  # by id


def settings_of(both: bool, dims: int) -> MapSettings:
    """Return what map to show."""
    return MapSettings(KINDS if both else ("picture",), dims)


def making(settings: MapSettings, again: bool = False) -> Making:
    """Return the map of the visitor's gallery, or how far it is; again tries one that failed."""
    return start_map(resources.searcher().embeddings, settings, again=again)


def named(map: Map, settings: MapSettings) -> Map:
    """Return the map with words for its clusters, also where the pictures have no captions."""
    if not map.clusters or len(resources.gallery().captions):
        return map
    return _named(resources.version(), settings, map)


@st.cache_resource(show_spinner="Naming the clusters …", max_entries=8)
def _named(key: str, settings: MapSettings, _map: Map) -> Map:
    held = resources.searcher(key=key)
    images = held.embeddings.images
    images = images if _map.rows is None else images[_map.rows]
    return replace(_map, clusters=zero_shot_names(_map.clusters, images, held.encoder))


def quick(settings: MapSettings) -> Map:
    """Return the layout that is there at once."""
    return _quick(resources.version(), settings)


@st.cache_resource(show_spinner=False, max_entries=8)
def _quick(key: str, settings: MapSettings) -> Map:
    return quick_map(resources.searcher(key=key).embeddings, settings)


def asked(map: Map, how: Settings) -> Asked | None:
    """Return the query of the visitor on the map, or None where nothing is asked."""
    parts = query.parts()
    if not parts:
        return None
    searcher = how.searcher
    found = query.results(replace(how, k=min(how.k, MOST_FOUND)))
    vector = found.asked.vector
    embedded = searcher.embeddings
    where = place(map, embedded.images, vector)
    if map.rows is None:
        scores = pd.Series(embedded.images @ vector, index=embedded.ids)
    else:
        scores = pd.Series(embedded.images[map.rows] @ vector, index=map.ids[map.of("picture")])
    return Asked(query.title(), found, where, scores)


def with_found(map: Map, about: Asked | None) -> Map:
    """Return a map of a sample with what a query found beside it."""
    if about is None or map.placed is None:
        return map
    embedded = resources.searcher().embeddings
    ids = about.found["id"].to_numpy(object)
    return map.including(rows_of(ids, embedded.ids), ids)


def table_of(map: Map, settings: MapSettings, about: Asked | None, colour_by: str) -> pd.DataFrame:
    """Return the points with what they are coloured by."""
    key = resources.version()
    table = _table(key, settings, map.settings["method"], map)
    if map.rows is not None:  # with what is found just now
        table = map.table(resources.gallery().items)
    if colour_by == "hubness":
        counts = table["id"].map(_occurrence(key)).where(table["kind"] == "picture")
        table = table.assign(hubness=counts)
    if tags := kept.by_picture():
        table = table.assign(tag=table["id"].map(tags).str.join(" + ").fillna(""))
    if about is None:
        return table
    scores = table["id"].map(about.scores).where(table["kind"] == "picture")
    return table.assign(score=scores)


@st.cache_resource(show_spinner=False, max_entries=8)
def _table(key: str, settings: MapSettings, method: str, _map: Map) -> pd.DataFrame:
    return _map.table(resources.gallery(key).items)


@st.cache_resource(show_spinner="Counting who is near to whom …", max_entries=8)
def _occurrence(key: str) -> pd.Series:
    """Return how often each picture is among the nearest of others, by its id."""
    held = resources.searcher(key=key).embeddings
    images, n = held.images, len(held)
    k = min(HUB_K, n - 1)
    near = nearest(images, images, k, own=np.arange(n))[1] if k else np.empty((n, 0), int)
    return pd.Series(k_occurrence(near, n), index=held.ids)


def colours(map: Map, about: Asked | None) -> list[str]:
    """Return what the points can be coloured by just now, which the gallery knows of them."""
    items = resources.gallery().items
    there = {
        "kind": len(set(map.kinds)) > 1,
        "category": items["category"].ne("").any(),
        "cluster": map.clusters,
        "split": items["split"].ne("").any(),
        "tag": kept.counts(),
        "hubness": map.rows is None and (map.faithfulness or len(map) <= AT_ONCE),
        "trust": map.faithfulness,
        "score": about,
    }
    return [name for name, known in there.items() if known] or ["kind"]


def colour_choice(choices: Sequence[str]) -> str:
    """Show what the points can be coloured by and return the choice.

    A colour that is not there yet, as the map is still being made, is taken once it is.
    """
    wanted = st.session_state["colour"]
    st.session_state["colour now"] = wanted if wanted in choices else choices[0]
    return st.pills("Colour by", choices, key="colour now", required=True, format_func=COLOURS.get,
                    on_change=address.take, args=("colour", "colour now"))  # fmt: skip


def faithful(map: Map) -> str:
    """Return how faithful a map is, as a sentence; "" where that has not been worked out."""
    said = map.faithfulness.sentence() if map.faithfulness else ""
    return f"{map.settings['note']} {said}" if map.placed is not None else said


def left_out(table: pd.DataFrame, how: Settings) -> np.ndarray:
    """Return which points the filters leave out, (n,)."""
    chosen = {"category": how.categories, "split": how.splits}
    kept_in = [table[name].isin(values) for name, values in chosen.items() if values]
    if how.ids is not None:
        kept_in.append(table["id"].isin(how.ids))
    if how.max_text < 1:
        held = how.searcher
        rows = rows_of(table["id"].array, held.embeddings.ids)
        kept_in.append((held.adjustments.limit_scores[rows] <= how.max_text) & (rows >= 0))
    return ~np.logical_and.reduce(kept_in) if kept_in else np.zeros(len(table), bool)


def figure(
    map: Map, table: pd.DataFrame, colour_by: str, about: Asked | None, dim: np.ndarray
) -> go.Figure:
    """Return the map as it is to be drawn in the visitor's theme, some of its points dim."""
    colours = theme()
    whole, table = table, table[~dim] if not dim.all() else table
    drawn = map_figure(table, colour_by, theme=colours, height=HEIGHT, most=GROUPS)
    if len(table) < len(whole):
        add_dimmed(drawn, whole[dim], theme=colours)
    if colour_by == "kind":
        add_pairs(drawn, table, np.random.default_rng(0), theme=colours)
    if map.clusters and map.dims == 2:
        many = NAMES if colour_by == "cluster" else FEWER_NAMES
        add_labels(drawn, table, map.clusters, theme=colours, at_most=many)
    if about:
        add_query(
            drawn, table, about.placement.place, about.found["id"].tolist(), name=about.name,
            theme=colours,
        )  # fmt: skip
    if map.dims == 2:
        add_pointer(drawn, whole, st.session_state["on"], theme=colours)
    drawn.update_layout(dragmode="lasso" if map.dims == 2 else "orbit", legend_maxheight=LEGEND)
    now = f"{st.session_state['chosen']} {colour_by}"  # else Plotly keeps what was drawn before
    drawn.update_layout(selectionrevision=now)
    drawn.update_traces(uirevision=colour_by)  # what the legend hides belongs to one colour
    chosen = set(kept.selection())
    for trace in drawn.data:
        if trace.customdata is not None:
            trace.hoverinfo = "none"  # the component shows the picture with its words
            if chosen:
                rows = [row for row, id in enumerate(trace.customdata) if id in chosen]
                trace.selectedpoints = rows
    return drawn


@notices.guarded
def lassoed() -> None:
    """Make what was drawn around the selection, on this page and all others."""
    kept.choose(st.session_state["map"]["lassoed"]["ids"])


def theme() -> Theme:
    """Return the colours of a map that fit the visitor's theme."""
    name = st.context.theme.type or "light"
    return replace(THEMES[name], background=PAGE[name])


def counted(ids: Sequence[str]) -> pd.DataFrame:
    """Return how many of these items each category has."""
    chosen = resources.items_of(ids)["category"].replace("", "(none)")
    return chosen.value_counts().rename_axis("category").rename("pictures").reset_index()


def rows(ids: Sequence[str], about: Asked | None) -> pd.DataFrame:
    """Return the items of these ids, best first where something is asked."""
    chosen = resources.items_of(ids)
    if about is None:
        return chosen
    scored = chosen.assign(score=chosen["id"].map(about.scores))
    return scored.sort_values("score", ascending=False, kind="stable")
