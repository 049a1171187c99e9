"""The cache: things in it are marked when they are of use, and those that are not can go.

Everything in it can be computed again.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import time

from sigscope import paths

DAY_S = 86_400
USED = {  # where things lie in the cache, and which file of each is marked
    "agreement": "",
    "catalogues": "catalogue.json",
    "compiled": "",
    "duplicates": "",
    "embeddings": "manifest.json",
    "indexes": "index.faiss",
    "inventories": "",
    "maps": "map.json",
    "paces": "",
    "problems": "",
    "readings": "",
    "text-areas": "",
    "words": "words.json",
}


@dataclass(frozen=True)
class Unused:
    """Something in the cache that nobody has used for a while."""

    path: Path
    days: float
    size: int  # bytes


def mark_used(file: Path) -> None:
    """Note that a file in the cache was of use now."""
    with suppress(OSError):
        os.utime(file)


def unused(days: float) -> list[Unused]:
    """Return what nobody has used for so many days, in the order of ``USED``."""
    found = []
    for place, marked in USED.items():
        for path in sorted((paths.CACHE / place).glob("*")):
            age = (time() - _marked_s(path / marked if path.is_dir() else path)) / DAY_S
            if age > days:
                found.append(Unused(path, age, _size(path)))
    return found


def remove(thing: Unused) -> None:
    """Remove something from the cache."""
    if thing.path.is_dir():
        shutil.rmtree(thing.path)
    else:
        thing.path.unlink()


def _marked_s(path: Path) -> float:
    """Return when a file was marked; one that is not there counts as its folder does."""
    return path.stat().st_mtime if path.exists() else path.parent.stat().st_mtime


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
