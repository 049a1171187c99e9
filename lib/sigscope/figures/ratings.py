"""Rating figures: scores beside what was put in, agreement against slips, sureness against queries.

Tables from `ratings.scores` go in; Plotly figures in the one theme come out. Nothing is shown here.
Every figure takes a title, as it must say whether people or a simulation gave the ratings. Every
error bar and band is the 95 % interval of the table.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sigscope.figures.evaluation import by_measure
from sigscope.figures.theme import (
    GREY,
    PALETTE,
    dressed,
    line_of,
    name_rows,
    numbers,
    panels,
    whiskers,
)

ROW = 34  # pixels that a row of dots takes
LIFT = 0.2  # of a row, between what was put in and what was scored
LINES = {0.8: "0.8: rely on it", 0.667: "0.667: at least"}  # Krippendorff 2004, p. 241
RATED, PUT_IN = PALETTE["blue"], PALETTE["vermilion"]


def score_dots(
    table: pd.DataFrame, measures: Sequence[str], *, title: str, truth: pd.DataFrame | None = None
) -> go.Figure:
    """Draw what each system reaches, a panel per measure, a dot with its interval per system.

    Args:
        table: from `mean_scores`: system, measure, value, low, high. The systems stand
            from top to bottom in their order of appearance.
        measures: which, from left to right.
        title: of the figure; whose ratings these are.
        truth: what a simulation was made with, as such a table; hollow diamonds above the dots.
    """
    figure = panels(len(measures), spacing=0.03)
    systems = list(table["system"].unique())
    put_in = [] if truth is None else by_measure(truth, measures)
    for column, (measure, rows) in enumerate(by_measure(table, measures), 1):
        reach = {**whiskers(rows, "value"), "color": RATED}
        scored = {"name": "scored from ratings, with 95 % interval", "error_x": reach}
        _add_dots(figure, column, rows, systems, {"color": RATED, "size": 9}, **scored)
        if put_in:
            hollow = {"color": PUT_IN, "size": 9, "symbol": "diamond-open", "line": {"width": 2}}
            named = {"name": "truth put into the simulation", "lift": LIFT}
            _add_dots(figure, column, put_in[column - 1][1], systems, hollow, **named)
        figure.update_xaxes(
            title_text=f"{escape(measure)}, mean of queries",
            range=[-0.03, 1.03],
            dtick=0.25,
            col=column,
        )
    name_rows(figure, systems, range=[len(systems) - 0.5, -0.6], showgrid=False)
    return _titled(figure, title, height=190 + ROW * len(systems))


def agreement_curve(table: pd.DataFrame, *, title: str) -> go.Figure:
    """Draw how agreement falls as raters slip: alpha with its interval, and plain equality.

    Args:
        table: one row per slip rate: slip, alpha, low, high, same (the share of pairs of grades
            that are equal); shares in [0, 1].
        title: of the figure; whose ratings these are.
    """
    figure = go.Figure()
    slip = numbers(table["slip"])
    figure.add_scatter(
        x=np.concatenate([slip, slip[::-1]]),
        y=np.concatenate([numbers(table["low"]), numbers(table["high"])[::-1]]),
        fill="toself",
        fillcolor=RATED,
        opacity=0.2,
        line={"width": 0},
        mode="lines",
        name="95 % interval of alpha",
        hoverinfo="skip",
    )
    for name, column, colour, dash in (
        ("Krippendorff's alpha", "alpha", RATED, "solid"),
        ("share of pairs with equal grades", "same", PUT_IN, "dot"),
    ):
        line = {"color": colour, "dash": dash}
        y = numbers(table[column])
        figure.add_scatter(x=slip, y=y, name=name, mode="lines+markers", line=line)
    for height, words in LINES.items():
        figure.add_hline(height, line={"color": GREY, "width": 1, "dash": "dash"})
        figure.add_annotation(
            {"text": words, "font": {"size": 11, "color": GREY}, "showarrow": False},
            xref="paper", x=1, xanchor="right", y=height, yanchor="bottom",
        )  # fmt: skip
    figure.update_xaxes(title_text="how often a rater slips", tickformat=".0%")
    figure.update_yaxes(title_text="agreement", range=[0, 1.03])
    return _titled(figure, title, height=430)


def interval_curves(table: pd.DataFrame, *, title: str) -> go.Figure:
    """Draw how far from the score its interval reaches, against how many queries there are.

    Args:
        table: queries, reach (half the interval's width, percentage points) and group, a line each;
            one whose name begins with "chance" or "rule" is black and dashed.
        title: of the figure; whose ratings these are.
    """
    figure = go.Figure()
    for number, (name, rows) in enumerate(table.groupby("group", sort=False)):
        line = line_of(name, number)
        figure.add_scatter(
            x=rows["queries"].to_numpy(),
            y=numbers(rows["reach"], 2),
            name=escape(str(name)),
            mode="lines" if line["dash"] == "dash" else "lines+markers",
            line=line,
        )
    ticks = sorted(set(table["queries"]))
    figure.update_xaxes(title_text="queries rated", type="log", tickvals=ticks)
    figure.update_yaxes(title_text="interval: ± percentage points", rangemode="tozero")
    return _titled(figure, title, height=430)


def _add_dots(
    figure: go.Figure,
    column: int,
    rows: pd.DataFrame,
    systems: list[str],
    marker: dict,
    *,
    lift: float = 0,
    **named: object,
) -> None:
    figure.add_scatter(
        x=numbers(rows["value"]),
        y=[systems.index(system) - lift for system in rows["system"]],
        mode="markers",
        marker=marker,
        showlegend=column == 1,
        row=1,
        col=column,
        **named,
    )


def _titled(figure: go.Figure, title: str, height: int) -> go.Figure:
    """Return figure with its title above the legend and the template of all figures."""
    where = {"x": 0.01, "xanchor": "left", "y": 0.98, "yanchor": "top", "font": {"size": 15}}
    margin = {"l": 60, "r": 20, "t": 80, "b": 55}
    heading = {"text": escape(title), **where}
    return dressed(figure, height=height).update_layout(title=heading, margin=margin)
