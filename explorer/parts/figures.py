"""Figures of the notebooks in the visitor's theme: by night they are drawn on the page's ground."""

import json

import plotly.graph_objects as go
import plotly.io as pio

from parts import mapped


def themed(figure: dict) -> go.Figure:
    """Return a notebook's figure so that it can be read on the visitor's page, in their theme."""
    theme = mapped.theme()
    if theme.background == mapped.PAGE["light"]:
        return go.Figure(figure)
    drawn = json.dumps(figure)
    for black in ("#000000", "#222222"):  # what would be drawn dark on dark
        drawn = drawn.replace(f'"{black}"', f'"{theme.ink}"')
    changed = pio.from_json(drawn)
    changed.update_layout(
        paper_bgcolor=theme.background, plot_bgcolor=theme.background, font_color=theme.ink
    )
    return changed.update_xaxes(gridcolor=theme.faint).update_yaxes(gridcolor=theme.faint)
