"""Files of disk indexes: built part by part, merged, and opened again.

An index is trained on a sample, then filled block by block. Each part of it is a file of its own,
whole or absent, so that a build that was killed goes on with the next; at the end the lists of all
parts are merged into one file, which searches map into memory. What is held meanwhile is the
sample, then one part, however many rows there are. In the folder of an index lie

- ``codes-KEY.faiss``, its cells, and ``lists-KEY.ivfdata``, the lists that it names;
- ``on_disk.json``, replaced last: which two files these are, of what, and a hash of each;
- ``making``, while it is built, or grows.
"""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import faiss
import numpy as np

from sigscope.files import atomic_write, digest, read_sealed, sha256, write_sealed
from sigscope.indexes.files import StaleIndex
from sigscope.indexes.on_disk import LISTS_ON_DISK, DiskIndex, add, trained
from sigscope.indexes.specs import IndexSpec
from sigscope.progress import Progress, progress_bar

ABOUT, MAKING = "on_disk.json", "making"
PART_ROWS = 500_000  # the most that a killed build loses: a minute or two
log = logging.getLogger(__name__)


def build_on_disk(
    folder: Path,
    spec: IndexSpec,
    xb: Any,
    of: str,
    *,
    part_rows: int | None = None,
    progress: Progress = False,
) -> DiskIndex:
    """Return the index over xb, built in folder, from where a build that was killed had got.

    It finds what ``DiskIndex.build`` finds. The caller sees to it that no other process builds
    there (`files.folder_lock`).

    Args:
        folder: the index's own, made if need be; what it held goes once the new is whole.
        spec: of the backend "disk".
        xb: unit rows, (n, d): an array, or `StoredRows`.
        of: what tells these rows from all others, such as a digest of them.
        part_rows: rows in a part; None: PART_ROWS.
        progress: as `progress_bar` takes it.

    Raises:
        OSError: The disk is full or may not be written to; the parts that are whole stay.
        ValueError: A row holds NaN or infinity.
    """
    start, rows, part_rows = perf_counter(), np.arange(len(xb)), part_rows or PART_ROWS
    making = _making(folder, spec, of, part_rows)
    empty = making / "empty.faiss"
    if not empty.exists():
        _write(trained(spec, xb, progress), empty)
    parts = _filled(making, xb, rows, 0, part_rows, progress)
    return _finished(folder, spec, xb, None, of, parts, start)


def grow_on_disk(
    folder: Path,
    index: DiskIndex,
    xb: Any,
    place: np.ndarray,
    of: str,
    *,
    part_rows: int | None = None,
    progress: Progress = False,
) -> DiskIndex:
    """Return the index in folder with more rows behind those that it has; training is kept.

    Args:
        folder: as in `build_on_disk`, whose index was opened from it.
        index: what is there.
        xb: unit rows, (n, d), old ones and new ones.
        place: the number in xb of each row inside, then of those to add, int64.
        of: what tells the rows inside from all others.
        part_rows: rows in a part; None: PART_ROWS.
        progress: as `progress_bar` takes it.
    """
    start, part_rows = perf_counter(), part_rows or PART_ROWS
    making = _making(folder, index.spec, of, part_rows)
    if not (making / "empty.faiss").exists():
        empty = _mapped(folder / _about(folder)["codes"][0])
        lists = faiss.ArrayInvertedLists(empty.nlist, empty.code_size)
        empty.replace_invlists(lists, True)
        lists.this.disown()
        empty.ntotal = 0
        _write(empty, making / "empty.faiss")
    new = place[index.ntotal :]
    parts = _filled(making, xb, new, index.ntotal, part_rows, progress)
    there = folder / _about(folder)["codes"][0]
    return _finished(folder, index.spec, xb, place, of, [there, *parts], start)


def open_on_disk(
    folder: Path, spec: IndexSpec, xb: Any, of: str, place: np.ndarray | None = None
) -> DiskIndex:
    """Return the index in folder, its lists mapped into memory.

    Args:
        folder: where it was built.
        spec: of what it must be.
        xb: unit rows, (n, d), an array or `StoredRows`.
        of: as it was built or grown with.
        place: the number in xb of each row inside, int64; None where all are in their order.

    Raises:
        StaleIndex: It is missing, unfinished, broken, or of another spec or other vectors.
    """
    about = _about(folder)
    if about["of"] != of or about["spec"] != _json(spec):
        raise StaleIndex(f"{folder} holds an index of another kind or of other vectors")
    for name, expected in (about["codes"], about["lists"]):
        if not (folder / name).is_file() or sha256(folder / name) != expected:
            raise StaleIndex(f"{folder / name} is missing or not as it was written")
    try:
        index = _mapped(folder / about["codes"][0])
    except RuntimeError as error:
        raise StaleIndex(f"{folder} cannot be read by Faiss {faiss.__version__}") from error
    return DiskIndex(index, spec, xb, place)


def build_seconds(folder: Path) -> float:
    """Return how long the last run took that built the index in folder, or let it grow."""
    return _about(folder)["build_s"]


def _about(folder: Path) -> dict:
    try:
        return read_sealed(folder / ABOUT)
    except (OSError, ValueError) as error:
        raise StaleIndex(f"{folder} holds no whole index ({error})") from error


def _json(spec: IndexSpec) -> dict:
    return asdict(spec) | {"values": list(spec.values)}


def _making(folder: Path, *about: Any) -> Path:
    """Return where an index is being made; what was begun there for something else is removed."""
    if not LISTS_ON_DISK:
        raise OSError("Faiss keeps no lists on disk on this system; choose another index")
    about = [asdict(one) if isinstance(one, IndexSpec) else one for one in about]
    making = folder / MAKING / digest([*about, faiss.__version__])[:12]
    others = [path for path in (folder / MAKING).glob("*") if path != making]
    if others:
        log.warning("%s was begun for something else; it is begun again", folder)
    for other in others:
        shutil.rmtree(other)
    making.mkdir(parents=True, exist_ok=True)
    return making


def _filled(
    making: Path, xb: Any, rows: np.ndarray, first: int, part_rows: int, progress: Progress
) -> list[Path]:
    """Return the files of the parts that hold some rows of xb, each made unless it is there."""
    starts = range(0, len(rows), part_rows)
    parts = [making / f"part-{first + start:012}.faiss" for start in starts]
    done = sum(
        len(rows[start : start + part_rows])
        for start, part in zip(starts, parts, strict=True)
        if part.exists()
    )
    if done:
        log.warning("%s holds %d of %d rows already; it goes on there", making, done, len(rows))
    how = {"done": done, "unit_scale": True}
    with progress_bar(len(rows), "Indexing", " vectors", progress, **how) as bar:
        for start, part in zip(starts, parts, strict=True):
            if not part.exists():
                index = faiss.read_index(str(making / "empty.faiss"))
                add(index, xb, rows[start : start + part_rows], first + start, bar.update)
                _write(index, part)
    return parts


def _finished(
    folder: Path,
    spec: IndexSpec,
    xb: Any,
    place: np.ndarray | None,
    of: str,
    parts: Sequence[Path],
    start: float,
) -> DiskIndex:
    """Merge the parts, say what is there now, remove all else, and return the index opened."""
    making = next((folder / MAKING).iterdir())
    key, empty = making.name, faiss.read_index(str(making / "empty.faiss"))
    codes, lists = f"codes-{key}.faiss", f"lists-{key}.ivfdata"
    with atomic_write(folder / lists) as file:
        merge(empty, parts, file)
    faiss.downcast_InvertedLists(empty.invlists).filename = lists  # beside the codes
    _write(empty, folder / codes)
    about = {"of": of, "spec": _json(spec), "faiss": faiss.__version__}
    about |= {"build_s": perf_counter() - start}
    about |= {"codes": [codes, sha256(folder / codes)], "lists": [lists, sha256(folder / lists)]}
    write_sealed(folder / ABOUT, about)
    shutil.rmtree(folder / MAKING)
    for old in [*folder.glob("codes-*"), *folder.glob("lists-*")]:
        if old.name not in (codes, lists):
            old.unlink()
    return open_on_disk(folder, spec, xb, of, place)


def merge(index: faiss.IndexIVF, parts: Sequence[Path], file: Path) -> None:
    """Write the lists of all parts to one file, list by list, and give them to an empty index.

    The file is as ``faiss.contrib.ondisk.merge_ondisk`` writes it, which says so on the terminal
    and keeps the parts in its memory.
    """
    read = [_mapped(part) for part in parts]
    sizes = np.array(
        [[part.invlists.list_size(number) for part in read] for number in range(index.nlist)],
        np.uint64,
    )
    with file.open("wb") as sink:
        for number, counts in enumerate(sizes):
            full = [(p.invlists, int(n)) for p, n in zip(read, counts, strict=True) if n]
            for one, n in full:
                codes = faiss.rev_swig_ptr(one.get_codes(number), n * index.code_size)
                sink.write(codes.data)
            for one, n in full:
                sink.write(faiss.rev_swig_ptr(one.get_ids(number), n).data)
        size = sink.tell()
    merged = faiss.OnDiskInvertedLists(index.nlist, index.code_size, str(file))
    totals = sizes.sum(axis=1)
    merged.set_all_lists_sizes(faiss.swig_ptr(totals))
    merged.totsize = size
    index.ntotal = sum(part.ntotal for part in read)
    index.replace_invlists(merged, True)
    merged.this.disown()


def _mapped(path: Path) -> faiss.IndexIVF:
    """Return the index in a file, its lists mapped into memory, whether in the file or beside it.

    Raises:
        RuntimeError: Faiss cannot read it.
    """
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    lists = faiss.downcast_InvertedLists(index.invlists)
    lists.prefetch_nthread = 0  # threads for each search cost more than they bring
    if lists.filename:
        lists.filename = str(path.with_name(lists.filename))
        lists.do_mmap()
    return index


def _write(index: faiss.Index, path: Path) -> None:
    with atomic_write(path) as part:
        faiss.write_index(index, str(part))
