"""Map panels: several maps side by side in one figure that is light enough to be kept.

Ids and captions on hover, which are most of a map's bytes, are left out. The key to the colours is
written below each panel, or once below all of them where they share it.
"""

from collections.abc import Iterator, Mapping
from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sigscope.map_figures import NOTE
from sigscope.palette import TEMPLATE

LETTER, LINE = 7, 17  # pixels of a key
TOP, FOOT = 32, 26  # pixels above the panels and below their keys
SIGNS = {"circle": "●", "diamond": "◆", "star": "★", "circle-open": "○"}
WIDTH = 760


def map_panels(
    panels: Mapping[str, go.Figure], *, columns: int = 2, height: int = 300
) -> go.Figure:
    """Return maps in the plane side by side, each below its title.

    Args:
        panels: a title and a figure from ``map_figure`` each, perhaps with layers. They are left
            as they are.
        columns: panels in a row.
        height: of a panel in pixels, without its title and key.

    Raises:
        ValueError: There is no panel, or one is a map in a room.
    """
    if not panels or any(isinstance(t, go.Scatter3d) for f in panels.values() for t in f.data):
        raise ValueError("panels are one or more maps in the plane; make them with dims=2")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    keys = [list(_key(figure)) for figure in panels.values()]
    shared = len(keys) > 1 and all(key == keys[0] for key in keys)
    letters = WIDTH // LETTER // (1 if shared else columns)
    texts = [_wrapped(key, letters) for key in (keys[:1] if shared else keys)]
    lines = max(text.count("<br>") + 1 for text in texts)
    gap = TOP + (0 if shared else LINE * lines + 8)
    inner = rows * height + (rows - 1) * gap
    below = FOOT + LINE * lines + 8
    page = make_subplots(
        rows,
        columns,
        subplot_titles=[escape(title) for title in panels],
        horizontal_spacing=0.02,
        vertical_spacing=gap / inner if rows > 1 else 0,
    )
    for number, figure in enumerate(panels.values()):
        _lay(page, figure, number // columns + 1, number % columns + 1)
    _dress(page, next(iter(panels.values())), inner, below)
    for number, text in enumerate(texts):
        axis = f"{number + 1 if number else ''}"
        left, low = (0, 0) if shared else _corner(page, axis)
        _write(page, text, left, low, -4)
    return _write(page, escape(NOTE), 0, 0, -(LINE * lines + 10), size=11)


def _lay(page: go.Figure, figure: go.Figure, row: int, column: int) -> None:
    """Lay the traces, labels and pictures of a figure into one panel."""
    for trace in figure.data:
        bare = {"customdata": None, "hovertext": None, "hoverinfo": "skip", "showlegend": False}
        copy = type(trace)(trace.to_plotly_json() | bare)
        copy.marker.showscale = False if copy.marker.colorscale else None
        page.add_trace(copy, row, column)
    for label in figure.layout.annotations:
        if label.xref != "paper":
            page.add_annotation(label, row=row, col=column)
    for picture in figure.layout.images:
        page.add_layout_image(picture, row=row, col=column)


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


def _wrapped(key: list[tuple[str, str, str]], letters: int) -> str:
    """Return a key as HTML, in lines of at most so many letters where names allow it."""
    lines, used = [[]], 0
    for sign, colour, name in key:
        size = len(name) + 4
        if lines[-1] and used + size > letters:
            lines, used = [*lines, []], 0
        used += size
        lines[-1].append(f'<span style="color:{colour}">{sign}</span> {name}')
    return "<br>".join("  ".join(line) for line in lines)


def _corner(page: go.Figure, axis: str) -> tuple[float, float]:
    """Return the lower left corner of a panel, as shares of the figure's inner size."""
    return page.layout[f"xaxis{axis}"].domain[0], page.layout[f"yaxis{axis}"].domain[0]


def _write(
    page: go.Figure, text: str, x: float, y: float, shift: int, *, size: int = 12
) -> go.Figure:
    return page.add_annotation(
        text=text,
        x=x,
        y=y,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="top",
        align="left",
        yshift=shift,
        showarrow=False,
        font={"size": size},
    )


def _dress(page: go.Figure, first: go.Figure, inner: int, below: int) -> None:
    """Give the page the colours of its first panel, and no axes."""
    layout = first.layout
    page.layout.template = TEMPLATE
    page.update_layout(
        height=inner + TOP + below,
        margin={"l": 8, "r": 8, "t": TOP, "b": below},
        paper_bgcolor=layout.paper_bgcolor,
        plot_bgcolor=layout.plot_bgcolor,
        font=layout.font,
        dragmode="pan",
    )
    page.update_annotations(selector={"xref": "paper"}, font={"size": 14})
    page.update_xaxes(visible=False)
    page.update_yaxes(visible=False)
    for axis in page.select_yaxes():
        axis.update(scaleanchor=axis.anchor, scaleratio=1)
