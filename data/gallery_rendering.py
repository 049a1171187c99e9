"""A drawing or stamp becomes a small picture on white, or a reason why it cannot.

"Ink" is the share of pixels inside the cropped picture that differ visibly from white paper.
Lettering in fonts this machine lacks is set in DejaVu Sans (Debian: fonts-dejavu-core).
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

RECIPE = "1"  # raise it when the code below draws differently: kept renderings are then redone
LONG_SIDE = 256
MARGIN = 0.04
ROUGH = 512
WIDEST = 6000
PAPER = 250
PALE = 40
FONTS = dict.fromkeys(
    ("font_family", "serif_family", "sans_serif_family", "cursive_family", "fantasy_family"),
    "DejaVu Sans",
)


@dataclass(frozen=True)
class Rendering:
    """One attempt at a picture: either `picture` (RGB) or `reason` is set."""

    picture: Image.Image | None
    reason: str = ""


def render_once(path: Path, sheet: bool, kept: Path) -> Rendering:
    """Return `render(path, sheet)`, from the folder `kept` where it was drawn before."""
    recipe = f"{RECIPE} sheet" if sheet else RECIPE
    key = hashlib.sha256(recipe.encode() + path.read_bytes()).hexdigest()[:32]
    picture, reason = kept / f"{key}.png", kept / f"{key}.txt"
    if picture.is_file():
        return Rendering(Image.open(picture).convert("RGB"))
    if reason.is_file():
        return Rendering(None, reason.read_text())
    rendering = render(path, sheet)
    if rendering.picture:
        half = picture.with_suffix(".part")
        rendering.picture.save(half, "PNG")
        half.replace(picture)
    else:
        reason.write_text(rendering.reason)
    return rendering


def render(path: Path, sheet: bool = False) -> Rendering:
    """Draw a file at most `LONG_SIDE` pixels wide and high.

    White margins are cropped; with `sheet`, as for flags, whose white is part of the picture,
    only transparent ones are.
    """
    try:
        layer = _draw_svg(path) if path.suffix == ".svg" else Image.open(path).convert("RGBA")
    except (ValueError, OSError, SyntaxError) as error:
        return Rendering(None, f"does not render: {error}")
    picture = _on_white(layer)
    box = layer.getchannel("A").getbbox() if sheet else _inked_box(picture)
    if box is None or _inked_box(picture) is None:
        return Rendering(None, "blank")
    cropped = picture.crop(box)
    if min(cropped.size) < 8:
        return Rendering(None, "a sliver")
    if ink(cropped) < 0.01:
        return Rendering(None, "too pale to see on white")
    return Rendering(_framed(cropped))


def ink(picture: Image.Image) -> float:
    """Return the share of pixels, in [0, 1], that stand out from white by more than `PALE`."""
    darkest = np.asarray(picture.convert("RGB")).min(axis=2)
    return float((darkest < 255 - PALE).mean())


def _draw_svg(path: Path) -> Image.Image:
    """Render so that the cropped drawing has at least `LONG_SIDE` pixels on its longer side."""
    first = _svg_at(path, ROUGH)
    box = _inked_box(_on_white(first))
    if box is None:
        return first
    longest = max(box[2] - box[0], box[3] - box[1])
    if longest >= LONG_SIDE * 1.5:
        return first
    return _svg_at(path, min(WIDEST, int(ROUGH * 2 * LONG_SIDE / longest)))


def _svg_at(path: Path, width: int) -> Image.Image:
    png = resvg_py.svg_to_bytes(svg_path=str(path), width=width, dpi=96, **FONTS)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


def _on_white(layer: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _inked_box(picture: Image.Image) -> tuple[int, int, int, int] | None:
    """Return the box around everything that is not paper, or None for an empty sheet."""
    dark = np.asarray(picture).min(axis=2) < PAPER
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _framed(cropped: Image.Image) -> Image.Image:
    """Scale to the frame (never enlarging a bitmap beyond it) and add a white margin."""
    inner = round(LONG_SIDE * (1 - 2 * MARGIN))
    scale = min(1.0, inner / max(cropped.size))
    size = tuple(max(1, round(side * scale)) for side in cropped.size)
    small = cropped.resize(size, Image.Resampling.LANCZOS)
    margin = round(max(size) * MARGIN / (1 - 2 * MARGIN))
    sheet = Image.new("RGB", (size[0] + 2 * margin, size[1] + 2 * margin), "white")
    sheet.paste(small, (margin, margin))
    return sheet
