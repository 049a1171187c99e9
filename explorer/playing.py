"""Films over HTTP: played from one of their moments on, in the ranges that browsers ask for."""

from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

import resources
import thumbnails
from sigscope.datasets import film_of
from sigscope.gallery import GalleryError

NAMES = ("videos", "msrvtt", "msvd")  # how the address of a gallery of films begins
MIME = {".mp4": "mp4", ".m4v": "mp4", ".mov": "quicktime", ".webm": "webm",
        ".mkv": "x-matroska", ".avi": "x-msvideo"}  # fmt: skip


def moment(key: str, id: str) -> tuple[Path, float] | None:
    """Return the film and the second of an item, or None in a gallery of pictures."""
    name, _, path = (resources.sources().get(key) or "").partition(":")
    return film_of(path, resources.gallery(key), id) if name.lower() in NAMES else None


def address(key: str, id: str) -> str:
    """Return where the film of an item is had."""
    return thumbnails.below(f"films/{quote(key, safe='')}/{quote(id, safe='')}")


async def _answer(request: Request) -> Response:
    key, id = (request.path_params[name] for name in ("key", "id"))
    try:
        found = await run_in_threadpool(moment, key, id)
    except (GalleryError, OSError) as reason:
        return Response(str(reason), 404)
    if found is None:
        return Response("There is no such film.", 404)
    kind = MIME.get(found[0].suffix.lower(), "mp4")
    return FileResponse(found[0], media_type=f"video/{kind}", headers=thumbnails.KEPT)


ROUTE = Route("/films/{key}/{id:path}", _answer)
