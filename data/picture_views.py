"""Views of a picture for training: the same thing, seen a little differently.

The image tower is locked, so each view is embedded once; more views stand for more pictures.
"""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

WHITE = (255, 255, 255)


def view(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a random crop, mirror image, small turn and change of light of an RGB picture."""
    picture = turned(cropped(picture, rng), rng)
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(rng.uniform(0.75, 1.25))
    return picture


def cropped(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return 60 to 100 % of each side of the picture, or the picture within a white margin."""
    width, height = picture.size
    if rng.random() < 0.25:
        border = int(rng.uniform(0.02, 0.2) * max(width, height))
        return ImageOps.expand(picture, border, fill=WHITE)
    w, h = (max(1, int(side * rng.uniform(0.6, 1.0))) for side in (width, height))
    left, top = rng.integers(width - w + 1), rng.integers(height - h + 1)
    return picture.crop((left, top, left + w, top + h))


def turned(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the picture turned by up to 12 degrees, its corners white."""
    return picture.rotate(rng.uniform(-12, 12), Image.Resampling.BICUBIC, fillcolor=WHITE)
