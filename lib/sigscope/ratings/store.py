"""Ratings by people, in one SQLite file: who gave which picture which grade for which query.

A *session* is what is rated: queries, the pictures that some systems found for them, and a scale.
It is frozen, so that ratings still mean the same when the model or the gallery has changed.
An *act* is one row: a rater grades a picture, skips it, or withdraws what they said. Nothing is
overwritten; a rater's newest act on a picture counts. An act is one transaction, and is on the disk
once the method has returned: no crash takes it back after that. Many threads and processes may
write at once; each waits for its turn. Real and simulated ratings never share a file.
"""

import hashlib
import json
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from sigscope import paths
from sigscope.databases.database import Database
from sigscope.ratings.layout import KINDS, RATINGS, RatingsError

SIMULATED = "simulated"  # how the name of a simulated rater begins
COLUMNS = ["session", "rater", "query", "text", "id", "grade", "at", "kind"]


def default_path() -> Path:
    """Return where ratings are kept: SIGSCOPE_RATINGS, or ratings.sqlite in the cache."""
    return Path(os.environ.get("SIGSCOPE_RATINGS") or paths.CACHE / "ratings.sqlite").expanduser()


class RatingStore:
    """The ratings in one file. It holds no connection, so any thread or process may share it.

    The file must be on a disk of this machine: SQLite's log does not work over a network.
    """

    def __init__(self, path: str | Path | None = None, *, simulated: bool = False) -> None:
        """Open the file (None: the default one), which is made if it is not there yet.

        Raises:
            RatingsError: It is no such file, is of the other kind, is newer than this program, has
                been emptied, or does not hold what was written; the sentence names the copy.
        """
        self.kind = KINDS[simulated]
        file = Path(path) if path is not None else default_path()
        self._file = Database(file, RATINGS, self.kind)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._file.path

    def back_up(self) -> None:
        """Keep a copy of the file beside it (ratings.backup.sqlite), if it has changed since.

        Raises:
            RatingsError: The file is damaged, and the copy was left as it is; or it cannot be made.
        """
        self._file.back_up()

    def begin(
        self,
        queries: pd.DataFrame,
        rankings: pd.DataFrame,
        *,
        top_grade: int = 2,
        gallery: str = "",
        about: dict | None = None,
    ) -> str:
        """Return the name of a session with this content, which is made if there is none yet.

        Args:
            queries: one row each: query (a short name, unique), text, origin.
            rankings: what each system found: query, system, rank (from 1), id.
            top_grade: 1 (no, yes) or 2 (no, partly, yes).
            gallery: fingerprint of the gallery that the ids belong to.
            about: what else a reader must know of the systems, such as the model; JSON.
        """
        queries = queries[["query", "text", "origin"]].astype(str)
        rankings = rankings[["query", "system", "rank", "id"]]
        rankings = rankings.astype({"query": str, "system": str, "rank": int, "id": str})
        content = [top_grade, gallery, about or {}, _rows(queries), _rows(rankings)]
        session = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
        text = json.dumps(about or {}, sort_keys=True)
        with self._file.transaction(write=True) as db:
            if db.execute("SELECT 1 FROM sessions WHERE session = ?", (session,)).fetchone():
                return session
            row = (session, top_grade, gallery, text, _now())
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", row)
            _insert(db, "queries", session, queries)
            _insert(db, "pooled", session, rankings[["query", "id"]].drop_duplicates())
            _insert(db, "rankings", session, rankings)
        return session

    def known_as(self, typed: str) -> str:
        """Return the name that a rater is known by, if such a rater may rate here.

        It is what was typed, less spaces at the ends and capitals.
        """
        name = RATINGS.name(typed, "your name or initials")
        if name.startswith(SIMULATED) != (self.kind == "simulated"):
            raise RatingsError(
                f"names that begin with {SIMULATED!r} are for simulated raters and for no other; "
                f"{self.path.name} holds {self.kind} ratings"
            )
        return name

    def rate(self, session: str, rater: str, query: str, id: str, grade: int) -> None:
        """Keep a grade, from 0 to the session's top grade; it replaces an earlier one."""
        if grade is None:
            raise RatingsError("a grade is a whole number; to give none, skip")
        self._rate(session, rater, query, id, grade)

    def skip(self, session: str, rater: str, query: str, id: str) -> None:
        """Keep that a rater would rather not grade a picture."""
        self._rate(session, rater, query, id, None)

    def undo(self, session: str, rater: str) -> tuple[str, str] | None:
        """Withdraw what a rater said last, and return its query and id, or None if nothing is left.

        The picture counts as unrated then, even where an earlier grade had been changed.
        """
        rater = self.known_as(rater)
        with self._file.transaction(write=True) as db:
            last = db.execute(
                "SELECT query, id FROM newest WHERE session = ? AND rater = ? AND act <> 'withdraw'"
                " ORDER BY number DESC LIMIT 1",
                (session, rater),
            ).fetchone()
            if last:
                _insert_act(db, session, rater, *last, "withdraw", None, _now())
        return last

    def grades(self, session: str, rater: str) -> dict[tuple[str, str], int | None]:
        """Return a rater's grade by (query, id), None where they skipped, in the order of acting.

        What they have not seen, or have withdrawn, is not in it.
        """
        with self._file.transaction() as db:
            rows = db.execute(
                "SELECT query, id, grade FROM newest"
                " WHERE session = ? AND rater = ? AND act <> 'withdraw' ORDER BY number",
                (session, self.known_as(rater)),
            ).fetchall()
        return {(query, id): grade for query, id, grade in rows}

    def sessions(self, gallery: str | None = None) -> pd.DataFrame:
        """Return the sessions (of one gallery, or all), newest first.

        Columns: session, top_grade, gallery, begun (UTC), about (dict), pictures, raters, ratings.
        """
        table = self._file.table(
            "SELECT session, top_grade, gallery, begun, about,"
            " (SELECT count(*) FROM pooled p WHERE p.session = s.session) AS pictures,"
            " (SELECT count(DISTINCT rater) FROM newest n"
            "  WHERE n.session = s.session AND act = 'rate') AS raters,"
            " (SELECT count(*) FROM newest n WHERE n.session = s.session AND act = 'rate')"
            " AS ratings FROM sessions s ORDER BY begun DESC, s.rowid DESC"
        )
        table["about"] = [json.loads(text) for text in table["about"]]
        mine = table if gallery is None else table[table["gallery"] == gallery]
        return mine.reset_index(drop=True)

    def queries(self, session: str) -> pd.DataFrame:
        """Return a session's queries in the order given: query, text, origin."""
        return self._of(session, "SELECT query, text, origin FROM queries", "rowid")

    def rankings(self, session: str) -> pd.DataFrame:
        """Return what each system found: query, system, rank (from 1), id."""
        return self._of(session, "SELECT query, system, rank, id FROM rankings", "rowid")

    def ratings(self, session: str) -> pd.DataFrame:
        """Return the grades that count, one row each, in the order they were given.

        Columns: session, rater, query, text (the query's words), id, grade (int64), at (UTC, ISO
        8601), kind ("real" or "simulated"). What was skipped or withdrawn is not in it.
        """
        table = self._of(
            session,
            "SELECT session, rater, query, text, id, grade, at"
            " FROM newest JOIN queries USING (session, query)",
            "number",
            "act = 'rate'",
        )
        return table.assign(kind=self.kind)[COLUMNS].astype({"grade": "int64"})

    def progress(self, session: str) -> pd.DataFrame:
        """Return one row per rater: rater, rated, skipped; in the order of the alphabet."""
        return self._file.table(
            "SELECT rater, sum(act = 'rate') AS rated, sum(act = 'skip') AS skipped FROM newest"
            " WHERE session = ? AND act <> 'withdraw' GROUP BY rater ORDER BY rater",
            (session,),
        )

    def take_in(self, session: str, acts: pd.DataFrame) -> None:
        """Keep many grades in one transaction: all of them, or none if one is refused.

        Args:
            session: what they are of; it must be in this file.
            acts: one row each, in order: rater, query, id, grade (nan: skipped); ``at`` and
                ``kind``, if there, are kept and checked. So what `ratings` gave elsewhere can be
                taken in.
        """
        kinds = set(acts["kind"]) - {self.kind} if "kind" in acts else set()
        if kinds:
            raise RatingsError(
                f"{self.path.name} holds {self.kind} ratings, not {kinds.pop()} ones"
            )
        times = acts["at"] if "at" in acts else [None] * len(acts)
        given = acts[["rater", "query", "id", "grade"]].astype(object)
        rows = [
            (self.known_as(rater), query, id, None if pd.isna(grade) else grade, at)
            for (rater, query, id, grade), at in zip(given.to_numpy(), times, strict=True)
        ]
        with self._file.transaction(write=True) as db:
            for row in rows:
                _add_act(db, session, *row)

    def _rate(self, session: str, rater: str, query: str, id: str, grade: int | None) -> None:
        rater = self.known_as(rater)
        with self._file.transaction(write=True) as db:
            _add_act(db, session, rater, query, id, grade)

    def _of(self, session: str, select: str, order: str, where: str = "1") -> pd.DataFrame:
        known = self._file.table("SELECT session FROM sessions")["session"].tolist()
        if session not in known:
            raise RatingsError(f"{self.path.name} has no session {session!r}; it has {known}")
        return self._file.table(
            f"{select} WHERE session = ? AND {where} ORDER BY {order}", (session,)
        )


def _add_act(
    db: sqlite3.Connection,
    session: str,
    rater: str,
    query: str,
    id: str,
    grade: int | None,
    at: str | None = None,
) -> None:
    """Add a grade (None: a skip), if the session asks for it and it is on the scale."""
    top = db.execute(
        "SELECT top_grade FROM sessions JOIN pooled USING (session)"
        " WHERE session = ? AND query = ? AND id = ?",
        (session, query, id),
    ).fetchone()
    if top is None:
        raise RatingsError(f"{id!r} is not to be rated for {query!r} in session {session!r}")
    if grade is not None and grade not in range(top[0] + 1):
        raise RatingsError(f"grade {grade} is not on the scale from 0 to {top[0]}")
    act, grade = ("skip", None) if grade is None else ("rate", int(grade))
    _insert_act(db, session, rater, query, id, act, grade, at or _now())


def _insert_act(db: sqlite3.Connection, *values: str | int | None) -> None:
    db.execute(
        "INSERT INTO acts (session, rater, query, id, act, grade, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        values,
    )


def _insert(db: sqlite3.Connection, table: str, session: str, rows: pd.DataFrame) -> None:
    names = ["session", *rows.columns]
    marks = ", ".join("?" * len(names))
    db.executemany(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",
        [(session, *row) for row in _rows(rows)],
    )


def _rows(table: pd.DataFrame) -> list[list]:
    return [list(row) for row in table.astype(object).itertuples(index=False)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
