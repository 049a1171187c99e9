"""Indexes over unit vectors: a name in ``INDEXES`` says how one is built and how it scores.

Rows go in as float32 unit vectors, scores come out as cosines, best first, and results are row
numbers of what was built. The id of each row travels with the index and is checked on loading.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from sigscope.indexes import backends
from sigscope.indexes.files import (
    Sink,
    StaleIndex,
    ids_fingerprint,
    read_index,
    vectors_fingerprint,
    write_index,
)
from sigscope.indexes.reranking import FullVectors
from sigscope.indexes.specs import CELLS, INDEXES, IndexSpec, cells, find_spec
from sigscope.indexes.unit_rows import check_queries, check_rows, checked_numbers
from sigscope.types import SearchIndex

__all__ = [
    "INDEXES",
    "IndexSpec",
    "StaleIndex",
    "VectorIndex",
    "ids_fingerprint",
    "vectors_fingerprint",
]


@dataclass(frozen=True, eq=False)
class VectorIndex:
    """An index with the id of each of its rows.

    ``search`` may be called from several threads at once; Faiss keeps to the threads it was given
    (``OMP_NUM_THREADS``, or ``faiss.omp_set_num_threads`` in the calling thread).

    The rows of "numpy" and "knn", and what a "+rerank" index ranks its candidates with, are the
    caller's own array, held and not copied: do not write to it afterwards.
    """

    name: str
    spec: IndexSpec
    backend: SearchIndex  # what searches: a backend, or one whose candidates are re-ranked
    ids: np.ndarray  # (n,) strings, row order
    vectors_sha256: str  # of the float32 bytes it was built from
    build_s: float
    d: int

    @classmethod
    def build(
        cls,
        name: str | IndexSpec,
        xb: np.ndarray,
        ids: Sequence[str],
        *,
        vectors: np.ndarray | str | Path | None = None,
    ) -> "VectorIndex":
        """Return an index over xb; row i of it is ids[i].

        Args:
            name: a name in ``INDEXES``, or a spec of your own.
            xb: unit rows, float32, shape (n, d).
            ids: n of them.
            vectors: what to re-rank with: the same rows as an array or the path of a ``.npy`` file,
                float32 or float16; None re-ranks with xb.
        """
        name, spec = find_spec(name)
        check_rows(xb, ids)
        xb = np.ascontiguousarray(xb)
        backends.get_ready(spec)
        start = perf_counter()
        backend = backends.build(spec, xb)
        build_s = perf_counter() - start
        if spec.rerank:
            full = FullVectors.of(xb if vectors is None else vectors, *xb.shape)
            if vectors is not None and full.spot() != FullVectors(xb).spot():
                raise ValueError("vectors to re-rank with are not the rows of xb; give the same")
            backend = backends.with_vectors(backend, full, spec)
        elif vectors is not None:
            raise ValueError(f"index {name!r} does not re-rank; leave vectors out")
        return cls(name, spec, backend, _frozen(ids), vectors_fingerprint(xb), build_s, xb.shape[1])

    def __len__(self) -> int:
        """Return the number of rows, n."""
        return len(self.ids)

    @property
    def index(self) -> Any:
        """The bare index: of Faiss, of scikit-learn, or the array that numpy multiplies with."""
        return self.backend.index

    @property
    def efforts(self) -> tuple[int, ...]:
        """The values of the knob worth sweeping here, rising; empty where there is no knob."""
        return self.spec.efforts(len(self)) if self.spec.knob else ()

    @cached_property
    def bytes_per_vector(self) -> float:
        """Bytes of the saved index, without ids, for each row."""
        counted = Sink()
        self.backend.write(counted)
        return counted.size / len(self)

    @property
    def rerank_bytes_per_vector(self) -> float:
        """Bytes of the vectors held beside the index to re-rank with, for each row."""
        return float(self.backend.full.bytes_per_vector) if self.spec.rerank else 0.0

    def describe(self) -> str:
        """Return one line: what it is, over how much, by which metric, and its knob."""
        what = self.spec.recipe(len(self), self.d) or self.spec.backend
        line = f"{self.name}: {what}, {len(self):,} × {self.d}, {self.spec.metric}"
        if self.spec.knob:
            line += f"; {self.spec.knob} {self.spec.default_effort(len(self))}"
        if self.spec.knob == CELLS:
            line += f" of {cells(len(self))}"
        if self.spec.rerank:
            line += f"; re-ranked by {self.backend.full.rows.dtype}"
        if self.spec.candidates:
            line += f", {self.spec.candidates} candidates a result"
        return line

    def search(
        self,
        xq: np.ndarray,
        k: int,
        *,
        rows: np.ndarray | None = None,
        effort: int | None = None,
        candidates: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k rows nearest each query, best first.

        Args:
            xq: unit queries, float32, shape (queries, d).
            k: how many; more than there are means all of them.
            rows: row numbers to search among, exactly; None searches all rows.
            effort: the value of the knob for this search; None is the default of the spec.
            candidates: with re-ranking, how many rows per result asked for are compared exactly.

        Returns:
            Cosines, float32, and row numbers, int64, both (queries, min(k, rows to search)). Where
            rows are kept as codes and not re-ranked the cosines are as exact as the codes. An index
            that does not find k rows ends the line with cosine -inf and row -1.
        """
        check_queries(xq, self.d)
        if k < 1:
            raise ValueError(f"k is {k}; ask for at least one result")
        how = () if effort is candidates is None else self._how(effort, candidates)
        if rows is None:
            return self.backend.search(xq, k if k < self.ids.size else self.ids.size, *how)
        rows = checked_numbers(np.asarray(rows), len(self))
        if rows.size == 0:
            return np.empty((len(xq), 0), np.float32), np.empty((len(xq), 0), np.int64)
        xq = np.ascontiguousarray(xq)
        return self.backend.search_among(xq, min(k, rows.size), rows, *how)

    def _how(self, effort: int | None, candidates: int | None) -> tuple[int | None, ...]:
        """Return how to search, checked, as the backend takes it."""
        for value, known, what in (
            (effort, self.spec.knob, "no knob to set; leave effort out"),
            (candidates, self.spec.rerank, "no re-ranking; leave candidates out"),
        ):
            if value is not None and not known:
                raise ValueError(f"index {self.name!r} has {what}")
            if value is not None and value < 1:
                raise ValueError(f"effort and candidates start at 1; {value} finds nothing")
        return (effort, candidates) if self.spec.rerank else (effort,)

    def add(self, xb: np.ndarray, ids: Sequence[str]) -> None:
        """Refuse: cells, codes and cosines are fitted to the rows that the index was built from."""
        raise ValueError(
            f"nothing can be added to index {self.name!r} once it is built; "
            "build it again over all rows with VectorIndex.build"
        )

    def save(self, path: str | Path) -> None:
        """Write the index to path, and what it is to path + ``.json``, each in one move.

        Vectors to re-rank with are not written; ``load`` is given them again.
        """
        about = {
            "name": self.name,
            "spec": asdict(self.spec),
            "recipe": self.spec.recipe(len(self), self.d),
            "ntotal": len(self),
            "d": self.d,
            "ids": ids_fingerprint(self.ids),
            "vectors": self.vectors_sha256,
            "build_s": self.build_s,
        }
        write_index(Path(path), self.backend, self.spec, about)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        ids: Sequence[str],
        xb: np.ndarray | None = None,
        vectors: np.ndarray | str | Path | None = None,
    ) -> "VectorIndex":
        """Return the index saved at path, checked against the ids (and vectors) it must belong to.

        Args:
            path: where it was saved.
            ids: the id of each row, in the order it was built from.
            xb: the vectors it must have been built from; None leaves that unchecked.
            vectors: what a "+rerank" index ranks with, as in ``build``; None takes xb.

        Raises:
            StaleIndex: It is missing, broken, or was built from something else.
        """
        about, spec, backend = read_index(Path(path), ids, xb, vectors)
        known = about["vectors"], about["build_s"], about["d"]
        return cls(about["name"], spec, backend, _frozen(ids), *known)


def _frozen(ids: Sequence[str]) -> np.ndarray:
    ids = np.array([str(i) for i in ids], dtype=object)
    ids.setflags(write=False)
    return ids
