"""Files of indexes: the index itself, and beside it a ``.json`` that says what it is and of what.

Faiss keeps no checksum and reads some broken files without a word, so the ``.json`` has one.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np

from sigscope.files import atomic_write, read_json, sha256, write_json
from sigscope.indexes import backends
from sigscope.indexes.reranking import FullVectors
from sigscope.indexes.specs import IndexSpec

_AGAIN = "build the index again with VectorIndex.build and save it"
_ABOUT = {"name", "spec", "ntotal", "d", "ids", "vectors", "sha256", "build_s"}


class StaleIndex(ValueError):
    """An index on disk is broken, or belongs to other vectors; the message says what to rebuild."""


def ids_fingerprint(ids: Sequence[str]) -> str:
    """Return a SHA-256 over ids in their order, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps([str(i) for i in ids]).encode()).hexdigest()


def vectors_fingerprint(xb: np.ndarray) -> str:
    """Return a SHA-256 over the float32 bytes of xb, row by row, 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(xb, dtype=np.float32).data).hexdigest()


class Sink:
    """Takes what is written, counts and hashes it, and hands it on to a file if there is one."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        """Hand on to file; None only counts."""
        self.file, self.size, self.sha256 = file, 0, hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Return how many bytes were taken: all."""
        self.size += len(data)
        if self.file is not None:
            self.sha256.update(data)
            self.file.write(data)
        return len(data)


def write_index(path: Path, backend: Any, spec: IndexSpec, about: dict) -> None:
    """Write a backend to path, and about to path + ``.json`` with what both files must agree on."""
    with atomic_write(path) as part, part.open("wb") as file:
        sink = Sink(file)
        backend.write(sink)
    spot = backend.full.spot() if spec.rerank else ""
    about |= {"spot": spot, "sha256": sink.sha256.hexdigest(), "faiss": faiss.__version__}
    write_json(_sidecar(path), about)


def read_index(
    path: Path,
    ids: Sequence[str],
    xb: np.ndarray | None,
    vectors: np.ndarray | str | Path | None,
) -> tuple[dict, IndexSpec, Any]:
    """Return what is said of the index at path, its spec and its backend; see VectorIndex.load."""
    about = _read_sidecar(path)
    _check_file(path, about)
    if ids_fingerprint(ids) != about["ids"]:
        raise StaleIndex(
            f"{path} was built for another gallery ({about['ntotal']:,} rows, here "
            f"{len(ids):,} ids, in another order or of other pictures); {_AGAIN}"
        )
    if xb is not None and vectors_fingerprint(xb) != about["vectors"]:
        raise StaleIndex(f"{path} was built from other vectors of the same pictures; {_AGAIN}")
    spec = _spec(path, about)
    backend = _backend(path, spec, about)
    if spec.rerank:
        full = _full(path, xb if vectors is None else vectors, about)
        backend = backends.with_vectors(backend, full, spec)
    return about, spec, backend


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


def _check_file(path: Path, about: dict) -> None:
    try:
        found = sha256(path)
    except OSError as error:
        raise StaleIndex(f"{path} cannot be read ({error.strerror}); {_AGAIN}") from error
    if found != about["sha256"]:
        raise StaleIndex(f"{path} is not the file its .json describes (sha256); {_AGAIN}")


def _spec(path: Path, about: dict) -> IndexSpec:
    try:
        return IndexSpec(**{**about["spec"], "values": tuple(about["spec"]["values"])})
    except (TypeError, KeyError) as error:
        raise StaleIndex(f"{_sidecar(path)} is of another version; {_AGAIN}") from error


def _backend(path: Path, spec: IndexSpec, about: dict) -> Any:
    try:
        backend = backends.read(path, spec)
    except (RuntimeError, ValueError) as error:
        who = f"Faiss {faiss.__version__}" if spec.backend == "faiss" else spec.backend
        raise StaleIndex(f"{path} cannot be read by {who}; {_AGAIN}") from error
    if (backend.ntotal, backend.d, backend.metric) != (about["ntotal"], about["d"], spec.metric):
        raise StaleIndex(
            f"{path} holds {backend.ntotal:,} rows of {backend.d}, unlike its .json; {_AGAIN}"
        )
    return backend


def _full(path: Path, vectors: np.ndarray | str | Path | None, about: dict) -> FullVectors:
    if vectors is None:
        raise ValueError(f"{path} re-ranks; give load the vectors, an array or a .npy file")
    full = FullVectors.of(vectors, about["ntotal"], about["d"])
    if full.spot() != about["spot"]:
        raise StaleIndex(
            f"{path} was built from other vectors than those given to re-rank with; {_AGAIN}"
        )
    return full
