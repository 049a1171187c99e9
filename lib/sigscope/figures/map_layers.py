"""Map layers: what is laid over a map's points: names of clusters, a query, pairs, pictures.

Each function adds to the figure it is given, as Plotly's own ``add_`` methods do, and returns it.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image, ImageOps

from sigscope.figures.looks import LOOKS, Look
from sigscope.figures.maps import axes_of, placed
from sigscope.figures.theme import PALETTE
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
    look: Look = LOOKS["light"],
    at_most: int = 30,
    width: int = WIDTH,
) -> go.Figure:
    """Write the names of the largest clusters on a map, as far as they do not cover each other.

    Args:
        figure: from ``map_figure``.
        table: what it was drawn from.
        clusters: of the same map.
        look: that of the figure.
        at_most: how many names.
        width: of the figure on the page, in pixels; a wider one has room for more names.
    """
    names = list(clusters.names)
    if "z" in table:
        return _labels_in_room(figure, clusters, look, min(at_most, IN_ROOM))
    for number in _without_overlap(figure, table, clusters, width)[:at_most]:
        x, y = clusters.centres[number]
        figure.add_annotation(
            x=round(float(x), 3),
            y=round(float(y), 3),
            text=escape(names[number]),
            showarrow=False,
            yshift=12,  # above the middle, so that the name hides few of its points
            font={"size": 12, "color": look.ink},
            bgcolor=look.veil,
            borderpad=1,
        )
    return figure


def add_query(
    figure: go.Figure,
    table: pd.DataFrame,
    place: np.ndarray,
    results: Sequence[str] = (),
    *,
    name: str = "query",
    look: Look = LOOKS["light"],
) -> go.Figure:
    """Put a query on a map as a star, with rings around its results and lines to them.

    Args:
        figure: from ``map_figure``.
        table: what it was drawn from.
        place: of the query, (2,) or (3,), from ``placing.place``.
        results: ids, best first; those that are not on the map are passed over.
        name: what the star is called in the legend.
        look: that of the figure.
    """
    found = _pictures(table, results)
    axes, kind = axes_of(table), _kind(table)
    star = dict(zip(axes, np.round(np.asarray(place, np.float64), 3), strict=True))
    lines = {a: _with_gaps(np.full(len(found), star[a]), found[a].to_numpy()) for a in axes}
    figure.add_trace(
        kind(
            **lines,
            mode="lines",
            line={"color": QUERY, "width": 2 if "z" in table else 1.2},
            opacity=0.75,
            hoverinfo="skip",
            showlegend=False,
            name="to its results",
        )
    )
    ring = {"symbol": "circle-open", "size": 13, "color": look.ink, "line": {"width": 2}}
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
            **{axis: np.array([value], "f4") for axis, value in star.items()},
            mode="markers",
            marker={**star_look, "line": {"width": 1.5, "color": look.background}},
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
    look: Look = LOOKS["light"],
) -> go.Figure:
    """Join some pictures with their captions by thin lines, on a map that has both.

    Args:
        figure: from ``map_figure``.
        table: what it was drawn from.
        rng: draws which.
        many: how many pairs; all where there are fewer.
        look: that of the figure.
    """
    pictures, captions = (
        table[table["kind"] == kind].set_index("id") for kind in ("picture", "caption")
    )
    both = pictures.index.intersection(captions.index)
    if not len(both):
        raise ValueError("the map has no pictures with captions; make it of both kinds")
    drawn = rng.choice(both.to_numpy(object), min(many, len(both)), replace=False)
    ends = pictures.loc[drawn], captions.loc[drawn]
    lines = {a: _with_gaps(*(end[a].to_numpy() for end in ends)) for a in axes_of(table)}
    figure.add_trace(
        _kind(table)(
            **lines,
            mode="lines",
            line={"color": look.ink, "width": 1},
            opacity=0.35,
            hoverinfo="skip",
            name=f"a picture and its caption ({len(drawn)} drawn)",
        )
    )
    return figure


def add_pictures(
    figure: go.Figure,
    table: pd.DataFrame,
    pictures: Mapping[str, Image.Image],
    *,
    share: float = 0.06,
    side: int = 72,
) -> go.Figure:
    """Lay small pictures at the places of their points, such as a query's results, best first.

    Args:
        figure: from ``map_figure``, in the plane.
        table: what it was drawn from.
        pictures: by id; each adds some 2 KB.
        share: how large they are, as a share of the map's longer side.
        side: pixels of each.
    """
    if "z" in table:
        raise ValueError("pictures cannot be laid into a map in a room; make one with dims=2")
    size = share * max(np.ptp(table["x"]), np.ptp(table["y"]))
    rows = _pictures(table, list(pictures)).iloc[::-1]  # the best is laid last, on top
    for id_, x, y in rows[["id", "x", "y"]].itertuples(index=False):
        figure.add_layout_image(
            source=_data_uri(pictures[id_], side),
            x=round(float(x), 3),
            y=round(float(y), 3),
            xref="x",
            yref="y",
            sizex=float(size),
            sizey=float(size),
            xanchor="center",
            yanchor="middle",
            layer="above",
        )
    return figure


def _pictures(table: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    """Return the rows of the pictures with these ids, in their order, with a column rank from 1."""
    rows = table[table["kind"] == "picture"].drop_duplicates("id").set_index("id", drop=False)
    ranks = {id_: rank for rank, id_ in enumerate(dict.fromkeys(ids), 1) if id_ in rows.index}
    return rows.loc[list(ranks)].assign(rank=list(ranks.values()))


def _with_gaps(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return start, end, nothing, start, end, nothing …: one trace of many lines."""
    gaps = np.full(len(starts), np.nan)
    return np.round(np.stack([starts, ends, gaps], axis=1).ravel(), 3).astype("f4")


def _kind(table: pd.DataFrame) -> type:
    return go.Scatter3d if "z" in table else go.Scattergl


def _labels_in_room(figure: go.Figure, clusters: Clusters, look: Look, at_most: int) -> go.Figure:
    """Write names into a room; they stay on top of the points while it is turned."""
    labels = [
        {
            **dict(zip("xyz", np.round(centre.astype(float), 3).tolist(), strict=True)),
            "text": escape(name),
            "showarrow": False,
            "yshift": 12,
            "font": {"size": 12, "color": look.ink},
            "bgcolor": look.veil,
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


def _data_uri(picture: Image.Image, side: int) -> str:
    small = ImageOps.contain(picture.convert("RGB"), (side, side), Image.Resampling.LANCZOS)
    file = BytesIO()
    small.save(file, "WEBP", quality=70)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
