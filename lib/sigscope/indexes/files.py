"""Files of indexes: the index itself, and behind it what it is, of what, and a hash of all.

A file is the index as Faiss (or numpy) writes it, JSON, the length of that JSON in 8 bytes, and the
SHA-256 of everything before: Faiss keeps no checksum and reads some broken files without a word.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np

from sigscope.files import atomic_write
from sigscope.indexes import backends
from sigscope.indexes.specs import IndexSpec

_AGAIN = "build the index again with VectorIndex.build and save it"
_ABOUT = {"name", "spec", "ntotal", "d", "ids", "vectors", "build_s"}
_LENGTH, _HASH, _PIECE = 8, 32, 2**20  # bytes
_ROWS = 32_768  # hashed at once


class StaleIndex(ValueError):
    """An index on disk is broken, or belongs to other vectors; the message says what to rebuild."""


def ids_fingerprint(ids: Sequence[str]) -> str:
    """Return a SHA-256 over ids in their order, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps([str(i) for i in ids]).encode()).hexdigest()


def vectors_fingerprint(xb: np.ndarray) -> str:
    """Return a SHA-256 over the float32 bytes of xb, row by row, 64 hexadecimal digits.

    They may be what is read like an array.
    """
    found = hashlib.sha256()
    for start in range(0, len(xb), _ROWS):
        found.update(np.ascontiguousarray(xb[start : start + _ROWS], dtype=np.float32).data)
    return found.hexdigest()


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


def write_index(path: Path, backend: Any, about: dict) -> None:
    """Write a backend and what is said of it to path, which is whole or what it was before."""
    with atomic_write(path) as part, part.open("wb") as file:
        sink = Sink(file)
        backend.write(sink)
        text = json.dumps(about | {"faiss": faiss.__version__}).encode()
        sink.write(text + len(text).to_bytes(_LENGTH))
        file.write(sink.sha256.digest())


def read_index(
    path: Path, ids: Sequence[str], xb: np.ndarray | None, mmap: bool
) -> tuple[dict, IndexSpec, Any]:
    """Return what is said of the index at path, its spec and its backend; see VectorIndex.load."""
    about = _read_about(path)
    if ids_fingerprint(ids) != about["ids"]:
        raise StaleIndex(
            f"{path} was built for another gallery ({about['ntotal']:,} rows, here "
            f"{len(ids):,} ids, in another order or of other pictures); {_AGAIN}"
        )
    if xb is not None and vectors_fingerprint(xb) != about["vectors"]:
        raise StaleIndex(f"{path} was built from other vectors of the same pictures; {_AGAIN}")
    spec = _spec(path, about)
    if spec.backend == "disk" and xb is None:
        raise StaleIndex(f"{path} holds codes alone; give the vectors that they are of, as xb")
    return about, spec, _backend(path, spec, about, mmap, xb)


def _read_about(path: Path) -> dict:
    """Return what the file says of its index, once every byte of it is known to be as written."""
    try:
        text = _checked(path)
    except OSError as error:
        raise StaleIndex(f"{path} cannot be read ({error.strerror}); {_AGAIN}") from error
    try:
        about = json.loads(text)
    except ValueError:
        about = None
    if not isinstance(about, dict) or not about.keys() >= _ABOUT:
        raise StaleIndex(f"{path} does not say what index it holds; {_AGAIN}")
    return about


def _checked(path: Path) -> bytes:
    found = hashlib.sha256()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for start in range(0, max(0, size - _HASH), _PIECE):
            found.update(file.read(min(_PIECE, size - _HASH - start)))
        if size < _HASH + _LENGTH or file.read() != found.digest():
            raise StaleIndex(f"{path} is not as it was written (sha256); {_AGAIN}")
        file.seek(size - _HASH - _LENGTH)
        length = int.from_bytes(file.read(_LENGTH))
        file.seek(max(0, size - _HASH - _LENGTH - length))
        return file.read(length)


def _spec(path: Path, about: dict) -> IndexSpec:
    try:
        return IndexSpec(**{**about["spec"], "values": tuple(about["spec"]["values"])})
    except (TypeError, KeyError) as error:
        raise StaleIndex(f"{path} is of another version; {_AGAIN}") from error


def _backend(path: Path, spec: IndexSpec, about: dict, mmap: bool, xb: Any) -> Any:
    try:
        backend = backends.read(path, spec, mmap, xb)
    except (RuntimeError, ValueError) as error:
        who = f"Faiss {faiss.__version__}" if spec.backend == "faiss" else spec.backend
        raise StaleIndex(f"{path} cannot be read by {who}; {_AGAIN}") from error
    if (backend.ntotal, backend.d, backend.metric) != (about["ntotal"], about["d"], spec.metric):
        raise StaleIndex(
            f"{path} holds {backend.ntotal:,} rows of {backend.d}, unlike what it says; {_AGAIN}"
        )
    return backend
