"""Augmentation: a picture and a caption, seen a little differently each time. Pillow alone."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageOps

NARROWEST, WIDEST = 3 / 4, 4 / 3  # sides of a crop against those of the picture


def picture_view(
    picture: Image.Image, rng: np.random.Generator, *, flip: float, crop: float
) -> Image.Image:
    """Return a random part of an RGB picture, perhaps mirrored.

    Args:
        picture: left as it is.
        rng: where the draws come from.
        flip: how often it is mirrored, from 0 to 1.
        crop: the least share of the area that is kept; 1 keeps all of it. The crop's shape strays
            from the picture's by at most 4 : 3 (as in Szegedy et al. 2015).
    """
    if crop < 1:
        picture = picture.crop(_box(picture.size, rng, crop))
    return ImageOps.mirror(picture) if rng.random() < flip else picture


def with_words_left_out(text: str, rng: np.random.Generator, share: float) -> str:
    """Return text without a random share of its words; one at least is kept."""
    words = text.split()
    if not share or len(words) < 2:
        return text
    kept = rng.random(len(words)) >= share
    if not kept.any():
        kept[rng.integers(len(words))] = True
    return " ".join(word for word, stays in zip(words, kept, strict=True) if stays)


def _box(size: tuple[int, int], rng: np.random.Generator, crop: float) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a random part of a picture of that size."""
    area = rng.uniform(crop, 1.0)
    shape = math.exp(rng.uniform(math.log(NARROWEST), math.log(WIDEST)))
    shares = (math.sqrt(area * shape), math.sqrt(area / shape))
    width, height = (
        max(1, round(side * min(1.0, share))) for side, share in zip(size, shares, strict=True)
    )
    left, top = rng.integers(size[0] - width + 1), rng.integers(size[1] - height + 1)
    return int(left), int(top), int(left) + width, int(top) + height
