"""Bad and odd files, each with what is to be seen in it or with words of the reason against it."""

import os
import socket
import struct
import zlib
from collections.abc import Callable
from colorsys import hsv_to_rgb
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
from icc_profiles import rgb_profile
from PIL import Image, PngImagePlugin

ORIENTATION = 0x0112
TURNED_BACK = {  # what a camera held so would have stored of an upright picture
    **{1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4},
}
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
_hues = count()


@dataclass(frozen=True)
class Kind:
    """One kind of file: write makes it; it shows these colours, or nothing for this reason."""

    write: Callable[[Path], None]
    name: str
    shows: dict | None = None  # (share of the width, share of the height): colour
    reason: str | None = None  # words of the sentence; "" for a folder that is seen elsewhere
    atol: float = 1

    @property
    def mean(self):
        """The mean colour, as the places in shows are spread evenly."""
        return np.mean(list(self.shows.values()), axis=0)


KINDS: dict[str, Kind] = {}


def new_colour():
    """Return a strong colour unlike those before."""
    return tuple(round(255 * part) for part in hsv_to_rgb(next(_hues) * 0.618 % 1, 0.9, 0.9))


def new_grey():
    return 20 + next(_hues) * 37 % 200


def good(what, name, write, colour, atol=1):
    shows = colour if isinstance(colour, dict) else {(0.5, 0.5): colour}
    KINDS[what] = Kind(write, name, shows=shows, atol=atol)


def bad(what, name, write, reason):
    KINDS[what] = Kind(write, name, reason=reason)


def content(data: bytes):
    return lambda path: path.write_bytes(data)


def encoded(picture, format, **options):
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def flat(colour, size=(16, 16), mode="RGB"):
    return Image.new(mode, size, colour)


def noise(side=64):
    """Return a picture that no encoder can make small."""
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))


def halves(left, right):
    """Return a picture of two colours and what it shows."""
    picture = flat(left, (64, 32))
    picture.paste(right, (32, 0, 64, 32))
    return picture, {(0.25, 0.5): left, (0.75, 0.5): right}


def saved(what, name, format, mode="RGB", atol=1, **options):
    """Add a picture of one new colour in a format."""
    colour = new_colour()
    good(what, name, content(encoded(flat(colour).convert(mode), format, **options)), colour, atol)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, extra=b""):
    """Return a PNG whose header promises width × height pixels, with hardly any data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = extra + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


# --- formats and modes that show something

saved("a JPEG", "plain.jpg", "JPEG", atol=6)
saved("a JPEG that is called PNG", "jpeg.png", "JPEG", atol=6)
saved("a progressive JPEG", "progressive.jpg", "JPEG", atol=6, progressive=True)
saved("a WebP", "plain.webp", "WEBP", atol=8)
saved("an AVIF", "plain.avif", "AVIF", atol=8)
saved("a BMP", "plain.bmp", "BMP")
saved("a GIF", "plain.gif", "GIF", atol=2)
saved("a CMYK JPEG (Adobe's inverted ink)", "cmyk.jpg", "JPEG", "CMYK", atol=6, quality=95)
saved("a CMYK TIFF", "cmyk.tif", "TIFF", "CMYK")
saved("a LAB TIFF", "lab.tif", "TIFF", "RGB")
saved("an opaque RGBA PNG", "rgba.png", "PNG", "RGBA")
saved("a picture with a nonsense colour profile", "icc.png", "PNG", icc_profile=b"nonsense")
saved("a picture with more bytes after its end", "more.png", "PNG")
_damaged = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff junk"
saved("a picture with a damaged EXIF block", "exif.jpg", "JPEG", atol=6, exif=_damaged)
_damaged = PngImagePlugin.PngInfo()
_damaged.add_text("Raw profile type exif", "\nexif\n4\nno hex")
saved("a PNG with a damaged EXIF text", "exif.png", "PNG", pnginfo=_damaged)
saved("a picture of 1 × 1", "1x1.png", "PNG")


def without_adobe_marker(jpeg):
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4]) :]


_colour = new_colour()
_ink = encoded(flat(_colour).convert("CMYK"), "JPEG", quality=95)
good("a CMYK JPEG without Adobe's mark", "ink.jpg", content(without_adobe_marker(_ink)), _colour, 6)

for _size in ((1, 30_000), (30_000, 1)):
    _colour = new_colour()
    _name = f"{_size[0]}x{_size[1]}.png"
    _data = encoded(flat(_colour, _size), "PNG")
    good(f"a picture of {_name[:-4]}", _name, content(_data), _colour)


def grey(what, name, format, dtype, steps, **options):
    """Add a deep grey picture whose values are steps of 8 bits wide."""
    level = new_grey()
    pixels = np.full((16, 16), level, dtype) * np.array(steps, dtype)
    data = encoded(Image.fromarray(pixels), format, **options)
    good(what, name, content(data), (level,) * 3)


grey("a PNG of 16 bits", "16.png", "PNG", np.uint16, 257)
grey("a TIFF of 16 bits", "16.tif", "TIFF", np.uint16, 257)
grey("a TIFF of 32-bit numbers", "32.tif", "TIFF", np.int32, 1)
grey("a TIFF of fractions", "float.tif", "TIFF", np.float32, 1 / 255)
grey("a grey JPEG", "grey.jpg", "JPEG", np.uint8, 1)

_level = new_grey()
_big = np.full((4, 4), _level * 257, ">u2").tobytes()
_fields = {256: 4, 257: 4, 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 278: 4, 279: 32}  # by tag
_entries = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in _fields.items())
_tiff = b"MM\0*" + struct.pack(">I", 40) + _big + struct.pack(">H", len(_fields)) + _entries
good("a TIFF of 16 bits, big end first", "motorola.tif", content(_tiff + bytes(4)), (_level,) * 3)

_bits = Image.new("1", (16, 16))
_bits.paste(1, (8, 0, 16, 16))
_two = {(0.25, 0.5): BLACK, (0.75, 0.5): WHITE}
good("a picture of 1 bit", "1bit.png", content(encoded(_bits, "PNG")), _two)

_colour = new_colour()
_palette = Image.new("P", (16, 16))
_palette.putpalette([*BLACK, *_colour])
_palette.paste(1, (8, 0, 16, 16))
_half = {(0.25, 0.5): WHITE, (0.75, 0.5): _colour}
_data = encoded(_palette, "PNG", transparency=0)
good("a palette with a transparent colour", "palette.png", content(_data), _half)

_data = encoded(Image.new("LA", (16, 16), (0, 127)), "PNG")
good("grey with alpha", "la.png", content(_data), (128, 128, 128))  # half black on white

_data = encoded(Image.new("RGBA", (16, 16), (0, 0, 0, 0)), "PNG")
good("a transparent picture", "clear.png", content(_data), WHITE)

_wide = encoded(flat((100, 140, 180)), "PNG", icc_profile=rgb_profile())
good("a picture in Adobe RGB", "adobe.png", content(_wide), (76, 141, 183), 2)


# --- the right way up, the right frame

for _orientation, _stored in TURNED_BACK.items():
    _picture, _shows = halves(new_colour(), new_colour())
    _picture = _picture if _stored is None else _picture.transpose(_stored)
    _exif = Image.Exif()
    _exif[ORIENTATION] = _orientation
    _data = encoded(_picture, "PNG", exif=_exif)
    good(f"EXIF orientation {_orientation}", f"turn{_orientation}.png", content(_data), _shows)

for _format, _options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
    _picture, _shows = halves(new_colour(), new_colour())
    _frames = [_picture, flat(new_colour(), _picture.size)]
    for _what, _name, _all in (
        ("", "", _frames),
        (" that fades in from black", "-fading", [flat(BLACK, _picture.size), *_frames]),
    ):
        _options |= {"save_all": True, "append_images": _all[1:]}
        _data = encoded(_all[0], _format, **_options)
        _file = f"moving{_name}.{_format.lower()}"
        good(f"an animated {_format}{_what}", _file, content(_data), _shows, 3)

_first = new_colour()
_pages = {"save_all": True, "append_images": [flat(new_colour())]}
good("a TIFF of two pages", "pages.tif", content(encoded(flat(_first), "TIFF", **_pages)), _first)
good("a phone's MPO", "phone.jpg", content(encoded(flat(_first), "MPO", **_pages)), _first, 6)

_jpeg = bytearray(encoded(noise(256), "JPEG"))
_jpeg[len(_jpeg) // 2 : len(_jpeg) // 2 + 500] = bytes(500)
KINDS["a JPEG with 500 wrong bytes (only a hash tells)"] = Kind(
    content(bytes(_jpeg)), "wrong.jpg", shows={}
)


# --- names

for _what, _name in (
    ("a line break in its name", "two\nlines.png"),
    ("an emoji in its name", "🐈.png"),
    ("blanks at the ends of its name", " blanks .png "[:-1]),
    ("a dash first in its name", "-rf.png"),
    ("an accent in one piece", "caf\u00e9.png"),
    ("an accent in two pieces", "cafe\u0301.png"),
    ("a name in capitals", "CASE.png"),
    ("the same name in small letters", "case.png"),
    ("forty folders above it", "deep/" * 40 + "down.png"),
    ("a folder called like a picture", "trip.jpg/day.png"),
    ("a folder with colons", "a:b/C:c.png"),
):
    saved(_what, _name, "PNG")


# --- what shows nothing, and why

for _format in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"):
    _data = encoded(noise(), _format)
    _name, _cut = f"cut.{_format.lower()}", _data[: len(_data) // 2]
    bad(f"a {_format} cut short", _name, content(_cut), "cut short or damaged")
for _format in ("GIF", "WEBP", "PNG"):
    _data = encoded(noise(), _format, save_all=True, append_images=[flat(BLACK, (64, 64))])
    _name, _cut = f"cut-moving.{_format.lower()}", _data[: len(_data) // 3]
    bad(f"an animated {_format} cut short", _name, content(_cut), "cut short or damaged")

_texts = PngImagePlugin.PngInfo()
_texts.add_text("bomb", "0" * 2_000_000, zip=True)
_texted = encoded(noise(), "PNG", pnginfo=_texts)
_packed = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(2_000_000)))
for _what, _name, _data, _reason in (
    ("a file of no bytes", "empty.jpg", b"", "empty (0 bytes)"),
    ("a web page", "page.jpg", b"\n<!doctype HTML><html>404", "web page"),
    ("an XML message", "denied.jpg", b"<?xml version='1.0'?><Error/>", "XML message"),
    ("a text", "text.jpg", "Größe: no picture".encode(), "it is a text"),
    ("an SVG called PNG", "drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    ("an SVG with a script", "evil.png", b"<svg><script>alert(1)</script></svg>", "SVG"),
    ("an EPS called JPEG", "post.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n", "never run"),
    ("a PDF", "pages.jpg", b"%PDF-1.7\n", "PDF"),
    ("a Git LFS pointer", "lfs.jpg", b"version https://git-lfs.github.com/spec/v1\n", "lfs pull"),
    ("an HEIC called JPEG", "heic.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
    ("an HEIC", "photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
    ("a camera's raw file", "raw.CR2", b"II*\0", "raw file"),
    ("a film called JPEG", "film.jpg", b"\0\0\0\x18ftypisom", "a film"),
    ("an archive called JPEG", "zip.jpg", b"PK\x03\x04", "archive"),
    ("random bytes", "noise.jpg", bytes(range(128, 256)), "none of JPEG, PNG"),
    ("a decompression bomb", "bomb.png", png(50_000, 50_000), "89 million pixels"),
    ("a PNG without width", "thin.png", png(0, 5), "damaged"),
    ("a PNG with a packed text", "zip.png", _texted, "may be a trap"),
    ("a PNG with a packed profile", "prof.png", png(4, 4, _packed), "may be a trap"),
    ("a download that goes on", "new.jpg.crdownload", b"\xff\xd8\xff", "not finished"),
    ("a Mac's resource file", "._plain.jpg", b"\0\5\x16\7", "hidden file"),
    ("a Mac's folder notes", ".DS_Store", b"\0\0\0\1Bud1", "hidden file"),
    ("Windows' thumbnails", "Thumbs.db", b"\xd0\xcf\x11\xe0", "it is no picture"),
):
    bad(_what, _name, content(_data), _reason)

_dng = encoded(flat(BLACK), "TIFF", tiffinfo={50_706: b"\1\4\0\0"})
bad("a raw file called TIFF", "dng.tif", content(_dng), "raw file")


def zeros(path, size=200_000_000):
    with path.open("wb") as file:
        file.truncate(size)


def bind(path):
    """Make a socket; its address may hold about a hundred bytes, so it is bound from its folder."""
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


bad("200 MB of zeros", "zeros.png", zeros, "nothing but zeros")
bad("2 GB of zeros", "vast.png", lambda path: zeros(path, 2 * 10**9), "more than 1 GB")
bad("a link to itself", "self.jpg", lambda path: path.symlink_to(path.name), "symbolic links")
bad("a link to nothing", "gone.jpg", lambda path: path.symlink_to("nowhere"), "leads to no such")
bad("a pipe", "pipe.jpg", os.mkfifo, "not an ordinary file")
bad("a socket", "socket.jpg", bind, "not an ordinary file")
bad(
    "a device",
    "device.jpg",
    lambda path: path.symlink_to("/dev/zero"),
    "a link leads out of the folder",
)
bad("a folder in a loop", "loop", lambda path: path.symlink_to("."), "")
