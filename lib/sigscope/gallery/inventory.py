"""Inventories: what the files of a folder are, remembered so that only changed ones are read again.

A file is taken to be as it was while its size and its time of change (mtime) are, as make and rsync
do. What it is: the SHA-256 of its bytes, and the captions that the picture itself carries. An
inventory lies in the cache, never in the folder, and says nothing of where the folder is.
"""

import hashlib
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time_ns

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.files import atomic_write, sha256
from sigscope.gallery.folder import Listing
from sigscope.images.captions import embedded_captions
from sigscope.images.prefetch import prefetch
from sigscope.progress import progress_bar

FORMAT = b"sigscope inventory 1"
SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "size": pa.int64(),
        "mtime_ns": pa.int64(),
        "looked_ns": pa.int64(),  # when the file was read
        "content": pa.string(),  # SHA-256, 64 hexadecimal digits
        "captions": pa.list_(pa.string()),  # null where nobody has looked for them
    },
    metadata={b"format": FORMAT},
)
NUMBERS = ("size", "mtime_ns", "looked_ns")
TICK_NS = 2_000_000_000  # a file read so soon after a change may change again and keep its time
SAVE_S = 20.0  # how much work a killed run may lose
READING = "Reading new and changed files"
AT_ONCE = 32  # files that a thread reads in one go

log = logging.getLogger(__name__)


def take(
    root: Path,
    listing: Listing,
    *,
    of: Path | None = None,
    embedded: bool = False,
    progress: bool = False,
) -> Listing:
    """Return listing with the ``content`` of each picture, the SHA-256 of its file.

    Only files that are new or have changed since the last look are read. A picture that has gone
    since it was listed, or cannot be read, becomes a problem. A column of the metadata that is
    called content keeps its values as metadata_content.

    Args:
        root: the folder that the paths of the rows count from.
        listing: what to look at.
        of: what the listing is of, where that is not root: each has an inventory of its own.
        embedded: give pictures without captions those that they carry in them (EXIF, XMP).
        progress: show a bar on stderr if it takes more than a second.
    """
    names = [row.get("path", row["id"]) for row in listing.rows]
    bare = np.array([embedded and not row["captions"] for row in listing.rows], bool)
    file = home() / f"{_digest(of or root)}.parquet"
    look = Look(root, names, bare, Inventory.read(file))
    look.complete(file, progress)
    problems = [(names[row], reason) for row, reason in sorted(look.reasons.items())]
    rows = [
        _row(row, look.content[number], look.captions[number] if bare[number] else None)
        for number, row in enumerate(listing.rows)
        if number not in look.reasons
    ]
    return Listing(rows, [*listing.problems, *problems])


def home() -> Path:
    """Return the folder where inventories are kept."""
    return paths.CACHE / "inventories"


@dataclass(frozen=True)
class Inventory:
    """What was found at the last look, in columns of equal length."""

    row_of: dict[str, int]  # by path
    numbers: dict[str, np.ndarray]  # NUMBERS, int64
    content: list[str]
    captions: list[list[str] | None]

    @classmethod
    def read(cls, file: Path) -> "Inventory":
        """Return the inventory in a file; one that is missing or broken knows nothing."""
        table = SCHEMA.empty_table()
        with suppress(OSError, KeyError, pa.ArrowException):
            found = pq.read_table(file)
            if (found.schema.metadata or {}).get(b"format") == FORMAT:
                table = found.select(SCHEMA.names)
        return cls(
            row_of={path: row for row, path in enumerate(table["path"].to_pylist())},
            numbers={name: table[name].to_numpy() for name in NUMBERS},
            content=table["content"].to_pylist(),
            captions=table["captions"].to_pylist(),
        )


class Look:
    """A look at some files: what is known of them from the last one, and what must be read.

    Attributes:
        content: the SHA-256 of each file, "" while it is not known.
        captions: what each picture carries, None while nobody has looked.
        reasons: number of the file -> why it cannot be read.
    """

    def __init__(self, root: Path, names: list[str], bare: np.ndarray, last: Inventory) -> None:
        """Ask for each file's size and time, and take over what is known of those unchanged.

        Args:
            root: the folder.
            names: the files, by their paths below it.
            bare: whose captions are wanted, a mask.
            last: what is known.
        """
        self.root, self.names, self.bare = str(root), names, bare
        self.reasons: dict[int, str] = {}
        states = np.array([self._state(number) for number in range(len(names))], np.int64)
        self.size, self.mtime_ns = states.reshape(-1, 2).T
        place = np.array([last.row_of.get(name, -1) for name in names], np.int64)
        same = self._unchanged(place, last)
        self.looked_ns = np.zeros(len(names), np.int64)
        self.looked_ns[same] = last.numbers["looked_ns"][place[same]]
        self.content = [last.content[p] if s else "" for p, s in zip(place, same, strict=True)]
        self.captions = [last.captions[p] if s else None for p, s in zip(place, same, strict=True)]
        wanted = np.array([captions is None for captions in self.captions], bool) & bare
        self.unread = [row for row in np.flatnonzero(~same | wanted) if row not in self.reasons]
        self.is_news = bool(self.unread) or len(names) - len(self.reasons) != len(last.content)

    def complete(self, file: Path, progress: bool) -> None:
        """Read what must be read, and write the inventory to file every now and then."""
        jobs = (self.unread[at : at + AT_ONCE] for at in range(0, len(self.unread), AT_ONCE))
        saved = monotonic()
        with progress_bar(len(self.unread), READING, " files", progress, delay=1.0) as bar:
            for found in prefetch(self._read, jobs):
                for row, looked_ns, content, captions, reason in found:
                    self.looked_ns[row], self.content[row] = looked_ns, content
                    self.captions[row] = captions
                    if reason:
                        self.reasons[row] = reason
                bar.update(len(found))
                if monotonic() > saved + SAVE_S:
                    self._write(file)
                    saved = monotonic()
        if self.is_news:
            self._write(file)
        else:
            mark_used(file)

    def _state(self, number: int) -> tuple[int, int]:
        try:
            state = os.stat(os.path.join(self.root, self.names[number]))
        except (OSError, ValueError) as error:
            self.reasons[number] = _reason(error)
            return (-1, -1)
        return (state.st_size, state.st_mtime_ns)

    def _unchanged(self, place: np.ndarray, last: Inventory) -> np.ndarray:
        """Return whose size and time are those of the last look, a mask."""
        known = place >= 0
        size, mtime_ns, looked_ns = (last.numbers[name][place[known]] for name in NUMBERS)
        same = known.copy()
        same[known] = (
            (size == self.size[known])
            & (mtime_ns == self.mtime_ns[known])
            & (np.abs(looked_ns - mtime_ns) > TICK_NS)
        )
        return same

    def _read(self, rows: list[int]) -> list[tuple]:
        """Read some files; return (row, time, content, captions, reason) of each."""
        return [(row, time_ns(), *self._read_one(row)) for row in rows]

    def _read_one(self, row: int) -> tuple[str, list[str] | None, str]:
        path = Path(self.root, self.names[row])
        try:
            content = self.content[row] or sha256(path)
        except OSError as error:
            return "", None, _reason(error)
        return content, embedded_captions(path) if self.bare[row] else None, ""

    def _write(self, file: Path) -> None:
        """Write down what is known; a cache that cannot be written to only costs time."""
        rows = [row for row, content in enumerate(self.content) if content]
        columns = [
            [self.names[row] for row in rows],
            *(getattr(self, name)[rows] for name in NUMBERS),
            [self.content[row] for row in rows],
            [self.captions[row] for row in rows],
        ]
        try:
            with atomic_write(file) as part:
                pq.write_table(pa.table(columns, schema=SCHEMA), part, compression="zstd")
        except OSError as error:
            log.warning("%s cannot be written (%s); the next look takes longer.", file, error)


def _row(row: dict, content: str, captions: list[str] | None) -> dict:
    row = dict(row)
    if "content" in row:
        row["metadata_content"] = row.pop("content")
    if captions:
        row["captions"] = captions
    return row | {"content": content}


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it has gone since the folder was listed"
    return f"it cannot be read ({getattr(error, 'strerror', None) or error})"


def _digest(place: Path) -> str:
    return hashlib.sha256(os.fsencode(place.resolve())).hexdigest()[:16]
