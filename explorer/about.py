"""What is known of one picture, for the panel that shows it large: over HTTP, as it is opened."""

from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import kept
import playing
import resources
from sigscope import Searcher
from sigscope.gallery import GalleryError

N_NEAR, N_FITTING = 8, 5
HERE = {"127.0.0.1", "::1"}
NO_CAPTIONS = "The pictures of this gallery have no captions that could fit."


def about(key: str, id: str, here: bool) -> dict:
    """Return what is known of an item of a gallery; the whole path only on this machine."""
    searcher = resources.searcher(key=key)
    gallery = searcher.gallery
    file, items = gallery.file(id), gallery.items
    row = items.iloc[gallery.row(id)]
    folder = str(Path(row.get("video", row["path"])).parent)
    facts = [("Folder", "" if folder == "." else folder), *of_file(file)]
    facts += [(name.capitalize(), row[name]) for name in ("split", "author", "licence", "source")]
    known = bool((searcher.embeddings.ids == id).any())
    film, seconds = playing.moment(key, id) or (None, None)
    return {
        "path": str((film or file).resolve()) if here else film.name if film else row["path"],
        "film": film and {"address": playing.address(key, id), "seconds": seconds},
        "facts": [(what, str(value)) for what, value in facts if value],
        "captions": _captions(searcher, id) or [(text, None) for text in row["captions"]],
        "fitting": _fitting(searcher, id) if known else [],
        "tags": kept.by_picture(key).get(id, []),
        "no_captions": "" if len(gallery.captions) else NO_CAPTIONS,
        "near": [
            (near.id, near.caption or near.id.rpartition("/")[2])
            for near in searcher.like(id, N_NEAR).itertuples()
        ] if known else [],
    }  # fmt: skip


def _captions(searcher: Searcher, id: str) -> list[tuple[str, float]]:
    """Return an item's own captions, and the cosine of each and the picture."""
    held = searcher.embeddings
    at, mine = np.flatnonzero(held.ids == id), np.flatnonzero(held.caption_ids == id)
    if not len(at):
        return []
    scores = held.captions[mine] @ held.images[at[0]]
    return [(held.caption_texts[n], float(s)) for n, s in zip(mine, scores, strict=True)]


def _fitting(searcher: Searcher, id: str) -> list[tuple[str, float]]:
    if not len(searcher.embeddings.caption_ids):
        return []
    table = searcher.captions_for(id, 10 * N_FITTING).drop_duplicates("caption").head(N_FITTING)
    return list(zip(table["caption"], table["score"].astype(float), strict=True))


def of_file(file: Path) -> list[tuple[str, str]]:
    """Return what a picture's file says of itself: its size, when it was taken and by what."""
    facts = [("File size", _bytes(file.stat().st_size))]
    try:
        with Image.open(file) as picture:
            width, height, exif = *picture.size, picture.getexif()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return facts
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    maker, model = (_text(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    camera = model if model.startswith(maker) else f"{maker} {model}"
    taken = inner.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    return [("Size", f"{width:,} × {height:,} pixels"), *facts,
            ("Taken", _date(_text(taken))), ("Camera", camera.strip())]  # fmt: skip


def _text(value: object) -> str:
    return str(value or "").replace("\0", "").strip()[:100]


def _date(text: str) -> str:
    try:
        return f"{datetime.strptime(text, '%Y:%m:%d %H:%M:%S'):%d %B %Y, %H:%M}".lstrip("0")
    except ValueError:
        return ""


def _bytes(n: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} bytes" if unit == "bytes" else f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} GB"


async def _answer(request: Request) -> JSONResponse:
    key, id = (request.path_params[name] for name in ("key", "id"))
    here = request.client.host in HERE and "x-forwarded-for" not in request.headers
    try:
        if key not in resources.sources():
            raise GalleryError("This gallery is not in the explorer's list any more.")
        told = await run_in_threadpool(about, key, id, here)
    except FileNotFoundError:
        told = {"trouble": "The picture's file is not there any more."}
    except (GalleryError, OSError, ValueError, RuntimeError) as reason:  # sentences, all of them
        told = {"trouble": str(reason)}
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


ROUTE = Route("/about/{key}/{id:path}", _answer)
