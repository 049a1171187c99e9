"""Pictures that are the same to the eye, series that must stay together, and the split.

Likeness is the correlation of two 24-pixel colour thumbnails: 1 for the same picture, about 0 for
two unrelated ones.
"""

import hashlib
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from PIL import Image

THUMBNAIL = 24
TWIN = 0.985
LARGE = 12
SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}


def thumbnail(picture: Image.Image) -> np.ndarray:
    """Return the picture on a white square as a unit vector, shape (THUMBNAIL² x 3,), mean 0."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    small = square.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.float32).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def twins(thumbnails: np.ndarray, likeness: float = TWIN) -> list[tuple[int, int]]:
    """Return pairs (i, j), i < j, of rows at least this much alike."""
    found = []
    for start in range(0, len(thumbnails), 512):
        alike = thumbnails[start : start + 512] @ thumbnails.T
        for i, j in np.argwhere(alike >= likeness):
            if i + start < j:
                found.append((int(i) + start, int(j)))
    return found


def groups(n: int, pairs: Sequence[tuple[int, int]], keys: Sequence[Hashable]) -> np.ndarray:
    """Return a group number for each of n rows: paired rows and rows of one key share it."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[Hashable, int] = {}
    for i, key in enumerate(keys):
        parent[root(i)] = root(first.setdefault(key, i))
    for i, j in pairs:
        parent[root(j)] = root(i)
    return np.array([root(i) for i in range(n)], dtype=np.int64)


def split(series: Sequence[str], seed: int) -> list[str]:
    """Deal whole series to train, val and test by a hash of their name, near `SHARES` of each.

    A series stays where it is however the gallery around it changes, so a model trained on an
    earlier build has still not seen the test split of a later one. Only a set of more than `LARGE`
    pictures goes to train whatever its hash: no single one may dominate a score.

    Args:
        series: the series of every picture.
        seed: changes which series go where.

    Returns:
        "train", "val" or "test" for every picture; a series is never divided.
    """
    size = Counter(series)
    bounds = list(zip(np.cumsum(list(SHARES.values())), SHARES, strict=True))
    side = {}
    for name in size:
        at = _draw(name, seed)
        side[name] = next((s for bound, s in bounds if at < bound), bounds[-1][1])
        if size[name] > LARGE:
            side[name] = "train"
    return [side[name] for name in series]


def _draw(name: str, seed: int) -> float:
    """Return a number in [0, 1) that depends on the name and the seed alone."""
    return int(hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()[:12], 16) / 16**12
