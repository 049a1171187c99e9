"""Tower drawings: what becomes of a picture and a text, stage by stage, on its way to a vector."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from sigscope.figures.theme import GREY, colour_of, dressed

CELL, GAP, PICTURE = 17, 3, 77  # pixels
STAGE, ROW = 187, 158  # pixels from one stage, or one tower, to the next
Stage = tuple[str, tuple[int, int]]  # words, and the rows and columns of cells that stand for it


def towers_drawing(models: Mapping[str, Any]) -> go.Figure:
    """Draw the two towers of each model, their stages from left to right with arrows between.

    Args:
        models: by name, the ``transformers`` config of a SigLIP, a CLIP or a dual encoder.
    """
    towers = {
        f"{name}: {kind}": (colour_of(kind), stages)
        for name, config in models.items()
        for kind, stages in _stages(config).items()
    }
    figure = go.Figure()
    for down, (name, (colour, stages)) in enumerate(towers.items()):
        middle = -ROW * down
        _write(figure, 0, middle + 68, f"<b>{name}</b>")
        for across, (words, cells) in enumerate(stages):
            left = STAGE * across
            wide = _cells(figure, left, middle + 8, cells, colour)
            _write(figure, left, middle - 32, words, font_size=11.5, yanchor="top", align="left")
            if across < len(stages) - 1:
                _arrow(figure, left + wide + 8, left + STAGE - 8, middle + 8)
    bare = {"visible": False, "fixedrange": True}
    figure.update_xaxes(range=[-5, STAGE * 4 - 8], **bare)
    figure.update_yaxes(range=[-ROW * (len(towers) - 1) - 82, 82], **bare)
    dressed(figure, height=ROW * len(towers) + 26)
    return figure.update_layout(margin={"l": 10, "r": 10, "t": 10, "b": 10})


def _stages(config: Any) -> dict[str, list[Stage]]:
    """Return what a model's towers do, from its config."""
    vision, text, siglip = config.vision_config, config.text_config, "siglip" in config.model_type
    side, layers = vision.image_size, getattr(vision, "num_hidden_layers", 0)
    ends = "" if siglip else f" and a<br>projection, {config.projection_dim} numbers"
    picture = [(f"a picture,<br>{side} × {side} pixels", (1, 1))]
    if hasattr(vision, "patch_size"):
        patches, patch = (side // vision.patch_size) ** 2, f"{vision.patch_size}"
        pool = f"attention pooling: one<br>learnt question to all,<br>{vision.hidden_size} numbers"
        picture += [
            (f"{patches} patches<br>of {patch} × {patch} pixels", (4, 4)),
            (f"transformer, {layers} layers:<br>each looks at all", (4, 4)),
            (pool if siglip else f"the first position{ends}", (1, 7)),
        ]
    else:
        picture += [
            ("convolutions, layer by layer:<br>each looks at its neighbours", (4, 4)),
            (f"fewer, richer cells<br>of {vision.hidden_dim:,} numbers", (3, 3)),
            (f"the mean of all{ends}", (1, 7)),
        ]
    most, hidden = text.max_position_embeddings, text.num_hidden_layers
    filled = f"{most} tokens: what is<br>missing is filled up" if siglip else f"up to {most} tokens"
    caption = [
        ("a text", (1, 3)),
        (filled, (1, 7)),
        (f"transformer, {hidden} layers:<br>each looks at all", (1, 7)),
    ]
    last = f"the last position and a<br>projection, {text.hidden_size} numbers"
    caption.append((last if siglip else f"the first position{ends}", (1, 7)))
    return {"picture": picture, "caption": caption}


def _cells(
    figure: go.Figure, left: float, middle: float, cells: tuple[int, int], colour: str
) -> int:
    """Draw rows and columns of cells; return how wide they are together."""
    rows, columns = cells
    side = PICTURE if rows * columns == 1 else CELL
    wide, high = (count * (side + GAP) - GAP for count in (columns, rows))
    for cell in range(rows * columns):
        x0 = left + cell % columns * (side + GAP)
        y0 = middle - high / 2 + cell // columns * (side + GAP)
        place = {"x0": x0, "x1": x0 + side, "y0": y0, "y1": y0 + side}
        figure.add_shape(**place, fillcolor=colour, line_width=0, opacity=0.75)
    return wide


def _write(figure: go.Figure, x: float, y: float, words: str, **how: str | float) -> None:
    figure.add_annotation(x=x, y=y, text=words, xanchor="left", showarrow=False, **how)


def _arrow(figure: go.Figure, start: float, end: float, y: float) -> None:
    place = {"x": end, "y": y, "ax": start, "ay": y, "axref": "x", "ayref": "y", "text": ""}
    figure.add_annotation(**place, showarrow=True, arrowhead=2, arrowwidth=1.5, arrowcolor=GREY)
