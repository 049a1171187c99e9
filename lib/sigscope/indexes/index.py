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
import pandas as pd

from sigscope.arguments import whole
from sigscope.indexes import backends
from sigscope.indexes.files import (
    Sink,
    ids_fingerprint,
    read_index,
    vectors_fingerprint,
    write_index,
)
from sigscope.indexes.specs import CELLS, IndexSpec, find_spec
from sigscope.types import SearchIndex

FLOAT32 = np.dtype(np.float32)
MOST = 2**31 - 1  # of a number that Faiss takes
LENGTH_OFF = 0.01  # how far the squared length of a row may be from 1


@dataclass(frozen=True, eq=False)
class VectorIndex:
    """An index with the id of each of its rows.

    ``search`` may be called from several threads at once; Faiss keeps to the threads it was given
    (``OMP_NUM_THREADS``, or ``faiss.omp_set_num_threads`` in the calling thread).

    The rows of "numpy" and "knn" are the caller's own array, held and not copied: do not write to
    it afterwards.
    """

    name: str
    spec: IndexSpec
    backend: SearchIndex  # what searches
    ids: np.ndarray  # (n,) strings, row order
    vectors_sha256: str  # of the float32 bytes it was built from
    build_s: float
    d: int
    trained: int = 0  # on so many rows, where it may have grown since; 0: on all it has
    note: str = ""  # what its users should know, in a sentence

    @classmethod
    def build(cls, name: str | IndexSpec, xb: np.ndarray, ids: Sequence[str]) -> "VectorIndex":
        """Return an index over xb; row i of it is ids[i].

        Args:
            name: a name in ``INDEXES``, or a spec of your own.
            xb: unit rows, float32, shape (n, d); for an index on disk they may be `StoredRows`.
            ids: n of them.

        Raises:
            ValueError: The rows are no unit rows, or there are too few of them for this index.
        """
        name, spec = find_spec(name)
        on_disk = spec.backend == "disk" and not isinstance(xb, np.ndarray)
        if not on_disk:
            _check_rows(xb, ids)
        if problem := spec.problem(*xb.shape):
            raise ValueError(f"index {name!r} cannot be built here: {problem}")
        xb = xb if on_disk else np.ascontiguousarray(xb)
        backends.get_ready(spec)
        start = perf_counter()
        backend = backends.build(spec, xb)
        build_s = perf_counter() - start
        return cls(name, spec, backend, frozen(ids), vectors_fingerprint(xb), build_s, xb.shape[1])

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
        return self.spec.efforts(self._trained) if self.spec.knob else ()

    @property
    def _trained(self) -> int:
        return self.trained or len(self)

    @cached_property
    def bytes_per_vector(self) -> float:
        """Bytes of the index when saved, without ids and vectors to re-rank with, for each row."""
        counted = Sink()
        (getattr(self.backend, "base", None) or self.backend).write(counted)
        return (counted.size + getattr(self.backend, "lists_bytes", 0)) / len(self)

    @property
    def rerank_bytes_per_vector(self) -> float:
        """Bytes of the vectors held beside the codes to re-rank with, for each row."""
        return getattr(self.backend, "rerank_bytes_per_vector", 0.0)

    def describe(self) -> str:
        """Return one line: what it is, over how much, by which metric, and its knob."""
        what = self.spec.recipe(self._trained, self.d) or self.spec.backend
        line = f"{self.name}: {what}, {len(self):,} × {self.d}, {self.spec.metric}"
        if self.spec.knob:
            line += f"; {self.spec.knob} {self.spec.default_effort(self._trained)}"
        if self.spec.knob == CELLS:
            line += f" of {self.spec.cells(self._trained)}"
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
            candidates: with re-ranking, how many rows per result asked for are compared again.

        Returns:
            Cosines, float32, and row numbers, int64, both (queries, min(k, rows to search)). Where
            rows are kept as codes and not re-ranked the cosines are as exact as the codes. An index
            that does not find k rows ends the line with cosine -inf and row -1.
        """
        _check_queries(xq, self.d)
        k = whole("k", k, "ask for at least one result")
        how = () if effort is candidates is None else self._how(effort, candidates)
        if rows is None:
            return self.backend.search(xq, k if k < self.ids.size else self.ids.size, *how)
        rows = _checked_numbers(np.asarray(rows), len(self))
        if rows.size == 0:
            return np.empty((len(xq), 0), np.float32), np.empty((len(xq), 0), np.int64)
        xq = np.ascontiguousarray(xq)
        return self.backend.search_among(xq, min(k, rows.size), rows, *how)

    def _how(self, effort: int | None, candidates: int | None) -> tuple[int | None, ...]:
        """Return how to search, checked, as the backend takes it."""
        for value, known, what in (
            (effort, self.spec.knob, "no knob to set; leave effort out"),
            (candidates, self.spec.reranks, "no re-ranking; leave candidates out"),
        ):
            if value is not None and not known:
                raise ValueError(f"index {self.name!r} has {what}")
            if value is not None:
                whole("effort or candidates", value, "they start at 1", most=MOST)
        return (effort, candidates) if self.spec.reranks else (effort,)

    def save(self, path: str | Path) -> None:
        """Write the index and what it is to one file, which replaces an older one once it is whole.

        Faiss reads the file as an index (numpy, those of its own), and passes over what it says.

        Raises:
            ValueError: It has grown, and its rows lie in another order than ids says; or it has a
                folder of its own on disk.
        """
        if getattr(self.backend, "lists_bytes", 0):
            raise ValueError(f"index {self.name!r} lies in a folder of its own already")
        if hasattr(self.backend, "place"):
            raise ValueError(f"index {self.name!r} has grown; build it anew to save it in a file")
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
        write_index(Path(path), self.backend, about)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        ids: Sequence[str],
        xb: np.ndarray | None = None,
        mmap: bool = False,
    ) -> "VectorIndex":
        """Return the index saved at path, checked against the ids (and vectors) it must belong to.

        Args:
            path: where it was saved.
            ids: the id of each row, in the order it was built from.
            xb: the vectors it must have been built from; None leaves that unchecked.
            mmap: map the file into memory, so that several processes share it.

        Raises:
            StaleIndex: It is missing, broken, or was built from something else.
        """
        about, spec, backend = read_index(Path(path), ids, xb, mmap)
        known = about["vectors"], about["build_s"], about["d"]
        return cls(about["name"], spec, backend, frozen(ids), *known)


def frozen(ids: Sequence[str]) -> np.ndarray:
    """Return ids as an array that nobody can change by accident; one of pandas' stays as it is."""
    if isinstance(ids, pd.api.extensions.ExtensionArray):
        return ids
    ids = np.array([str(i) for i in ids], dtype=object)
    ids.setflags(write=False)
    return ids


def _check_rows(xb: np.ndarray, ids: Sequence[str]) -> None:
    """Raise unless xb is one float32 unit row, or more, for each id."""
    if not isinstance(xb, np.ndarray) or xb.dtype != np.float32 or xb.ndim != 2:
        raise ValueError(f"vectors must be float32 of shape (n, d), not {_shape(xb)}")
    if xb.size == 0:
        raise ValueError(f"there is nothing to index: the vectors have shape {xb.shape}")
    if len(ids) != len(xb):
        raise ValueError(f"{len(xb)} vectors and {len(ids)} ids; each vector needs its own id")
    _check_length(xb)


def _check_length(x: np.ndarray) -> None:
    """Raise unless every row of x is finite and has length 1, naming the first that has not."""
    with np.errstate(over="ignore", invalid="ignore"):  # such a row is refused just below
        squared = np.vecdot(x, x)
    wrong = ~(np.abs(squared - 1) <= LENGTH_OFF)
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    if not np.isfinite(x[row]).all():
        raise ValueError(f"row {row} holds NaN or infinity; it was not encoded rightly")
    if not x[row].any():
        raise ValueError(f"row {row} is all zeros and has no direction")
    length = float(np.linalg.norm(x[row].astype(np.float64)))
    raise ValueError(f"row {row} has length {length:.3g}; divide each row by its length first")


def _check_queries(xq: np.ndarray, d: int) -> None:
    """Raise unless xq is float32 unit rows of the right width; about 2 microseconds for one."""
    if not (isinstance(xq, np.ndarray) and xq.dtype == FLOAT32 and xq.ndim == 2):
        raise ValueError(f"queries must be float32 of shape (queries, d), not {_shape(xq)}")
    if xq.shape[1] != d:
        raise ValueError(
            f"the queries have {xq.shape[1]} dimensions and the index {d}; "
            "encode them with the model that made the index"
        )
    if len(xq) != 1 or not -LENGTH_OFF <= np.vdot(xq, xq) - 1 <= LENGTH_OFF:
        _check_length(xq)


def _checked_numbers(rows: np.ndarray, n: int) -> np.ndarray:
    """Return row numbers below n as contiguous int64, rising, each once, or raise."""
    if rows.size == 0:
        return np.empty(0, np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(f"rows must be row numbers in one dimension, not {_shape(rows)}")
    if rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"rows run from {rows.min()} to {rows.max()}; there are {n}")
    ascending = (rows[1:] > rows[:-1]).all()
    return np.ascontiguousarray(rows if ascending else np.unique(rows), dtype=np.int64)


def _shape(x: object) -> str:
    return f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
