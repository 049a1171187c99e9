"""Placeholders that were stored as pictures before they were found out: out of finished shards."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from sigscope.downloads.placeholders import STORED
from sigscope.downloads.reasons import FetchError
from sigscope.downloads.records import Record, failed
from sigscope.downloads.shard import Shard


def placeholder() -> FetchError:
    """Return the reason why a known placeholder is no picture."""
    return FetchError("placeholder", STORED)


def demoted(record: Record, known: Collection[str]) -> Record:
    """Return a record as it is, or as a failure when its content is a known placeholder."""
    if not record.is_success or record.sha256 not in known:
        return record
    failure = failed(record.number, record.url, record.caption, record.key, placeholder())
    return replace(failure, sha256=record.sha256)


def sweep(folder: Path, known: Collection[str]) -> int:
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
    shard = Shard(folder, int(table.stem), [(r["url"], r["caption"]) for r in rows], digits)
    if not shard.is_finished:
        return  # the run that finishes it looks for placeholders itself
    shard.reopen(lambda row: True)
    shard.begin()
    if shard.missing:  # a picture has gone meanwhile; the next run fetches it
        shard.close()
        return
    shard.replace(lambda record: demoted(record, known))
    shard.finish()
