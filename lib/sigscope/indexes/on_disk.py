"""Disk indexes: codes propose rows, and the vectors, which stay on disk, say which are the best.

The codes are an inverted file, in memory or (`disk_files`) in lists that are mapped from a file. Of
each query k times ``candidates`` vectors are read, by their row numbers, and compared: scores are
exact cosines, as far as what is stored is exact.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from sigscope.indexes.exact import nearest
from sigscope.indexes.faiss_backend import FEW, METRICS, FaissIndex, reranked, set_default
from sigscope.indexes.specs import IndexSpec
from sigscope.indexes.training import TRAINED_PER_CELL, drawn, train_cells
from sigscope.progress import Progress

BLOCK = 32_768  # rows read and added at once
# Faiss has no such lists on Windows
LISTS_ON_DISK = getattr(faiss, "OnDiskInvertedLists", ())


class DiskIndex:
    """An inverted file of codes over rows that are not in it; scores are exact cosines.

    The rows are the caller's, an array or `StoredRows`, held and not copied.
    """

    rerank_bytes_per_vector = 0.0  # what it holds beside the codes: nothing
    metric = "ip"

    def __init__(
        self, index: faiss.IndexIVF, spec: IndexSpec, rows: Any, place: np.ndarray | None = None
    ) -> None:
        """Take codes and their rows.

        Args:
            index: the codes.
            spec: how it is searched.
            rows: unit rows, (n, d), an array or what is read like one.
            place: the number in rows of each row inside, int64; None where all are in their order.
        """
        self.index, self.spec, self.rows, self._place = index, spec, rows, place
        self.ntotal, self.d = index.ntotal, index.d
        self.base = FaissIndex(index, spec)

    @classmethod
    def build(cls, spec: IndexSpec, xb: Any) -> "DiskIndex":
        """Return the index over xb, (n, d), with its codes in memory."""
        index = trained(spec, xb, False)
        add(index, xb, np.arange(len(xb)), 0)
        return cls(index, spec, xb)

    @classmethod
    def read(cls, path: Path, spec: IndexSpec, mmap: bool, xb: Any) -> "DiskIndex":
        """Return the codes in a file, over the rows of xb."""
        return cls(FaissIndex.read(path, spec, mmap).index, spec, xb)

    @property
    def lists_bytes(self) -> int:
        """Bytes of the lists that are not in the index but in a file of their own."""
        lists = faiss.downcast_InvertedLists(self.index.invlists)
        return lists.totsize if isinstance(lists, LISTS_ON_DISK) else 0

    def write(self, sink: Any) -> None:
        """Write the index as ``faiss.write_index`` does; lists on disk are only named."""
        self.base.write(sink)

    def search(
        self, xq: np.ndarray, k: int, effort: int | None = None, candidates: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best of what the codes propose."""
        wide = min(k * (candidates or self.spec.candidates), self.ntotal)
        return reranked(xq, k, self.base.search(xq, wide, effort)[1], self._read)

    def search_among(
        self,
        xq: np.ndarray,
        k: int,
        rows: np.ndarray,
        effort: int | None = None,
        candidates: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best of some rows; FEW of them, or fewer, are all read and compared."""
        wide = k * (candidates or self.spec.candidates)
        if rows.size <= max(FEW, wide):
            scores, found = nearest(self._read(rows), xq, k)
            return scores, rows[found]
        return reranked(xq, k, self.base.search_among(xq, wide, rows, effort)[1], self._read)

    def _read(self, inside: np.ndarray) -> np.ndarray:
        return self.rows[inside if self._place is None else self._place[inside]]


def trained(spec: IndexSpec, xb: Any, progress: Progress) -> faiss.IndexIVF:
    """Return the empty index of spec for xb, (n, d), trained on a sample of it."""
    n, d = xb.shape
    index = faiss.index_factory(d, spec.recipe(n, d), METRICS[spec.metric])
    train_cells(index, _read(xb, drawn(n, TRAINED_PER_CELL * index.nlist)), progress)
    set_default(index, spec, n)
    return index


def add(
    index: faiss.IndexIVF,
    xb: Any,
    rows: np.ndarray,
    first: int,
    told: Callable[[int], Any] = lambda added: None,
) -> None:
    """Add some rows of xb to an index, BLOCK at a time, as numbers first, first + 1, ...

    Args:
        index: trained.
        xb: unit rows, an array or what is read like one.
        rows: which of them, int64.
        first: the number that the first of them gets.
        told: called with how many were added, after each block.

    Raises:
        ValueError: A row holds NaN or infinity.
    """
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        block = _read(xb, some)
        index.add_with_ids(block, np.arange(first + start, first + start + len(some)))
        told(len(some))


def _read(xb: Any, rows: np.ndarray) -> np.ndarray:
    read = np.ascontiguousarray(xb[rows], np.float32)
    if not np.isfinite(read).all():
        row = rows[np.argmin(np.isfinite(read).all(axis=1))]
        raise ValueError(f"row {row} holds NaN or infinity; it was not encoded rightly")
    return read
