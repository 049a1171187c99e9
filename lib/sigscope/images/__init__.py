"""Bytes become an RGB picture, or a sentence that says why not."""

from sigscope.images.captions import embedded_captions
from sigscope.images.formats import SUFFIXES
from sigscope.images.prefetch import picture_side
from sigscope.images.read import PictureError, Source, open_picture
from sigscope.trouble import MachineTrouble

__all__ = [
    "SUFFIXES",
    "MachineTrouble",
    "PictureError",
    "Source",
    "embedded_captions",
    "open_picture",
    "picture_side",
]
