"""Growing: what is built takes new rows and passes over those that are gone.

A row is known by a number that follows from its id and its vector, so that rows may come in another
order, a picture that was changed is a new one, and what is gone is seen. Training is kept.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sigscope.indexes.faiss_backend import FaissIndex

BLOCK = 32_768  # rows hashed at once
MOST_GONE = 0.2  # share of the rows inside; beyond it an index is emptied and filled anew
MOST_GROWTH = 2.0  # times the rows it was trained on; beyond it, or below half, it is built anew


def row_numbers(xb: np.ndarray, ids: Sequence[str]) -> np.ndarray:
    """Return a number for each row of xb, (n, d), by its id and vector, uint64, shape (n,).

    The rows may be what is read like an array; BLOCK of them are read at a time.

    Equal rows of one id (two captions that say the same) are told apart by how many came before.
    """
    if len(ids) != len(xb):
        raise ValueError(f"{len(xb)} vectors and {len(ids)} ids; each vector needs its own id")
    numbers, names = np.empty(len(xb), np.uint64), iter(ids)
    for start in range(0, len(xb), BLOCK):
        block = np.ascontiguousarray(xb[start : start + BLOCK], np.float32)
        hashes = (
            hashlib.blake2b(row.tobytes() + str(id).encode(), digest_size=8).digest()
            for row, id in zip(block, names, strict=False)  # names go on in the next block
        )
        numbers[start : start + len(block)] = np.frombuffer(b"".join(hashes), np.uint64)
    again = pd.Series(numbers).groupby(numbers).cumcount().to_numpy(np.uint64)
    return numbers + again * np.uint64(0x9E3779B97F4A7C15)


def outgrown(rows: int, trained: int) -> bool:
    """Return whether so many rows are too many, or too few, for what so many trained."""
    return not trained / MOST_GROWTH <= rows <= trained * MOST_GROWTH


def is_sparse(place: np.ndarray) -> bool:
    """Return whether too much of what is inside is gone, which has place -1."""
    return (place < 0).mean() > MOST_GONE


def grow(backend: FaissIndex, place: np.ndarray, xb: np.ndarray) -> tuple[FaissIndex, np.ndarray]:
    """Return a backend that holds every row of xb, and for each row inside its place in xb, or -1.

    New rows are added behind the others. One that is sparse is emptied first, and all of xb added
    in its order, with the training that it has.

    Args:
        backend: changed here, so read into memory, not mapped.
        place: of each row inside, int64, -1 for what is gone.
        xb: unit rows, float32, (n, d).
    """
    if is_sparse(place):
        backend.index.reset()
        place = place[:0]
    new = np.setdiff1d(np.arange(len(xb)), place)
    return backend.with_added(xb[new]), np.concatenate([place, new])


class GrownIndex:
    """A Faiss index of rows that lie elsewhere than with their owner; some of them are gone.

    What is gone is masked as in every search among some rows.
    """

    def __init__(self, inner: FaissIndex, place: np.ndarray) -> None:
        """Take what searches, and the owner's row of each row inside, int64, -1 for what is gone.

        Every row of the owner's must be inside once.
        """
        self.inner, self.place = inner, place
        self.index, self.base, self.d = inner.index, inner.base, inner.d
        self.metric, self.ntotal = inner.metric, inner.ntotal
        self.rerank_bytes_per_vector = inner.rerank_bytes_per_vector
        self._living = np.flatnonzero(place >= 0)
        self._inside = np.empty_like(self._living)
        self._inside[place[self._living]] = self._living

    def write(self, sink: Any) -> None:
        """Write the index inside."""
        self.inner.write(sink)

    def search(self, xq: np.ndarray, k: int, *how: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best rows for each query, none of those that are gone."""
        if self._living.size == self.ntotal:
            return self._placed(*self.inner.search(xq, k, *how))
        return self._placed(*self.inner.search_among(xq, k, self._living, *how))

    def search_among(
        self, xq: np.ndarray, k: int, rows: np.ndarray, *how: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best of some rows for each query."""
        return self._placed(*self.inner.search_among(xq, k, np.sort(self._inside[rows]), *how))

    def _placed(self, scores: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return scores, np.where(found < 0, -1, self.place[found])
