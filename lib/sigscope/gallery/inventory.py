"""Inventories: what the files of a folder are, remembered so that only changed ones are read again.

A file is taken to be as it was while its size and its time of change (mtime) are, as make and rsync
do. What it is: the SHA-256 of its bytes, and the captions that the picture itself carries. An
inventory lies in the cache, never in the folder, and says nothing of where the folder is.
"""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time_ns

import pyarrow as pa
import pyarrow.parquet as pq

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.files import atomic_write, sha256
from sigscope.gallery.folder import Listing, refusal
from sigscope.images.captions import embedded_captions
from sigscope.images.prefetch import prefetch
from sigscope.progress import progress_bar
from sigscope.trouble import check_machine

FORMAT = b"sigscope inventory 2"
OLDER = b"sigscope inventory 1"  # noted no captions where the machine failed, too
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
TICK_NS = 2_000_000_000  # a file read so soon after a change may change again and keep its time
SAVE_S = 20.0  # how much work a killed run may lose
READING = "Reading new and changed files"
SHARED_BY = 10  # pictures that carry one text, from which on a program wrote it
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
    bare = {name for name, row in zip(names, listing.rows, strict=True) if not row["captions"]}
    file = home() / f"{_digest(of or root)}.parquet"
    scan = Scan(root, names, bare if embedded else set(), _read_inventory(file))
    scan.complete(file, progress)
    problems = [(name, scan.reasons[name]) for name in names if name in scan.reasons]
    shared = _shared(scan)
    problems += [
        ("./", f"{text!r} in {count:,} pictures is a camera's or a program's, and no caption")
        for text, count in shared.items()
    ]
    rows = [
        _row(row, scan.seen[name], name in scan.bare, shared)
        for name, row in zip(names, listing.rows, strict=True)
        if name not in scan.reasons
    ]
    counts = dict(listing.counts)
    if counts:
        counts["pictures"] -= len(listing.rows) - len(rows)
        counts["unreadable"] += len(listing.rows) - len(rows)
    return Listing(rows, [*listing.problems, *problems], counts)


def home() -> Path:
    """Return the folder where inventories are kept."""
    return paths.CACHE / "inventories"


@dataclass(slots=True)
class Seen:
    """What is known of a file."""

    size: int  # bytes
    mtime_ns: int
    looked_ns: int = 0
    content: str = ""  # "" while it is not known
    captions: list[str] | None = None  # None while nobody has looked

    def is_still(self, state: os.stat_result) -> bool:
        """Return whether the file's size and time are those of the last look."""
        same = (self.size, self.mtime_ns) == (state.st_size, state.st_mtime_ns)
        return same and abs(self.looked_ns - self.mtime_ns) > TICK_NS


def _read_inventory(file: Path) -> dict[str, Seen]:
    """Return what an inventory knows, by path; one that is missing or broken knows nothing."""
    with suppress(OSError, KeyError, pa.ArrowException):
        found = pq.read_table(file)
        written = (found.schema.metadata or {}).get(b"format")
        if written in (FORMAT, OLDER):
            columns = [found[name].to_pylist() for name in SCHEMA.names]
            if written == OLDER:
                columns[-1] = [captions or None for captions in columns[-1]]
            return {path: Seen(*known) for path, *known in zip(*columns, strict=True)}
    return {}


class Scan:
    """A scan of some files: what is known of them from the last one, and what must be read.

    Attributes:
        seen: what is known of each file, by its name.
        reasons: why a file cannot be read, by its name.
    """

    def __init__(self, root: Path, names: list[str], bare: set[str], last: dict[str, Seen]) -> None:
        """Ask for each file's size and time, and take over what is known of those unchanged.

        Args:
            root: the folder.
            names: the files, by their paths below it.
            bare: whose captions are wanted.
            last: what is known.
        """
        self.root, self.bare = os.path.join(root, ""), bare
        self.seen: dict[str, Seen] = {}
        self.reasons: dict[str, str] = {}
        for name in names:
            try:
                state = os.stat(self.root + name)
            except (OSError, ValueError) as error:
                check_machine(name, error)
                self.reasons[name] = _reason(error)
                continue
            if reason := refusal(self.root + name, state):
                self.reasons[name] = reason
                continue
            known = last.get(name)
            is_known = known is not None and known.is_still(state)
            self.seen[name] = known if is_known else Seen(state.st_size, state.st_mtime_ns)
        self.unread = [name for name, each in self.seen.items() if self._is_unread(name, each)]
        self.is_news = bool(self.unread) or self.seen.keys() != last.keys()

    def complete(self, file: Path, progress: bool) -> None:
        """Read what must be read, and write the inventory to file every now and then."""
        jobs = (self.unread[at : at + AT_ONCE] for at in range(0, len(self.unread), AT_ONCE))
        saved = monotonic()
        with progress_bar(len(self.unread), READING, " files", progress, delay=1.0) as bar:
            for names in prefetch(self._read, jobs):
                bar.update(len(names))
                if monotonic() > saved + SAVE_S:
                    self._write(file)
                    saved = monotonic()
        if self.is_news:
            self._write(file)
        else:
            mark_used(file)

    def _is_unread(self, name: str, each: Seen) -> bool:
        return not each.content or (each.captions is None and name in self.bare)

    def _read(self, names: list[str]) -> list[str]:
        """Read some files, and return their names."""
        for name in names:
            each, path = self.seen[name], Path(self.root, name)
            each.looked_ns = time_ns()
            try:
                each.content = each.content or sha256(path)
            except OSError as error:
                check_machine(name, error)
                self.reasons[name] = _reason(error)
                continue
            if name in self.bare:
                each.captions = embedded_captions(path)
        return names

    def _write(self, file: Path) -> None:
        """Write down what is known; a cache that cannot be written to only costs time."""
        known = {name: each for name, each in self.seen.items() if each.content}
        fields = [[getattr(each, name) for each in known.values()] for name in SCHEMA.names[1:]]
        try:
            with atomic_write(file) as part:
                table = pa.table([list(known), *fields], schema=SCHEMA)
                pq.write_table(table, part, compression="zstd")
        except OSError as error:
            log.warning("%s cannot be written (%s); the next look takes longer.", file, error)


def _shared(scan: Scan) -> dict[str, int]:
    """Return the texts that so many pictures carry that nobody wrote them for one, with counts."""
    found = (scan.seen[name].captions or () for name in scan.bare if name in scan.seen)
    counts = Counter(text for captions in found for text in captions)
    return {text: count for text, count in counts.items() if count >= SHARED_BY}


def _row(row: dict, seen: Seen, is_bare: bool, shared: Collection[str]) -> dict:
    row = dict(row)
    if "content" in row:
        row["metadata_content"] = row.pop("content")
    if is_bare and seen.captions:
        row["captions"] = [text for text in seen.captions if text not in shared]
    row["content"] = seen.content
    return row


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it has gone since the folder was listed"
    return f"it cannot be read ({getattr(error, 'strerror', None) or error})"


def _digest(place: Path) -> str:
    return hashlib.sha256(os.fsencode(place.resolve())).hexdigest()[:16]
