"""What people keep of a gallery, in one SQLite file for all of them: tags, selections, searches.

Nothing is overwritten: to tag and to untag a picture are two rows, and the newer counts. Each act
is one transaction, so many visitors and processes may act at once, and no crash takes back what was
kept. A gallery is known by where it lies, so that its tags stay when pictures come and go.
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from sigscope import paths
from sigscope.databases.database import Database, DatabaseError, Layout
from sigscope.files import sha256
from sigscope.gallery.gallery import Gallery
from sigscope.spreadsheets import table_of

STAR = "starred"  # the tag that a star stands for
MOST_BYTES = 20_000_000  # of a table of tags that is taken in

SCHEMA = """
CREATE TABLE about (kind TEXT NOT NULL);
CREATE TABLE tagged (
  number INTEGER PRIMARY KEY AUTOINCREMENT, gallery TEXT NOT NULL, id TEXT NOT NULL,
  tag TEXT NOT NULL, has INTEGER NOT NULL CHECK (has IN (0, 1)), at TEXT NOT NULL);
CREATE INDEX tagged_on ON tagged (gallery, id, tag, number);
CREATE TABLE selections (
  name TEXT NOT NULL, gallery TEXT NOT NULL, ids TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (gallery, name));
CREATE TABLE searches (
  number INTEGER PRIMARY KEY AUTOINCREMENT, gallery TEXT NOT NULL, name TEXT NOT NULL,
  address TEXT NOT NULL, at TEXT NOT NULL);
"""
COLUMNS = {
    "about": "kind",
    "tagged": "number, gallery, id, tag, has, at",
    "selections": "name, gallery, ids, at",
    "searches": "number, gallery, name, address, at",
}
NEWEST = "SELECT max(number) FROM {} WHERE gallery = ? GROUP BY {}"


class TagsError(DatabaseError):
    """Tags cannot be kept or read; the message is a sentence for a person."""


TAGS = Layout(
    holds="tags",
    application=0x73696774,
    version=1,
    schema=SCHEMA,
    columns=COLUMNS,
    setting="SIGSCOPE_TAGS",
    advice="give each picture by its id",
    error=TagsError,
)


class TagStore:
    """What is kept of one gallery; any thread or process may share it."""

    def __init__(self, gallery: Gallery, path: str | Path | None = None) -> None:
        """Open the file (None: SIGSCOPE_TAGS, or tags.sqlite in the cache), made if need be.

        Raises:
            TagsError: It is no such file, is newer than this program, or is damaged.
        """
        named = path or os.environ.get("SIGSCOPE_TAGS") or paths.CACHE / "tags.sqlite"
        self._file = Database(Path(named).expanduser(), TAGS, "real")
        self._ids = gallery.items["id"]
        root = gallery.root.resolve()
        inside = root.is_relative_to(paths.ROOT)  # a checkout may be moved
        self._gallery = root.relative_to(paths.ROOT).as_posix() if inside else root.as_posix()

    @property
    def state(self) -> tuple[int, ...]:
        """What changes whenever anybody keeps something."""
        return self._file.state

    def tag(self, ids: Iterable[str], tag: str) -> str:
        """Tag pictures, and return what the tag is called: without capitals and outer spaces."""
        return self._mark([(id, tag) for id in ids], has=True)

    def untag(self, ids: Iterable[str], tag: str) -> None:
        """Take a tag away from pictures."""
        self._mark([(id, tag) for id in ids], has=False)

    def tags(self) -> pd.DataFrame:
        """Return what is tagged just now: id, tag, at (UTC, ISO 8601), by id and tag."""
        return self._file.table(
            "SELECT id, tag, at FROM tagged WHERE has AND number IN "
            f"({NEWEST.format('tagged', 'id, tag')}) ORDER BY id, tag",
            (self._gallery,),
        )

    def take_in(self, data: bytes) -> tuple[int, int]:
        """Tag what a table says, as `spreadsheets.csv_of` writes it: a column id and a column tag.

        Returns:
            How many rows were taken in, and how many name a picture that is not in the gallery.

        Raises:
            TagsError: It is no such table; then nothing was taken in.
        """
        if len(data) > MOST_BYTES:
            raise TagsError(f"the table has more than {MOST_BYTES // 1_000_000} MB; split it")
        try:
            table = table_of(data.decode("utf-8"))
            pairs = list(zip(table["id"], table["tag"], strict=True))
        except (KeyError, ValueError) as error:
            raise TagsError(
                "this is no table of tags; give a CSV in UTF-8 with the columns id and tag"
            ) from error
        known = set(self._ids)
        here = [pair for pair in pairs if pair[0] in known]
        self._mark(here, has=True)
        return len(here), len(pairs) - len(here)

    def select(self, ids: Iterable[str]) -> str:
        """Keep a selection of pictures, and return its name, the same for the same pictures."""
        text = json.dumps(list(dict.fromkeys(ids)))
        name = sha256(text.encode("utf-8", "surrogatepass"))[:12]
        known = "SELECT 1 FROM selections WHERE gallery = ? AND name = ?"
        if self._file.table(known, (self._gallery, name)).empty:
            with self._file.transaction(write=True) as db:
                row = (name, self._gallery, text, _now())
                db.execute("INSERT OR IGNORE INTO selections VALUES (?, ?, ?, ?)", row)
        return name

    def selection(self, name: str) -> list[str]:
        """Return the pictures of a selection, in its order; TagsError if none has that name."""
        found = self._file.table(
            "SELECT ids FROM selections WHERE gallery = ? AND name = ?", (self._gallery, name)
        )
        if found.empty:
            raise TagsError(f"this gallery has no selection {name[:40]!r}")
        return json.loads(found["ids"].iat[0])

    def save_search(self, name: str, address: Mapping[str, str | list[str]]) -> str:
        """Keep a search by a name, in the place of an older one; return what it is called."""
        name = TAGS.name(name, "a name for the search")
        self._add_search(name, json.dumps(dict(address)))
        return name

    def forget_search(self, name: str) -> None:
        """Keep a search no longer."""
        self._add_search(name, "")

    def searches(self) -> dict[str, dict[str, str | list[str]]]:
        """Return the addresses of the searches that are kept, by name, in alphabetical order."""
        rows = self._file.table(
            "SELECT name, address FROM searches WHERE address <> '' AND number IN "
            f"({NEWEST.format('searches', 'name')}) ORDER BY name",
            (self._gallery,),
        )
        return {row.name: json.loads(row.address) for row in rows.itertuples(index=False)}

    def check(self) -> None:
        """Raise TagsError if another program has damaged the file."""
        self._file.check()

    def back_up(self) -> None:
        """Keep a copy of the file beside it (tags.backup.sqlite), if it has changed since."""
        self._file.back_up()

    def _mark(self, pairs: Iterable[tuple[str, str]], *, has: bool) -> str:
        named = {tag: TAGS.name(tag, "a tag") for _, tag in pairs}
        now = _now()
        rows = dict.fromkeys((self._gallery, id, named[tag], int(has), now) for id, tag in pairs)
        with self._file.transaction(write=True) as db:
            db.executemany(
                "INSERT INTO tagged (gallery, id, tag, has, at) VALUES (?, ?, ?, ?, ?)", rows
            )
        return next(iter(named.values()), "")

    def _add_search(self, name: str, address: str) -> None:
        with self._file.transaction(write=True) as db:
            db.execute(
                "INSERT INTO searches (gallery, name, address, at) VALUES (?, ?, ?, ?)",
                (self._gallery, name, address, _now()),
            )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
