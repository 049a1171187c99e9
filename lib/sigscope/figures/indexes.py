"""Index figures: what indexes give up for speed, how they grow, and how near made data is to real.

Tables from `ann` and `protocols.lost_neighbours` go in, Plotly figures in the one theme come out.
An index has one style in every figure: the colour of its family, an open mark and a dashed line if
it re-ranks, a dotted line if it is built for L2. `index_drawings` shows what it does inside.
"""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sigscope.ann.measure import pareto
from sigscope.figures.theme import GREY, PALETTE, dressed, log_ticks, name_rows, numbers

FOUND = "share of exact neighbours found"
FAMILIES = {  # the start of a name, its colour and its mark; the first that fits counts
    "flat": (PALETTE["black"], "square"),
    "numpy": (GREY, "square"),
    "knn": (GREY, "cross"),
    "autofaiss": (PALETTE["black"], "star"),
    "ivf-pq-fast": (PALETTE["orange"], "diamond"),
    "ivf-rabitq": (PALETTE["purple"], "diamond"),
    "ivf-sq8": (PALETTE["sky"], "diamond"),
    "ivfpq": (PALETTE["green"], "circle"),
    "opq": (PALETTE["green"], "diamond"),
    "ivf": (PALETTE["blue"], "circle"),
    "hnsw": (PALETTE["vermilion"], "circle"),
    "pq-fast": (PALETTE["orange"], "circle"),
    "rabitq": (PALETTE["purple"], "circle"),
    "sq8": (PALETTE["sky"], "circle"),
    "fp16": (PALETTE["sky"], "square"),
}
RANK_COLOURS = [PALETTE[name] for name in ("blue", "green", "vermilion", "purple", "orange")]
LEGEND_COLUMNS, LEGEND_ROW = 3, 21  # entries beside each other in a legend, pixels of a row


def _style_of(index: str) -> dict:
    """Return the line and the marker of an index, the same in every figure."""
    name = index.lower()
    known = (look for start, look in FAMILIES.items() if name.startswith(start))
    colour, symbol = next(known, (PALETTE["yellow"], "circle"))
    again = name.endswith(("+rerank", "+disk"))
    dash = "longdashdot" if name.endswith("+disk") else "dash" if again else "solid"
    dash = "dot" if "-l2" in name else dash
    mark = {"symbol": symbol + "-open" * again, "color": colour, "size": 7}
    return {"line": {"color": colour, "dash": dash, "width": 1.7}, "marker": mark}


def recall_against_time(table: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Draw recall against the time of one query, one line per index, a panel per kind of query.

    Up and to the left is better. The broad grey line is the front: settings that no other setting
    beats in both.

    Args:
        table: from ``ann.as_table``: index, effort, kind, k, neighbour_recall, ms_median, note.
        title: what was searched, in a few words; "" for none.
    """
    table = _measured(table)
    kinds = list(dict.fromkeys(table["kind"]))
    k = _only(table, "k")
    figure = _panels([f"{kind} queries, k = {k}" for kind in kinds])
    for column, kind in enumerate(kinds, 1):
        rows = table[table["kind"] == kind]
        front = pareto(rows).query("front").sort_values("ms_median")
        figure.add_scatter(
            x=numbers(front["ms_median"], 4),
            y=numbers(front["neighbour_recall"], 4),
            mode="lines",
            name="front",
            line={"color": "#C9C9C9", "width": 9, "shape": "hv"},
            hoverinfo="skip",
            **_grouped("front", column),
        )
        for name, runs in rows.groupby("index", sort=False):
            _add_index(figure, name, runs, "ms_median", "neighbour_recall", column)
    least = np.floor(10 * min(table["neighbour_recall"].min(), 0.9)) / 10
    figure.update_xaxes(title_text="median time of a query (ms)", **log_ticks(table["ms_median"]))
    figure.update_yaxes(tickformat=".0%", range=[least - 0.03, 1.03])
    figure.update_yaxes(title_text=FOUND, col=1)
    return _with_legend(figure, len(set(table["index"])) + 1, title)


def growth(
    table: pd.DataFrame, *, kind: str = "text", recall: float = 0.9, title: str = ""
) -> go.Figure:
    """Draw build time, bytes per vector and query time against n, all axes logarithmic.

    Args:
        table: from ``ann.as_table``, of several n.
        kind: of the queries whose time is drawn.
        recall: the time is of the quickest setting that finds this share of exact neighbours; an
            index that has none at an n has no mark there.
        title: what was searched, in a few words; "" for none.
    """
    table = _measured(table[table["kind"] == kind])
    names = {
        "build_s": "time to build (s)",
        "bytes_per_vector": "bytes per vector",
        "ms_median": f"ms for a {kind} query<br>at {recall:.0%} of neighbours",
    }
    enough = table[table["neighbour_recall"] >= recall]
    figure = _panels(list(names.values()), spacing=0.09)
    for column, what in enumerate(names, 1):
        rows = (enough if what == "ms_median" else table).groupby(["index", "n"], sort=False)[what]
        least = rows.min().reset_index().sort_values("n")
        for name, runs in least.groupby("index", sort=False):
            _add_index(figure, name, runs, "n", what, column)
        figure.update_yaxes(**log_ticks(rows.min()), col=column)
    figure.update_xaxes(type="log", dtick=1, tickformat="~s", title_text="vectors, n")
    return _with_legend(figure, len(set(table["index"])), title)


def relevance_against_recall(
    table: pd.DataFrame, *, measures: Mapping[str, str] | None = None, title: str = ""
) -> go.Figure:
    """Draw what people would want against what exact search finds, a panel per measure.

    Were lost neighbours to matter as much as they count, lines would fall to the left as steeply
    as the dotted one. The grey band is the interval of exact search.

    Args:
        table: from ``protocols.relevance_of``: index, effort, neighbour_recall, k, a column per
            measure and its interval as measure_low and measure_high, note.
        measures: the columns to draw and what to call them; hit rate and NDCG if None.
        title: of which queries, in a few words; "" for none.
    """
    table = _measured(table)
    k = _only(table, "k")
    measures = measures or {"hit_rate": f"hit rate@{k}", "ndcg": f"NDCG@{k}"}
    figure = _panels(list(measures.values()), spacing=0.12)
    for column, measure in enumerate(measures, 1):
        exact = table.loc[table["neighbour_recall"].idxmax()]
        top = float(exact[measure])
        _add_band(figure, exact[f"{measure}_low"], exact[f"{measure}_high"], column)
        figure.add_scatter(
            x=[0, 1],
            y=numbers([0, top], 4),
            mode="lines",
            name="lost in step",
            line={"color": PALETTE["black"], "dash": "dot", "width": 1},
            hoverinfo="skip",
            **_grouped("lost in step", column),
        )
        for name, runs in table.groupby("index", sort=False):
            _add_index(figure, name, runs, "neighbour_recall", measure, column)
    figure.update_xaxes(title_text=FOUND, tickformat=".0%", range=[-0.03, 1.03])
    figure.update_yaxes(rangemode="tozero", tickformat=".0%")
    return _with_legend(figure, len(set(table["index"])) + 1, title)


def fitted_against_real(table: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Draw how near the neighbours are against n, real and made, a panel per kind of query.

    Args:
        table: from ``ann.by_size``, concatenated: vectors, query, n, rank, cosine, low,
            high. The first name in vectors is drawn solid, the others dashed and dotted.
        title: of which model, in a few words; "" for none.
    """
    kinds, names = (list(dict.fromkeys(table[column])) for column in ("query", "vectors"))
    ranks = sorted(set(table["rank"]))
    figure = _panels([f"{kind} queries" for kind in kinds])
    styles = [("solid", "circle"), ("dash", "circle-open"), ("dot", "x-thin-open")]
    for (query, vectors, rank), rows in table.groupby(["query", "vectors", "rank"], sort=False):
        colour = RANK_COLOURS[ranks.index(rank) % len(RANK_COLOURS)]
        dash, symbol = styles[min(names.index(vectors), 2)]
        name = f"{escape(vectors)}, rank {rank}"
        column = kinds.index(query) + 1
        figure.add_scatter(
            x=rows["n"].to_numpy(),
            y=numbers(rows["cosine"], 4),
            name=name,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 1.7},
            marker={"color": colour, "symbol": symbol, "size": 7},
            **_grouped(name, column),
        )
    figure.update_xaxes(type="log", dtick=1, tickformat="~s", title_text="pictures searched, n")
    figure.update_yaxes(title_text="median cosine of the neighbour", col=1)
    return _with_legend(figure, len(names) * len(ranks), title)


def statistics_beside(table: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Draw each statistic of made vectors as a multiple of that of real ones.

    Args:
        table: from ``difficulty.compare``: query, statistic, made / real. With a column
            vectors, a mark for each name in it.
        title: of which model, in a few words; "" for none.
    """
    table = table.assign(vectors=table.get("vectors", "fitted"))
    prefixes = table["query"].map(lambda query: f"{query}: " if query else "")
    labels = (prefixes + table["statistic"]).tolist()
    order = list(dict.fromkeys(labels))[::-1]
    figure = go.Figure()
    for number, (name, rows) in enumerate(
        table.assign(label=labels).groupby("vectors", sort=False)
    ):
        colour = list(PALETTE.values())[number]
        figure.add_scatter(
            x=numbers(rows["made / real"]),
            y=[order.index(label) for label in rows["label"]],
            mode="markers",
            name=escape(str(name)),
            marker={"color": colour, "size": 10, "symbol": ["circle", "diamond-open"][number % 2]},
        )
    figure.add_vline(1, line={"dash": "dash", "color": PALETTE["black"], "width": 1})
    figure.add_vrect(0.8, 1.25, fillcolor="#EEEEEE", line_width=0, layer="below")
    name_rows(figure, order)
    ticks = [0.1, 0.25, 0.5, 0.8, 1, 1.25, 2, 4, 10]
    words = "made / real (grey: within a quarter)"
    reach = max(0.32, float(np.abs(np.log10(table["made / real"])).max()) + 0.05)
    figure.update_xaxes(type="log", tickvals=ticks, title_text=words, range=[-reach, reach])
    dressed(figure, height=130 + 22 * len(order))
    heading = {"text": escape(title), "x": 0, "xref": "paper", "font": {"size": 15}}
    return figure.update_layout(showlegend=table["vectors"].nunique() > 1, title=heading)


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that hold numbers; the others say in note why they do not."""
    kept = table[table["neighbour_recall"].notna()]
    if kept.empty:
        raise ValueError("the table has no row with a recall; its notes say why")
    return kept


def _add_index(
    figure: go.Figure, name: str, runs: pd.DataFrame, x: str, y: str, column: int
) -> None:
    runs = runs.sort_values("effort" if "effort" in runs else x)  # along the knob
    figure.add_scatter(
        x=numbers(runs[x], 5),
        y=numbers(runs[y], 5),
        name=escape(str(name)),
        mode="lines+markers",
        hovertext=[f"effort {effort}" for effort in runs["effort"]] if "effort" in runs else None,
        **_style_of(str(name)),
        **_grouped(str(name), column),
    )


def _grouped(name: str, column: int) -> dict:
    """Return what puts a trace in a panel, and its name into the legend once for all panels."""
    return {"legendgroup": name, "showlegend": column == 1, "row": 1, "col": column}


def _add_band(figure: go.Figure, low: float, high: float, column: int) -> None:
    """Fill a panel between two heights."""
    figure.add_scatter(
        x=[0, 1, 1, 0],
        y=numbers([low, low, high, high], 4),
        fill="toself",
        fillcolor="#E4E4E4",
        line={"width": 0},
        mode="lines",
        name="exact, 95 %",
        hoverinfo="skip",
        **_grouped("band", column),
    )


def _panels(titles: Sequence[str], *, spacing: float = 0.08) -> go.Figure:
    return make_subplots(cols=len(titles), subplot_titles=titles, horizontal_spacing=spacing)


def _only(table: pd.DataFrame, column: str) -> int:
    """Return the one value of a column; figures of several k would say nothing of either."""
    values = sorted(set(table[column]))
    if len(values) != 1:
        raise ValueError(f"the table has {column} of {values}; draw one {column} at a time")
    return int(values[0])


def _with_legend(figure: go.Figure, entries: int, title: str) -> go.Figure:
    """Return figure with the template of all figures and its legend below, in even columns."""
    below = LEGEND_ROW * -(-entries // LEGEND_COLUMNS)
    plot, top = 310, 62 if title else 40
    return dressed(figure, height=plot + top + 75 + below).update_layout(
        margin={"t": top, "b": 75 + below},
        title={"text": escape(title), "x": 0, "xref": "paper", "y": 0.98, "font": {"size": 15}},
        legend={
            "y": -70 / plot,
            "tracegroupgap": 0,
            "yanchor": "top",
            "entrywidth": 0.9 / LEGEND_COLUMNS,
            "entrywidthmode": "fraction",
        },
    )
