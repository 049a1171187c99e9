"""SQLite files that are whole or refused: their tables, their version, one transaction at a time.

Whenever a file is opened and is not as this process left it, all of it is checked
(`databases.seals`, and SQLite's own checks). SQLite's backup makes a copy beside it.

Each transaction has a connection of its own, so nothing is shared between threads, and a file that
has been taken away is noticed. The log is SQLite's write-ahead log, synchronised with the disk at
each commit (https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import os
import sqlite3
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pandas as pd

from sigscope.databases import seals
from sigscope.files import PART, atomic_write

LONGEST_NAME = 40  # characters
BUSY_S = 30.0  # how long a writer waits for the others
_left: dict[Path, tuple[int, ...]] = {}  # how this process left files that were whole


class DatabaseError(RuntimeError):
    """What people wrote cannot be kept or read; the message is a sentence for a person."""


@dataclass(frozen=True)
class Layout:
    """What a file of some sort holds. Rows are added to it, and never changed or removed.

    Attributes:
        holds: what its rows are, in a word, such as ratings.
        application: SQLite's header says by it that the file is of this sort.
        version: of its tables; rows of version 1, if there was one before, had no digests.
        schema: statements that make the tables, each ended by ";" and a new line. A table ``about``
            has one column, ``kind``: rows of two kinds never share a file.
        columns: the columns of each table, joined by ", "; tables in the order in which rows refer
            to each other.
        setting: the name of the environment variable that says where the file is.
        advice: what to do about rows that do not fit together.
        error: what is raised, with a sentence.
    """

    holds: str
    application: int
    version: int
    schema: str
    columns: Mapping[str, str]
    setting: str
    advice: str
    error: type[DatabaseError]

    def name(self, typed: str, what: str) -> str:
        """Return the name that something goes by: what was typed, less spaces and capitals.

        It begins with a letter or a digit, so that no spreadsheet reads it as a formula.

        Args:
            typed: what a person wrote.
            what: that it should be, for the sentence.
        """
        name = " ".join(unicodedata.normalize("NFKC", typed).split()).casefold()
        if not name or not name[0].isalnum():
            raise self.error(f"write {what} first, beginning with a letter or digit")
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise self.error(f"{what} has at most {LONGEST_NAME} letters and nothing unprintable")
        return name


class Database:
    """One file of one kind of rows, made if it is not there yet."""

    def __init__(self, path: Path, layout: Layout, kind: str) -> None:
        """Open or make the file; the layout's error says why it is none of ours, or not whole."""
        self.path, self.layout, self.kind = path.absolute(), layout, kind
        with self._sentences():
            if not self.path.exists():
                _make(self.path, layout, kind)
            if not self.path.stat().st_size:
                raise self.layout.error(f"{self.path} has been emptied; {self._way_on()}")
        with self._connection() as db:
            _check(db, self.path, layout, kind)
        self.check()

    @property
    def backup(self) -> Path:
        """Where the copy is."""
        return self.path.with_name(f"{self.path.stem}.backup{self.path.suffix}")

    @property
    def state(self) -> tuple[int, ...]:
        """What changes whenever anybody writes to the file."""
        return _state(self.path)

    def check(self) -> None:
        """Raise the layout's error unless each row is as it was written, if not known already."""
        if _left.get(self.path) == (state := _state(self.path)):
            return
        with self._connection() as db, closing(_connect(":memory:")) as made:
            _make_tables(made, self.layout, self.kind)
            db.execute("BEGIN")  # what others add meanwhile is not seen
            try:
                found = seals.damage(db, made, self.layout.columns)
            except (sqlite3.Error, UnicodeError) as error:
                found = str(error)
        if found:
            raise self._damaged(found)
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

    def table(self, select: str, values: tuple = ()) -> pd.DataFrame:
        """Return what a statement selects."""
        with self.transaction() as db:
            found = db.execute(select, values)
            return pd.DataFrame(found.fetchall(), columns=[c[0] for c in found.description])

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection of its own to the file, which is there."""
        with self._sentences(), closing(_connect(f"{self.path.as_uri()}?mode=rw")) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            yield db

    def _damaged(self, found: str) -> DatabaseError:
        said = " ".join(found.split())
        return self.layout.error(f"{self.path} is damaged ({said}); {self._way_on()}")

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
            raise self.layout.error(
                f"nothing was stored, as it does not fit together: {error}; {self.layout.advice}"
            ) from error
        except (sqlite3.Error, OSError, UnicodeError) as error:  # what is damaged need not be UTF-8
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT:
                raise self._damaged(str(error)) from error
            said = " ".join(str(error).split())
            raise self.layout.error(
                f"nothing was stored or read, as {self.path} says: {said}; see that it is there, "
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


def _make(path: Path, layout: Layout, kind: str) -> None:
    """Make the file, which appears whole, unless another process is quicker."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{PART}{uuid4().hex[:12]}-{path.name}")
    try:
        with closing(_connect(f"{part.as_uri()}?mode=rwc")) as db:
            db.execute("PRAGMA journal_mode = WAL")
            _make_tables(db, layout, kind)
        with suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def _make_tables(db: sqlite3.Connection, layout: Layout, kind: str) -> None:
    for statement in layout.schema.split(";\n"):
        db.execute(statement)
    db.execute("INSERT INTO about VALUES (?)", (kind,))
    db.execute(f"PRAGMA application_id = {layout.application}")
    _seal(db, layout)


def _seal(db: sqlite3.Connection, layout: Layout) -> None:
    """Give each row its digest, in a file of the version that had none."""
    seals.seal(db, layout.columns)
    db.execute(f"PRAGMA user_version = {layout.version}")


def _check(db: sqlite3.Connection, path: Path, layout: Layout, kind: str) -> None:
    """Raise the layout's error if the file is not ours, newer than we are, or of another kind."""
    if _pragma(db, "application_id") != layout.application:
        raise layout.error(f"{path} is another program's database; choose another file")
    if _pragma(db, "user_version") < layout.version:
        db.execute("BEGIN IMMEDIATE")
        if _pragma(db, "user_version") < layout.version:  # no other process was first
            _seal(db, layout)
        db.execute("COMMIT")
    if (version := _pragma(db, "user_version")) != layout.version:
        raise layout.error(
            f"{path} is of version {version} and this program reads version {layout.version}; "
            f"update sigscope, or choose another file with {layout.setting}"
        )
    held = db.execute("SELECT kind FROM about").fetchone()[0]
    if held != kind:
        raise layout.error(
            f"{path} holds {held} {layout.holds}, not {kind} ones, and the two are never mixed; "
            "choose another file"
        )


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return db.execute(f"PRAGMA {name}").fetchone()[0]
