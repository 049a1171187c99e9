"""Plotly's own script over HTTP, from its package, for the map: fetched once a version and kept."""

import gzip
from functools import cache
from pathlib import Path

import plotly
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

import thumbnails

SCRIPT = Path(plotly.__file__).with_name("package_data") / "plotly.min.js"
TYPE = "text/javascript"
KEPT = {**thumbnails.KEPT, "Vary": "Accept-Encoding"}


def address() -> str:
    """Return where a page finds the script; another version has another address."""
    return thumbnails.below(f"drawing/{plotly.__version__}.js")


@cache
def packed() -> bytes:
    """Return the script, compressed once and not for each visitor while the page is made."""
    return gzip.compress(SCRIPT.read_bytes(), 6)


async def _answer(request: Request) -> Response:
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return FileResponse(SCRIPT, media_type=TYPE, headers=KEPT)
    headers = {**KEPT, "Content-Encoding": "gzip"}
    return Response(await run_in_threadpool(packed), media_type=TYPE, headers=headers)


ROUTE = Route("/drawing/{version}.js", _answer)
