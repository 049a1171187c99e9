"""Stills: a Plotly figure as a notebook keeps it, live for Jupyter and still for everything else.

GitHub and static pages draw no Plotly, so a PNG is kept beside the figure. Kaleido makes it with a
Chromium or Chrome; where one of them is missing the PNG says so, and nothing else changes.
"""

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
from PIL import Image, ImageDraw, ImageFont

from sigscope.claims import is_shipped

PLOTLY = "application/vnd.plotly.v1+json"
CONFIG = {"displaylogo": False, "responsive": True, "showSendToCloud": False}
WIDTH, HEIGHT, SCALE = 760, 380, 2
COLOURS_IN_PNG = 256  # fewer tint the greys; the file shrinks to a third
ANSWER_S = 5  # a browser says its version at once, or it is broken
PATIENCE_S = 40  # the first picture takes a few seconds, as the browser starts
WITHOUT = (
    "This figure moves in Jupyter. To keep a picture of it as well, run `pip install kaleido` and "
    "install Chromium or Chrome, then run the notebook again."
)


@dataclass(frozen=True, eq=False, repr=False)
class StillFigure:
    """A figure with the sentence that stands for it where it cannot be seen."""

    figure: go.Figure
    alt: str

    def __repr__(self) -> str:
        """Return one line that is the same each time."""
        return f"Figure: {self.alt}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        drawn = json.loads(self.figure.to_json(), parse_float=_short) | {"config": CONFIG}
        height = self.figure.layout.height or HEIGHT
        png = still(self.figure) or placeholder(self.alt)
        data = {
            "text/plain": repr(self),
            PLOTLY: drawn,
            "image/png": base64.b64encode(png).decode(),
        }
        return data, {"image/png": {"alt": self.alt, "width": WIDTH, "height": height}}


def _short(number: str) -> float:
    """Return a number of a figure's layout with at most 5 decimals, which is far below a pixel."""
    return round(float(number), 5)


def show(figure: go.Figure, alt: str) -> StillFigure:
    """Return figure as a notebook's last line should have it.

    Args:
        figure: what to show.
        alt: one sentence that says what is to be seen, for those who cannot. Where another gallery
            or model is drawn it says of which ones this was written.
    """
    return StillFigure(figure, alt if is_shipped() else f"Of the shipped gallery and model: {alt}")


def still(figure: go.Figure) -> bytes | None:
    """Return a PNG of figure at twice its size, or None where nothing can draw it."""
    if not _can_draw():
        return None
    options = {
        "format": "png",
        "width": WIDTH,
        "height": figure.layout.height or HEIGHT,
        "scale": SCALE,
    }
    png = _within(PATIENCE_S, lambda: _drawn(figure.to_plotly_json(), options))
    return _smaller(png) if png else None


def placeholder(alt: str) -> bytes:
    """Return a small PNG that says what the figure shows and how to get a picture of it."""
    font = ImageFont.load_default(size=15)
    rows = wrap(alt, 95) + [""] + wrap(WITHOUT, 95)
    page = Image.new("P", (WIDTH, 24 + 20 * len(rows)), 255)
    page.putpalette([value for value in range(256) for _ in range(3)])
    ImageDraw.Draw(page).text((12, 12), "\n".join(rows), fill=60, font=font)
    file = BytesIO()
    page.save(file, "PNG", optimize=True)
    return file.getvalue()


@cache
def _can_draw() -> bool:
    """Return whether kaleido is installed and a browser answers; asked once, in a second or two."""
    if find_spec("kaleido") is None:
        return False
    try:
        browser = _browser()
        if browser is None or os.name == "nt":  # on Windows `--version` opens a window
            return browser is not None
        asked = [browser, "--version"]
        return (
            subprocess.run(asked, capture_output=True, timeout=ANSWER_S, check=False).returncode
            == 0
        )
    except Exception:  # a browser that cannot be asked cannot draw either
        return False


def _browser() -> str | None:
    from choreographer.browsers.chromium import Chromium

    found = Chromium.find_browser(skip_local=False)
    return found if found and shutil.which(found) else None


def _drawn(figure: dict, options: dict) -> bytes:
    """Return what one browser, started for the first figure and kept, draws."""
    import kaleido

    kaleido.start_sync_server(silence_warnings=True, n=1, mathjax=False, timeout=PATIENCE_S)
    return kaleido.calc_fig_sync(figure, opts=options)


_gave_up = threading.Event()


def _within(seconds: float, work: Callable[[], bytes]) -> bytes | None:
    """Return what work returns, or None when it fails or takes too long; then never ask again."""
    done: list[bytes] = []

    def attempt() -> None:
        try:
            done.append(work())
        except Exception:  # whatever a browser dies of, the figure itself is fine
            _gave_up.set()

    if _gave_up.is_set():
        return None
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        _gave_up.set()
    return done[0] if done else None


def _smaller(png: bytes) -> bytes:
    """Return the same PNG with a palette of few colours."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    file = BytesIO()
    picture.quantize(COLOURS_IN_PNG).save(file, "PNG", optimize=True)
    return file.getvalue()
