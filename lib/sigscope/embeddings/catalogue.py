"""Catalogues: the rows of a folder of vectors as one Arrow file, which is mapped into memory.

A folder of vectors is what clip-retrieval writes: ``img_emb``, ``text_emb`` (or none) and
``metadata``. It may have millions of rows. Its metadata stays in parquet and its vectors where they
are; once, both are read through in batches, and what every gallery has of an item (id, path,
caption, category, split) is kept in the cache, with the row of its vector. From then on a start
maps that file: no row is an object before it is shown.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.embeddings.catalogue_rows import CatalogueRows
from sigscope.embeddings.shards import FETCH, LENGTH_OFF, StaleEmbeddings
from sigscope.embeddings.store import PARTS
from sigscope.embeddings.stored_rows import StoredRows, in_order
from sigscope.files import atomic_folder, digest, read_sealed, write_sealed
from sigscope.gallery.folder import GalleryError
from sigscope.progress import Progress, progress_bar

FORM = 1  # grows when the same folder would give another catalogue
ITEMS, RECORD = "items.arrow", "catalogue.json"
BATCH = 65_536  # rows of metadata at once
SIDES = ("images", "texts")
SHOWN = 100  # rows without a vector that are named


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The rows of a folder of vectors, n of those that have one.

    Attributes:
        folder: of the vectors.
        key: 64 hexadecimal digits that change with any file of the folder.
        items: of a gallery, with ``vector`` (the row of its vectors, int64) and ``text_vector``
            (whether it has a caption and a vector of it); mapped into memory.
        problems: what was left out, and why.
    """

    folder: Path
    key: str
    items: pa.Table
    problems: list[tuple[str, str]]
    are_unit: dict[str, bool]  # by side: whether all vectors have length 1 but for rounding

    @classmethod
    def open(cls, folder: Path, *, progress: Progress = False) -> "Catalogue":
        """Return the catalogue of a folder from the cache, or make it and keep it there.

        Args:
            folder: as clip-retrieval writes it.
            progress: show a bar on stderr while it is made.

        Raises:
            GalleryError: The files do not belong together, or no row has a vector.
        """
        key = digest([FORM, [_state(file) for side in PARTS for file in _files_of(folder, side)]])
        place = paths.CACHE / "catalogues" / key[:32]
        with suppress(OSError, ValueError, KeyError):
            return cls._kept(folder, key, place)
        shutil.rmtree(place, ignore_errors=True)
        with atomic_folder(place) as part:
            _write(folder, part, progress)
        return cls._kept(folder, key, place)

    @classmethod
    def _kept(cls, folder: Path, key: str, place: Path) -> "Catalogue":
        record = read_sealed(place / RECORD)
        if (place / ITEMS).stat().st_size != record["bytes"]:
            raise ValueError(f"{place / ITEMS} is not as it was written")
        items = pa.ipc.open_file(pa.memory_map(str(place / ITEMS))).read_all()
        mark_used(place / RECORD)
        problems = [tuple(each) for each in record["problems"]]
        return cls(folder, key, items, problems, record["are_unit"])

    def vectors(self, side: str, rows: np.ndarray) -> StoredRows:
        """Return the vectors of some rows of the folder, by ``vector``; side as in ``SIDES``."""
        found = StoredRows(_files_of(self.folder, side), are_unit=self.are_unit[side])
        is_whole = len(rows) == len(found) and (np.diff(rows) == 1).all()
        return found if is_whole else found.only(rows)


def _files_of(folder: Path, side: str) -> list[Path]:
    """Return the files of one kind (a key of ``PARTS``) in the order of their numbers."""
    place, suffix = PARTS[side]
    return in_order((folder / place).glob(f"*{suffix}"))


def _state(file: Path) -> list:
    about = file.stat()
    return [file.parent.name, file.name, about.st_size, about.st_mtime_ns]


def _write(folder: Path, part: Path, progress: Progress) -> None:
    metadata = [pq.ParquetFile(file) for file in _files_of(folder, "metadata")]
    try:
        sides = {side: StoredRows(_files_of(folder, side)) for side in SIDES}
    except StaleEmbeddings as error:
        raise GalleryError(str(error)) from error
    n = sum(file.metadata.num_rows for file in metadata)
    _check(folder, n, *map(len, sides.values()))
    with progress_bar(n + sum(map(len, sides.values())), "Reading", " rows", progress) as bar:
        usable, are_unit = {}, {}
        for side, rows in sides.items():
            usable[side], are_unit[side] = _usable(rows, bar.update)
        good, said = usable["images"], usable["texts"] if len(sides["texts"]) else None
        _write_items(part / ITEMS, CatalogueRows(metadata).batches(good, said, BATCH), bar.update)
    bad = np.flatnonzero(~good)
    if len(bad) == n:
        raise GalleryError(f"None of the {n:,} rows of {folder} has a vector that can be used.")
    reason = "row {} has a vector that is no number, or all zeros".format
    problems = [("img_emb", reason(row)) for row in bad[:SHOWN]]
    if len(bad) > SHOWN:
        problems.append(("img_emb", f"and {len(bad) - SHOWN:,} further rows"))
    size = os.path.getsize(part / ITEMS)
    write_sealed(part / RECORD, {"bytes": size, "problems": problems, "are_unit": are_unit})


def _write_items(
    path: Path, batches: Iterator[pa.RecordBatch], tell: Callable[[int], object]
) -> None:
    first = next(batches)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, first.schema) as writer:
        for batch in chain([first], batches):
            writer.write_batch(batch)
            tell(len(batch))


def _check(folder: Path, rows: int, images: int, texts: int) -> None:
    """Raise unless there are as many vectors as rows of metadata."""
    if not images:
        raise GalleryError(
            f"{folder} has no vectors of pictures (img_emb/*.npy); {FETCH} with --enable_image True"
        )
    if images != rows or texts not in (0, rows):
        raise GalleryError(
            f"{folder} has {images:,} vectors of pictures and {texts:,} of texts for {rows:,} rows "
            f"of metadata (metadata/*.parquet); {FETCH} with --enable_metadata True"
        )


def _usable(rows: StoredRows, tell: Callable[[int], object]) -> tuple[np.ndarray, bool]:
    """Return which rows have a direction, (n,), and whether these are unit rows."""
    good, are_unit = np.zeros(len(rows), bool), True
    for start in range(0, len(rows), BATCH):
        lengths = np.linalg.norm(rows.raw(slice(start, start + BATCH)).astype(np.float32), axis=1)
        known = np.isfinite(lengths) & (lengths > 0)
        good[start : start + len(lengths)] = known
        are_unit &= bool((np.abs(lengths[known] - 1) <= LENGTH_OFF).all())
        tell(len(lengths))
    return good, are_unit
