"""Re-ranking: candidates from a compressed index are compared again, exactly, with full vectors.

The full vectors are held outside the index: an array, or a ``.npy`` file that is mapped into
memory, so that only the rows of candidates are read. float16 takes half the space and changes a
cosine by less than 1e-3; float32 gives the exact cosine.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

FEW = 20_000  # so many rows or fewer are searched exactly, at about the cost of finding candidates
AT_ONCE = 16_384  # rows fetched at a time, for memory
SPOT = 64  # rows whose bytes tell one set of vectors from another


@dataclass(frozen=True, eq=False)
class FullVectors:
    """Unit rows to look candidates up in, (n, d), float32 or float16; held, not copied."""

    rows: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray | str | Path, n: int, d: int) -> "FullVectors":
        """Return the vectors in an array or a .npy file, which must be n rows of d dimensions."""
        if isinstance(vectors, str | Path):
            vectors = _mapped(Path(vectors))
        if not isinstance(vectors, np.ndarray) or vectors.dtype not in (np.float32, np.float16):
            kind = getattr(vectors, "dtype", type(vectors).__name__)
            raise ValueError(f"vectors to re-rank with must be float32 or float16, not {kind}")
        if vectors.shape != (n, d):
            raise ValueError(
                f"vectors to re-rank with have shape {vectors.shape}; the index holds {(n, d)}"
            )
        kept = vectors if vectors.flags.c_contiguous else np.ascontiguousarray(vectors)
        kept = kept.view()
        kept.setflags(write=False)
        return cls(kept)

    @property
    def bytes_per_vector(self) -> int:
        """Bytes of one row."""
        return self.rows.itemsize * self.rows.shape[1]

    def spot(self) -> str:
        """Return a SHA-256 over SPOT rows as float16, the same for float32 and float16 rows."""
        some = np.unique(np.linspace(0, len(self.rows) - 1, SPOT).astype(np.int64))
        return hashlib.sha256(self.rows[some].astype(np.float16).tobytes()).hexdigest()

    def fetch(self, rows: np.ndarray) -> np.ndarray:
        """Return these rows as float32."""
        found = self.rows[rows]
        return found if found.dtype == np.float32 else _widened(found)

    def cosines(self, xq: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Return the cosine of each query with its candidates, (q, c); -inf where found is -1."""
        if self.rows.dtype == np.float32:
            return _inner_products(self.rows, xq, found)
        scores = np.stack([self.fetch(rows) @ q for q, rows in zip(xq, found, strict=True)])
        scores[found < 0] = -np.inf
        return scores

    def ranked(self, xq: np.ndarray, found: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the best k of each query's candidates and their cosines, both (q, k)."""
        if not len(xq):
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        scores = self.cosines(xq, found)
        order = (-scores).argsort(axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, order, 1), np.take_along_axis(found, order, 1)


class Reranked:
    """An index whose candidates are ranked again by full vectors; it searches like any other."""

    def __init__(self, inner: Any, full: FullVectors, candidates: int, widens: bool) -> None:
        """Take what finds the candidates and what ranks them.

        Args:
            inner: a backend.
            full: the vectors of its rows.
            candidates: how many to look at per result asked for.
            widens: effort is the number of candidates, not the effort of inner.
        """
        self.inner, self.full, self.candidates, self.widens = inner, full, candidates, widens
        self.index = inner.index

    def search(
        self, xq: np.ndarray, k: int, effort: int | None = None, candidates: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the cosines and numbers of the k best rows; see ``VectorIndex.search``."""
        wide, effort = self._wide(k, effort, candidates)
        _, found = self.inner.search(xq, min(wide, len(self.full.rows)), effort)
        return self.full.ranked(xq, found, k)

    def search_among(
        self,
        xq: np.ndarray,
        k: int,
        rows: np.ndarray,
        effort: int | None = None,
        candidates: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best of some rows: all of them are compared if they are FEW."""
        wide, effort = self._wide(k, effort, candidates)
        if rows.size <= max(FEW, wide):
            return best_among(self.full.fetch, rows, xq, k)
        _, found = self.inner.search_among(xq, wide, rows, effort)
        return self.full.ranked(xq, found, k)

    def _wide(self, k: int, effort: int | None, candidates: int | None) -> tuple[int, int | None]:
        """Return how many candidates to look at, and the effort to find them with."""
        if self.widens:
            candidates, effort = candidates or effort, None
        return k * (candidates or self.candidates), effort

    def write(self, sink: Any) -> None:
        """Write the index, without the full vectors."""
        self.inner.write(sink)


def best_among(
    fetch: Any, rows: np.ndarray, xq: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k best of some rows for each query by comparing every one, best first.

    Args:
        fetch: from row numbers (m,) to their vectors, float32 (m, d).
        rows: row numbers, int64, at least k.
        xq: unit queries, float32 (q, d).
        k: how many.

    Returns:
        Cosines, float32, and row numbers, int64, both (q, k).
    """
    scores, found = np.empty((len(xq), 0), np.float32), np.empty((len(xq), 0), np.int64)
    for start in range(0, rows.size, AT_ONCE):
        part = rows[start : start + AT_ONCE]
        new, at = faiss.knn(xq, fetch(part), min(k, part.size), metric=faiss.METRIC_INNER_PRODUCT)
        scores, found = np.hstack([scores, new]), np.hstack([found, part[at]])
        order = (-scores).argsort(axis=1, kind="stable")[:, :k]
        scores = np.take_along_axis(scores, order, 1)
        found = np.take_along_axis(found, order, 1)
    return scores, found


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not a .npy file to re-rank with: {error}") from error


def _inner_products(rows: np.ndarray, xq: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return xq[i] @ rows[found[i, j]] without copying rows; -inf where found is -1."""
    xq, found = np.ascontiguousarray(xq), np.ascontiguousarray(found)
    scores = np.empty(found.shape, np.float32)
    pointers = map(faiss.swig_ptr, (scores, xq, rows, found))
    faiss.fvec_inner_products_by_idx(*pointers, rows.shape[1], *found.shape)
    return scores


def _widened(rows: np.ndarray) -> np.ndarray:
    """Return float16 rows as float32; Faiss does it many times faster than numpy."""
    codec = faiss.ScalarQuantizer(rows.shape[1], faiss.ScalarQuantizer.QT_fp16)
    return codec.decode(np.ascontiguousarray(rows).view(np.uint8))
