"""What to practise on: a messy photo folder, and a shaky server of pictures.

The folder holds photographs from a camera, some with captions; odd files that are pictures all the
same (ODD), files that are none (BROKEN), copies (COPIES) and a zip (ZIP). Two made of the same
gallery are the same, file by file. The server stands at this machine's own address and serves as
the internet serves old pictures: of its twelve addresses six are good, one of these at the second
try; see `ShakyServer.urls`.
"""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from zipfile import ZipFile, ZipInfo

import numpy as np
import pandas as pd
from PIL import ExifTags, Image

from sigscope.gallery.gallery import Gallery

FOLDERS = (
    "animals",
    "birds",
    "fruit and vegetables",
    "insects and sea life",
    "plants",
    "transport",
)
EACH, CAPTIONED = 18, 6  # photographs in a folder; those of them that somebody has described
CAMERA = "OLYMPUS DIGITAL CAMERA         "  # what a camera writes where a description belongs

ODD = {  # pictures that naive programs show wrongly, and what is odd about them
    "scans/sideways.jpg": "stored on its side, with a note in EXIF how to turn it",
    "scans/for-print.jpg": "CMYK: the inks of a printer",
    "scans/microscope.png": "16 bits of grey instead of 8",
    "scans/sticker.png": "a palette of 64 colours, one of them transparent",
    "scans/fading-in.gif": "an animation whose first frame is empty",
    "scans/really-a-jpeg.png": "a JPEG that is called PNG",
}
ZIP = "old phone.zip"
JPEG_XL = b"\0\0\0\x0cJXL \r\n\x87\n"
BROKEN = {  # files that are no pictures, or cannot be read, and words of the reason
    "downloads/half.jpg": "cut short",
    "downloads/not-found.jpg": "HTML",
    "downloads/holiday.jpg.crdownload": "not finished",
    "phone/IMG_2044.jxl": "not read here",
    "phone/empty.jpg": "empty",
    "film.mp4": "film",
    "notes.txt": "no picture has its name",
    ".thumbnails/": "hidden",
    ZIP: "archive",
}
COPIES = {  # copies, and what they are copies of
    "backup/IMG_0003.jpg": "animals/IMG_0003.jpg",
    "backup/photo-40.png": "fruit and vegetables/IMG_0040.jpg",
    "backup/mailed-60.jpg": "insects and sea life/IMG_0060.jpg",
}
ZIPPED, TRAP = 6, "../../outside.jpg"  # photographs in it, and a name that leads out
WHEN = (2011, 7, 3, 12, 0, 0)  # of everything in the zip

ADDRESS = "127.0.0.1"
NETWORK = f"{ADDRESS}/32"  # for Limits.allowed
PICTURES = 6
BUSY = PICTURES - 1  # the number of the picture that comes at the second try only
NOTICES = 3  # photographs that were taken down; a notice comes instead, with 200
PRIVATE = "http://10.0.0.1/camera.jpg"  # somebody's own network: nothing here answers for it


def make(root: Path, gallery: Gallery) -> None:
    """Write the folder to root, which must not exist yet.

    Args:
        root: where to.
        gallery: whose pictures to use, such as the shipped one: its items have the columns kind
            and series, and there are EACH and some more in every category of FOLDERS.

    Raises:
        FileExistsError: There is something at root; nothing there is touched.
    """
    root.mkdir(parents=True)
    more = {name: _chosen(gallery, name) for name in FOLDERS}
    for number, (folder, captions, picture) in enumerate(_photographs(more), 1):
        _photograph(root / folder / f"IMG_{number:04}.jpg", captions, picture, number)
    spare = (picture for both in zip(*more.values(), strict=False) for _, picture in both)
    _odd(root, spare)
    _broken(root, next(spare))
    _copies(root)
    _zip(root / ZIP, spare)


def _chosen(gallery: Gallery, category: str) -> Iterator[tuple[list[str], Image.Image]]:
    """Yield captions and picture of photographs all over a category, then of drawings."""
    items = gallery.subset(category=category).items
    items = items[items["duplicate_of"] == ""].drop_duplicates("series")
    photos, drawings = items[items["kind"] == "photo"], items[items["kind"] != "photo"]
    step = max(1, len(photos) // (EACH + 5))
    for item in pd.concat([photos[::step], drawings]).itertuples():
        yield item.captions, gallery.picture(item.id)


def _photographs(more: dict[str, Iterator]) -> Iterator[tuple[str, list[str], Image.Image]]:
    for folder, chosen in more.items():
        for _ in range(EACH):
            yield folder, *next(chosen)


def _photograph(path: Path, captions: list[str], picture: Image.Image, number: int) -> None:
    """Write a JPEG; the first few of some folders are described, each folder in its own way."""
    is_described = (number - 1) % EACH < CAPTIONED
    exif, further = Image.Exif(), {}
    if path.parent.name == "animals" and is_described:
        _write(path.with_suffix(".txt"), "\n".join(captions).encode())
    if path.parent.name == "fruit and vegetables" and is_described:
        exif[ExifTags.Base.ImageDescription] = captions[0]
    if path.parent.name == "transport" and is_described:
        further["xmp"] = _xmp(captions[0])
    if path.parent.name == "plants":
        exif[ExifTags.Base.ImageDescription] = CAMERA
    _write(path, _encoded(picture, "JPEG", exif=exif, **further))


def _odd(root: Path, spare: Iterator[Image.Image]) -> None:
    """Write the files of ODD."""
    pictures = {name: next(spare) for name in ODD}
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    name = "scans/sideways.jpg"
    sideways = pictures[name].transpose(Image.Transpose.ROTATE_90)
    _write(root / name, _encoded(sideways, "JPEG", exif=exif))
    name = "scans/for-print.jpg"
    _write(root / name, _encoded(pictures[name].convert("CMYK"), "JPEG"))
    name = "scans/microscope.png"
    deep = 257 * np.asarray(pictures[name].convert("L"), np.uint16)
    _write(root / name, _encoded(Image.fromarray(deep), "PNG"))
    name = "scans/sticker.png"
    sticker = pictures[name].quantize(64)
    paper, palette = sticker.getpixel((0, 0)), sticker.getpalette()
    palette[3 * paper : 3 * paper + 3] = (0, 0, 0)  # what is under the transparent parts
    sticker.putpalette(palette)
    _write(root / name, _encoded(sticker, "PNG", transparency=paper))
    name = "scans/fading-in.gif"
    empty = Image.new("RGB", pictures[name].size)
    frames = {"save_all": True, "append_images": [pictures[name]], "duration": 500}
    _write(root / name, _encoded(empty, "GIF", **frames))
    name = "scans/really-a-jpeg.png"
    _write(root / name, _encoded(pictures[name], "JPEG"))


def _broken(root: Path, picture: Image.Image) -> None:
    """Write the files of BROKEN, but for the zip."""
    jpeg = _encoded(picture, "JPEG")
    _write(root / "downloads/half.jpg", jpeg[: len(jpeg) // 2])
    _write(root / "downloads/not-found.jpg", b"<!doctype html><title>404 Not Found</title>")
    _write(root / "downloads/holiday.jpg.crdownload", jpeg[:1000])
    _write(root / "phone/IMG_2044.jxl", JPEG_XL)
    _write(root / "phone/empty.jpg", b"")
    _write(root / "film.mp4", b"\0\0\0\x18ftypisom\0\0\0\0")
    _write(root / "notes.txt", b"buy film")
    _write(root / ".thumbnails/IMG_0001.jpg", jpeg)


def _copies(root: Path) -> None:
    """Write the files of COPIES: the same bytes, the same pixels, and a smaller one."""
    same, redone, mailed = COPIES
    (root / same).parent.mkdir()
    shutil.copyfile(root / COPIES[same], root / same)
    with Image.open(root / COPIES[redone]) as picture:
        _write(root / redone, _encoded(picture.convert("RGB"), "PNG"))
    with Image.open(root / COPIES[mailed]) as picture:
        small = picture.resize([round(0.7 * side) for side in picture.size])
        _write(root / mailed, _encoded(small, "JPEG", quality=60))


def _zip(path: Path, spare: Iterator[Image.Image]) -> None:
    """Write a zip of photographs, with a caption, a JPEG XL and a name that leads out of it."""
    members = {f"DCIM/PIC{n:03}.jpg": _encoded(next(spare), "JPEG") for n in range(ZIPPED)}
    members |= {
        "DCIM/PIC000.txt": b"the first picture on the old phone",
        "DCIM/PIC006.jxl": JPEG_XL,
        TRAP: members["DCIM/PIC000.jpg"],
    }
    with ZipFile(path, "x") as archive:
        for name, data in members.items():
            archive.writestr(ZipInfo(name, WHEN), data)


def _encoded(picture: Image.Image, format: str, **options) -> bytes:
    file = BytesIO()
    picture.save(file, format, **({"quality": 90} | options if format == "JPEG" else options))
    return file.getvalue()


def _xmp(title: str) -> bytes:
    """Return an XMP packet with a title, as programs for photographs write it."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Description><dc:title><rdf:Alt>'
        f'<rdf:li xml:lang="x-default">{escape(title)}</rdf:li>'
        "</rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


class ShakyServer:
    """Serves from a thread of its own for as long as its with block lasts.

    Attributes:
        asked: how often each path was asked for.
        urls: twelve addresses: PICTURES good ones (the last answers 503 at first), one that is gone
            (404), NOTICES with the same PNG, one that never answers, and PRIVATE.
    """

    def __init__(self, pictures: Sequence[bytes]) -> None:
        """Take what to serve.

        Args:
            pictures: PICTURES files of pictures, as bytes.
        """
        if len(pictures) != PICTURES:
            raise ValueError(f"there are {len(pictures)} pictures; give {PICTURES}")
        notice = BytesIO()
        Image.new("RGB", (75, 75), "gainsboro").save(notice, "PNG")
        self.bodies = {f"/photo-{n}.jpg": data for n, data in enumerate(pictures)}
        self.bodies |= {f"/taken-down-{n}.jpg": notice.getvalue() for n in range(NOTICES)}
        self.asked: Counter[str] = Counter()
        self._over = Event()

    def __enter__(self) -> "ShakyServer":
        """Begin to serve on a free port."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked[self.path] += 1
                outer._answer(self)

            def log_message(self, *_) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((ADDRESS, 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        here = f"http://{ADDRESS}:{self._server.server_port}"
        paths = [*self.bodies, "/gone.jpg", "/asleep.jpg"]
        self.urls = [*(f"{here}{path}" for path in paths), PRIVATE]
        return self

    def __exit__(self, *raised) -> None:
        """End, and let those go who still wait for an answer."""
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, to: BaseHTTPRequestHandler) -> None:
        if to.path == "/asleep.jpg":
            self._over.wait()
            return
        is_busy = to.path == f"/photo-{BUSY}.jpg" and self.asked[to.path] == 1
        body = b"" if is_busy else self.bodies.get(to.path, b"")
        to.send_response(503 if is_busy else 200 if body else 404)
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)
