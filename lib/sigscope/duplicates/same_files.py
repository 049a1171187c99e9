"""Same files and same pixels: what a hash can tell, reading as few files as that needs."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from sigscope.duplicates.signatures import ahead
from sigscope.images.read import FORMATS, PictureError, open_picture

BLOCK = 1 << 20


def same_bytes(
    files: Sequence[Path],
    contents: Sequence[str],
    *,
    workers: int = 2,
    progress: bool = False,
) -> np.ndarray:
    """Return for each file the number of the first that has the same bytes, (n,).

    Only files of equal size are read. One that cannot be read is the same as no other.

    Args:
        files: n paths.
        contents: the SHA-256 of each where it is known, else "".
        workers: threads that hash.
        progress: show a bar on stderr.
    """
    sizes = [_size(file) for file in files]
    count = defaultdict(int)
    for size in sizes:
        count[size] += 1
    asked = [row for row, size in enumerate(sizes) if size >= 0 and count[size] > 1]
    known: list[Hashable] = list(range(len(files)))
    with ThreadPoolExecutor(workers) as pool:
        hashes = ahead(pool, lambda row: contents[row] or _sha256(files[row]), asked)
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
    digest = hashlib.sha256(repr(picture.size).encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


def measured(file: Path) -> tuple[int, int]:
    """Return how much there is of a picture: its pixels by its header, and its bytes."""
    try:
        with Image.open(file, formats=tuple(FORMATS)) as picture:
            return picture.width * picture.height, _size(file)
    except Exception:  # a hostile header raises nearly anything; such a picture is never preferred
        return 0, _size(file)


def firsts(keys: Sequence[Hashable]) -> np.ndarray:
    """Return for each key the number of the first that equals it, (n,)."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(key, row) for row, key in enumerate(keys)], dtype=np.int64)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1
