"""Map layers: what is laid over a map's points: names of clusters, a query, pairs, a pointer.

Each function adds to the figure it is given, as Plotly's own ``add_`` methods do, and returns it.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sigscope.figures.maps import axes_of, placed
from sigscope.figures.theme import PALETTE, THEMES, Theme, numbers
from sigscope.maps.clusters import Clusters

QUERY = PALETTE["vermilion"]
WIDTH = 760  # pixels that a figure is at least wide on a laptop, by which labels are spaced
IN_ROOM = 16  # names in a room, where they cannot be kept apart
LETTER, LINE = 7, 20  # pixels of a label


def add_labels(
    figure: go.Figure,
    table: pd.DataFrame,
    clusters: Clusters,
    *,
    theme: Theme = THEMES["light"],
    at_most: int = 30,
    width: int = WIDTH,
) -> go.Figure:
    """Write the names of the largest clusters on a map, as far as they do not cover each other.

    Args:
        figure: from ``map_figure``.
        table: what it was drawn from.
        clusters: of the same map.
        theme: that of the figure.
        at_most: how many names.
        width: of the figure on the page, in pixels; a wider one has room for more names.
    """
    names = list(clusters.names)
    if "z" in table:
        return _labels_in_room(figure, clusters, theme, min(at_most, IN_ROOM))
    for number in _without_overlap(figure, table, clusters, width)[:at_most]:
        x, y = clusters.centres[number]
        figure.add_annotation(
            x=round(float(x), 3),
            y=round(float(y), 3),
            text=escape(names[number]),
            showarrow=False,
            yshift=12,  # above the middle, so that the name hides few of its points
            font={"size": 12, "color": theme.ink},
            bgcolor=theme.veil,
            borderpad=1,
        )
    return figure


def add_dimmed(
    figure: go.Figure, rows: pd.DataFrame, *, theme: Theme = THEMES["light"]
) -> go.Figure:
    """Put points behind all others, faint: those that a filter leaves out.

    Args:
        figure: from ``map_figure``, of the points that are not left out.
        rows: the others, of the same table.
        theme: that of the figure.
    """
    marker = {"color": theme.faint, "size": 3 if "z" not in rows else 1.5, "opacity": 0.35}
    name = f"left out ({len(rows):,})"
    figure.add_trace(
        _kind(rows)(**placed(rows), mode="markers", marker=marker, name=name, hoverinfo="skip")
    )
    figure.data = (figure.data[-1], *figure.data[:-1])
    return figure


def add_query(
    figure: go.Figure,
    table: pd.DataFrame,
    place: np.ndarray,
    results: Sequence[str] = (),
    *,
    name: str = "query",
    theme: Theme = THEMES["light"],
) -> go.Figure:
    """Put a query on a map as a star, with rings around its results and lines to them.

    Args:
        figure: from ``map_figure``.
        table: what it was drawn from.
        place: of the query, (2,) or (3,), from ``maps.place``.
        results: ids, best first; those that are not on the map are passed over.
        name: what the star is called in the legend.
        theme: that of the figure.
    """
    found, axes, kind = _pictures(table, results), axes_of(table), _kind(table)
    star = pd.DataFrame([np.round(np.asarray(place, np.float64), 3)], columns=axes)
    line = {"color": QUERY, "width": 2 if "z" in table else 1.2}
    lines = _lines(star.iloc[[0] * len(found)], found, line=line, opacity=0.75)
    figure.add_trace(lines.update(showlegend=False, name="to its results"))
    ring = {"symbol": "circle-open", "size": 13, "color": theme.ink, "line": {"width": 2}}
    captions = zip(found["rank"], found["caption"], strict=True)
    figure.add_trace(
        kind(
            **placed(found),
            mode="markers",
            marker=ring if "z" not in table else {**ring, "size": 5},
            customdata=found["id"].astype(str).tolist(),
            hovertext=[f"result {rank}<br><b>{escape(str(text))}</b>" for rank, text in captions],
            hoverinfo="text",
            name=f"its results ({len(found)})",
        )
    )
    star_look = {"symbol": "star", "size": 20, "color": QUERY}
    if "z" in table:
        star_look = {"symbol": "diamond", "size": 7, "color": QUERY}  # rooms have no stars
    figure.add_trace(
        kind(
            **placed(star),
            mode="markers",
            marker={**star_look, "line": {"width": 1.5, "color": theme.background}},
            hovertext=[f"<b>{escape(name)}</b>"],
            hoverinfo="text",
            name=escape(name),
        )
    )
    return figure


def add_pairs(
    figure: go.Figure,
    table: pd.DataFrame,
    rng: np.random.Generator,
    *,
    many: int = 60,
    theme: Theme = THEMES["light"],
) -> go.Figure:
    """Join some pictures with their captions by thin lines, on a map that has both.

    Args:
        figure: from ``map_figure``.
        table: what it was drawn from.
        rng: draws which.
        many: how many pairs; all where there are fewer.
        theme: that of the figure.
    """
    pictures, captions = (
        table[table["kind"] == kind].set_index("id") for kind in ("picture", "caption")
    )
    both = pictures.index.intersection(captions.index)
    if not len(both):
        raise ValueError("the map has no pictures with captions; make it of both kinds")
    drawn = rng.choice(both.to_numpy(object), min(many, len(both)), replace=False)
    line = {"color": theme.ink, "width": 1}
    lines = _lines(pictures.loc[drawn], captions.loc[drawn], line=line, opacity=0.35)
    return figure.add_trace(lines.update(name=f"a picture and its caption ({len(drawn)} drawn)"))


def add_pointer(
    figure: go.Figure, table: pd.DataFrame, id: str | None, *, theme: Theme = THEMES["light"]
) -> go.Figure:
    """Point at one picture, with its caption, if it is on a map in the plane.

    Args:
        figure: from ``map_figure``.
        table: what it was drawn from.
        id: of the picture; None points at nothing.
        theme: that of the figure.
    """
    here = _pictures(table, [id])
    for x, y, caption in zip(here["x"], here["y"], here["caption"], strict=True):
        figure.add_annotation(
            x=float(x),
            y=float(y),
            text=escape((caption or id)[:60]),
            arrowcolor=theme.ink,
            arrowwidth=2,
            ax=30,
            ay=-50,
            font={"color": theme.ink},
            bgcolor=theme.background,
            bordercolor=theme.ink,
            borderpad=3,
        )
    return figure


def _pictures(table: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    """Return the rows of the pictures with these ids, in their order, with a column rank from 1."""
    rows = table[table["kind"] == "picture"].drop_duplicates("id").set_index("id", drop=False)
    ranks = {id_: rank for rank, id_ in enumerate(dict.fromkeys(ids), 1) if id_ in rows.index}
    return rows.loc[list(ranks)].assign(rank=list(ranks.values()))


def _lines(starts: pd.DataFrame, ends: pd.DataFrame, **style: object) -> go.Scattergl:
    """Return one trace of many lines: start, end, gap, start, end, gap and so on."""
    gaps = np.full(len(starts), np.nan)
    places = {
        axis: numbers(np.stack([starts[axis], ends[axis], gaps], axis=1).ravel())
        for axis in axes_of(starts)
    }
    return _kind(starts)(**places, mode="lines", hoverinfo="skip", **style)


def _kind(table: pd.DataFrame) -> type:
    return go.Scatter3d if "z" in table else go.Scattergl


def _labels_in_room(figure: go.Figure, clusters: Clusters, theme: Theme, at_most: int) -> go.Figure:
    """Write names into a room; they stay on top of the points while it is turned."""
    labels = [
        {
            **dict(zip("xyz", np.round(centre.astype(float), 3).tolist(), strict=True)),
            "text": escape(name),
            "showarrow": False,
            "yshift": 12,
            "font": {"size": 12, "color": theme.ink},
            "bgcolor": theme.veil,
        }
        for name, centre in zip(clusters.names, clusters.centres, strict=True)
    ]
    return figure.update_layout(scene={"annotations": labels[:at_most]})


def _without_overlap(
    figure: go.Figure, table: pd.DataFrame, clusters: Clusters, width: int
) -> list[int]:
    """Return the clusters whose names fit beside those of larger ones, the largest first."""
    height = figure.layout.height or 640
    scale = min(width / np.ptp(table["x"]), height / np.ptp(table["y"])) if len(table) > 1 else 1
    kept: list[int] = []
    boxes: list[tuple[float, float, float]] = []
    for number, (name, centre) in enumerate(zip(clusters.names, clusters.centres, strict=True)):
        half = LETTER * len(name) / 2
        x, y = centre * scale
        if all(abs(x - bx) > half + bhalf or abs(y - by) > LINE for bx, by, bhalf in boxes):
            boxes.append((x, y, half))
            kept.append(number)
    return kept
