"""Saved indexes: what was built is kept in the cache, and the next start maps it into memory."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import faiss
import numpy as np

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.files import PART, digest, folder_lock, slug
from sigscope.indexes.files import StaleIndex, ids_fingerprint, vectors_fingerprint
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import IndexSpec, find_spec

FILE = "index.faiss"
log = logging.getLogger(__name__)


def open_index(index: str | IndexSpec, xb: np.ndarray, ids: Sequence[str], of: str) -> VectorIndex:
    """Return an index over xb from the cache, or build it and keep it there.

    Where it lies depends on ids, vectors, spec and the version of Faiss. What is broken there, or
    belongs to something else, is built again, and the log says so; what cannot be kept is only
    built. A flat index, and those of other libraries, take no time to build and are not kept. Of
    several processes one builds, and the others wait for it.

    Args:
        index: a name in ``INDEXES``, or a spec.
        xb: unit rows, float32, shape (n, d).
        ids: of the rows.
        of: what the rows are of, for the name of the folder.
    """
    name, spec = find_spec(index)
    if spec.backend != "faiss" or spec.factory == "Flat":
        return VectorIndex.build(index, xb, ids)
    xb = np.ascontiguousarray(xb)
    vectors = vectors_fingerprint(xb)
    key = digest([ids_fingerprint(ids), vectors, asdict(spec), faiss.__version__])[:12]
    folder = paths.CACHE / "indexes" / f"{slug(f'{of}-{name}')}-{key}"
    try:
        with folder_lock(folder, say=log.info):
            if found := _loaded(folder / FILE, spec, ids, vectors):
                return found
            for part in folder.glob(f"{PART}*"):  # of a process that was killed while it saved
                part.unlink()
            return _kept(VectorIndex.build(index, xb, ids), folder / FILE)
    except OSError as error:
        log.warning("index %s cannot be kept in %s (%s), so it is built anew", name, folder, error)
        return VectorIndex.build(index, xb, ids)


def _loaded(file: Path, spec: IndexSpec, ids: Sequence[str], vectors: str) -> VectorIndex | None:
    if not file.exists():
        return None
    try:
        found = VectorIndex.load(file, ids=ids, mmap=True)
        if (found.spec, found.vectors_sha256) != (spec, vectors):
            raise StaleIndex(f"{file} is of other vectors, or another kind of index")
    except StaleIndex as reason:
        log.warning("%s. It is built again now.", reason)
        return None
    mark_used(file)
    return found


def _kept(built: VectorIndex, file: Path) -> VectorIndex:
    try:
        built.save(file)
    except OSError as error:
        log.warning("index %s cannot be kept in %s (%s)", built.name, file, error)
    return built
