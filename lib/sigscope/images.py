"""Pictures: whatever a person hands over becomes an RGB picture, or a sentence saying why not.

RGB means what a person would see on white paper: the right way up, transparent parts white, deep
and floating-point pictures scaled into 0–255 rather than clipped, the first frame of an animation.
"""

import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, TextIOBase
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

Source = str | Path | bytes | BinaryIO | Image.Image

FORMATS = {  # what we read, and how its files are called; never EPS, which runs Ghostscript
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
}
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)

REFUSED = {  # pictures too, but not ones we read, and what to save them as
    "an SVG drawing; save it as PNG": (".svg", ".svgz"),
    "PostScript (EPS), which is never run here; save it as PNG": (".eps", ".ps", ".ai"),
    "an HEIC photograph; save it as JPEG": (".heic", ".heif", ".hif"),
    "a camera's raw file; save it as JPEG": (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf"),
    "a picture in a format that is not read here; save it as PNG": (
        *(".jxl", ".jp2", ".psd", ".xcf", ".ico", ".tga", ".ppm", ".pgm", ".pbm"),
    ),
}
REFUSED_SUFFIXES = {suffix: what for what, suffixes in REFUSED.items() for suffix in suffixes}

MAX_PIXELS = 89_478_485  # Pillow's own limit for a picture that is no "decompression bomb"
WHITE = {"I": (255, 65_535), "F": (1,), "I;16": (65_535,)}  # usual values of white, by mode

# What each EXIF orientation asks for. ImageOps.exif_transpose would also write the EXIF block anew,
# and fails on a damaged one although its orientation can be read.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# How a file that Pillow does not recognise may begin, and what a person should know about it.
BEGINNINGS = {
    rb"\Z": "the file is empty (0 bytes); fetch it again",
    rb"\s*<(!doctype html|html|head|body)": "it is a web page (HTML), so its download probably "
    "failed; fetch it again",
    rb"\s*<(\?xml.*<svg|!--.*<svg|!doctype svg|svg)": "it is an SVG drawing; save it as PNG",
    rb"%!PS|\xc5\xd0\xd3\xc6": "it is PostScript (EPS), which is never run here; save it as PNG",
    rb"%PDF": "it is a PDF document; save its page as PNG",
    rb"....ftyp(hei|hev|mif1|msf1)": "it is an HEIC photograph; save it as JPEG",
    rb"version https://git-lfs": "it is a Git LFS pointer; run `git lfs pull` to fetch the file",
    rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|....ftypavi": "it is cut short or damaged; "
    "fetch it again",
}

# Such pictures are refused below with a sentence; Pillow's warning would only be noise beside it.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class PictureError(ValueError):
    """What was handed over is not a picture we can read; the message is a sentence for a person."""


def open_picture(source: Source, *, max_side: int | None = None) -> Image.Image:
    """Return the picture as a person would see it, in mode RGB, with no metadata left on it.

    Args:
        source: A file's path, its bytes, a binary file (read from its beginning, left open), or a
            PIL picture (left as it is; an animation keeps the frame it is at).
        max_side: When the picture will be used at no more than this many pixels a side, a JPEG may
            be decoded at 1/2, 1/4 or 1/8 of its size; no side ends up below 2 × max_side by that.
            Nothing is enlarged, and other formats keep their size.

    Raises:
        PictureError: There is no such file, or it cannot be read, or it is no picture of FORMATS,
            or it is damaged, or it has more than MAX_PIXELS pixels.
        ValueError: max_side is below 1.
        TypeError: source is none of these things.
    """
    if max_side is not None and max_side < 1:
        raise ValueError(f"max_side is {max_side}; give a number of pixels, 1 or more")
    if isinstance(source, Image.Image):
        return _rgb(source, "The picture")
    with _opened(source) as (file, name):
        return _rgb(_recognised(file, name), name, max_side)


@contextmanager
def _opened(source: Source) -> Iterator[tuple[BinaryIO, str]]:
    """Yield a seekable binary file, and what to call it in a sentence."""
    if isinstance(source, str | Path):
        with _opened_path(Path(source)) as file:
            yield file, Path(source).name
    elif isinstance(source, bytes | bytearray | memoryview):
        yield BytesIO(source), "The picture"
    elif hasattr(source, "read") and not isinstance(source, TextIOBase):
        name = str(getattr(source, "name", "The picture"))
        yield _seekable(source), Path(name).name
    else:
        kind = type(source).__name__
        raise TypeError(f"a picture is a path, bytes, a binary file or a PIL image, not {kind}")


def _opened_path(path: Path) -> BinaryIO:
    """Open an ordinary file; a missing one, a folder and a forbidden one have their sentences."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISREG(kind):
            return path.open("rb")
    except FileNotFoundError as error:
        raise PictureError(f"There is no file {path}; check its name and folder.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{path} cannot be opened ({reason}).") from error
    what = "a folder" if stat.S_ISDIR(kind) else "not an ordinary file"
    raise PictureError(f"{path} is {what}; give the path of a picture.")


def _seekable(file: BinaryIO) -> BinaryIO:
    """Return file, or its bytes in memory when it cannot go back to its beginning (Pillow does)."""
    return file if file.seekable() else BytesIO(file.read())


def _recognised(file: BinaryIO, name: str) -> Image.Image:
    """Return the picture in file with its header read and its pixels still to be decoded."""
    try:
        return Image.open(file, formats=tuple(FORMATS))
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large(name)) from error
    except Exception as error:  # decoders raise nearly anything when the bytes are hostile
        file.seek(0)
        raise PictureError(f"{name} cannot be read: {_diagnosis(file.read(1024))}.") from error


def _diagnosis(head: bytes) -> str:
    """Return what a file that begins with head seems to be, and what to do about it."""
    for beginning, meaning in BEGINNINGS.items():
        if re.match(beginning, head, re.IGNORECASE | re.DOTALL):
            return meaning
    return f"it is none of {', '.join(FORMATS)}; save it as one of them"


def _rgb(picture: Image.Image, name: str, max_side: int | None = None) -> Image.Image:
    """Return a decoded, upright RGB copy of picture; name is for the sentence when that fails."""
    pixels = picture.width * picture.height
    if pixels > MAX_PIXELS:
        raise PictureError(_too_large(name))
    if pixels == 0:
        raise PictureError(f"{name} has no pixels ({picture.width} × {picture.height}).")
    try:
        if max_side is not None:
            picture.draft(picture.mode, (2 * max_side, 2 * max_side))
        picture.load()
        rgb = _flattened(_upright(picture))
    except Exception as error:  # as above: a decoder met bytes it cannot make sense of
        reason = f"it is cut short or damaged ({error}); fetch it again"
        raise PictureError(f"{name} cannot be read: {reason}.") from error
    rgb.info = {}
    return rgb


def _too_large(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} million pixels; make it smaller first."


def _upright(picture: Image.Image) -> Image.Image:
    """Return a copy turned as its EXIF orientation says."""
    turn = TURNS.get(picture.getexif().get(ExifTags.Base.Orientation))
    return picture.copy() if turn is None else picture.transpose(turn)


def _flattened(picture: Image.Image) -> Image.Image:
    """Return picture in mode RGB: deep values scaled, transparent parts laid on white."""
    if picture.mode in WHITE or picture.mode.startswith("I;16"):
        picture = _scaled(picture)
    if picture.mode == "La":  # Pillow converts premultiplied grey to LA only
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _scaled(picture: Image.Image) -> Image.Image:
    """Return a deep grey picture in mode L, its order of brightness kept.

    Black is 0, or the darkest value if that is negative. White is the first of the usual values
    (WHITE) that no pixel exceeds, or the brightest pixel. NaN and infinities become black.
    """
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0, neginf=0)
    black = min(values.min(), 0)
    brightest = values.max()
    usual = WHITE["I;16" if picture.mode.startswith("I;16") else picture.mode]
    white = next((value for value in usual if brightest <= value), brightest)
    grey = 255 * (values - black) / (white - black)
    return Image.fromarray(grey.round().astype(np.uint8))
