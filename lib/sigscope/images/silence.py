"""Silence: libtiff's own lines on the terminal, which name no file, are not printed.

What is wrong with a picture is in the sentence of its `PictureError`.
"""

import ctypes
from contextlib import suppress
from pathlib import Path

import PIL

PLACES = ("../pillow.libs/libtiff*", ".dylibs/libtiff*")  # of the wheels for Linux and the Mac


def silence_libtiff() -> None:
    """Take away what libtiff calls to report an error; where it is not found, it goes on."""
    home = Path(PIL.__file__).parent
    for library in (found for place in PLACES for found in home.glob(place)):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(str(library)).TIFFSetErrorHandler(None)
