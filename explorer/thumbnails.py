"""Pictures over HTTP: small, each fetched once and kept by the browser.

A page then holds addresses instead of pictures, which makes it quick to send and to draw again.
Only what is smaller than its request is worth, as drawings often are, comes with the page.
"""

import base64
from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from urllib.parse import quote

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import resources
from sigscope import Gallery
from sigscope.gallery import GalleryError
from sigscope.images import MachineTrouble, PictureError, Source, open_picture

SIDE, LARGE = 320, 1600  # pixels, of the longer side at most
LIGHT = 8_000  # bytes; not worth a request of its own
AS_IT_IS = 60_000  # bytes; a small file in a format that browsers know is sent untouched
MIME = {".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".gif": "gif"}
KEPT = {"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"}
MISSING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><path d="M12 12h40v40H12zM12 52l'
    '40-40" fill="none" stroke="#888" stroke-width="2"/></svg>'
)


def address(id: str) -> str:
    """Return where the browser finds the thumbnail of an item of the visitor's gallery."""
    key = resources.current()
    stamp = resources.gallery(key).fingerprint[:8]
    return below(f"pictures/{quote(key, safe='')}/{stamp}/{quote(id, safe='')}")


def below(path: str) -> str:
    """Return the address of what the explorer itself serves."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


@lru_cache(maxsize=4096)
def thumbnail(key: str, stamp: str, id: str) -> tuple[bytes, str]:
    """Return the bytes of an item's thumbnail, and its MIME type.

    Args:
        key: of the gallery.
        stamp: the beginning of its fingerprint, so that a changed gallery has new addresses.
        id: of the item.
    """
    gallery = resources.gallery(key)
    file = gallery.file(id)
    kind = MIME.get(file.suffix.lower())
    if kind and file.stat().st_size <= AS_IT_IS:
        return gallery.original(id), f"image/{kind}"
    return small(gallery.file(id)), "image/webp"


def inside(id: str) -> str:
    """Return an address that holds the thumbnail itself, and so does not tell which item it is."""
    key = resources.current()
    return uri(*thumbnail(key, resources.gallery(key).fingerprint[:8], id))


def light(ids: Iterable[str]) -> dict[str, str]:
    """Return addresses that hold the thumbnails themselves, of items whose files are small."""
    key = resources.current()
    stamp = resources.gallery(key).fingerprint[:8]
    return {id: held for id in ids if (held := _light(key, stamp, id))}


@lru_cache(maxsize=1024)
def _light(key: str, stamp: str, id: str) -> str:
    try:
        if resources.gallery(key).file(id).stat().st_size <= LIGHT:
            return uri(*thumbnail(key, stamp, id))
    except (GalleryError, MachineTrouble, PictureError, OSError):
        pass  # the address says it, and is asked again later
    return ""


def uri(data: bytes, mime: str = "image/webp") -> str:
    """Return a picture's bytes as an address that holds them."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def small(picture: Source, side: int = SIDE) -> bytes:
    """Return a picture as WebP, at most so many pixels wide and high."""
    opened = open_picture(picture, max_side=side)
    opened.thumbnail((side, side))
    file = BytesIO()
    opened.save(file, "WEBP", quality=85)
    return file.getvalue()


async def _answer(request: Request) -> Response:
    key, stamp, id = (request.path_params[name] for name in ("key", "stamp", "id"))  # decoded once
    if key not in resources.sources():
        return Response("There is no such gallery.", 404)
    try:
        if "original" in request.query_params:
            return await run_in_threadpool(_original, resources.gallery(key), id)
        if "large" in request.query_params:
            file = resources.gallery(key).file(id)
            data, mime = await run_in_threadpool(small, file, LARGE), "image/webp"
        else:
            data, mime = await run_in_threadpool(thumbnail, key, stamp, id)
    except (GalleryError, MachineTrouble, PictureError, OSError):
        return Response(MISSING, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})
    return Response(data, media_type=mime, headers=KEPT)


def _original(gallery: Gallery, id: str) -> Response:
    """Return a picture's file as it is; what browsers do not show as a picture is downloaded."""
    file = gallery.file(id)
    kind = MIME.get(file.suffix.lower())
    how = "inline" if kind else "attachment"
    return Response(
        gallery.original(id), media_type=f"image/{kind}" if kind else "application/octet-stream",
        headers=KEPT | {"Content-Security-Policy": "default-src 'none'; sandbox",
                        "Content-Disposition": f"{how}; filename*=UTF-8''{quote(file.name)}"},
    )  # fmt: skip


ROUTE = Route("/pictures/{key}/{stamp}/{id:path}", _answer)
