"""Faiss behind the methods that every backend has: built by a recipe, searched with parameters.

Nothing on an index changes once it is built: effort goes along with each search, so that several
threads may search at once. Each kind of index can be searched among some rows only in its own way;
``search_among`` picks the one that finds what is there.

Where candidates are re-ranked, ``base`` is the index that proposes them, and the vectors that they
are compared by are in Faiss's ``refine_index``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from sigscope.indexes.exact import nearest
from sigscope.indexes.gpu import GpuCopy, is_asked
from sigscope.indexes.specs import CANDIDATES, CELLS, IndexSpec
from sigscope.indexes.training import base, core, train

METRICS = {"ip": faiss.METRIC_INNER_PRODUCT, "l2": faiss.METRIC_L2}
FEW = 20_000  # so many rows or fewer are all compared, at about the cost of a search
DECODED = 64  # one row in so many, or fewer, are decoded and compared
ADDED_AT_ONCE = 65_536  # rows; what is rotated before it is added is copied first


class FaissIndex:
    """A Faiss index over unit rows; scores are cosines, exact unless rows are kept as codes."""

    def __init__(self, index: faiss.Index, spec: IndexSpec) -> None:
        """Take an index that is built; spec says how it is searched."""
        self.index, self.spec = index, spec
        self.ntotal, self.d = index.ntotal, index.d
        self.metric = _metric(index)
        self.base: FaissIndex | None = None
        self.rerank_bytes_per_vector = 0.0
        if isinstance(index, faiss.IndexRefine):
            self.base = FaissIndex(base(index), spec)
            self.rerank_bytes_per_vector = float(index.refine_index.sa_code_size())
        self._core = core(index)
        self._partial = isinstance(self._core, faiss.IndexIVF | faiss.IndexHNSW)
        self._pads = self._partial or isinstance(self._core, faiss.IndexPQFastScan)
        self._graph = isinstance(self._core, faiss.IndexHNSW)
        self._beam = self._core.hnsw.efSearch if self._graph else 0
        self._settings: dict[tuple, faiss.SearchParameters] = {}
        self._copy = GpuCopy(index) if is_asked() else None

    @classmethod
    def build(cls, spec: IndexSpec, xb: np.ndarray) -> "FaissIndex":
        """Return the index of spec over xb, (n, d)."""
        n, d = xb.shape
        index = faiss.index_factory(d, spec.recipe(n, d), METRICS[spec.metric])
        if _metric(index) != spec.metric:
            raise ValueError(
                f"Faiss builds {spec.recipe(n, d)} with the metric {_metric(index)}, "
                f"not {spec.metric}; give the spec another factory"
            )
        train(index, xb)
        set_default(core(index), spec, n)
        return cls(index, spec).with_added(xb)

    @classmethod
    def read(cls, path: Path, spec: IndexSpec, mmap: bool) -> "FaissIndex":
        """Return the index in a file."""
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mmap else 0), spec)

    def with_added(self, xb: np.ndarray) -> "FaissIndex":
        """Add rows behind those that are there, and return what searches all of them."""
        step = ADDED_AT_ONCE if isinstance(base(self.index), faiss.IndexPreTransform) else len(xb)
        for start in range(0, len(xb), max(1, step)):
            self.index.add(xb[start : start + step])
        return FaissIndex(self.index, self.spec)

    def write(self, sink: Any) -> None:
        """Write the index as ``faiss.write_index`` does, a piece at a time."""
        faiss.write_index(self.index, faiss.PyCallbackIOWriter(sink.write))

    def search(
        self, xq: np.ndarray, k: int, effort: int | None = None, candidates: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best rows that this effort finds, then empty slots."""
        if self.base is not None:
            return self._refined(xq, k, effort, candidates)
        if self._graph and k > (effort or self._beam):
            effort = k  # a graph looks no further than effort, whatever k is
        params = None if effort is None else self._with_effort(effort)
        found = self._copy.search(xq, k, params) if self._copy is not None else None
        return self._cosines(*(found or self.index.search(xq, k, params=params)))

    def _refined(
        self, xq: np.ndarray, k: int, effort: int | None, candidates: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best of what the base proposes, compared again."""
        effort, factor = self._wide(effort, candidates)
        factor = min(factor, -(-self.ntotal // k))
        if self._graph and k * factor > (effort or self._beam):
            effort = k * factor
        if (effort, factor) not in self._settings:
            inner = None if effort is None else self.base._params(effort, None)
            self._settings[effort, factor] = faiss.IndexRefineSearchParameters(
                k_factor=factor, base_index_params=inner
            )
        params = self._settings[effort, factor]
        return self._cosines(*self.index.search(xq, k, params=params))

    def _wide(self, effort: int | None, candidates: int | None) -> tuple[int | None, int]:
        """Return the effort to find candidates with, and how many to look at per result."""
        if self.spec.knob == CANDIDATES:
            return None, candidates or effort or self.spec.default
        return effort, candidates or self.spec.candidates or 1

    def search_among(
        self,
        xq: np.ndarray,
        k: int,
        rows: np.ndarray,
        effort: int | None = None,
        candidates: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k best of some rows.

        FEW rows or fewer are all compared, by codes where the index keeps nothing else. Of more
        rows, an inverted file or a graph searches with its effort times n / rows, and wholly for
        queries that it then finds too little for.
        """
        if self.base is not None:
            return self._refined_among(xq, k, rows, *self._wide(effort, candidates))
        if isinstance(self._core, faiss.IndexFlat):
            return self._cosines(*_only(self.index, xq, k, rows))
        if isinstance(self._core, faiss.IndexPQ | faiss.IndexPQFastScan):
            return self._without_selector(xq, k, rows)
        if not self._partial:
            return self._selected(xq, k, rows, None)
        full = self.ntotal if self._graph else self._core.nlist
        share = rows.size / self.ntotal
        wanted = int((effort or self._beam or self._core.nprobe) / share)
        if rows.size <= FEW or wanted >= full:
            return self._wholly(xq, k, rows)
        scores, found = self._selected(xq, k, rows, max(wanted, k) if self._graph else wanted)
        short = found[:, -1] < 0
        if short.any():
            scores[short], found[short] = self._wholly(xq[short], k, rows)
        return scores, found

    def _refined_among(
        self, xq: np.ndarray, k: int, rows: np.ndarray, effort: int | None, factor: int
    ) -> tuple[np.ndarray, np.ndarray]:
        refine = faiss.downcast_index(self.index.refine_index)
        if rows.size <= max(FEW, k * factor):
            return _only(refine, xq, k, rows)
        _, proposed = self.base.search_among(xq, k * factor, rows, effort)
        return reranked(xq, k, proposed, refine.reconstruct_batch)

    def _wholly(self, xq: np.ndarray, k: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._graph:  # the rows themselves are beside the graph
            return self._cosines(*_only(faiss.downcast_index(self._core.storage), xq, k, rows))
        return self._selected(xq, k, rows, self._core.nlist)

    def _selected(
        self, xq: np.ndarray, k: int, rows: np.ndarray, effort: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what a search finds that passes over all other rows."""
        wanted = np.zeros(self.ntotal, bool)
        wanted[rows] = True
        selector = faiss.IDSelectorBitmap(np.packbits(wanted, bitorder="little"))
        return self._cosines(*self.index.search(xq, k, params=self._params(effort, selector)))

    def _without_selector(
        self, xq: np.ndarray, k: int, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best of some rows in an index that cannot pass over the others.

        It is asked for more and more results until there are k of these rows for every query.
        """
        if rows.size * DECODED <= self.ntotal:
            scores, found = nearest(self.index.reconstruct_batch(rows), xq, k)
            return scores, rows[found]
        wanted, wide = np.zeros(self.ntotal, bool), 2 * k * self.ntotal // rows.size
        wanted[rows] = True
        while True:
            wide = min(wide, self.ntotal)
            scores, found = self.search(xq, wide)
            kept = wanted[found] & (found >= 0)
            if wide == self.ntotal or kept.sum(axis=1).min(initial=wide) >= k:
                break
            wide *= 4
        found[~kept], scores[~kept] = -1, -np.inf
        first = np.argsort(~kept, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, first, 1), np.take_along_axis(found, first, 1)

    def _cosines(self, scores: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.metric == "l2":  # squared distances, 2 - 2 cosines
            scores *= -0.5
            scores += 1
        if self._pads and _short(found):
            scores[found < 0] = -np.inf
        return scores, found

    def _with_effort(self, effort: int) -> faiss.SearchParameters:
        if (effort,) not in self._settings:
            self._settings[effort,] = self._params(effort, None)
        return self._settings[effort,]

    def _params(self, effort: int | None, selector: Any) -> faiss.SearchParameters:
        """Return parameters of the class that this index heeds; it ignores those of others."""
        given = {} if selector is None else {"sel": selector}
        if self._graph:
            params = faiss.SearchParametersHNSW(efSearch=effort, **given)
        elif isinstance(self._core, faiss.IndexIVF):
            params = faiss.SearchParametersIVF(nprobe=min(effort, self._core.nlist), **given)
        else:
            params = faiss.SearchParameters(**given)
        if isinstance(self.index, faiss.IndexPreTransform):
            return faiss.SearchParametersPreTransform(index_params=params)
        return params


def reranked(
    xq: np.ndarray, k: int, proposed: np.ndarray, read: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k best of the rows proposed for each query, by their exact cosines.

    Args:
        xq: unit queries, float32, (queries, d).
        k: how many.
        proposed: row numbers, int64, (queries, wide); -1 is an empty slot, which comes last.
        read: returns the vectors of some rows, (rows, d).
    """
    scores = np.full(proposed.shape, -np.inf, np.float32)
    for q, found, row in zip(xq, proposed, scores, strict=True):
        row[found >= 0] = read(found[found >= 0]) @ q
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, best, 1), np.take_along_axis(proposed, best, 1)


def _short(found: np.ndarray) -> bool:
    """Return whether a query found too little; a tenth of a microsecond for one query."""
    return found.item(-1) < 0 if len(found) == 1 else bool((found[:, -1] < 0).any())


def _metric(index: faiss.Index) -> str:
    """Return the name of the metric by which index and what is in it compare."""
    found = {index.metric_type, core(index).metric_type}
    names = [name for name, number in METRICS.items() if found == {number}]
    return names[0] if names else f"number {sorted(found)}"


def set_default(inner: faiss.Index, spec: IndexSpec, n: int) -> None:
    """Set the default effort before anybody searches, so that plain Faiss has it too."""
    if isinstance(inner, faiss.IndexIVF) and spec.knob == CELLS:
        inner.nprobe = spec.default_effort(n)
    if isinstance(inner, faiss.IndexHNSW) and spec.default:
        inner.hnsw.efSearch = spec.default


def _only(
    index: faiss.Index, xq: np.ndarray, k: int, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best of some rows in a flat index, which compares with no others.

    float16 rows, which Faiss would all look through, are decoded first.
    """
    if not isinstance(index, faiss.IndexFlat):
        scores, found = nearest(index.reconstruct_batch(rows), xq, k)
        return scores, rows[found]
    return index.search(xq, k, params=faiss.SearchParameters(sel=faiss.IDSelectorArray(rows)))
