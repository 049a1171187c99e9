"""The SQLite file that ratings are in: its tables, its version, and one transaction at a time.

Each transaction has a connection of its own, so nothing is shared between threads, and a file that
has been taken away is noticed. The log is SQLite's write-ahead log, synchronised with the disk at
each commit (https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

APPLICATION, VERSION = 0x51656F70, 1  # SQLite's header says that the file is ours, and its version
KINDS = ("real", "simulated")
BUSY_S = 30.0  # how long a writer waits for the others

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
        """Open or make the file; RatingsError says why it is not one of ours."""
        self.path, self.kind = path.absolute(), kind
        with self._connection("rwc") as db:
            _prepare(db, self.path, kind)

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Yield a connection; what was done with it is on the disk once the block has ended.

        If the block raises, nothing was done. A writer waits for the others before it begins.
        """
        with self._connection("rw") as db:
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield db  # what raises closes the connection, and with it the transaction
            db.execute("COMMIT")

    @contextmanager
    def _connection(self, mode: str) -> Iterator[sqlite3.Connection]:
        """Yield a connection of its own; mode is "rw", or "rwc" to make the file."""
        try:
            if mode == "rwc":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            uri = f"{self.path.as_uri()}?mode={mode}"
            with closing(_connect(uri)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA foreign_keys = ON")
                yield db
        except sqlite3.IntegrityError as error:
            raise RatingsError(
                f"nothing was stored, as it does not fit together: {error}; give each query and "
                "each rank of a system once, and grades within the scale"
            ) from error
        except (sqlite3.Error, OSError) as error:
            raise RatingsError(
                f"nothing was stored or read, as {self.path} says: {error}; see that it is there, "
                "on a disk of this machine with room, and yours to write to, and try again"
            ) from error


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, timeout=BUSY_S, isolation_level=None, uri=True)


def _prepare(db: sqlite3.Connection, path: Path, kind: str) -> None:
    """Make the tables of a new file; refuse one that is not ours."""
    if _is_new(db):
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        if _is_new(db):  # no other process was first
            _make_tables(db, kind)
        db.execute("COMMIT")
    _check(db, path, kind)


def _make_tables(db: sqlite3.Connection, kind: str) -> None:
    for statement in SCHEMA.split(";\n"):
        db.execute(statement)
    db.execute("INSERT INTO about VALUES (?)", (kind,))
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {VERSION}")


def _is_new(db: sqlite3.Connection) -> bool:
    return not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _check(db: sqlite3.Connection, path: Path, kind: str) -> None:
    """Raise RatingsError if the file is not ours, of another version, or of the other kind."""
    if _pragma(db, "application_id") != APPLICATION:
        raise RatingsError(f"{path} is another program's database; choose another file")
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
