"""Stored rows: unit vectors that stay on disk as float16, and are read some at a time.

Where a gallery has millions of items, its vectors are not held in memory. `StoredRows` stands for
the array that they would be: it has a shape, its slices and picked rows are float32 unit rows, and
what asks for all of them at once is refused.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from sigscope.embeddings.shards import REMAKE, StaleEmbeddings, mapped
from sigscope.trouble import watched

BLOCK = 16_384  # rows read at once
OPEN = 64  # files mapped at a time; a process may open only so many


class StayOnDisk(RuntimeError, TypeError):
    """All of the vectors are wanted at once, and they stay on disk."""


class StoredRows:
    """The rows of some .npy files below each other, (n, d), or some of these; threads may share it.

    A row is read from disk when it is asked for, and made float32 of length 1.
    """

    dtype = np.dtype(np.float32)  # of what it gives
    ndim = 2

    def __init__(
        self, files: Sequence[Path], rows: np.ndarray | None = None, *, are_unit: bool = True
    ) -> None:
        """Look at the headings of the files.

        Args:
            files: .npy files of floats, (any number, d), in the order of their rows.
            rows: which of all their rows these are, int64, (n,); None: all.
            are_unit: whether all have length 1 but for rounding, as ours do.

        Raises:
            StaleEmbeddings: A file is no .npy of rows, or they differ in d.
        """
        heads = [_head(file) for file in files]
        shapes = [shape for shape, _, _ in heads]
        if len({d for _, d in shapes}) > 1:
            raise StaleEmbeddings(
                f"the files in {files[0].parent} differ in their dimensions; {REMAKE}"
            )
        self._files = list(files)
        self._ends = np.cumsum([count for count, _ in shapes])
        self._mapped = lru_cache(OPEN)(mapped)
        self.rows = rows
        self._are_unit = are_unit
        self._offsets = np.array([offset for _, _, offset in heads], np.int64)
        kinds = {dtype for _, dtype, _ in heads}
        self.are_halves = are_unit and kinds <= {np.dtype("<f2")}
        self._are_alike = len(kinds) == 1 and (self._offsets >= 0).all()
        n = int(self._ends[-1]) if shapes else 0
        self.shape = (n if rows is None else len(rows), shapes[0][1] if shapes else 0)

    def told(self) -> dict:
        """Return what `of` takes, as JSON keeps it, but for ``rows``."""
        files = [str(file.absolute()) for file in self._files]
        return {"files": files, "are_unit": self._are_unit}

    @classmethod
    def of(cls, told: dict, rows: np.ndarray | None) -> "StoredRows":
        """Return the rows that `told` told of, perhaps in another process."""
        return cls([Path(file) for file in told["files"]], rows, are_unit=told["are_unit"])

    def only(self, rows: np.ndarray) -> "StoredRows":
        """Return some of these rows, by their numbers, int64; nothing is read."""
        other = copy(self)
        other.rows = rows if self.rows is None else self.rows[rows]
        other.shape = (len(rows), self.shape[1])
        return other

    def __len__(self) -> int:
        """Return the number of rows, n."""
        return self.shape[0]

    def __array__(self, *args: object, **how: object) -> np.ndarray:
        """Refuse to become one array; StayOnDisk says how large it would be."""
        size = self.shape[0] * self.shape[1] * 4 / 1e9
        raise StayOnDisk(
            f"this needs {len(self):,} vectors in memory ({size:.1f} GB as float32), and they stay "
            "on disk; set SIGSCOPE_VECTORS=memory if there is room, or take a part of the gallery"
        )

    def __getitem__(self, which: int | slice | np.ndarray) -> np.ndarray:
        """Return unit rows, float32, (rows, d), or (d,) for one number: a row, a slice, a mask."""
        if isinstance(which, int | np.integer):
            return self._unit(self.raw(np.array([which])))[0]
        return self._unit(self.raw(which))

    def __matmul__(self, other: np.ndarray) -> np.ndarray:
        """Return the product with some vectors, (d,) or (d, q), worked out a block at a time."""
        return np.concatenate([block @ other for _, block in self.blocks()] or [self[:0] @ other])

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the first row number and the unit rows of each block."""
        for start in range(0, len(self), size):
            yield start, self[start : start + size]

    def raw(self, which: slice | np.ndarray) -> np.ndarray:
        """Return rows as they are stored, (rows, d); of one file's neighbours without a copy."""
        if isinstance(which, slice):
            start, stop, step = which.indices(len(self))
            if step == 1 and self.rows is None:
                return self._between(start, max(start, stop))
            which = np.arange(start, stop, step)
        which = np.asarray(which)
        numbers = np.flatnonzero(which) if which.dtype == bool else which.astype(np.int64)
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"there are {len(self):,} rows, and {numbers.max():,} is none of them")
        return self._picked(numbers if self.rows is None else self.rows[numbers])

    def _between(self, start: int, stop: int) -> np.ndarray:
        parts = []
        first, last = np.searchsorted(self._ends, [start, max(start, stop - 1)], side="right")
        for number in range(first, min(last + 1, len(self._files))):
            begin = self._ends[number - 1] if number else 0
            part = self._mapped(self._files[number])
            parts.append(part[max(start - begin, 0) : stop - begin])
        return parts[0] if len(parts) == 1 else np.concatenate([self._none(), *parts])

    def _picked(self, numbers: np.ndarray) -> np.ndarray:
        """Return rows of all files by their numbers, read in the order of the files."""
        order = np.argsort(numbers, kind="stable")
        if self._are_alike and len(numbers):
            rising = self._read(numbers[order])
            found = np.empty_like(rising)
            found[order] = rising
            return found
        file_of = np.searchsorted(self._ends, numbers, side="right")
        found = np.empty((len(numbers), self.shape[1]), self._none().dtype)
        borders = np.flatnonzero(np.diff(file_of[order])) + 1
        for some in np.split(order, borders) if len(order) else ():
            number = file_of[some[0]]
            begin = self._ends[number - 1] if number else 0
            found[some] = self._mapped(self._files[number])[numbers[some] - begin]
        return found

    def _read(self, numbers: np.ndarray) -> np.ndarray:
        """Return rising rows of all files, read and not mapped: what is mapped counts as memory."""
        files = np.searchsorted(self._ends, numbers, side="right")
        read = np.empty((len(numbers), self.shape[1]), self._none().dtype)
        width, view = read.itemsize * self.shape[1], memoryview(read.reshape(-1).view(np.uint8))
        breaks = np.flatnonzero((np.diff(numbers) != 1) | (np.diff(files) != 0)) + 1
        runs = pairwise([0, *breaks.tolist(), len(numbers)])
        begins = np.concatenate([[0], self._ends])
        places = (self._offsets[files] + (numbers - begins[files]) * width).tolist()
        for number, some in groupby(runs, key=lambda run: files[run[0]]):
            file = self._files[number]
            with watched(file), open(file, "rb", buffering=0) as source:
                for start, stop in some:
                    source.seek(places[start])
                    left = view[start * width : stop * width]
                    while left and (count := source.readinto(left)):
                        left = left[count:]
                    if left:
                        raise StaleEmbeddings(f"{file} has become shorter; {REMAKE}")
        return read

    def _none(self) -> np.ndarray:
        kind = self._mapped(self._files[0]).dtype if self._files else np.float16
        return np.empty((0, self.shape[1]), kind)

    @staticmethod
    def _unit(rows: np.ndarray) -> np.ndarray:
        """Return rows as float32 of length 1; one without a direction is nan."""
        rows = rows.astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


def _head(file: Path) -> tuple[tuple[int, int], np.dtype, int]:
    """Return shape, dtype and where the first row begins, -1 if they do not lie row by row."""
    rows = mapped(file)  # and let go: a process may open only so many
    return rows.shape, rows.dtype, rows.offset if rows.flags.c_contiguous else -1


def in_order(files: Iterable[Path]) -> list[Path]:
    """Return files in the order of the last number in their names."""
    return sorted(files, key=_number)


def _number(path: Path) -> tuple[int, str]:
    digits = re.findall(r"\d+", path.stem)
    return (int(digits[-1]) if digits else -1, path.name)
