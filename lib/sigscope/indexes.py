"""Indexes over unit vectors: a name in ``INDEXES`` says how one is built and how it scores.

Rows go in as float32 unit vectors, scores come out as cosines, best first, and results are row
numbers of what was built. The id of each row travels with the index and is checked on loading.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import faiss
import numpy as np

from sigscope.files import read_json, whole, write_json

METRICS = {"ip": faiss.METRIC_INNER_PRODUCT, "l2": faiss.METRIC_L2}
FLOAT32 = np.dtype(np.float32)
LENGTH_OFF = 0.01  # how far the squared length of a row may be from 1


class StaleIndex(ValueError):
    """An index on disk is broken, or belongs to other vectors; the message says what to rebuild."""


@dataclass(frozen=True)
class IndexSpec:
    """How to build one family, with which metric, and which search-time knob to sweep."""

    factory: str
    metric: str  # "ip" or "l2"; on unit rows both rank alike and both are reported as cosine
    knob: str = ""
    values: tuple[int, ...] = ()


INDEXES: dict[str, IndexSpec] = {
    "flat": IndexSpec("Flat", "ip"),
}


@dataclass(frozen=True, eq=False)
class VectorIndex:
    """A Faiss index with the id of each of its rows.

    ``search`` may be called from several threads at once; Faiss keeps to the threads it was given
    (``OMP_NUM_THREADS``, or ``faiss.omp_set_num_threads`` in the calling thread).
    """

    name: str
    spec: IndexSpec
    index: faiss.Index
    ids: np.ndarray  # (n,) strings, row order
    vectors_sha256: str  # of the float32 bytes it was built from
    build_s: float
    d: int

    @classmethod
    def build(cls, name: str, xb: np.ndarray, ids: Sequence[str]) -> "VectorIndex":
        """Return the index called name over xb, unit rows (n, d); row i of it is ids[i]."""
        spec = _spec(name)
        _check_rows(xb, ids)
        xb = np.ascontiguousarray(xb)
        start = perf_counter()
        index = faiss.index_factory(xb.shape[1], spec.factory, METRICS[spec.metric])
        index.train(xb)
        index.add(xb)
        build_s = perf_counter() - start
        return cls(name, spec, index, _frozen(ids), vectors_fingerprint(xb), build_s, xb.shape[1])

    def __len__(self) -> int:
        """Return the number of rows, n."""
        return len(self.ids)

    def search(
        self, xq: np.ndarray, k: int, *, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k rows nearest each query, best first.

        Args:
            xq: unit queries, float32, shape (queries, d).
            k: how many; more than there are means all of them.
            rows: row numbers to search among, exactly; None searches all rows.

        Returns:
            Cosines, float32, and row numbers, int64, both (queries, min(k, rows to search)).
        """
        self._check_queries(xq)
        if k < 1:
            raise ValueError(f"k is {k}; ask for at least one result")
        if rows is None:
            scores, found = self.index.search(xq, k if k < self.ids.size else self.ids.size)
        else:
            scores, found = self._search_among(xq, k, np.asarray(rows))
        return (scores if self.spec.metric == "ip" else 1 - scores / 2), found

    def _search_among(
        self, xq: np.ndarray, k: int, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if not isinstance(self.index, faiss.IndexFlat):
            raise ValueError(f"index {self.name!r} is not exact; filter with a flat index")
        rows = self._checked(rows)
        if rows.size == 0:
            return np.empty((len(xq), 0), np.float32), np.empty((len(xq), 0), np.int64)
        only = faiss.SearchParameters(sel=faiss.IDSelectorArray(rows))
        return self.index.search(xq, min(k, rows.size), params=only)

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        """Return rows as contiguous int64, each once, or raise."""
        if rows.size == 0:
            return np.empty(0, np.int64)
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise ValueError(f"rows must be row numbers in one dimension, not {_shape(rows)}")
        if rows.min() < 0 or rows.max() >= len(self):
            raise ValueError(f"rows run from {rows.min()} to {rows.max()}; there are {len(self)}")
        ascending = (rows[1:] > rows[:-1]).all()
        return np.ascontiguousarray(rows if ascending else np.unique(rows), dtype=np.int64)

    def _check_queries(self, xq: np.ndarray) -> None:
        """Raise unless xq is float32 unit rows of the right width; about 2 microseconds for one."""
        if not (isinstance(xq, np.ndarray) and xq.dtype == FLOAT32 and xq.ndim == 2):
            raise ValueError(f"queries must be float32 of shape (queries, d), not {_shape(xq)}")
        if xq.shape[1] != self.d:
            raise ValueError(
                f"the queries have {xq.shape[1]} dimensions and the index {self.d}; "
                "encode them with the model that made the index"
            )
        if len(xq) != 1 or not -LENGTH_OFF <= np.vdot(xq, xq) - 1 <= LENGTH_OFF:
            _check_length(xq)

    def save(self, path: str | Path) -> None:
        """Write the index to path, and what it is to path + ``.json``, each in one move."""
        path = Path(path)
        data = faiss.serialize_index(self.index)
        with whole(path) as part:
            part.write_bytes(data.data)
        about = {
            "name": self.name,
            "spec": asdict(self.spec),
            "ntotal": len(self),
            "d": self.d,
            "ids": ids_fingerprint(self.ids),
            "vectors": self.vectors_sha256,
            "sha256": hashlib.sha256(data.data).hexdigest(),
            "build_s": self.build_s,
            "faiss": faiss.__version__,
        }
        write_json(_sidecar(path), about)

    @classmethod
    def load(
        cls, path: str | Path, *, ids: Sequence[str], xb: np.ndarray | None = None
    ) -> "VectorIndex":
        """Return the index saved at path, checked against the ids (and vectors) it must belong to.

        Args:
            path: where it was saved.
            ids: the id of each row, in the order it was built from.
            xb: the vectors it must have been built from; None leaves that unchecked.

        Raises:
            StaleIndex: It is missing, broken, or was built from something else.
        """
        path = Path(path)
        about = _read_sidecar(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StaleIndex(f"{path} cannot be read ({error.strerror}); {_AGAIN}") from error
        if hashlib.sha256(data).hexdigest() != about["sha256"]:
            raise StaleIndex(f"{path} is not the file its .json describes (sha256); {_AGAIN}")
        if ids_fingerprint(ids) != about["ids"]:
            raise StaleIndex(
                f"{path} was built for another gallery ({about['ntotal']:,} rows, here "
                f"{len(ids):,} ids, in another order or of other pictures); {_AGAIN}"
            )
        if xb is not None and vectors_fingerprint(xb) != about["vectors"]:
            raise StaleIndex(f"{path} was built from other vectors of the same pictures; {_AGAIN}")
        index = _deserialized(path, data, about)
        spec = IndexSpec(**{**about["spec"], "values": tuple(about["spec"]["values"])})
        known = about["vectors"], about["build_s"], about["d"]
        return cls(about["name"], spec, index, _frozen(ids), *known)


_AGAIN = "build the index again with VectorIndex.build and save it"
_ABOUT = {"name", "spec", "ntotal", "d", "ids", "vectors", "sha256", "build_s"}


def ids_fingerprint(ids: Sequence[str]) -> str:
    """Return a SHA-256 over ids in their order, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps([str(i) for i in ids]).encode()).hexdigest()


def vectors_fingerprint(xb: np.ndarray) -> str:
    """Return a SHA-256 over the float32 bytes of xb, row by row, 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(xb, dtype=np.float32).data).hexdigest()


def _spec(name: str) -> IndexSpec:
    if name not in INDEXES:
        raise ValueError(f"there is no index called {name!r}; choose from {', '.join(INDEXES)}")
    return INDEXES[name]


def _check_rows(xb: np.ndarray, ids: Sequence[str]) -> None:
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


def _shape(x: object) -> str:
    return f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__


def _frozen(ids: Sequence[str]) -> np.ndarray:
    ids = np.array([str(i) for i in ids], dtype=object)
    ids.setflags(write=False)
    return ids


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _read_sidecar(path: Path) -> dict:
    try:
        about = read_json(_sidecar(path))
    except (OSError, ValueError) as error:
        raise StaleIndex(f"{_sidecar(path)} is missing or broken; {_AGAIN}") from error
    if not isinstance(about, dict) or not about.keys() >= _ABOUT:
        raise StaleIndex(f"{_sidecar(path)} does not describe an index; {_AGAIN}")
    return about


def _deserialized(path: Path, data: bytes, about: dict) -> faiss.Index:
    try:
        index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    except RuntimeError as error:
        raise StaleIndex(f"{path} cannot be read by Faiss {faiss.__version__}; {_AGAIN}") from error
    found = (index.ntotal, index.d, index.metric_type)
    if found != (about["ntotal"], about["d"], METRICS[about["spec"]["metric"]]):
        raise StaleIndex(
            f"{path} holds {found[0]:,} rows of {found[1]}, unlike its .json; {_AGAIN}"
        )
    return index
