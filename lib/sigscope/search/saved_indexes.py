"""Saved indexes: what was built is kept in the cache; the next start maps it, or lets it grow."""

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import faiss
import numpy as np
import pandas as pd
from tqdm import tqdm

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.files import PART, atomic_write, digest, folder_lock, sha256, slug
from sigscope.indexes.disk_files import (
    ABOUT,
    build_on_disk,
    build_seconds,
    grow_on_disk,
    open_on_disk,
)
from sigscope.indexes.exact import exact_neighbours, neighbour_recall
from sigscope.indexes.files import StaleIndex
from sigscope.indexes.growing import GrownIndex, grow, is_sparse, outgrown, row_numbers
from sigscope.indexes.index import VectorIndex, frozen
from sigscope.indexes.on_disk import DiskIndex
from sigscope.indexes.specs import IndexSpec, find_spec

FILE, ROWS = "index.faiss", "rows.npz"  # the index, and which rows are in it
QUERIES, K = 200, 10  # of each kind, for the recall that an index has when it is built, and later
FALLEN = 0.02  # of recall; less is within what so many queries can tell
STEPS = (0.1, 0.5, 1.0)  # of growth beyond the rows it was trained on: recall is measured again
log = logging.getLogger(__name__)


def open_index(
    index: str | IndexSpec,
    xb: np.ndarray,
    ids: Sequence[str],
    of: Sequence,
    *,
    asked: Mapping[str, np.ndarray] | None = None,
    effort: int | None = None,
) -> VectorIndex:
    """Return an index over xb from the cache, grown by what is new, or build it and keep it there.

    New rows are added to the one kept, and those that are gone are passed over; see
    `indexes.growing` for when it is filled or built anew. Its recall is measured when it is built
    and as it grows (STEPS); once it has fallen, its ``note`` and the log say so. What is broken, or
    belongs to something else, is built again, and the log says so; what cannot be kept is only
    built. A flat index, and those of other libraries, take no time to build and are not kept. Of
    several processes one builds, and the others wait for it.

    Args:
        index: a name in ``INDEXES``, or a spec.
        xb: unit rows, float32, shape (n, d); for an index on disk they may be `StoredRows`.
        ids: of the rows.
        of: what the rows are of, as JSON: all that decides where the index lies, its name first.
        asked: vectors like the queries to come, by kind; recall is measured with some of them.
        effort: the value of the knob that recall is measured at; None is the default.
    """
    name, spec = find_spec(index)
    if spec.backend not in ("faiss", "disk") or spec.factory == "Flat":
        return VectorIndex.build(index, xb, ids)
    xb = np.ascontiguousarray(xb) if isinstance(xb, np.ndarray) else xb
    key = digest([*of, asdict(spec), faiss.__version__, xb.shape[1]])[:12]
    folder = paths.CACHE / "indexes" / f"{slug(f'{of[0]}-{name}')}-{key}"
    rows = row_numbers(xb, ids)
    try:
        with folder_lock(folder, say=log.info):
            for part in folder.glob(f"{PART}*"):  # of a process that was killed while it saved
                part.unlink()
            kept = _opened(folder, index, xb, rows, asked or {}, effort)
    except OSError as error:
        log.warning("index %s cannot be kept in %s (%s), so it is built anew", name, folder, error)
        return VectorIndex.build(index, xb, ids)
    return kept.over(rows, ids, folder)


@dataclass
class KeptIndex:
    """An index that is kept, with what is beside it: its rows, and what it finds."""

    index: VectorIndex  # its ids are the numbers of its rows
    rows: np.ndarray  # (rows inside,) uint64, their numbers
    trained: int  # rows
    effort: int | None  # that recall is measured at
    built: dict[str, float]  # recall by kind of query, when it was built
    now: dict[str, float]  # and when it was measured last

    @classmethod
    def load(
        cls, folder: Path, index: str | IndexSpec, rows: np.ndarray, xb: np.ndarray
    ) -> "KeptIndex":
        """Return the index kept in folder, in memory if it has to grow to these rows, else mapped.

        What is on disk stays there; it is read of xb, where rows are in their order.

        Raises:
            StaleIndex: it is broken, of another spec or other pictures, or these are too many rows.
        """
        try:
            with np.load(folder / ROWS, allow_pickle=False) as file:
                inside, about = file["rows"], json.loads(str(file["about"]))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise StaleIndex(f"{folder / ROWS} cannot be read ({error})") from error
        if outgrown(len(rows), about["trained"]):
            was = f"was trained on {about['trained']:,} rows"
            raise StaleIndex(f"{folder / FILE} {was}, and there are {len(rows):,} now")
        kept = cls(None, inside, **about)
        place, spec = kept.place(rows), find_spec(index)[1]
        if spec.backend == "disk":
            if is_sparse(place):
                raise StaleIndex(f"much of what is in {folder} is gone from the gallery")
            backend = open_on_disk(folder, spec, xb, sha256(inside.tobytes()), place)
            kept.index = _over_disk(index, backend, inside, folder)
            return kept
        kept.index = VectorIndex.load(
            folder / FILE, ids=inside.astype(str), mmap=not kept.must_grow(rows)
        )
        if kept.index.spec != spec or (place < 0).all():
            raise StaleIndex(f"{folder / FILE} is of other pictures, or another kind of index")
        return kept

    def must_grow(self, rows: np.ndarray) -> bool:
        """Return whether some of these rows are not inside, or too much else is."""
        return not np.isin(rows, self.rows).all() or is_sparse(self.place(rows))

    def save(self, folder: Path) -> None:
        """Write the index and what is beside it; where this cannot be, the log says so."""
        names = ("trained", "effort", "built", "now")
        about = json.dumps({name: getattr(self, name) for name in names})
        try:
            if self.index.spec.backend != "disk":  # that one is there already
                self.index.save(folder / FILE)
            with atomic_write(folder / ROWS) as part:
                np.savez(part, rows=self.rows, about=np.array(about))
        except OSError as error:
            log.warning("index %s cannot be kept in %s (%s)", self.index.name, folder, error)

    def grown(
        self, folder: Path, xb: np.ndarray, rows: np.ndarray, asked: Mapping[str, np.ndarray]
    ) -> "KeptIndex":
        """Return the index with all of these rows in it, measured where it is time to."""
        before, place = self._step(), self.place(rows)
        was_sparse, inside = is_sparse(place), self.rows
        if self.index.spec.backend == "disk":
            place = np.concatenate([place, np.setdiff1d(np.arange(len(rows)), place)])
            inside = np.concatenate([inside, rows[place[inside.size :]]])
            of, how = sha256(inside.tobytes()), {"progress": sys.stderr.isatty()}
            backend, names = grow_on_disk(folder, self.index.backend, xb, place, of, **how), inside
        else:
            backend, place = grow(self.index.backend, place, xb)
            inside = inside[:0] if was_sparse else inside
            inside = np.concatenate([inside, rows[place[inside.size :]]])
            names = inside.astype(str)
        index = replace(self.index, backend=backend, ids=names)
        grown = replace(self, index=index, rows=inside)
        if was_sparse or grown._step() != before:
            index = replace(index, backend=GrownIndex(backend, place), ids=rows)
            grown.now = recalls(index, xb, asked, self.effort)
        return grown

    def _step(self) -> int:
        return sum(self.rows.size - self.trained >= step * self.trained for step in STEPS)

    def place(self, rows: np.ndarray) -> np.ndarray:
        """Return where each row inside is among these, int64, -1 for what is gone."""
        return pd.Index(rows).get_indexer(self.rows)

    def over(self, rows: np.ndarray, ids: Sequence[str], folder: Path) -> VectorIndex:
        """Return the index as one over rows with these numbers and ids."""
        place, backend = self.place(rows), self.index.backend
        if not np.array_equal(place, np.arange(len(rows))):
            backend = GrownIndex(backend, place)
        if note := self._fallen(len(rows), folder):
            log.warning(note)
        about = {"trained": self.trained, "note": note}
        return replace(self.index, backend=backend, ids=frozen(ids), **about)

    def _fallen(self, n: int, folder: Path) -> str:
        kinds = [
            kind
            for kind, recall in self.built.items()
            if self.now.get(kind, recall) < recall - FALLEN
        ]
        if not kinds:
            return ""
        parts = (f"{self.now[kind]:.3f} with {kind}s ({self.built[kind]:.3f})" for kind in kinds)
        return (
            f"Index {self.index.name} was trained on {self.trained:,} rows, has {n:,} now, and "
            f"finds fewer of the {K} nearest than when it was built: {' and '.join(parts)}. Search "
            f"with more effort, or delete {folder}: the next start builds it anew."
        )


def recalls(
    index: VectorIndex, xb: np.ndarray, asked: Mapping[str, np.ndarray], effort: int | None
) -> dict[str, float]:
    """Return the share of the K nearest rows of xb that an index over them finds, by kind.

    Args:
        index: over xb.
        xb: unit rows, float32, (n, d).
        asked: vectors to draw QUERIES of each kind from; an item may find itself.
        effort: the value of the knob; None is the default.
    """
    found, k = {}, min(K, len(xb))
    shown = sys.stderr.isatty() and index.spec.backend == "disk"  # else it takes no time
    for kind, vectors in tqdm(asked.items(), "Measuring", disable=not shown, file=sys.stderr):
        if len(vectors):
            drawn = np.random.default_rng(0).permutation(len(vectors))[:QUERIES]
            xq = np.ascontiguousarray(vectors[np.sort(drawn)], np.float32)
            nearest = index.search(xq, k, effort=effort)[1]
            found[kind] = neighbour_recall(nearest, exact_neighbours(xb, xq, k))
    return found


def _opened(
    folder: Path,
    index: str | IndexSpec,
    xb: np.ndarray,
    rows: np.ndarray,
    asked: Mapping[str, np.ndarray],
    effort: int | None,
) -> KeptIndex:
    """Return the index kept in folder for these rows: as it is, grown, or built now."""
    spec = find_spec(index)[1]
    kept = _loaded(folder, index, rows, xb)
    if kept is None:
        built = _built(folder, index, xb, rows)
        effort = effort if spec.knob else None
        found = recalls(built, xb, asked, effort)
        kept = KeptIndex(built, rows, len(rows), effort, found, found)
    elif kept.must_grow(rows):
        before = len(kept.rows)
        kept = kept.grown(folder, xb, rows, asked)
        log.info("index %s grew from %d rows to %d", kept.index.name, before, len(kept.rows))
    else:
        mark_used(folder if spec.backend == "disk" else folder / FILE)
        return kept
    kept.save(folder)
    return kept


def _loaded(
    folder: Path, index: str | IndexSpec, rows: np.ndarray, xb: np.ndarray
) -> KeptIndex | None:
    if not any((folder / name).exists() for name in (FILE, ABOUT)):
        return None
    try:
        return KeptIndex.load(folder, index, rows, xb)
    except StaleIndex as reason:
        log.warning("%s. It is built again now.", reason)
        return None


def _built(folder: Path, index: str | IndexSpec, xb: np.ndarray, rows: np.ndarray) -> VectorIndex:
    if find_spec(index)[1].backend != "disk":
        return VectorIndex.build(index, xb, rows.astype(str))
    of, how = sha256(rows.tobytes()), {"progress": sys.stderr.isatty()}
    backend = build_on_disk(folder, find_spec(index)[1], xb, of, **how)
    return _over_disk(index, backend, rows, folder)


def _over_disk(
    index: str | IndexSpec, backend: DiskIndex, rows: np.ndarray, folder: Path
) -> VectorIndex:
    name, spec = find_spec(index)
    return VectorIndex(name, spec, backend, rows, "", build_seconds(folder), backend.d)
