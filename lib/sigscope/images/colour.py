"""Colour profiles: a picture whose ICC profile names another colour space is brought to sRGB.

Phones write Display P3, cameras Adobe RGB, printers ink; read as if they were sRGB, such numbers
show paler or plainly wrong colours. A profile that is damaged, or that says what sRGB says, changes
nothing.
"""

from functools import cache, lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from sigscope.trouble import watched

MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}  # of the pictures that a profile is for
CLASSES = (b"mntr", b"scnr", b"prtr", b"spac")  # profiles of devices and of colour spaces
GREY = ("1", "L", "LA")
MAX_BYTES = 4_000_000  # of a profile; the largest in use are printers', of about 2 MB
SAME = 2  # of 255: what rounding in two profiles of one colour space may differ by


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return picture's colours in sRGB: mode RGB, or RGBA if it has transparent parts.

    Args:
        picture: A decoded picture of 8 bits a channel; it is left as it is.
        profile: Its ICC profile. Without one, or with one that cannot be used or that says sRGB,
            picture itself is returned.
    """
    transform = _to_srgb(bytes(profile)) if profile and len(profile) <= MAX_BYTES else None
    if transform is None or not _fits(picture.mode, transform.input_mode):
        return picture
    colours = transform.apply(picture.convert(transform.input_mode))
    if picture.has_transparency_data:
        colours.putalpha(picture.convert("RGBA").getchannel("A"))
    return colours


@lru_cache(maxsize=32)
def _to_srgb(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Return what brings a profile's colours to sRGB, or None where that is nothing."""
    mode = MODES.get(profile[16:20])
    if mode is None or profile[12:16] not in CLASSES:
        return None
    transform = None
    with watched("A colour profile", forgiving=Exception):  # of bytes that make no sense
        given = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.buildTransform(given, _srgb(), mode, "RGB")
    if transform is None or (mode != "CMYK" and _changes_nothing(transform)):
        return None
    return transform


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Return whether 729 colours from all over the cube stay where they are."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    before = Image.fromarray(cube).convert(transform.input_mode)
    after = np.asarray(transform.apply(before), dtype=int)
    return np.abs(after - np.asarray(before.convert("RGB"))).max() <= SAME


def _fits(mode: str, wanted: str) -> bool:
    """Return whether a profile for pictures of mode wanted can be meant for one of this mode."""
    if "CMYK" in (mode, wanted):
        return mode == wanted
    return wanted == "RGB" or mode in GREY
