"""Map figures: the points of a map as WebGL, coloured by what one wants to know about them.

They are drawn from ``Map.table``: one row per point with id, kind, x, y (and z), caption, category,
split, cluster, trust, and any column that a caller adds. Each point carries its id as a string in
``customdata``, by which a lasso says what it is around. Captions and names come from anywhere and
are escaped, as Plotly reads text as HTML. `figures.map_layers` adds labels, a query, pairs.
"""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sigscope.figures.theme import COLOURS, THEMES, Theme, dressed, numbers
from sigscope.maps.clusters import NOISE

HOVER_AT_MOST = 20_000  # points with captions on hover; they are most of a figure's bytes
CAPTION_AT_MOST = 90  # letters of a caption on hover
UNKNOWN, OTHERS = "(unknown)", "others"
SYMBOLS = ("circle", "diamond", "square", "cross", "x")  # those that a room has, too
MOST_GROUPS = 14  # with a colour of their own
HEIGHT = 640
NOTE = "Axes have no unit: points near each other are alike, far distances mean little."
NO_HOVER = "Captions on hover are left out, as there are {n:,} points."


def map_figure(
    table: pd.DataFrame,
    colour_by: str = "category",
    *,
    theme: Theme = THEMES["light"],
    highlight: str | Sequence[str] = (),
    title: str = "",
    height: int = HEIGHT,
    most: int = MOST_GROUPS,
) -> go.Figure:
    """Draw a map with its points coloured by a column.

    Words become groups: the largest have a colour and symbol of their own, the others are grey.
    Clusters are never grey: neighbours get different colours, and labels name them. Numbers become
    a scale that leaves out the farthest 2 % on each side; what is nan is grey. Up to 20,000 points
    have their captions on hover; a figure of more says so.

    Args:
        table: from ``Map.table``, perhaps with columns added.
        colour_by: a column, such as category, cluster, split, kind, trust or one of scores.
        theme: one of THEMES, or one like it.
        highlight: the groups to colour; all others turn grey.
        title: of the colour scale; "" is the column's name.
        height: pixels.
        most: how many groups have a colour of their own, up to five times as many as the theme has
            colours.

    Raises:
        ValueError: The table has no points or no such column.
    """
    if not len(table) or colour_by not in table:
        raise ValueError(f"the table has {len(table)} points and the columns {list(table)}")
    hover = len(table) <= HOVER_AT_MOST
    figure = go.Figure()
    if pd.api.types.is_numeric_dtype(table[colour_by]):
        groups = _scaled(table, colour_by, theme, title or colour_by)
    else:
        groups = _grouped(table, colour_by, theme, _as_list(highlight), most)
    for name, rows, marker, legend in groups:
        figure.add_trace(_points(rows, name, marker, len(table), hover, legend))
    note = NOTE if hover else f"{NOTE} {NO_HOVER.format(n=len(table))}"
    return _bare(figure, table, theme, note, height)


def axes_of(table: pd.DataFrame) -> list[str]:
    """Return the columns that hold a point's place: x, y and perhaps z."""
    return [axis for axis in ("x", "y", "z") if axis in table]


def placed(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the places of rows as Plotly takes them, in float32 with three decimals."""
    return {axis: numbers(rows[axis]) for axis in axes_of(rows)}


def _group_styles(names: Sequence[str], theme: Theme, most: int) -> dict[str, tuple[str, str]]:
    """Return a colour and a symbol for each group, as far as they go; the rest are others.

    What has a colour in every figure of the repository (splits, kinds) keeps it.
    """
    if all(name in COLOURS for name in names):
        return {name: (COLOURS[name], "circle") for name in names}
    pairs = [(colour, symbol) for symbol in SYMBOLS for colour in theme.colours]
    return dict(zip(names, pairs[:most], strict=False))


def _cluster_colours(table: pd.DataFrame, theme: Theme) -> dict[str, str]:
    """Return a colour for each cluster, so that the clusters around it have others.

    Clusters are coloured from the largest on, each with the colour whose nearest bearer is
    farthest away.
    """
    sizes = table.loc[table["cluster"] != NOISE, "cluster"].value_counts()
    centres = table.groupby("cluster")[axes_of(table)].median()
    colours: dict[str, str] = {}
    for name in sizes.index:
        off = {other: np.linalg.norm(centres.loc[name] - centres.loc[other]) for other in colours}
        clear = [
            min((off[other] for other in colours if colours[other] == colour), default=np.inf)
            for colour in theme.colours
        ]
        colours[name] = theme.colours[int(np.argmax(clear))]
    return colours


def _grouped(
    table: pd.DataFrame, column: str, theme: Theme, highlight: list[str], most: int
) -> Iterator[tuple[str, pd.DataFrame, dict, bool]]:
    """Yield a trace per group: grey ones first, so that the others lie on top."""
    names = table[column].fillna("").astype(str).replace("", UNKNOWN)
    order = [name for name in names.value_counts().index if name not in (UNKNOWN, NOISE)]
    if column == "cluster":
        styles = {
            name: (colour, "circle") for name, colour in _cluster_colours(table, theme).items()
        }
    else:
        styles = _group_styles(order, theme, most)
    if highlight:
        chosen = list(zip(highlight, theme.colours, strict=False))
        styles = {name: styles.get(name, (colour, "circle")) for name, colour in chosen}
    rest = ~names.isin(list(styles))
    if rest.any():
        left = names[rest].unique()
        called = left[0] if len(left) == 1 else f"{len(left)} {OTHERS}"
        yield called, table[rest], {"color": theme.faint, "opacity": 0.6}, column != "cluster"
    for name, (colour, symbol) in styles.items():
        marker = {"color": colour, "symbol": symbol, "opacity": 0.85}
        yield name, table[names == name], marker, column != "cluster" or bool(highlight)


def _scaled(
    table: pd.DataFrame, column: str, theme: Theme, title: str
) -> Iterator[tuple[str, pd.DataFrame, dict, bool]]:
    """Yield what has no number, then what has, the largest last, so that it lies on top."""
    known = table[column].notna()
    if not known.all():
        yield f"no {title}", table[~known], {"color": theme.faint, "opacity": 0.6}, True
    rows = table[known].sort_values(column, kind="stable")
    if not len(rows):
        return
    values = rows[column].to_numpy(np.float64)
    low, high = np.quantile(values, [0.02, 0.98])
    steps = np.linspace(0, 1, len(theme.scale))
    yield (
        title,
        rows,
        {
            "color": numbers(values, 4),
            "colorscale": [[float(step), colour] for step, colour in zip(steps, theme.scale)],  # noqa: B905
            "cmin": float(low),
            "cmax": float(high if high > low else low + 1),
            "opacity": 0.9,
            "colorbar": {"title": {"text": escape(title)}, "thickness": 12, "len": 0.6, "x": 1.0},
        },
        False,
    )


def _points(
    rows: pd.DataFrame, name: str, marker: dict, n: int, hover: bool, legend: bool
) -> go.Scattergl | go.Scatter3d:
    """Return the points of one group; n is how many there are in all."""
    solid = "z" in rows
    size = float(np.clip(14 - 2.3 * np.log10(max(n, 10)), 3, 9)) * (0.36 if solid else 1)
    about = {"hoverinfo": "name"}
    if hover:
        about = {"hovertext": _hover_texts(rows, name), "hoverinfo": "text"}
    kind = go.Scatter3d if solid else go.Scattergl
    return kind(
        **placed(rows),
        mode="markers",
        name=f"{escape(name)} ({len(rows):,})" if legend else escape(name),
        marker={"size": round(size, 1), "line": {"width": 0}, **marker},
        customdata=np.array(rows["id"].astype(str).tolist(), object),
        showlegend=legend,
        **about,
    )


def _hover_texts(rows: pd.DataFrame, name: str) -> np.ndarray:
    """Return for each point its caption, what it is, and the group it is drawn in, as safe HTML."""
    told: dict[tuple, str] = {}
    texts = []
    for caption, *what in zip(
        rows["caption"].tolist(), rows["kind"].tolist(), rows["category"].tolist(), strict=True
    ):
        if (key := tuple(what)) not in told:
            parts = [str(part) for part in (*what, name) if part]
            told[key] = escape(" · ".join(dict.fromkeys(parts)))
        texts.append(f"<b>{escape(_cut(str(caption)) or '(no caption)')}</b><br>{told[key]}")
    return np.array(texts, object)  # an array, which Plotly does not look through


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= CAPTION_AT_MOST else text[: CAPTION_AT_MOST - 1].rstrip() + "…"


def _as_list(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _bare(
    figure: go.Figure, table: pd.DataFrame, theme: Theme, note: str, height: int
) -> go.Figure:
    """Return figure with no ticks, one scale for all axes, and the note that they have no unit."""
    plain = {"visible": False, "showgrid": False, "zeroline": False}
    dressed(figure, height=height).update_layout(
        paper_bgcolor=theme.background,
        plot_bgcolor=theme.background,
        font={"color": theme.ink},
        margin={"l": 8, "r": 8, "t": 8, "b": 30},
        legend={"y": -0.045, "yanchor": "top", "itemsizing": "constant", "font": {"size": 12}},
        hoverlabel={"bgcolor": theme.background, "font": {"color": theme.ink}, "namelength": -1},
        dragmode="pan",
        uirevision="map",  # a rerun keeps the zoom
        meta={"note": note},
    )
    if "z" in table:
        figure.update_layout(
            dragmode="orbit",
            scene={
                **{f"{axis}axis": plain for axis in "xyz"},
                "aspectmode": "data",
                "camera": {"eye": {"x": 0.35, "y": -1.15, "z": 0.45}},
                "bgcolor": theme.background,
            },
        )
    else:
        figure.update_xaxes(**plain)
        figure.update_yaxes(**plain, scaleanchor="x", scaleratio=1)
    return figure.add_annotation(
        text=escape(note),
        x=0,
        y=0,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="top",
        showarrow=False,
        font={"size": 11, "color": theme.ink},
        opacity=0.75,
    )
