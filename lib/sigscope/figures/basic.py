"""Figures: tidy tables go in, Plotly figures come out, all in one colour-blind-safe dress.

Nothing is shown here and no global style is set. Numbers are sent as float32, rounded where they
are measured, so that the same table gives the same bytes.
"""

from collections.abc import Iterator, Mapping
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sigscope.figures.theme import (
    COLOURS,
    SCALE,
    colour_of,
    dressed,
    line_of,
    log_ticks,
    name_rows,
    numbers,
    whiskers,
)

FEW = 15  # points on a line that are marked one by one


def category_bars(table: pd.DataFrame, by: str) -> go.Figure:
    """Draw how many pictures each category has, in stacked parts, the largest category on top.

    Args:
        table: columns category, by and pictures; one row per bar part.
        by: the column whose values are the parts, in their order of appearance.
    """
    order = table.groupby("category")["pictures"].sum().sort_values().index
    figure = go.Figure()
    for name, rows in table.groupby(by, sort=False):
        counts = rows.set_index("category")["pictures"].reindex(order, fill_value=0)
        figure.add_bar(
            x=counts.to_numpy(),
            y=list(order),
            orientation="h",
            name=name,
            marker_color=colour_of(name),
        )
    figure.update_layout(barmode="stack", legend_traceorder="normal", bargap=0.25)
    return dressed(figure, "pictures", height=120 + 22 * len(order))


def distribution(
    table: pd.DataFrame, value: str, group: str, *, width: float, title: str
) -> go.Figure:
    """Draw how the values of each group spread, as shares that add up to 1, with its mean dotted.

    Args:
        table: columns value and group; one row per thing measured.
        value: the column that is measured.
        group: the column that tells the groups apart.
        width: of a bin; bins start at multiples of it (whole numbers stand in their middle).
        title: what is measured, and in which unit.
    """
    figure = go.Figure()
    for number, (name, rows) in enumerate(table.groupby(group, sort=False)):
        values = rows[value].to_numpy()
        bins, counts = np.unique(np.floor(values / width + 1e-9), return_counts=True)
        colour = colour_of(name, number)
        figure.add_bar(
            x=numbers((bins + (0 if values.dtype.kind == "i" else 0.5)) * width, 4),
            y=numbers(counts / len(values), 4),
            width=width,
            name=f"{name} (mean {values.mean():.2f})",
            marker={"color": colour, "line": {"width": 0}},
            opacity=0.6,
        )
        figure.add_vline(round(float(values.mean()), 3), line={"dash": "dot", "color": colour})
    figure.update_layout(barmode="overlay", bargap=0)
    return dressed(figure, title, "share of the group")


def lines(
    table: pd.DataFrame, x: str, y: str, group: str, *, log_x: bool = False, log_y: bool = False
) -> go.Figure:
    """Draw one line per group; the columns x and y give the axes their titles.

    A group whose name begins with "chance" is black and dashed.
    """
    figure = go.Figure()
    for number, (name, rows) in enumerate(table.groupby(group, sort=False)):
        figure.add_scatter(
            x=numbers(rows[x], 4),
            y=numbers(rows[y], 4),
            name=str(name),
            mode="lines+markers" if len(rows) <= FEW else "lines",
            line=line_of(name, number),
        )
    if log_x:
        places = sorted(set(table[x]))
        ticks = {"tickvals": places} if len(places) <= FEW else {"dtick": 1}
        figure.update_xaxes(type="log", tickformat=",", **ticks)
    if log_y:
        figure.update_yaxes(**log_ticks(table[y]))
    return dressed(figure, x, y)


def pair_matrices(matrices: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw matrices of pictures (rows) by texts (columns) side by side, each number written out.

    Args:
        matrices: a title each; the index names the pictures, the columns name the texts.
    """
    figure = make_subplots(
        cols=len(matrices), subplot_titles=list(matrices), horizontal_spacing=0.16
    )
    for column, matrix in enumerate(matrices.values(), 1):
        heat = go.Heatmap(
            z=numbers(matrix.to_numpy(), 2),
            x=[escape(str(name)) for name in matrix.columns],
            y=[escape(str(name)) for name in matrix.index],
            texttemplate="%{z:.2f}",
            colorscale=SCALE,
            showscale=False,
            xgap=2,
            ygap=2,
        )
        figure.add_trace(heat, row=1, col=column)
    figure.update_yaxes(autorange="reversed", showline=False, ticks="")
    figure.update_xaxes(showline=False, ticks="")
    figure.update_annotations(yshift=14)
    return dressed(figure, "text", "picture", height=120 + 60 * len(next(iter(matrices.values()))))


def hit_rate_bars(table: pd.DataFrame) -> go.Figure:
    """Draw the hit rate at each k for both directions, with its interval and a tick at chance.

    Args:
        table: of hit rates, from `summary`: direction, measure, value, low, high, chance.
    """
    figure = go.Figure()
    chance = table.groupby("measure", sort=False)["chance"].agg(["min", "max"])
    names = {name: f"{name}<br>{_chance_words(*ends)}" for name, *ends in chance.itertuples()}
    for name, rows in table.groupby("direction", sort=False):
        figure.add_bar(
            x=rows["measure"].map(names).tolist(),
            y=numbers(rows["value"]),
            error_y=whiskers(rows, "value"),
            name=name,
            marker_color=colour_of(name),
        )
    figure.add_scatter(
        x=list(names.values()),
        y=numbers(chance["max"], 4),
        mode="markers",
        name="chance",
        marker={"symbol": "line-ew-open", "size": 90, "color": COLOURS["chance"]},
    )
    figure.update_layout(bargap=0.35)
    figure.update_yaxes(range=[0, 1], tickformat=".0%")
    return dressed(figure, y="share of queries with a hit")


def hit_rate_dots(table: pd.DataFrame, by: str) -> go.Figure:
    """Draw one hit rate per group and direction as a dot with its interval, the best group on top.

    Args:
        table: columns by, direction, measure (one), value, low, high, chance, queries.
        by: the column that names the groups.
    """
    order = list(table.groupby(by)["value"].mean().sort_values().index)
    figure = go.Figure()
    for number, (name, rows) in enumerate(table.groupby("direction", sort=False)):
        figure.add_scatter(
            x=numbers(rows["value"]),
            y=[order.index(group) + 0.3 * (0.5 - number) for group in rows[by]],
            error_x=whiskers(rows, "value"),
            mode="markers",
            name=name,
            marker={"color": colour_of(name), "size": 9},
            hovertext=[
                f"{escape(g)}: {q} queries" for g, q in zip(rows[by], rows["queries"], strict=True)
            ],
        )
    chance = round(float(table["chance"].max()), 4)
    figure.add_vline(chance, line={"dash": "dash", "color": COLOURS["chance"]})
    name_rows(figure, order)
    title = f"{table['measure'].iloc[0]} (dashed: chance)"
    figure = dressed(figure, title, height=130 + 24 * len(order))
    return figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%")


def gap_map(table: pd.DataFrame, *, x_title: str, y_title: str) -> go.Figure:
    """Draw pictures and captions as two clouds, with a thin line from each picture to its caption.

    Args:
        table: columns x, y, kind ("picture" or "caption"), pair (the same for both of a pair) and
            caption (shown when the pointer is on a point).
        x_title: what x is.
        y_title: what y is.
    """
    figure = go.Figure()
    ends = list(_pair_lines(table))
    figure.add_scatter(
        x=numbers([x for x, _ in ends], 2),
        y=numbers([y for _, y in ends], 2),
        mode="lines",
        line={"color": "#BBBBBB", "width": 0.7},
        hoverinfo="skip",
        name="one pair",
    )
    for kind, rows in table.groupby("kind", sort=False):
        figure.add_scatter(
            x=numbers(rows["x"], 2),
            y=numbers(rows["y"], 2),
            mode="markers",
            name=kind,
            marker={"color": colour_of(kind), "size": 6},
            hovertext=[escape(caption) for caption in rows["caption"]],
            hoverinfo="text",
        )
    return dressed(figure, x_title, y_title, height=440)


def _pair_lines(table: pd.DataFrame) -> Iterator[tuple[float, float]]:
    """Yield the two ends of each pair, then a gap."""
    for _, rows in table.groupby("pair", sort=False):
        yield from zip(rows["x"], rows["y"], strict=True)
        yield np.nan, np.nan


def _chance_words(low: float, high: float) -> str:
    """Return chance as percentages, one number where both directions have nearly the same."""
    low, high = f"{low:.2%}", f"{high:.2%}"
    return f"chance {low}" if low == high else f"chance {low} to {high}"
