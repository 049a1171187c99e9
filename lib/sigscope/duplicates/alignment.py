"""Alignment: two pictures laid over each other, and how far they then still differ.

Pictures are squares of side s, stretched to fit, with values from 0 to 255. A place ``(height,
down, width, right)`` says which part of picture b lies over all of picture a: coordinates run from
-1 to 1, and row y of a lies on row ``y * (1 + height) + down`` of b, columns likewise. So a cropped
copy lies over a part of its original.
"""

import numpy as np

LIMIT = 0.17  # no place is farther from (0, 0, 0, 0), which is a crop of some 8 % a side
STEP = 0.05  # the most that one step moves a place
STIFF = 1e-3  # keeps a place where it is when the pictures cannot tell
EDGE_BLUR, SEEN_BLUR = 1.5, 1.0  # in pixels
FAINT = 8.0  # levels of 255 that are a difference of 1 where there is no edge
FAINTEST = 2.0
RIM = 2  # pixels at either border that a crop mixes with what it cuts off, and are not compared
CONTRAST = 0.25  # in a picture of little contrast so much of it is a difference of 1


def blurred(x: np.ndarray, sigma: float) -> np.ndarray:
    """Return squares (m, s, s) under a Gaussian of this many pixels; the border is not darkened."""
    side = np.arange(x.shape[-1])
    weights = np.exp(-((side[:, None] - side) ** 2) / (2 * sigma**2))
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights @ x @ weights.T


def _warped(b: np.ndarray, places: np.ndarray, rim: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return b as it lies over a, and 1 where b without its rim covers a, float32, (m, s, s)."""
    rows, covered_rows = _sampling(places[:, :2], b.shape[-1], rim)
    columns, covered_columns = _sampling(places[:, 2:], b.shape[-1], rim)
    covered = covered_rows[:, :, None] * covered_columns[:, None, :]
    return rows @ b @ columns.transpose(0, 2, 1), covered


def align(a: np.ndarray, b: np.ndarray, places: np.ndarray, steps: int) -> np.ndarray:
    """Return places, (m, 4), after so many Gauss-Newton steps of the squared difference.

    Lucas & Kanade 1981, with brightness and contrast of b solved for in the same step.

    Args:
        a: luma, float32, (m, s, s), smooth over the distance still to go (`blurred`).
        b: as a.
        places: where to begin, (m, 4).
        steps: how many.
    """
    m, side = len(a), a.shape[-1]
    x = _coordinates(side)
    stiff = STIFF * np.diag([1, 1, 1, 1, 1e-3, 1e-3])
    for _ in range(steps):
        over, covered = _warped(b, places)
        down, right = np.gradient(over, 2 / side, axis=(1, 2))
        parts = (down * x[:, None], down, right * x, right, over, np.ones_like(over))
        slopes = np.stack(parts, axis=1).reshape(m, 6, -1)
        weighted = slopes * covered.reshape(m, 1, -1)
        normal = (weighted @ slopes.transpose(0, 2, 1)).astype(np.float64)
        target = (weighted @ a.reshape(m, -1, 1)).astype(np.float64)
        normal += (np.trace(normal, axis1=1, axis2=2)[:, None, None] / 6 + 1e-6) * stiff
        solved = np.linalg.solve(normal, target)[..., 0]
        moves = solved[:, :4] / np.maximum(solved[:, 4:5], 0.2)
        places = np.clip(places + np.clip(moves, -STEP, STEP), -LIMIT, LIMIT)
    return places


def inverse(places: np.ndarray) -> np.ndarray:
    """Return the places of a over b."""
    scales, shifts = 1 / (1 + places[:, ::2]), places[:, 1::2]
    turned = np.stack([scales - 1, -shifts * scales], axis=-1)
    return turned.reshape(len(places), 4)


def difference(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return how far two lumas differ where they differ most, float32, (m,); 0 is not at all.

    The difference at a spot counts in units of the edge there: a copy that was resized or
    recompressed differs at its edges alone. The edge is the weaker of the two, so a line that only
    one picture has counts in full.

    Args:
        a: luma, float32, (m, s, s).
        b: as a.
        places: of b over a, (m, 4).
    """
    over, covered = _warped(b, places, RIM)
    seen = np.abs(blurred((a - over) * _inner(covered), SEEN_BLUR))
    edges = np.minimum(*(blurred(_steepness(x), EDGE_BLUR) for x in (a, over)))
    contrast = np.minimum(*(x.std(axis=(1, 2)) for x in (a, b)))
    faint = np.clip(CONTRAST * contrast, FAINTEST, FAINT)
    return (seen / (edges + faint[:, None, None])).max(axis=(1, 2))


def colour_difference(a: np.ndarray, b: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the largest difference of chroma, in levels, of Cb and Cr (m, 2, s, s): (m,).

    It is taken over spots some four pixels wide, as JPEG keeps chroma at half the resolution.
    """
    largest = np.zeros(len(a), np.float32)
    for of_a, of_b in zip(a.swapaxes(0, 1), b.swapaxes(0, 1), strict=True):
        over, covered = _warped(of_b, places, RIM)
        spots = np.abs(blurred((of_a - over) * _inner(covered), 2.0))
        largest = np.maximum(largest, spots.max(axis=(1, 2)))
    return largest


def _inner(covered: np.ndarray) -> np.ndarray:
    inner = np.zeros_like(covered)
    inner[:, RIM:-RIM, RIM:-RIM] = covered[:, RIM:-RIM, RIM:-RIM]
    return inner


def _sampling(places: np.ndarray, side: int, rim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return linear interpolation along one axis as matrices, (m, s, s), and what b covers."""
    x = _coordinates(side)
    position = ((x * (1 + places[:, :1]) + places[:, 1:]) + 1) * side / 2 - 0.5
    covered = (position > rim - 0.5001) & (position < side - rim - 0.4999)
    position = np.clip(position, 0, side - 1)
    weights = np.maximum(0, 1 - np.abs(position[:, :, None] - np.arange(side)))
    return weights.astype(np.float32), covered.astype(np.float32)


def _coordinates(side: int) -> np.ndarray:
    return ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)


def _steepness(x: np.ndarray) -> np.ndarray:
    down, right = np.gradient(x, axis=(1, 2))
    return np.hypot(down, right)
