"""Agreement: how close a network in a short number format stays to itself in float32.

Measured as the smallest cosine between the two, over a few drawn pictures and plain texts.
"""

import numpy as np
from PIL import Image

LEAST = 0.999
TEXTS = (
    "a red bicycle leaning against a wall",
    "two dogs",
    "An old map of the world, drawn by hand, with ships and sea monsters.",
    "42",
)


def pictures() -> list[Image.Image]:
    """Return four RGB pictures of unlike kinds: a ramp, a chequerboard, noise, a disc on white."""
    y, x = np.mgrid[:96, :128]
    ramp = np.stack([2 * x, 2 * y, 255 - 2 * x], axis=-1)
    board = np.where(((x // 16 + y // 16) % 2)[..., None], (250, 220, 40), (20, 40, 120))
    noise = np.random.default_rng(0).integers(256, size=(96, 128, 3))
    disc = np.where(
        ((x - 64) ** 2 + (y - 48) ** 2 < 900)[..., None], (200, 30, 30), (255, 255, 255)
    )
    return [Image.fromarray(kind.astype(np.uint8)) for kind in (ramp, board, noise, disc)]


def least_cosine(ours: np.ndarray, exact: np.ndarray) -> float:
    """Return the smallest cosine between the rows of two arrays of unit vectors, shape (n, d)."""
    return float((ours * exact).sum(axis=1).min())
