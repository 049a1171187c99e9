"""Evaluation figures: hubs, systems beside each other, languages, text-heaviness.

Tables from `rerank.hubs`, `evaluation.summary`, `evaluation.compare` and `rerank.text_bias` go in,
with a column system where there are several; Plotly figures in the one theme come out, and two to
read: differences in words, result lists in pictures. Nothing is shown here. Every error bar is the
95 % interval of the table.
"""

from collections.abc import Container, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sigscope.figures.sheets import Sheet, picture_sheet, text_card
from sigscope.figures.theme import (
    COLOURS,
    colour_of,
    dressed,
    line_of,
    name_rows,
    numbers,
    panels,
    whiskers,
)

ROW = 30  # pixels that a row of dots takes
LIFT = 0.26  # of a row, between the dots of two directions


def occurrence_curves(table: pd.DataFrame, *, k: int) -> go.Figure:
    """Draw how k-occurrence is distributed, one falling curve per system, both axes logarithmic.

    A system without hubs falls steeply; a long tail to the right are its hubs. The legend says how
    much of the gallery is never found, which has no place on a logarithmic axis.

    Args:
        table: from ``rerank.occurrence_table`` (occurrence, at_least), with a column system. One
            whose name begins with "chance" is black and dashed.
        k: how long the result lists were.
    """
    figure = go.Figure()
    for number, (name, rows) in enumerate(table.groupby("system", sort=False)):
        seen = rows[rows["occurrence"] > 0]
        never = 1 - seen["at_least"].max() if len(seen) else 1.0
        figure.add_scatter(
            x=numbers(seen["occurrence"], 3),
            y=numbers(seen["at_least"], 5),
            name=f"{escape(str(name))} ({never:.0%} never found)",
            mode="lines",
            line={**line_of(name, number), "shape": "vh"},
        )
    figure.update_xaxes(type="log", dtick="D2", tickformat=",")
    figure.update_yaxes(type="log", dtick=1, tickformat="~%")
    x = f"k-occurrence: lists of {k} results that hold one of the pictures"
    return dressed(figure, x, "share of pictures, at least as often")


def system_dots(table: pd.DataFrame, measures: Sequence[str] | None = None) -> go.Figure:
    """Draw what each system reaches, a panel per measure, a dot with its interval per direction.

    Args:
        table: from ``evaluation.summary``, with a column system: direction, measure, value, low,
            high, chance. The systems stand from top to bottom in their order of appearance; the
            first is the one to beat, and a dotted line carries its value down.
        measures: which, from left to right; None means all.
    """
    figure = _dots(table, measures, "value")
    for column, (name, rows) in enumerate(by_measure(table, measures), 1):
        first = rows[rows["system"] == table["system"].iloc[0]]
        for direction, value in zip(first["direction"], first["value"], strict=True):
            line = {"color": colour_of(direction), "dash": "dot", "width": 1}
            figure.add_vline(round(float(value), 4), line=line, col=column, row=1)
        figure.update_xaxes(
            title_text=escape(name), tickformat=".0%", rangemode="tozero", col=column
        )
    return figure


def difference_dots(table: pd.DataFrame, measures: Sequence[str] | None = None) -> go.Figure:
    """Draw how much each system is better than the one it was compared with, right of 0 is better.

    Where the interval holds 0 the dot is hollow: the system may as well be no better.

    Args:
        table: from ``evaluation.compare``, with a column system: direction, measure, difference,
            low, high.
        measures: which, from left to right; None means all.
    """
    figure = _dots(table, measures, "difference")
    for column, (name, _) in enumerate(by_measure(table, measures), 1):
        line = {"color": COLOURS["chance"], "width": 1}
        figure.add_vline(0, line=line, col=column, row=1)
        title = f"change of {escape(name)}<br>(percentage points)"
        figure.update_xaxes(title_text=title, col=column)
    return figure


def difference_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return differences in words, "+0.013 [+0.002, +0.025]": a row per measure, in their order.

    Args:
        table: from ``evaluation.compare``, with a column system: measure, first, difference, low,
            high; direction, too, where there are several, which then is the outer index.

    Returns:
        Columns unchanged (what the first system reaches), then one per system.
    """
    names = ["difference", "low", "high"]
    words = ["{:+.3f} [{:+.3f}, {:+.3f}]".format(*row) for row in table[names].to_numpy()]
    by = ["direction", "measure"] if table["direction"].nunique() > 1 else ["measure"]
    table = table.assign(words=words, unchanged=table["first"].map("{:.3f}".format))
    rows = table.drop_duplicates(by).set_index(by)[["unchanged"]]
    for name in table["system"].unique():
        rows[name] = table[table["system"] == name].set_index(by)["words"]
    return rows


def lists_sheet(
    gallery: Any, lists: Mapping[str, Sequence[str]], size: int = 96, *, marked: Container[str] = ()
) -> Sheet:
    """Return result lists below each other, each behind a card with its name.

    Args:
        gallery: where the pictures and their captions are.
        lists: the ids of each list, best first; a short one leaves the rest of its row white.
        size: side of a square in pixels.
        marked: ids whose squares get a thick green frame.
    """
    columns = 1 + max(map(len, lists.values()))
    caption_of = dict(zip(gallery.items["id"], gallery.items["caption"], strict=True))
    pictures, captions, marks = [], [], []
    for name, ids in lists.items():
        blank = columns - 1 - len(ids)
        pictures += [text_card(name, size), *map(gallery.picture, ids)]
        pictures += [text_card("", size)] * blank
        captions += ["", *(caption_of[id] for id in ids), *[""] * blank]
        marks += [False, *(id in marked for id in ids), *[False] * blank]
    page = picture_sheet(pictures, captions, columns, size, marked=marks).image
    return Sheet(page, f"{len(lists)} lists of results: {'; '.join(lists)}")


def language_bars(table: pd.DataFrame) -> go.Figure:
    """Draw the hit rate per language of the query, the best on top, each bar with its interval.

    English, with which one compares, has another colour.

    Args:
        table: one row per language, as from `evaluation.by_language`: language, k (one value),
            hit_rate, low, high, chance, queries.
    """
    table = table.sort_values("hit_rate", kind="stable")
    plain, other = COLOURS["text to image"], COLOURS["image to text"]
    colours = [other if name == "en" else plain for name in table["language"]]
    figure = go.Figure()
    figure.add_bar(
        x=numbers(table["hit_rate"]),
        y=[escape(name) for name in table["language"]],
        orientation="h",
        error_x={**whiskers(table, "hit_rate", digits=4), "color": COLOURS["chance"]},
        marker={"color": colours, "line": {"width": 0}},
        hovertext=[f"{queries:,} queries" for queries in table["queries"]],
        showlegend=False,
    )
    chance = round(float(table["chance"].mean()), 4)
    figure.add_vline(chance, line={"dash": "dash", "color": COLOURS["chance"]})
    figure.update_layout(bargap=0.3)
    figure.update_yaxes(dtick=1)
    x = f"hit rate@{table['k'].iloc[0]} of captions in that language (dashed: chance)"
    figure = dressed(figure, x, "language of the query", height=130 + 18 * len(table))
    furthest = round(1.05 * float(table["high"].max()), 3)
    return figure.update_xaxes(tickformat=".0%", range=[0, furthest])


def text_heaviness(table: pd.DataFrame) -> go.Figure:
    """Draw how text scores are distributed in each group, as shares that add up to 1.

    Args:
        table: columns score (in [0, 1]) and group; one row per picture.
    """
    edges = np.linspace(0, 1, 11)
    ends = np.round(100 * edges).astype(int)
    names = [f"{low} to {high}" for low, high in zip(ends[:-1], ends[1:], strict=True)]
    figure = go.Figure()
    for number, (name, rows) in enumerate(table.groupby("group", sort=False)):
        counts, _ = np.histogram(rows["score"], edges)
        figure.add_bar(
            x=names,
            y=numbers(counts / len(rows), 4),
            name=f"{escape(str(name))} (mean {rows['score'].mean():.0%})",
            marker={"color": colour_of(name, number), "line": {"width": 0}},
        )
    figure.update_layout(barmode="group", bargap=0.2, bargroupgap=0.05)
    figure = dressed(figure, "text score of the picture (percent)", "share of the group")
    figure.update_xaxes(tickangle=0)
    return figure.update_yaxes(tickformat=".0%")


def _dots(table: pd.DataFrame, measures: Sequence[str] | None, value: str) -> go.Figure:
    """Return a panel per measure with a dot per system and direction, systems from the top."""
    tables, systems = by_measure(table, measures), list(table["system"].unique())
    figure = panels(len(tables), spacing=0.06)
    directions = list(table["direction"].unique())
    scale = 100 if value == "difference" else 1
    for column, (_, rows) in enumerate(tables, 1):
        for number, direction in enumerate(directions):
            own = rows[rows["direction"] == direction]
            middle = (len(directions) - 1) / 2
            colour = colour_of(direction, number)
            hollow = value == "difference"
            fill = [
                "white" if hollow and low <= 0 <= high else colour
                for low, high in zip(own["low"], own["high"], strict=True)
            ]
            figure.add_scatter(
                x=numbers(scale * own[value], 3),
                y=[systems.index(name) + LIFT * (number - middle) for name in own["system"]],
                error_x={**whiskers(own, value, scale=scale, digits=4), "color": colour},
                mode="markers",
                name=escape(str(direction)),
                legendgroup=str(direction),
                showlegend=column == 1,
                marker={"size": 9, "color": fill, "line": {"color": colour, "width": 2}},
                row=1,
                col=column,
            )
    name_rows(figure, systems, range=[len(systems) - 0.5, -0.5], showgrid=False)
    return dressed(figure, height=140 + ROW * max(2, len(systems)))


def by_measure(
    table: pd.DataFrame, measures: Sequence[str] | None
) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows of each of these measures, or of all, with its name."""
    there = list(table["measure"].unique())
    missing = [name for name in measures or [] if name not in there]
    if missing:
        raise ValueError(f"the table has no {missing[0]!r}; choose from {', '.join(there)}")
    return [(name, table[table["measure"] == name]) for name in measures or there]
