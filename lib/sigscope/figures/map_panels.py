"""Map panels: several maps side by side in one figure that is light enough to be kept.

Ids and captions on hover, which are most of a map's bytes, are left out. The key to the colours is
written below each panel, or once below all of them where they share it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go

from sigscope.figures.maps import NOTE
from sigscope.figures.theme import TEMPLATE

WIDTH, BETWEEN = 744, 16  # pixels of the figure without its margins, and between panels
LETTER, LINE = 7.5, 17  # pixels of a key
TITLE, BELOW = 30, 12  # pixels above a panel, and below its key
SMALLER = 0.6  # points in a panel that is not as wide as the figure
LARGEST = 9  # of points; rings and stars are larger and stay so
SIGNS = {"circle": "●", "diamond": "◆", "star": "★", "circle-open": "○"}


@dataclass(frozen=True)
class _Box:
    """Where a panel lies, in pixels from the upper left corner, and how high its row is."""

    left: float
    top: float
    width: float
    height: float


def map_panels(
    panels: Mapping[str, go.Figure], *, columns: int = 2, height: int = 300, large: int = 0
) -> go.Figure:
    """Return maps in the plane side by side, each below its title.

    Args:
        panels: a title and a figure from ``map_figure`` each, perhaps with layers. They are left
            as they are.
        columns: panels in a row.
        height: of a panel in pixels, without its title and key.
        large: the height of the last panel, which then has a row of its own; 0 for one like all.

    Raises:
        ValueError: There is no panel, or one is a map in a room.
    """
    figures = list(panels.values())
    if not figures or any(isinstance(t, go.Scatter3d) for f in figures for t in f.data):
        raise ValueError("panels are one or more maps in the plane; make them with dims=2")
    keys = [list(_key(figure)) for figure in figures]
    shared = len(figures) > 1 and all(key == keys[0] for key in keys)
    rows = _rows(len(figures), columns, bool(large))
    page, top, number = go.Figure(), 0.0, 0
    boxes, texts = [], []
    for row in rows:
        width = (WIDTH - BETWEEN * (len(row) - 1)) / len(row)
        high = large if large and row == rows[-1] else height
        lines = 0
        for place, number in enumerate(row):
            text = "" if shared else _wrapped(keys[number], width)
            lines = max(lines, text.count("<br>") + bool(text))
            boxes.append(_Box(place * (width + BETWEEN), top + TITLE, width, high))
            texts.append(text)
        top += TITLE + high + LINE * lines + BELOW
    foot = _wrapped(keys[0], WIDTH) if shared else ""
    inner = top
    total = inner + LINE * (foot.count("<br>") + bool(foot)) + 24
    _dress(page, figures[0], inner, total)
    for number, (title, figure) in enumerate(panels.items(), 1):
        box = boxes[number - 1]
        _lay(page, figure, number, box, inner)
        middle = box.left + box.width / 2
        _write(page, escape(title), middle, box.top - 24, inner, size=14, anchor="center")
        if texts[number - 1]:
            _write(page, texts[number - 1], box.left, box.top + box.height + 4, inner)
    if foot:
        _write(page, foot, 0, inner, inner)
    return _write(page, escape(NOTE), 0, total - 20, inner, size=11)


def _rows(n: int, columns: int, large: bool) -> list[list[int]]:
    """Return the numbers of the panels in each row."""
    small = n - large
    rows = [list(range(i, min(i + columns, small))) for i in range(0, small, columns)]
    return rows + ([[small]] if large else [])


def _lay(page: go.Figure, figure: go.Figure, number: int, box: _Box, inner: float) -> None:
    """Lay the traces, labels and pictures of a figure into one panel."""
    x, y = f"x{number}", f"y{number}"
    axes = {"visible": False, "showgrid": False, "zeroline": False}
    low = 1 - (box.top + box.height) / inner
    page.layout[f"xaxis{number}"] = {
        **axes,
        "domain": [box.left / WIDTH, min((box.left + box.width) / WIDTH, 1)],
        "anchor": y,
    }
    page.layout[f"yaxis{number}"] = {
        **axes,
        "domain": [max(low, 0), 1 - box.top / inner],
        "anchor": x,
        "scaleanchor": x,
        "scaleratio": 1,
    }
    bare = {"customdata": None, "hovertext": None, "hoverinfo": "skip", "showlegend": False}
    for trace in figure.data:
        copy = type(trace)(trace.to_plotly_json() | bare | {"xaxis": x, "yaxis": y})
        copy.marker.showscale = False if copy.marker.colorscale else None
        if (copy.marker.size or 99) <= LARGEST and box.width < WIDTH:
            copy.marker.size = round(SMALLER * copy.marker.size, 1)
        page.add_trace(copy)
    for label in figure.layout.annotations:
        if label.xref != "paper":
            page.add_annotation(label.to_plotly_json() | {"xref": x, "yref": y})
    for picture in figure.layout.images:
        page.add_layout_image(picture.to_plotly_json() | {"xref": x, "yref": y})


def _key(figure: go.Figure) -> Iterator[tuple[str, str, str]]:
    """Yield sign, colour and name of all that the legend or the colour bar of a map lists."""
    for trace in figure.data:
        marker = trace.marker
        if marker.colorscale:
            low, high = f"{marker.cmin:.2g}", f"{marker.cmax:.2g}"
            names = [f"{trace.name} {low}", *[""] * (len(marker.colorscale) - 2), high]
            for (_, colour), name in zip(marker.colorscale, names, strict=True):
                yield "●", colour, name
        elif trace.showlegend is not False:
            drawn = trace.mode == "markers"
            sign = SIGNS.get(marker.symbol or "circle", "●") if drawn else "—"
            yield sign, marker.color if drawn else trace.line.color, trace.name


def _wrapped(key: Sequence[tuple[str, str, str]], width: float) -> str:
    """Return a key as HTML, in lines that are as wide as names allow."""
    lines: list[list[str]] = [[]]
    used = 0.0
    for sign, colour, name in key:
        size = LETTER * (len(name) + 4)
        if lines[-1] and used + size > width:
            lines, used = [*lines, []], 0.0
        used += size
        lines[-1].append(f'<span style="color:{colour}">{sign}</span> {name}')
    return "<br>".join("  ".join(line) for line in lines)


def _write(
    page: go.Figure,
    text: str,
    left: float,
    top: float,
    inner: float,
    *,
    size: int = 12,
    anchor: str = "left",
) -> go.Figure:
    """Write text whose upper edge is so many pixels below the page's upper edge."""
    return page.add_annotation(
        text=text,
        x=left / WIDTH,
        y=1,
        yshift=-top,
        xref="paper",
        yref="paper",
        xanchor=anchor,
        yanchor="top",
        align="left",
        showarrow=False,
        font={"size": size},
    )


def _dress(page: go.Figure, first: go.Figure, inner: float, total: float) -> None:
    """Give the page the colours of its first panel."""
    layout = first.layout
    page.layout.template = TEMPLATE
    page.update_layout(
        height=round(total + 8),
        margin={"l": 8, "r": 8, "t": 8, "b": round(total - inner)},
        paper_bgcolor=layout.paper_bgcolor,
        plot_bgcolor=layout.plot_bgcolor,
        font=layout.font,
        dragmode="pan",
    )
