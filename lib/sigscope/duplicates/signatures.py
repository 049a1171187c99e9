"""Signatures: what a hash tells of files and pixels, and 1 KB of each picture for the rest.

A signature is the picture's luma, stretched to 32 x 32. Two signatures that come from copies are
near each other in their lowest frequencies; a crop moves them a little further, in directions that
can be told beforehand (the tangents), so these are taken out of the distance.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.fft import dct
from tqdm import tqdm

from sigscope.duplicates.alignment import blurred
from sigscope.files import content_of, sha256, size_of
from sigscope.images.formats import FORMATS
from sigscope.images.prefetch import prefetch
from sigscope.images.read import PictureError, open_picture
from sigscope.trouble import watched

SIDE, LOWEST = 32, 8
PLAIN = 3.0  # a standard deviation, of 255 levels, below which a picture has nothing to compare
RADIUS = 0.2  # squared distance of the lowest frequencies of unit signatures
BESIDE_TANGENTS = 0.03  # what may be left of it
WIDER, MOST = 256, 16  # candidates of one picture: the nearest, and of these those kept
QUERIES = 256  # at once


@dataclass(frozen=True, eq=False)
class Signatures:
    """Of n pictures; where one cannot be read there is a reason, and nothing else counts."""

    luma: np.ndarray  # (n, 32, 32) uint8
    aspect: np.ndarray  # (n,) width / height
    reasons: list[str]  # "" for a picture that was read

    @property
    def readable(self) -> np.ndarray:
        """Which pictures were read, (n,)."""
        return np.array([not reason for reason in self.reasons])

    @property
    def plain(self) -> np.ndarray:
        """Which are so even that any two would be alike, (n,)."""
        return self.luma.reshape(len(self.luma), -1).std(axis=1) < PLAIN


def read_signatures(files: Sequence[Path], *, progress: bool = False) -> Signatures:
    """Return the signatures of picture files, decoded in threads."""
    luma = np.zeros((len(files), SIDE, SIDE), np.uint8)
    aspect, reasons = np.ones(len(files)), [""] * len(files)
    read = prefetch(_signature, files)
    for row, found in enumerate(tqdm(read, "looking", len(files), disable=not progress)):
        if isinstance(found, str):
            reasons[row] = found
        else:
            luma[row], aspect[row] = found
    return Signatures(luma, aspect, reasons)


def candidates(luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs i < j of signatures that may be of copies: every such pair costs a closer look.

    Of each picture at most 16 later ones are kept, the nearest; memory grows with n, time with n².

    Args:
        luma: signatures of pictures that are not plain, (n, 32, 32).
    """
    low, tangents = _frequencies(luma)
    squared, one = (low**2).sum(axis=1, keepdims=True), np.ones((len(low), 1), np.float32)
    left_side = np.hstack([2 * low, -squared, -one])  # one product is the squared distance, negated
    right_side = np.hstack([low, one, squared])
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start in range(0, len(low), QUERIES):
        near = left_side[start : start + QUERIES] @ right_side[start:].T
        at = np.flatnonzero(near.ravel() >= -RADIUS)
        i, j = np.divmod(at, near.shape[1])
        away, i, j = -near.ravel()[at][j > i], (i + start)[j > i], (j + start)[j > i]
        i, j = (x[_nearest(i, away, WIDER)] for x in (i, j))
        left = _beside_tangents(low, tangents, i, j)
        i, j, left = (x[left < BESIDE_TANGENTS] for x in (i, j, left))
        chosen = _nearest(i, left, MOST)
        first.append(i[chosen])
        second.append(j[chosen])
    return np.concatenate(first), np.concatenate(second)


def same_bytes(
    files: Sequence[Path], contents: Sequence[str], *, progress: bool = False
) -> np.ndarray:
    """Return for each file the number of the first that has the same bytes, (n,).

    Only files of equal size are read. One that cannot be read is the same as no other.

    Args:
        files: n paths.
        contents: the SHA-256 of each where it is known, else "".
        progress: show a bar on stderr.
    """
    sizes = [size_of(file) for file in files]
    count = Counter(sizes)
    asked = [row for row, size in enumerate(sizes) if size >= 0 and count[size] > 1]
    known: list[Hashable] = list(range(len(files)))
    hashes = prefetch(lambda row: contents[row] or content_of(files[row]), asked)
    bar = tqdm(hashes, "hashing", len(asked), disable=not progress)
    for row, content in zip(asked, bar, strict=True):
        known[row] = content or row
    return firsts(known)


def pixels(file: Path) -> str:
    """Return the SHA-256 of a picture's size and its RGB pixels, or "" when it cannot be read."""
    try:
        picture = open_picture(file)
    except PictureError:
        return ""
    return sha256(repr(picture.size).encode() + picture.tobytes())


def measured(file: Path) -> tuple[int, int]:
    """Return how much there is of a picture: its pixels by its header, and its bytes."""
    pixels = 0
    with (
        watched(file, forgiving=Exception),  # hostile headers raise nearly anything; 0 never wins
        Image.open(file, formats=tuple(FORMATS)) as picture,
    ):
        pixels = picture.width * picture.height
    return pixels, size_of(file)


def firsts(keys: Sequence[Hashable]) -> np.ndarray:
    """Return for each key the number of the first that equals it, (n,)."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(key, row) for row, key in enumerate(keys)], dtype=np.int64)


def _signature(file: Path) -> tuple[np.ndarray, float] | str:
    """Return a picture's signature and width / height, or why it cannot be read."""
    try:
        picture = open_picture(file, max_side=2 * SIDE)
    except PictureError as error:
        return str(error)
    small = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small.convert("L")), picture.width / picture.height


def _frequencies(luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest frequencies of unit signatures, (n, 64), and their tangents, (n, 64, 5).

    The tangents are what a crop changes (a stretch and a shift on either axis) and contrast,
    orthonormal in each picture.
    """
    low = np.empty((len(luma), LOWEST**2), np.float32)
    tangents = np.empty((len(luma), LOWEST**2, 5), np.float32)
    x = ((2 * np.arange(SIDE) + 1) / SIDE - 1).astype(np.float32)
    for start in range(0, len(luma), 1024):
        here = slice(start, start + 1024)
        signs = luma[here].astype(np.float32)
        signs -= signs.mean(axis=(1, 2), keepdims=True)
        signs /= np.maximum(np.linalg.norm(signs, axis=(1, 2), keepdims=True), 1e-3)
        down, right = np.gradient(blurred(signs, 1.0), 2 / SIDE, axis=(1, 2))
        low[here] = _lowest(signs)
        parts = (down * x[:, None], down, right * x, right, signs)
        tangents[here] = np.linalg.qr(np.stack([_lowest(part) for part in parts], axis=-1))[0]
    return low, tangents


def _lowest(x: np.ndarray) -> np.ndarray:
    waves = dct(np.eye(SIDE, dtype=np.float32), axis=0, norm="ortho")[:LOWEST]
    return (waves @ x @ waves.T).reshape(len(x), -1)


def _beside_tangents(
    low: np.ndarray, tangents: np.ndarray, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """Return the squared distance of pairs that no tangent explains (Simard et al. 1993), (m,)."""
    left = np.empty(len(i), np.float32)
    for start in range(0, len(i), 4096):
        here = slice(start, start + 4096)
        apart = (low[i[here]] - low[j[here]])[:, None]
        rests = []
        for rows in (i[here], j[here]):
            explained = (apart @ tangents[rows]) @ tangents[rows].transpose(0, 2, 1)
            rests.append(((apart - explained) ** 2).sum(axis=(1, 2)))
        left[here] = np.minimum(*rests)
    return left


def _nearest(i: np.ndarray, away: np.ndarray, most: int) -> np.ndarray:
    """Return which pairs to keep: of each i so many at most, those least away."""
    order = np.lexsort((away, i))
    starts = np.flatnonzero(np.append(True, np.diff(i[order]) > 0)) if len(i) else order
    place = np.arange(len(i)) - np.repeat(starts, np.diff(np.append(starts, len(i))))
    return order[place < most]
