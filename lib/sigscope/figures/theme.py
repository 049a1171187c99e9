"""The theme: one colour-blind-safe set of colours, and the dress that every figure wears."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

PALETTE = {  # Okabe & Ito 2008, "Color Universal Design", the darker half first
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}
GREY = "#767676"
COLOURS = {  # one thing, one colour, in every figure of the repository
    "train": PALETTE["blue"],
    "val": PALETTE["sky"],
    "test": PALETTE["orange"],
    "drawing": PALETTE["green"],
    "photo": PALETTE["purple"],
    "text to image": PALETTE["blue"],
    "image to text": PALETTE["vermilion"],
    "picture": PALETTE["blue"],
    "caption": PALETTE["orange"],
    "own caption": PALETTE["green"],
    "random caption": GREY,
    "sigmoid": PALETTE["purple"],
    "softmax": PALETTE["green"],
    "chance": PALETTE["black"],
}
SCALE = [[0, "#FFFFFF"], [1, PALETTE["blue"]]]  # from little to much
DECADES = 3  # of a logarithmic axis, up to which there is room for more ticks than powers of ten

_AXIS = {
    "gridcolor": "#E4E4E4",
    "linecolor": "#8A8A8A",
    "showline": True,
    "ticks": "outside",
    "tickcolor": "#8A8A8A",
    "zeroline": False,
    "automargin": True,
    "title": {"standoff": 12},
}
TEMPLATE = {
    "layout": {
        "font": {"family": "Helvetica, Arial, sans-serif", "size": 13, "color": "#222222"},
        "colorway": list(PALETTE.values()),
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "margin": {"l": 60, "r": 20, "t": 50, "b": 55},
        "hoverlabel": {"align": "left"},
    }
}


def colour_of(name: object, number: int = 0) -> str:
    """Return the colour of a thing that has one, or else the number-th of the palette."""
    return COLOURS.get(str(name)) or list(PALETTE.values())[number % len(PALETTE)]


@dataclass(frozen=True)
class Theme:
    """The colours of a map by day or by night.

    Attributes:
        background, ink: of the page and its text.
        faint: points that are there but not meant.
        colours: for groups, told apart by colour-blind eyes, on this background.
        scale: from little to much.
        veil: behind a label, see-through.
    """

    background: str
    ink: str
    faint: str
    colours: tuple[str, ...]
    scale: tuple[str, ...]
    veil: str


_SHARED = [PALETTE[name] for name in ("blue", "orange", "green", "vermilion", "purple", "sky")]
THEMES = {
    "light": Theme(
        "#FFFFFF",
        "#222222",
        "#C4C7CC",
        (*_SHARED, PALETTE["black"]),
        ("#DCE3E8", PALETTE["sky"], PALETTE["blue"], "#00243B"),
        "rgba(255,255,255,.78)",
    ),
    "dark": Theme(
        "#0E1117",
        "#E8EAED",
        "#4A505B",
        (*_SHARED, PALETTE["yellow"]),
        ("#2C3440", PALETTE["blue"], PALETTE["sky"], "#FFF6A0"),
        "rgba(14,17,23,.72)",
    ),
}


def line_of(name: object, number: int) -> dict:
    """Return the line of a group: black and dashed where it is called chance or a rule."""
    plain = str(name).startswith(("chance", "rule"))
    colour = COLOURS["chance"] if plain else colour_of(name, number)
    return {"color": colour, "dash": "dash" if plain else "solid"}


def numbers(values: Sequence[float] | pd.Series | np.ndarray, digits: int = 3) -> np.ndarray:
    """Return values as float32, rounded first, so that the same table gives the same bytes."""
    return np.round(np.asarray(values, dtype=np.float64), digits).astype(np.float32)


def log_ticks(values: Sequence[float] | pd.Series) -> dict:
    """Return the ticks of a logarithmic axis: powers of ten, and 2 and 5 between where they fit."""
    ends = [value for value in values if value > 0] or [1]
    low, high = (int(end) for end in np.log10([min(ends), max(ends)]) // 1)
    digits = (1, 2, 5) if high - low < DECADES else (1,)
    ticks = [digit * 10.0**power for power in range(low, high + 2) for digit in digits]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}


def whiskers(rows: pd.DataFrame, value: str, *, scale: float = 1, digits: int = 3) -> dict:
    """Return the error bars of a column from the columns low and high, scaled like it."""
    up, down = rows["high"] - rows[value], rows[value] - rows["low"]
    reach = {"array": numbers(scale * up, digits), "arrayminus": numbers(scale * down, digits)}
    return reach | {"thickness": 1.5, "type": "data", "symmetric": False}


def panels(columns: int, *, spacing: float) -> go.Figure:
    """Return an empty figure of panels side by side that share what their rows are."""
    figure = make_subplots(cols=columns, shared_yaxes=True, horizontal_spacing=spacing)
    return figure.for_each_xaxis(lambda axis: axis.update(domain=np.round(axis.domain, 4).tolist()))


def name_rows(figure: go.Figure, names: Sequence[object], **more: object) -> go.Figure:
    """Write names at the heights 0, 1, 2 ... of a figure; more goes to its y axes."""
    texts = [escape(str(name)) for name in names]
    return figure.update_yaxes(tickvals=list(range(len(names))), ticktext=texts, **more)


def dressed(
    figure: go.Figure, x: str | None = None, y: str | None = None, *, height: int = 380
) -> go.Figure:
    """Return figure with its axes named and the template of all figures."""
    figure.layout.template = TEMPLATE  # update_layout would merge it into Plotly's own 7 KB
    figure.update_layout(height=height)
    if x is not None:
        figure.update_xaxes(title_text=x)
    return figure if y is None else figure.update_yaxes(title_text=y)
