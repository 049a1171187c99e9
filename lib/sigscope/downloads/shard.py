"""Shards: up to 10,000 rows that are downloaded together, in img2dataset's layout.

While a shard is under way, 00000.journal has a line for every URL that is settled, written after
its files were. When all are, 00000.parquet and then 00000_stats.json appear, each whole, and the
journal goes; a shard is finished when its stats are there. So a process killed anywhere loses and
doubles nothing: what has no line is fetched (again), and files that no line names are removed.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from time import time
from typing import TextIO

from sigscope.downloads.pictures import Kept
from sigscope.downloads.records import COLUMNS, SUCCESS, Record, read_journal
from sigscope.files import atomic_write, read_json, write_json

Row = tuple[str, str]  # URL, caption


class ListChanged(ValueError):
    """The rows are not those that the folder was begun with; says what to do."""


def _rows_digest(rows: Iterable[Row]) -> str:
    """Return the SHA-256 of some rows, 64 hexadecimal digits."""
    found = hashlib.sha256()
    for row in rows:
        found.update(json.dumps(row).encode() + b"\n")
    return found.hexdigest()


class DownloadShard:
    """One shard of a download into a folder.

    Attributes:
        rows: URL and caption of each of its rows.
        records: what became of them so far, by the row's number.
    """

    def __init__(self, root: Path, number: int, rows: list[Row], digits: int):
        """Name the files of shard number below root; keys have 5 + digits digits."""
        self.rows, self.number, self.records = rows, number, {}
        self._root, self._name, self._digits = root, f"{number:05d}", digits
        self.folder = root / self._name
        self.journal = root / f"{self._name}.journal"
        self.table = root / f"{self._name}.parquet"
        self.stats_file = root / f"{self._name}_stats.json"
        self._lines: TextIO | None = None
        self._begun = time()

    def key(self, number: int) -> str:
        """Return img2dataset's name for a row of this shard."""
        return f"{self._name}{number:0{self._digits}d}"

    @property
    def is_finished(self) -> bool:
        """Whether every row that the shard had when it was closed is settled."""
        return self.stats_file.exists()

    @property
    def missing(self) -> list[int]:
        """The numbers of the rows that are not settled yet."""
        return [number for number in range(len(self.rows)) if number not in self.records]

    def stats(self) -> dict:
        """Return what the shard's stats say; ListChanged when they are of other rows.

        A list may have grown since, so only the rows that there were then are compared.
        """
        stats = read_json(self.stats_file)
        count = stats.get("count", 0)
        if count <= len(self.rows) and stats.get("rows") != _rows_digest(self.rows[:count]):
            raise ListChanged(_changed(self._root))
        return stats

    def begin(self) -> None:
        """Take up what an earlier process has settled, and remove what it left half done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for record in read_journal(self.journal):
            if record.number >= len(self.rows):
                raise ListChanged(_more(self._root))
            if (record.url, record.caption) != tuple(self.rows[record.number]):
                raise ListChanged(_changed(self._root))
            if record.is_whole(self.folder):
                self.records[record.number] = record
        self._remove_strays()
        with atomic_write(self.journal) as part:
            part.write_text("".join(record.line() for record in self.records.values()))
        self._lines = self.journal.open("a", encoding="utf-8")

    def store(self, number: int, kept: Kept, sha256: str) -> Record:
        """Write the files of a picture and return its record, which is still to be added."""
        url, caption = self.rows[number]
        key = self.key(number)
        file, size = key + kept.suffix, len(kept.data)
        sizes = (kept.width, kept.height, kept.original_width, kept.original_height)
        record = Record(
            *(number, url, caption, key, SUCCESS, None, ""),
            *(*sizes, kept.exif, sha256, file, size, kept.format),
        )
        (self.folder / file).write_bytes(kept.data)
        (self.folder / f"{key}.txt").write_text(caption, encoding="utf-8")
        (self.folder / f"{key}.json").write_text(json.dumps(record.row()), encoding="utf-8")
        return record

    def remove(self, record: Record) -> None:
        """Remove the files of a record's picture."""
        for name in (record.file, f"{record.key}.txt", f"{record.key}.json"):
            (self.folder / name).unlink(missing_ok=True)

    def add(self, record: Record) -> bool:
        """Note that a row is settled; return whether that was the last one."""
        self._lines.write(record.line())
        self._lines.flush()
        self.records[record.number] = record
        return len(self.records) == len(self.rows)

    def replace(self, change: Callable[[Record], Record]) -> None:
        """Put what change returns in the place of each record; pictures no longer had go."""
        for number, record in self.records.items():
            changed = change(record)
            if changed is not record:
                self._lines.write(changed.line())  # the later line of a row is the one that counts
                self._lines.flush()
                self.records[number] = changed
                self.remove(record)

    def finish(self) -> dict:
        """Write the table and the stats, whole; return the stats."""
        self._lines.close()
        with atomic_write(self.table) as part:
            _write_table(part, [self.records[number] for number in range(len(self.rows))])
        stats = _stats(list(self.records.values()), self._begun, _rows_digest(self.rows))
        write_json(self.stats_file, stats)
        self.journal.unlink()
        return stats

    def close(self) -> None:
        """Close the journal of a shard that stays unfinished."""
        if self._lines is not None:
            self._lines.close()

    def reopen(self, keep: Callable[[dict], bool]) -> None:
        """Make a finished shard unfinished; the rows of its table that keep refuses are unsettled.

        The journal is written before the stats go, so it is finished or resumable throughout.
        """
        import pyarrow.parquet

        names = {path.stem: path.name for path in self.folder.iterdir() if _is_picture(path)}
        rows = pyarrow.parquet.read_table(self.table).to_pylist()
        records = [self._from_row(row, names) for row in rows if keep(row)]
        with atomic_write(self.journal) as part:
            part.write_text("".join(record.line() for record in records))
        self.stats_file.unlink()

    def _from_row(self, row: dict, names: dict[str, str]) -> Record:
        """Return the record of a table's row; a missing picture makes it one that is not whole."""
        number = int(row["key"][len(self._name) :])
        if row["status"] != SUCCESS:
            return Record(number=number, **row)
        file = names.get(row["key"], "missing")
        size = (self.folder / file).stat().st_size if row["key"] in names else -1
        return Record(number=number, file=file, size=size, **row)

    def _remove_strays(self) -> None:
        """Remove files whose row is not a settled success."""
        pictures = [record for record in self.records.values() if record.is_success]
        known = {record.file for record in pictures}
        known |= {record.key + suffix for record in pictures for suffix in (".txt", ".json")}
        with os.scandir(self.folder) as entries:
            strays = [entry.path for entry in entries if entry.name not in known]
        for path in strays:
            os.unlink(path)


def _is_picture(path: Path) -> bool:
    return path.suffix not in (".txt", ".json")


def _write_table(path: Path, records: list[Record]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in COLUMNS.items()])
    rows = [record.row() for record in records]
    pq.write_table(pa.Table.from_pylist(rows, schema), path, compression="zstd")


def _stats(records: list[Record], begun: float, rows: str) -> dict:
    """Return img2dataset's stats of a shard, and the reasons and the rows' digest besides."""
    statuses = Counter(record.status for record in records)
    return {
        "count": len(records),
        "successes": statuses[SUCCESS],
        "failed_to_download": statuses["failed_to_download"],
        "failed_to_resize": statuses["failed_to_resize"],
        "duration": time() - begun,
        "start_time": begun,
        "end_time": time(),
        "status_dict": dict(
            Counter(record.error_message or SUCCESS for record in records).most_common(100)
        ),
        "reasons": dict(Counter(r.reason for r in records if r.reason).most_common()),
        "rows": rows,
    }


def _more(root: Path) -> str:
    return (
        f"{root} was begun with more rows of the list; ask for no fewer, or choose another folder"
    )


def _changed(root: Path) -> str:
    return (
        f"{root} was begun with another list, or with other captions; download this one into "
        "another folder"
    )
