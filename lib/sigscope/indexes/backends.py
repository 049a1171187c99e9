"""Backends: what searches. Faiss, numpy and scikit-learn behind the same few methods.

Each has ``index`` (the thing itself), ``search``, ``search_among`` and ``write``, and is made by
``build`` or ``read``. Scores are cosines, best first; a slot that stays empty holds -1 and -inf.
"""

from pathlib import Path
from typing import Any

import numpy as np

from sigscope.indexes.faiss_backend import FaissIndex
from sigscope.indexes.on_disk import DiskIndex
from sigscope.indexes.specs import IndexSpec
from sigscope.types import SearchIndex

AT_ONCE = 2**24  # cosines held at a time


def build(spec: IndexSpec, xb: np.ndarray) -> SearchIndex:
    """Return the backend of spec over xb, unit rows, float32, contiguous, (n, d).

    Of the backend "disk" they may be what is read like an array, such as `StoredRows`.
    """
    return _KINDS[spec.backend].build(spec, xb)


def get_ready(spec: IndexSpec) -> None:
    """Import what spec needs now, so that a build that is timed does not."""
    if spec.backend == "sklearn":
        import sklearn.neighbors  # noqa: F401


def read(path: Path, spec: IndexSpec, mmap: bool, xb: Any = None) -> SearchIndex:
    """Return what was written to path by the backend of spec, mapped into memory if mmap says so.

    The backend "disk" needs xb, the rows that its codes are of.

    Raises:
        ValueError, RuntimeError: It is not such a file.
    """
    if spec.backend == "disk":
        return DiskIndex.read(path, spec, mmap, xb)
    return _KINDS[spec.backend].read(path, spec, mmap)


class NumpyIndex:
    """Every row compared with every query: one matrix product. The rows are held, not copied."""

    metric = "ip"

    def __init__(self, xb: np.ndarray) -> None:
        """Hold xb, (n, d)."""
        self.index = xb.view()
        self.index.setflags(write=False)
        self.ntotal, self.d = xb.shape

    @classmethod
    def build(cls, spec: IndexSpec, xb: np.ndarray) -> "NumpyIndex":
        """Return the index over xb."""
        return cls(xb)

    @classmethod
    def read(cls, path: Path, spec: IndexSpec, mmap: bool) -> "NumpyIndex":
        """Return the index over the rows in a .npy file."""
        xb = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        if xb.dtype != np.float32 or xb.ndim != 2:
            raise ValueError(f"it holds {xb.dtype} {xb.shape}")
        return cls(np.ascontiguousarray(xb))

    def write(self, sink: Any) -> None:
        """Write the rows as .npy."""
        np.lib.format.write_array(sink, self.index, allow_pickle=False)

    def search(
        self, xq: np.ndarray, k: int, effort: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best rows for each query."""
        step = max(1, AT_ONCE // self.ntotal)
        parts = [
            _best(xq[start : start + step] @ self.index.T, k)
            for start in range(0, max(1, len(xq)), step)
        ]
        return np.concatenate([part[0] for part in parts]), np.concatenate([p[1] for p in parts])

    def search_among(
        self, xq: np.ndarray, k: int, rows: np.ndarray, effort: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best of some rows for each query."""
        scores, found = NumpyIndex(self.index[rows]).search(xq, k)
        return scores, rows[found]


class SklearnIndex:
    """``NearestNeighbors(metric="cosine", algorithm="brute")``, as the reports' plain kNN."""

    metric = "cosine"

    def __init__(self, xb: np.ndarray) -> None:
        """Fit to xb, (n, d)."""
        from sklearn.neighbors import NearestNeighbors

        self._rows = NumpyIndex(xb)
        self.index = NearestNeighbors(metric="cosine", algorithm="brute").fit(self._rows.index)
        self.ntotal, self.d = xb.shape

    @classmethod
    def build(cls, spec: IndexSpec, xb: np.ndarray) -> "SklearnIndex":
        """Return the index over xb."""
        return cls(xb)

    @classmethod
    def read(cls, path: Path, spec: IndexSpec, mmap: bool) -> "SklearnIndex":
        """Return the index over the rows in a .npy file."""
        return cls(NumpyIndex.read(path, spec, mmap).index)

    def write(self, sink: Any) -> None:
        """Write the rows as .npy; fitting them again takes no time."""
        self._rows.write(sink)

    def search(
        self, xq: np.ndarray, k: int, effort: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best rows for each query."""
        if not len(xq):
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        distances, found = self.index.kneighbors(xq, n_neighbors=k)
        return (1 - distances).astype(np.float32, copy=False), found.astype(np.int64, copy=False)

    def search_among(
        self, xq: np.ndarray, k: int, rows: np.ndarray, effort: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best of some rows for each query; they are fitted anew."""
        scores, found = SklearnIndex(self._rows.index[rows]).search(xq, k)
        return scores, rows[found]


def _best(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k highest of each row, falling, and where they are."""
    n = scores.shape[1]
    if k < n:
        at = np.argpartition(scores, n - k, axis=1)[:, n - k :]
        at.sort(axis=1)  # so that of equal scores the lower row comes first
        scores = np.take_along_axis(scores, at, 1)
    order = np.argsort(-scores, axis=1, kind="stable")
    found = order if k == n else np.take_along_axis(at, order, 1)
    return np.take_along_axis(scores, order, 1), found


_KINDS = {"faiss": FaissIndex, "numpy": NumpyIndex, "sklearn": SklearnIndex, "disk": DiskIndex}
