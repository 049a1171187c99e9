"""The SQLite file that ratings are in: its tables, its version, and one transaction at a time.

Whenever the file is opened and is not as this process left it, all of it is checked
(`ratings.seals`, and SQLite's own checks). SQLite's backup makes a copy beside it.

Each transaction has a connection of its own, so nothing is shared between threads, and a file that
has been taken away is noticed. The log is SQLite's write-ahead log, synchronised with the disk at
each commit (https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sigscope.files import PART, atomic_write
from sigscope.ratings import seals

APPLICATION, VERSION = 0x51656F70, 2  # SQLite's header says that the file is ours, and its version
UNSEALED = 1  # the version whose rows had no digests
KINDS = ("real", "simulated")
BUSY_S = 30.0  # how long a writer waits for the others
_left: dict[Path, tuple[int, ...]] = {}  # how this process left files that were whole

SCHEMA = f"""
CREATE TABLE about (kind TEXT NOT NULL CHECK (kind IN {KINDS}));
CREATE TABLE sessions (
  session TEXT PRIMARY KEY, top_grade INTEGER NOT NULL CHECK (top_grade IN (1, 2)),
  gallery TEXT NOT NULL, about TEXT NOT NULL, begun TEXT NOT NULL);
CREATE TABLE queries (
  session TEXT NOT NULL REFERENCES sessions, query TEXT NOT NULL, text TEXT NOT NULL,
  origin TEXT NOT NULL, PRIMARY KEY (session, query));
CREATE TABLE pooled (
  session TEXT NOT NULL, query TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (session, query, id), FOREIGN KEY (session, query) REFERENCES queries);
CREATE TABLE rankings (
  session TEXT NOT NULL, query TEXT NOT NULL, system TEXT NOT NULL,
  rank INTEGER NOT NULL CHECK (rank >= 1), id TEXT NOT NULL,
  PRIMARY KEY (session, query, system, rank),
  FOREIGN KEY (session, query, id) REFERENCES pooled);
CREATE TABLE acts (
  number INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, rater TEXT NOT NULL,
  query TEXT NOT NULL, id TEXT NOT NULL,
  act TEXT NOT NULL CHECK (act IN ('rate', 'skip', 'withdraw')),
  grade INTEGER CHECK ((act = 'rate') = (grade IS NOT NULL)), at TEXT NOT NULL,
  FOREIGN KEY (session, query, id) REFERENCES pooled);
CREATE INDEX acts_on ON acts (session, rater, query, id, number);
CREATE VIEW newest AS SELECT * FROM acts AS a WHERE NOT EXISTS (
  SELECT 1 FROM acts AS b WHERE b.session = a.session AND b.rater = a.rater
  AND b.query = a.query AND b.id = a.id AND b.number > a.number);
"""


class RatingsError(RuntimeError):
    """Ratings cannot be kept or read; the message is a sentence for a person."""


class RatingsFile:
    """One file of one kind of ratings, made if it is not there yet."""

    def __init__(self, path: Path, kind: str) -> None:
        """Open or make the file; RatingsError says why it is not one of ours, or not whole."""
        self.path, self.kind = path.absolute(), kind
        with self._sentences():
            if not self.path.exists():
                _make(self.path, kind)
            if not self.path.stat().st_size:
                raise RatingsError(f"{self.path} has been emptied; {self._way_on()}")
        with self._connection() as db:
            _check(db, self.path, kind)
        self.check()

    @property
    def backup(self) -> Path:
        """Where the copy is."""
        return self.path.with_name(f"{self.path.stem}.backup{self.path.suffix}")

    def check(self) -> None:
        """Raise RatingsError unless each row is as it was written, if not known already."""
        if _left.get(self.path) == (state := _state(self.path)):
            return
        with self._connection() as db, closing(_connect(":memory:")) as made:
            _make_tables(made, self.kind)
            db.execute("BEGIN")  # what others add meanwhile is not seen
            try:
                found = seals.damage(db, made)
            except (sqlite3.Error, UnicodeError) as error:
                found = str(error)
        if found:
            said = " ".join(found.split())
            raise RatingsError(f"{self.path} is damaged ({said}); {self._way_on()}")
        _left[self.path] = state

    def back_up(self) -> None:
        """Copy the file, which must be whole, to ``backup``, unless it is there as it is now."""
        self.check()
        with self._sentences():
            if self.backup.exists() and self.backup.stat().st_mtime_ns > _state(self.path)[2]:
                return
            with (
                atomic_write(self.backup) as part,
                self._connection() as db,
                closing(sqlite3.connect(part)) as copy,
            ):
                db.backup(copy)

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Yield a connection; what was done with it is on the disk once the block has ended.

        If the block raises, nothing was done. A writer waits for the others before it begins.
        """
        before = _state(self.path)
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield db  # what raises closes the connection, and with it the transaction
            db.execute("COMMIT")
        if _left.get(self.path) == before:
            _left[self.path] = _state(self.path)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection of its own to the file, which is there."""
        with self._sentences(), closing(_connect(f"{self.path.as_uri()}?mode=rw")) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            yield db

    def _way_on(self) -> str:
        """Return what to do about a file that is not whole."""
        if not self.backup.exists():
            return "restore it from a copy of yours, or move it away to begin anew"
        begun = datetime.fromtimestamp(self.backup.stat().st_mtime, UTC)
        return f"copy {self.backup.name} over it, which is as it was on {begun:%Y-%m-%d %H:%M} UTC"

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn what SQLite and the disk say into sentences."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise RatingsError(
                f"nothing was stored, as it does not fit together: {error}; give each query and "
                "each rank of a system once, and grades within the scale"
            ) from error
        except (sqlite3.Error, OSError, UnicodeError) as error:  # what is damaged need not be UTF-8
            raise RatingsError(
                f"nothing was stored or read, as {self.path} says: {error}; see that it is there, "
                "on a disk of this machine with room, and yours to write to, and try again"
            ) from error


def _connect(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, timeout=BUSY_S, isolation_level=None, uri=True)
    seals.add_digests(db)
    return db


def _state(path: Path) -> tuple[int, ...]:
    """Return what changes when anybody writes to the file or its log; () where it is not there."""
    found: list[int] = []
    for each in (path, path.with_name(f"{path.name}-wal")):
        with suppress(FileNotFoundError):
            state = os.stat(each)
            found += [state.st_ino, state.st_size, state.st_mtime_ns]
    return tuple(found)


def _make(path: Path, kind: str) -> None:
    """Make the file, which appears whole, unless another process is quicker."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{PART}{uuid4().hex[:12]}-{path.name}")
    try:
        with closing(_connect(f"{part.as_uri()}?mode=rwc")) as db:
            db.execute("PRAGMA journal_mode = WAL")
            _make_tables(db, kind)
        with suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def _make_tables(db: sqlite3.Connection, kind: str) -> None:
    for statement in SCHEMA.split(";\n"):
        db.execute(statement)
    db.execute("INSERT INTO about VALUES (?)", (kind,))
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    _seal(db)


def _seal(db: sqlite3.Connection) -> None:
    """Give each row its digest, in a file of the version that had none."""
    seals.seal(db)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _check(db: sqlite3.Connection, path: Path, kind: str) -> None:
    """Raise RatingsError if the file is not ours, newer than we are, or of the other kind."""
    if _pragma(db, "application_id") != APPLICATION:
        raise RatingsError(f"{path} is another program's database; choose another file")
    if _pragma(db, "user_version") == UNSEALED:
        db.execute("BEGIN IMMEDIATE")
        if _pragma(db, "user_version") == UNSEALED:  # no other process was first
            _seal(db)
        db.execute("COMMIT")
    if (version := _pragma(db, "user_version")) != VERSION:
        raise RatingsError(
            f"{path} is of version {version} and this program reads version {VERSION}; update "
            "sigscope, or choose another file with SIGSCOPE_RATINGS"
        )
    held = db.execute("SELECT kind FROM about").fetchone()[0]
    if held != kind:
        raise RatingsError(
            f"{path} holds {held} ratings, not {kind} ones, and the two are never mixed; choose "
            "another file"
        )


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return db.execute(f"PRAGMA {name}").fetchone()[0]
