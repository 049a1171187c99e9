"""Exact search over vectors that stay on disk: every row is compared, a block at a time.

Faiss compares a query with rows of float16 as they are. A stored row is only nearly of length 1,
so a few more than asked for are found this way, compared again as unit rows, and the answer is
taken once no row beyond them can be nearer.
"""

import numpy as np

from sigscope.arguments import whole
from sigscope.embeddings.shards import LENGTH_OFF
from sigscope.embeddings.stored_rows import BLOCK, StoredRows
from sigscope.gallery.rows import Ids
from sigscope.indexes.exact import nearest
from sigscope.indexes.specs import INDEXES, IndexSpec

FURTHER, MOST = 32, 4096  # candidates beyond k, at first; and from how many on rows are read whole


class StoredIndex:
    """Searches stored rows as a ``VectorIndex`` does, with nothing built; threads may share it."""

    name, build_s, note, efforts = "flat", 0.0, "", ()
    rerank_bytes_per_vector = 0.0

    def __init__(self, vectors: StoredRows, ids: Ids) -> None:
        """Take the rows, (n, d), and the id of each."""
        self.vectors, self.ids = vectors, ids
        self.spec: IndexSpec = INDEXES["flat"]
        self.d = vectors.shape[1]

    def __len__(self) -> int:
        """Return the number of rows, n."""
        return len(self.vectors)

    @property
    def bytes_per_vector(self) -> float:
        """Bytes of a vector on disk; in memory there is none."""
        return float(self.vectors.raw(slice(0)).itemsize * self.d)

    def search(
        self,
        xq: np.ndarray,
        k: int,
        *,
        rows: np.ndarray | None = None,
        effort: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k rows nearest each query, best first; of equal ones the lower row first.

        Args:
            xq: unit queries, float32, shape (queries, d).
            k: how many; more than there are means all of them.
            rows: row numbers to search among, int64; None searches all rows.
            effort: must be None, as there is no knob.

        Returns:
            Cosines, float32, and row numbers, int64, both (queries, min(k, rows to search)).
        """
        if effort is not None:
            raise ValueError("index 'flat' has no knob to set; leave effort out")
        vectors = self.vectors if rows is None else self.vectors.only(rows)
        k = min(whole("k", k, "ask for at least one result"), len(vectors))
        if not k:
            return np.empty((len(xq), 0), np.float32), np.empty((len(xq), 0), np.int64)
        scores, found = _nearest(vectors, np.ascontiguousarray(xq, np.float32), k)
        return scores, found if rows is None else np.asarray(rows)[found]


def _nearest(vectors: StoredRows, xq: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    if 4 * k >= len(vectors):
        scores = (vectors @ xq.T).T
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, best, 1), best
    wide = k + FURTHER
    while vectors.are_halves and wide < min(MOST + k, len(vectors)):
        near, rows = _candidates(vectors, xq, wide)
        found = [_again(vectors, *pair, k) for pair in zip(xq, rows, strict=True)]
        scores, best = (np.stack(part) for part in zip(*found, strict=True))
        if (scores[:, -1] > near[:, -1] + LENGTH_OFF * np.abs(near[:, -1])).all():
            return scores, best
        wide *= 4
    return nearest(vectors, xq, k)


def _candidates(vectors: StoredRows, xq: np.ndarray, wide: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inner products with rows as they are stored, and the rows, (q, wide), best first."""
    import faiss

    kind = faiss.ScalarQuantizer.QT_fp16
    codes = faiss.IndexScalarQuantizer(xq.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    scores, rows = np.empty((len(xq), 0), np.float32), np.empty((len(xq), 0), np.int64)
    for start in range(0, len(vectors), BLOCK):
        block = np.ascontiguousarray(vectors.raw(slice(start, start + BLOCK)))
        codes.reset()
        codes.add_sa_codes(block.view(np.uint8))
        new, found = codes.search(xq, min(wide, len(block)))
        scores, rows = np.hstack([scores, new]), np.hstack([rows, start + found])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :wide]
        scores, rows = (np.take_along_axis(part, order, 1) for part in (scores, rows))
    return scores, rows


def _again(
    vectors: StoredRows, query: np.ndarray, rows: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.sort(rows)
    scores = vectors[rows] @ query
    order = np.argsort(-scores, kind="stable")[:k]
    return scores[order], rows[order]
