"""Placeholders found out by their content: the same bytes under many different URLs.

A server that answers 200 with a notice instead of the photo sends the same notice each time. Those
that were stored before they were found out are purged from the finished shards. What counts in the
end is what all tables say together, so a run that was killed keeps the same pictures as one that
was left alone.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

import numpy as np
import pyarrow.parquet as pq

from sigscope.downloads.limits import FetchError
from sigscope.downloads.records import SUCCESS, Record, failed
from sigscope.downloads.shard import DownloadShard
from sigscope.files import read_json, write_json

FILE = "placeholders.json"
URLS = 10  # different URLs with the same bytes that make these bytes a placeholder
HINTED = 3  # the same, where it is a PNG and the URL says .jpg
STORED = "Its server sends the same notice for many photos; this one was taken down."
KEPT = 20_000  # contents that are counted at a time; those not seen for longest are forgotten


class Placeholders:
    """Counts contents over URLs; what it has found out is kept in the folder of the download."""

    def __init__(self, folder: Path):
        """Read what earlier runs have found out."""
        self._file = folder / FILE
        known = read_json(self._file) if self._file.exists() else {"sha256": [], "swept": True}
        self.known: set[str] = set(known["sha256"])
        self.is_purged: bool = known["swept"]
        self._urls: OrderedDict[str, set[int]] = OrderedDict()
        self._lock = Lock()

    def is_one(self, sha256: str, url: str, format: str) -> bool:
        """Note that a URL has this content, and return whether that is known as a placeholder.

        Args:
            sha256: of the body as it came.
            url: where it was asked for.
            format: what Pillow calls the format of the body.
        """
        with self._lock:
            return sha256 in self.known or self._count(sha256, url, format)

    def learn(self, found: set[str]) -> None:
        """Take in contents that are placeholders."""
        for sha256 in found - self.known:
            self._learn(sha256)

    def purged(self) -> None:
        """Note that no shard holds a known placeholder as a picture any more."""
        self.is_purged = True
        self._save()

    def _count(self, sha256: str, url: str, format: str) -> bool:
        urls = self._urls.setdefault(sha256, set())
        self._urls.move_to_end(sha256)
        urls.add(hash(url))
        if len(urls) >= (HINTED if _is_hinted(url, format) else URLS):
            self._learn(sha256)
            return True
        if len(self._urls) > KEPT:
            self._urls.popitem(last=False)
        return False

    def _learn(self, sha256: str) -> None:
        self.known.add(sha256)
        self._urls.pop(sha256, None)
        self.is_purged = False
        self._save()

    def _save(self) -> None:
        write_json(self._file, {"sha256": sorted(self.known), "swept": self.is_purged})


def notice() -> FetchError:
    """Return the reason why a known placeholder is no picture."""
    return FetchError("placeholder", STORED)


def demoted(record: Record, known: Collection[str]) -> Record:
    """Return a record as it is, or as a failure when its content is a known placeholder."""
    if not record.is_success or record.sha256 not in known:
        return record
    failure = failed(record.number, record.url, record.caption, record.key, notice())
    return replace(failure, sha256=record.sha256)


def stored_placeholders(folder: Path) -> set[str]:
    """Return the contents that the tables of a download have under many URLs, whoever stored them.

    Memory holds 8 bytes for each row, and the URLs of contents that are there several times.
    """
    tables = sorted(folder.glob("*.parquet"))
    short = [_short(sha256) for table in tables for sha256, _, _ in _pictures(table)]
    values, counts = np.unique(np.array(short, np.uint64), return_counts=True)
    many = set(values[counts >= HINTED].tolist())
    urls: dict[str, set[int]] = defaultdict(set)
    hinted = set()
    for table in tables if many else ():
        for sha256, url, format in _pictures(table):
            if _short(sha256) in many:
                urls[sha256].add(hash(url))
                if _is_hinted(url, format):
                    hinted.add(sha256)
    return {one for one, at in urls.items() if len(at) >= (HINTED if one in hinted else URLS)}


def _pictures(table: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the content, URL and format ("" where it is not known) of each stored picture."""
    names = ["status", "sha256", "url", "format"]
    found = pq.read_table(table, columns=[n for n in names if n in pq.read_schema(table).names])
    for row in found.to_pylist():
        if row["status"] == SUCCESS and row["sha256"]:
            yield row["sha256"], row["url"], row.get("format") or ""


def _short(sha256: str) -> int:
    return int(sha256[:16], 16)


def _is_hinted(url: str, format: str) -> bool:
    """Return whether a PNG came from a URL that says .jpg, as notices do."""
    return format == "PNG" and urlsplit(url).path.lower().endswith((".jpg", ".jpeg"))


def purge(folder: Path, known: Collection[str]) -> int:
    """Take known placeholders out of every finished shard of folder; return how many there were."""
    found = 0
    for table in sorted(folder.glob("*.parquet")):
        columns = pq.read_table(table, columns=["status", "sha256"]).to_pylist()
        hits = sum(row["status"] == "success" and row["sha256"] in known for row in columns)
        if hits:
            _rewrite(folder, table, known)
            found += hits
    return found


def _rewrite(folder: Path, table: Path, known: Collection[str]) -> None:
    rows = pq.read_table(table, columns=["url", "caption", "key"]).to_pylist()
    digits = len(rows[0]["key"]) - len(table.stem)
    shard = DownloadShard(folder, int(table.stem), [(r["url"], r["caption"]) for r in rows], digits)
    if not shard.is_finished:
        return  # the run that finishes it looks for placeholders itself
    shard.reopen(lambda row: True)
    shard.begin()
    if shard.missing:  # a picture has gone meanwhile; the next run fetches it
        shard.close()
        return
    shard.replace(lambda record: demoted(record, known))
    shard.finish()
