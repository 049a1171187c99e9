"""Colour profiles written by hand: three primaries or grey, and one gamma."""

import struct

# Primaries in XYZ, adapted to D50, as the rows red, green, blue.
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
WHITE = (0.9642, 1.0, 0.8249)  # D50


def rgb_profile(primaries=ADOBE_RGB, gamma: float | None = 563 / 256) -> bytes:
    """Return an ICC profile (version 2) of a display with these primaries; None is sRGB's curve."""
    tags = {b"rXYZ": xyz(*primaries[0]), b"gXYZ": xyz(*primaries[1]), b"bXYZ": xyz(*primaries[2])}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve(gamma))
    return assembled(b"RGB ", tags)


def grey_profile(gamma=1.0) -> bytes:
    return assembled(b"GRAY", {b"kTRC": curve(gamma)})


def assembled(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = tags | {b"wtpt": xyz(*WHITE), b"desc": text(b"desc"), b"cprt": text(b"text")}
    start, entries, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        entries += name + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4xI", start + len(body), 0x02100000) + b"mntr" + space + b"XYZ "
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *map(fixed, WHITE))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *map(fixed, values))


def curve(gamma: float | None) -> bytes:
    if gamma is None:
        levels = [level / 1023 for level in range(1024)]
        light = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels]
        return b"curv" + bytes(4) + struct.pack(">I1024H", 1024, *(round(65535 * v) for v in light))
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def text(kind: bytes) -> bytes:
    if kind == b"desc":
        return b"desc" + bytes(4) + struct.pack(">I", 5) + b"made\0" + bytes(8 + 3 + 67)
    return b"text" + bytes(4) + b"none\0"


def fixed(value: float) -> int:
    return round(value * 65536)
