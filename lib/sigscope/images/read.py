"""Pictures: whatever a person hands over becomes an RGB picture, or a sentence saying why not.

RGB means what a person would see on white paper: sRGB, the right way up, transparent parts white,
deep and floating-point pictures scaled into 0–255 rather than clipped, and of an animation the
first frame that shows something (it may fade in from black).

Damage that decodes cannot be seen: a JPEG with wrong bytes in its middle shows wrong colours and
raises nothing; only its hash, kept from before, could tell.
"""

import logging
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO, TextIOBase
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageChops

from sigscope.arguments import whole
from sigscope.images.colour import in_srgb
from sigscope.images.depth import WHITE, scaled
from sigscope.images.formats import FORMATS, RAW_SUFFIXES
from sigscope.images.raw import are_raw, rawpy
from sigscope.images.silence import silence_libtiff
from sigscope.images.sniff import CUT, HEAD, NO_PREVIEW, RAW, diagnosis, kind_of
from sigscope.trouble import check_machine, watched

Source = str | Path | bytes | BinaryIO | Image.Image

MAX_PIXELS = 89_478_485  # Pillow's own limit for a picture that is no "decompression bomb"
MAX_BYTES = 1_000_000_000  # of a file; some decoders read all of it into memory
ROOM = 256_000_000  # bytes of memory that there must be before a picture is called damaged

END = b"\xff\xd9"  # of a JPEG
BEHIND = b"\x5a\xa5\x33\xcc" * 64  # bytes that would show as noise
MOVING = ("GIF", "WEBP", "PNG", "AVIF")  # formats whose frames follow each other in time
FRAMES = 50  # looked at, at most, for one that shows something
FLAT = 8  # of 255: what the values of a frame that shows nothing may differ by

TURNS = {  # ImageOps.exif_transpose fails on a damaged block whose orientation can be read
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What Pillow warns of is decoded all the same, or refused below with a sentence.
silence_libtiff()
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


log = logging.getLogger(__name__)


class PictureError(ValueError):
    """What was handed over is not a picture we can read; the message is a sentence for a person."""

    def __init__(self, sentence: str):
        """Keep the sentence, made safe for any file: a name in it need not be UTF-8."""
        super().__init__(plain(sentence))


def plain(text: str) -> str:
    r"""Return text with whatever UTF-8 cannot hold spelt out (\udce9), so any file takes it."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


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
            or it is damaged, or it has more than MAX_PIXELS pixels or MAX_BYTES bytes.
        MachineTrouble: The machine failed (too many open files, a disk, memory), not the picture.
        ValueError: max_side is below 1.
        TypeError: source is none of these things.
    """
    if max_side is not None:
        whole("max_side", max_side, "give a number of pixels, 1 or more")
    if isinstance(source, Image.Image):
        with watched("The picture"):
            return _rgb(source, "The picture")
    with opened(source) as (file, name), watched(name):
        picture = None
        try:
            picture = _recognised(file, name)
            if max_side is not None:
                picture.draft(picture.mode, (2 * max_side, 2 * max_side))
            return _rgb(picture, name, may_seek=True)
        except PictureError:
            _check_machine(file)
            if picture is None or (ended := _ended(file, picture)) is None:
                raise
            log.warning("%s lacks its end, of which nothing is seen; it is shown.", name)
            return _rgb(ended, name)


@contextmanager
def opened(source: Source) -> Iterator[tuple[BinaryIO, str]]:
    """Yield a seekable binary file, and what to call it in a sentence."""
    if isinstance(source, str | Path):
        with _opened_path(Path(source)) as file:
            yield file, Path(source).name
    elif isinstance(source, bytes | bytearray | memoryview):
        yield BytesIO(source), "The picture"
    elif hasattr(source, "read") and not isinstance(source, TextIOBase):
        name = str(getattr(source, "name", "The picture"))
        yield source if source.seekable() else BytesIO(source.read()), Path(name).name
    else:
        kind = type(source).__name__
        raise TypeError(f"a picture is a path, bytes, a binary file or a PIL image, not {kind}")


def _opened_path(path: Path) -> BinaryIO:
    """Open an ordinary file; a missing one, a folder and a forbidden one have their sentences."""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES:
            return open(path, "rb", opener=_without_waiting)
    except FileNotFoundError as error:
        raise PictureError(f"There is no file {path}; check its name and folder.") from error
    except (OSError, ValueError) as error:
        check_machine(path, error)
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{path} cannot be opened ({reason}).") from error
    if stat.S_ISREG(status.st_mode):
        gigabytes = MAX_BYTES // 10**9
        raise PictureError(f"{path} has more than {gigabytes} GB; make it smaller first.")
    what = "a folder" if stat.S_ISDIR(status.st_mode) else "not an ordinary file"
    raise PictureError(f"{path} is {what}; give the path of a picture.")


def _without_waiting(path: str, flags: int) -> int:
    """Open a file that may have become a pipe a moment ago, which nobody writes to."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError("it is not an ordinary file any more")


def _check_machine(file: BinaryIO) -> None:
    """Raise unless the machine can read the file to its end, and has memory left.

    A picture seems damaged where it cannot, as decoders in C do not pass on why they failed.
    """
    np.empty(ROOM, np.uint8)
    file.seek(0)
    while file.read(2**20):
        pass


def _ended(file: BinaryIO, cut: Image.Image) -> Image.Image | None:
    """Return a JPEG that lacks nothing but the mark of its end, or None where it lacks more.

    Where nothing more is awaited, bytes put behind it change no pixel.
    """
    if cut.format != "JPEG" or cut.width * cut.height > MAX_PIXELS:
        return None
    file.seek(0)
    data = file.read().removesuffix(END[:1])
    with suppress(OSError, ValueError, SyntaxError):
        whole, more = (Image.open(BytesIO(data + each + END)) for each in (b"", BEHIND))
        if ImageChops.difference(whole.convert("RGB"), more.convert("RGB")).getbbox() is None:
            return whole
    return None


def _recognised(file: BinaryIO, name: str) -> Image.Image:
    """Return the picture in file with its header read and its pixels still to be decoded."""
    try:
        picture = Image.open(file, formats=tuple(FORMATS))
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large(name)) from error
    except Exception as error:  # decoders raise nearly anything when the bytes are hostile
        file.seek(0)
        head = file.read(HEAD) or b""
        reason = diagnosis(head, tuple(FORMATS), str(error))
        if kind_of(head) == "TIFF" and Path(name).suffix.lower() in RAW_SUFFIXES:
            reason = NO_PREVIEW if rawpy else RAW
        raise PictureError(f"{name} cannot be read: {reason}.") from error
    if picture.format == "TIFF" and are_raw(picture.tag_v2):  # Pillow finds a thumbnail there
        raise PictureError(f"{name} cannot be read: {NO_PREVIEW if rawpy else RAW}.")
    return picture


def _rgb(picture: Image.Image, name: str, *, may_seek: bool = False) -> Image.Image:
    """Return a decoded, upright RGB copy of picture; name is for the sentence when that fails."""
    pixels = picture.width * picture.height
    if pixels > MAX_PIXELS:
        raise PictureError(_too_large(name))
    if pixels == 0:
        raise PictureError(f"{name} has no pixels ({picture.width} × {picture.height}).")
    try:
        picture.load()
        if may_seek and _moves(picture):
            picture = _showing(picture)
        rgb = _flattened(_upright(picture))
    except Exception as error:  # as above: a decoder met bytes it cannot make sense of
        reason = CUT.replace("damaged", f"damaged ({' '.join(str(error).split())})")
        raise PictureError(f"{name} cannot be read: {reason}.") from error
    rgb = rgb.copy() if rgb is picture else rgb
    rgb.info = {}
    return rgb


def _moves(picture: Image.Image) -> bool:
    with watched("A frame", forgiving=Exception):  # one that is damaged; the first can be shown
        return picture.format in MOVING and picture.is_animated
    return False


def _showing(picture: Image.Image) -> Image.Image:
    """Return an animation at its first frame that is not all of one colour, else its first."""
    first = picture.copy()  # Pillow forgets the palette of an APNG's when it goes back
    if not _is_flat(first):
        return picture
    affordable = MAX_PIXELS // (picture.width * picture.height)
    with watched("A frame", forgiving=Exception):  # as above
        for frame in range(1, min(picture.n_frames, FRAMES, affordable)):
            picture.seek(frame)
            if not _is_flat(picture):
                return picture
    return first


def _is_flat(picture: Image.Image) -> bool:
    ranges = picture.convert("RGBA").getextrema()
    return all(highest - lowest <= FLAT for lowest, highest in ranges)


def _too_large(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} million pixels; make it smaller first."


def _upright(picture: Image.Image) -> Image.Image:
    """Return picture turned as its EXIF orientation says; itself where that says nothing."""
    turn = None
    with watched("An EXIF block", forgiving=Exception):  # a damaged one is no harm to the picture
        turn = TURNS.get(picture.getexif().get(ExifTags.Base.Orientation))
    return picture if turn is None else picture.transpose(turn)


def _flattened(picture: Image.Image) -> Image.Image:
    """Return picture in mode RGB: deep values scaled, in sRGB, transparent parts laid on white."""
    profile = picture.info.get("icc_profile")
    if picture.mode in WHITE or picture.mode.startswith("I;16"):
        picture = scaled(picture)
    if picture.mode == "La":  # Pillow converts premultiplied grey to LA only
        picture = picture.convert("LA")
    picture = in_srgb(picture, profile)
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    return picture if picture.mode == "RGB" else picture.convert("RGB")
