"""What a browser gets that opens another page than the first: it is told where the server is.

Else Streamlit's page looks for the server below its own address first, and is not answered there.
"""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

PAGE = Path(st.__file__).with_name("static") / "index.html"
HEAD = "<head>"
TOLD = (  # beside the page, also where a proxy puts all of it below a path
    '<script>window.__streamlit = {BACKEND_BASE_URL: new URL(".", location).href}</script>'
)


def opened(request: Request) -> HTMLResponse:
    page = PAGE.read_text(encoding="utf-8").replace(HEAD, HEAD + TOLD, 1)
    return HTMLResponse(page, headers={"Cache-Control": "no-cache"})


ROUTES = [Route(f"/{page.stem}", opened)
          for page in Path(__file__).with_name("pages").glob("*.py")]  # fmt: skip
