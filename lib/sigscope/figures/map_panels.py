"""Map panels: several maps side by side in one figure that is light enough to be kept.

Ids and captions on hover, which are most of a map's bytes, are left out. The key to the colours is
written below each panel, or once below all of them where they share it.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sigscope.figures.maps import NOTE
from sigscope.figures.theme import dressed

WIDTH, BETWEEN = 744, 16  # pixels of the figure without its margins, and between panels
LETTER, LINE = 7.5, 17  # pixels of a key
TITLE, BELOW = 30, 12  # pixels above a panel, and below its key
SMALLER = 0.6  # points in a panel that is not as wide as the figure
LARGEST = 9  # of points; rings and stars are larger and stay so
SIGNS = {"circle": "●", "diamond": "◆", "star": "★", "circle-open": "○"}
BARE = {"customdata": None, "hovertext": None, "hoverinfo": "skip", "showlegend": False}


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
    columns = min(columns, len(figures))
    width = WIDTH if shared else (WIDTH - BETWEEN * (columns - 1)) / columns
    texts = [_wrapped(key, width) for key in (keys[:1] if shared else keys)]
    deep = [LINE * (text.count("<br>") + bool(text)) for text in texts]
    last = -1 if large else columns * ((len(figures) - 1) // columns)
    foot = BELOW + (deep[0] if shared else max(deep[last:]))
    page = _grid(list(panels), columns, height, large, 0 if shared else max(deep))
    for number, figure in enumerate(figures, 1):
        alone = columns == 1 or (large and number == len(figures))
        _lay(page, figure, number, 1 if alone else SMALLER)
    for number, text in enumerate(texts, 1):
        _write(page, text, 4, "" if shared else number)
    _write(page, escape(NOTE), foot, size=11)
    layout = figures[0].layout
    return page.update_layout(
        height=page.layout.height + TITLE + foot + 24,
        margin={"l": 8, "r": 8, "t": TITLE, "b": foot + 24},
        paper_bgcolor=layout.paper_bgcolor,
        plot_bgcolor=layout.plot_bgcolor,
        font=layout.font,
        dragmode="pan",
    )


def _grid(titles: list[str], columns: int, height: int, large: int, below: int) -> go.Figure:
    """Return the empty panels, with room for a key below each row, as high as they are in all."""
    small = len(titles) - bool(large)
    heights = [height] * -(-small // columns) + [large] * bool(large)
    cells: list[dict | None] = [{}] * small + [None] * (columns * len(heights) - small)
    if large:
        cells[-columns] = {"colspan": columns}
    between = TITLE + below + BELOW
    inner = sum(heights) + between * (len(heights) - 1)
    page = make_subplots(
        len(heights),
        columns,
        specs=[cells[start : start + columns] for start in range(0, len(cells), columns)],
        subplot_titles=[escape(title) for title in titles],
        row_heights=heights,
        horizontal_spacing=BETWEEN / WIDTH,
        vertical_spacing=between / inner,
    )
    dressed(page, height=inner).update_annotations(font={"size": 14})
    page.update_xaxes(visible=False).update_yaxes(visible=False, scaleratio=1)
    for number in range(1, len(titles) + 1):
        page.layout[f"yaxis{number}"].scaleanchor = f"x{number}"
    return page


def _lay(page: go.Figure, figure: go.Figure, number: int, share: float) -> None:
    """Lay the traces and labels of a figure into one panel, its points so much smaller."""
    axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    for trace in figure.data:
        copy = type(trace)(trace.to_plotly_json() | BARE | axes)
        copy.marker.showscale = False if copy.marker.colorscale else None
        if (copy.marker.size or 99) <= LARGEST:
            copy.marker.size = round(share * copy.marker.size, 1)
        page.add_trace(copy)
    for label in figure.layout.annotations:
        if label.xref != "paper":
            at = {"xref": axes["xaxis"], "yref": axes["yaxis"]}
            page.add_annotation(label.to_plotly_json() | at)


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
    page: go.Figure, text: str, down: float, panel: int | str = "", *, size: int = 12
) -> None:
    """Write text that many pixels below the lower left corner of a panel, or of them all."""
    number = "" if panel == 1 else panel
    page.add_annotation(
        text=text,
        x=0,
        y=0,
        yshift=-down,
        xref=f"x{number} domain" if panel else "paper",
        yref=f"y{number} domain" if panel else "paper",
        xanchor="left",
        yanchor="top",
        align="left",
        showarrow=False,
        font={"size": size},
    )
