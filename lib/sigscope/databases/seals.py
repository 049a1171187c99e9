"""Seals: each row of a file has its digest beside it; a changed, lost or added one shows.

Triggers put a digest into the table ``digests`` in the transaction that adds the row. No row is
ever changed or removed, so whatever does not fit is damage.
"""

import sqlite3
from collections.abc import Iterator, Mapping

from sigscope.files import sha256


def add_digests(db: sqlite3.Connection) -> None:
    """Let statements of a connection use ``digest_of``, which each that adds a row needs."""
    db.create_function("digest_of", -1, _digest, deterministic=True)


def seal(db: sqlite3.Connection, columns: Mapping[str, str]) -> None:
    """Make the table of digests, fill it with those of the rows there are, and set the triggers.

    Args:
        db: the file.
        columns: those of each table, joined by ", ".
    """
    db.execute("CREATE TABLE digests (of TEXT, row INTEGER, digest TEXT, PRIMARY KEY (of, row))")
    for table, named in columns.items():
        db.execute(f"INSERT INTO digests SELECT '{table}', rowid, digest_of({named}) FROM {table}")
        new = ", ".join(f"NEW.{name}" for name in named.split(", "))
        db.execute(
            f"CREATE TRIGGER seal_{table} AFTER INSERT ON {table} BEGIN"
            f" INSERT INTO digests VALUES ('{table}', NEW.rowid, digest_of({new})); END"
        )


def damage(db: sqlite3.Connection, made: sqlite3.Connection, columns: Mapping[str, str]) -> str:
    """Return what is not right in a file, in a few words, or "" if all of it is.

    Args:
        db: the file.
        made: a new one, which has the tables that there must be.
        columns: as in `seal`.
    """
    return next(_found(db, made, columns), "")


def _found(
    db: sqlite3.Connection, made: sqlite3.Connection, columns: Mapping[str, str]
) -> Iterator[str]:
    said = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if said != "ok":
        yield said
    if _tables(db) != _tables(made):
        yield "its tables are not as they were made"
    if db.execute("PRAGMA foreign_key_check").fetchone():
        yield "rows belong to others that are not there"
    sealed = db.execute("SELECT count(*) FROM digests").fetchone()[0]
    for table, named in columns.items():
        sealed -= db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        (wrong,) = db.execute(
            f"SELECT count(*) FROM {table} t LEFT JOIN digests d ON d.of = '{table}'"
            f" AND d.row = t.rowid WHERE d.digest IS NOT digest_of({named})"
        ).fetchone()
        if wrong:
            yield f"{wrong} of its {table} have changed since they were written"
    if sealed:
        yield f"{abs(sealed)} rows are missing"


def _tables(db: sqlite3.Connection) -> set[tuple]:
    return set(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def _digest(*values: object) -> str:
    return sha256(repr(values).encode("utf-8", "surrogatepass"))[:32]
