"""Depth: grey of more than 8 bits, or of floating point, is scaled into 0–255 and not clipped."""

import numpy as np
from PIL import Image

FEWER_BITS = {  # white in 10, 12 and 14 bits, which come in 16: share of it that there must be
    1_023: 0.5,
    4_095: 0.25,
    16_383: 0.25,
}
WHITE = {  # usual values of white, by mode
    "I": (255, *FEWER_BITS, 65_535),
    "F": (1,),
    "I;16": (*FEWER_BITS, 65_535),
}


def scaled(picture: Image.Image) -> Image.Image:
    """Return a deep grey picture in mode L, its order of brightness kept.

    Black is 0, or the darkest value if that is negative. White is the first of the usual values
    (WHITE) that no pixel exceeds and the brightest comes near, or the brightest pixel. NaN and
    infinities become black.
    """
    values = np.asarray(picture)
    ranges = [(band.min(), band.max()) for band in map(_finite, _bands(values))]
    black = min(0, *(darkest for darkest, _ in ranges))
    brightest = max(brightest for _, brightest in ranges)
    usual = WHITE["I;16" if picture.mode.startswith("I;16") else picture.mode]
    likely = (value for value in usual if brightest >= FEWER_BITS.get(value, -1) * value)
    white = next((value for value in likely if brightest <= value), brightest)
    grey = np.empty(values.shape, np.uint8)
    for band, made in zip(_bands(values), _bands(grey), strict=True):
        made[:] = (255 * (_finite(band) - black) / (white - black)).round()
    return Image.fromarray(grey)


def _bands(values: np.ndarray) -> list[np.ndarray]:
    """Return stretches of rows of about a million pixels: the work on them needs much memory."""
    rows = max(1, 2**20 // values.shape[1])
    return [values[start : start + rows] for start in range(0, len(values), rows)]


def _finite(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
