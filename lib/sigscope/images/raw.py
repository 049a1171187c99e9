"""Raw files of cameras: what tells them from a TIFF, and their preview, which LibRaw finds.

Most begin as a TIFF does, whose first picture is a thumbnail. The preview is the JPEG that the
camera itself made; the sensor's data is never developed.
"""

import re
from contextlib import suppress
from io import BytesIO
from typing import BinaryIO

from PIL import ExifTags, Image, TiffImagePlugin
from PIL.JpegImagePlugin import JpegImageFile

from sigscope.images.sniff import RAW_HEADS

try:
    import rawpy
except ImportError:  # the extra is not installed
    rawpy = None

HEAD = 16  # bytes that a signature takes
TIFF = (b"II*\0", b"MM\0*")
REDUCED, COMPRESSION, MAKER, SUB_PICTURES, DNG_VERSION = 254, 259, 271, 330, 50_706  # tags
COMPRESSIONS = (32_767, 34_713, 65_000, 65_535)  # of Sony, Nikon, Kodak, Pentax
TURNS = {3: 3, 5: 8, 6: 6}  # EXIF's orientation of LibRaw's
QUALITY = 95  # of a preview that the camera did not compress


class RawPreview(JpegImageFile):
    """The preview of a raw file."""

    format = "RAW"


def read_raw_files() -> None:
    """Let Pillow open the previews of raw files."""
    Image.register_open(RawPreview.format, _opened, _may_be_raw)


def are_raw(tags: TiffImagePlugin.ImageFileDirectory_v2) -> bool:
    """Return whether these tags of a TIFF's first picture are a raw file's."""
    is_thumbnail = tags.get(REDUCED) == 1 and MAKER in tags and SUB_PICTURES in tags
    return is_thumbnail or DNG_VERSION in tags or tags.get(COMPRESSION) in COMPRESSIONS


def _may_be_raw(head: bytes) -> bool:
    return head.startswith(TIFF) or bool(re.match(RAW_HEADS, head, re.DOTALL))


def _opened(file: BinaryIO, name: str = "") -> RawPreview:
    """Return the preview in a raw file; SyntaxError, as Pillow wants it, where it has none."""
    if not _is_raw(file):
        raise SyntaxError("this is no raw file")
    try:
        with rawpy.imread(file) as raw:
            preview, turn = raw.extract_thumb(), TURNS.get(raw.sizes.flip)
    except rawpy.LibRawUnsufficientMemoryError as error:
        raise MemoryError(str(error)) from error
    except rawpy.LibRawError as error:
        raise SyntaxError(f"this raw file has no preview ({error})") from error
    data = preview.data
    if preview.format != rawpy.ThumbFormat.JPEG:
        kept = BytesIO()
        Image.fromarray(data).save(kept, "JPEG", quality=QUALITY)
        data = kept.getvalue()
    picture = RawPreview(BytesIO(data))
    if turn and ExifTags.Base.Orientation not in picture.getexif():
        picture.getexif()[ExifTags.Base.Orientation] = turn
    return picture


def _is_raw(file: BinaryIO) -> bool:
    head = file.read(HEAD)
    try:
        if not head.startswith(TIFF):
            return True  # by its signature
        with suppress(SyntaxError, ValueError, LookupError, TypeError, EOFError):  # hostile tags
            tags = TiffImagePlugin.ImageFileDirectory_v2(head[:8])
            file.seek(tags.next)
            tags.load(file)
            return head[8:10] == b"CR" or are_raw(tags)
        return False
    finally:
        file.seek(0)
