"""Plotly's own script over HTTP, from its package, for the map: fetched once a version and kept."""

from pathlib import Path

import plotly
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

import thumbnails

SCRIPT = Path(plotly.__file__).with_name("package_data") / "plotly.min.js"


def address() -> str:
    """Return where a page finds the script; another version has another address."""
    return thumbnails.below(f"drawing/{plotly.__version__}.js")


async def _answer(request: Request) -> FileResponse:
    return FileResponse(SCRIPT, media_type="text/javascript", headers=thumbnails.KEPT)


ROUTE = Route("/drawing/{version}.js", _answer)
