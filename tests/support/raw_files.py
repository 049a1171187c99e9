"""Raw files as cameras write them, made by hand: a DNG with a preview and some sensor values."""

import struct
from io import BytesIO

from PIL import Image

SIDE = 64  # of the sensor
SIZES = {1: "B", 3: "H", 4: "I"}  # of TIFF's kinds of values; 2 is text


def dng(preview: Image.Image, orientation: int = 1) -> bytes:
    """Return a DNG (Adobe's specification 1.4) whose first picture is the preview.

    Args:
        preview: an RGB picture.
        orientation: of the file, as in EXIF; the preview itself says nothing of it.
    """
    kept = BytesIO()
    preview.save(kept, "JPEG", quality=95)
    jpeg, sensor = kept.getvalue(), struct.pack("<H", 2000) * SIDE**2
    width, height = preview.size
    places = [0, 0, 0]  # of the second directory, the preview and the sensor's values
    for _ in range(2):  # sizes are known after the first time
        first = {
            254: (4, 1), 256: (4, width), 257: (4, height), 258: (3, 8, 8, 8), 259: (3, 7),
            262: (3, 6), 271: (2, b"Maker\0"), 272: (2, b"Maker One\0"), 273: (4, places[1]),
            274: (3, orientation), 277: (3, 3), 278: (4, height), 279: (4, len(jpeg)),
            330: (4, places[0]), 50706: (1, 1, 4, 0, 0), 50708: (2, b"Maker One\0"),
        }  # fmt: skip
        second = {
            254: (4, 0), 256: (4, SIDE), 257: (4, SIDE), 258: (3, 16), 259: (3, 1),
            262: (3, 32803), 273: (4, places[2]), 277: (3, 1), 278: (4, SIDE),
            279: (4, len(sensor)), 33421: (3, 2, 2), 33422: (1, 0, 1, 1, 2),
        }  # fmt: skip
        head = _directory(first, 8)
        places[0] = 8 + len(head)
        head += _directory(second, places[0])
        places[1:] = 8 + len(head), 8 + len(head) + len(jpeg)
    return b"II*\0" + struct.pack("<I", 8) + head + jpeg + sensor


def _directory(tags: dict[int, tuple], at: int) -> bytes:
    """Return a directory of a TIFF that lies at a place of the file."""
    rows, behind = struct.pack("<H", len(tags)), b""
    after = at + 2 + 12 * len(tags) + 4
    for tag, (kind, *values) in tags.items():
        count = len(values[0]) if kind == 2 else len(values)
        data = values[0] if kind == 2 else struct.pack(f"<{count}{SIZES[kind]}", *values)
        inside = len(data) <= 4
        rows += struct.pack("<HHI", tag, kind, count)
        rows += data.ljust(4, b"\0") if inside else struct.pack("<I", after + len(behind))
        behind += b"" if inside else data
    return rows + struct.pack("<I", 0) + behind
