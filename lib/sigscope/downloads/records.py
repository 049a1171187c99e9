"""What became of each URL: rows of img2dataset's tables, lines of a journal, and the report.

Besides img2dataset's columns there are "reason", a key of limits.REASONS, and "format". The report
tells it as R1 told it: how many pictures loaded, and why not all.
"""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sigscope.downloads.limits import REASONS, FetchError
from sigscope.files import read_json

SUCCESS = "success"
COLUMNS = {
    "url": "string",
    "caption": "string",
    "key": "string",
    "status": "string",
    "error_message": "string",
    "width": "int32",
    "height": "int32",
    "original_width": "int32",
    "original_height": "int32",
    "exif": "string",
    "sha256": "string",
    "reason": "string",
    "format": "string",
}  # and their types in parquet


@dataclass(frozen=True)
class Record:
    """What became of one URL.

    Attributes:
        number: the row's place in its shard, from 0.
        url: what was asked for.
        caption: the caption that belongs to it.
        key: img2dataset's name for the row: the shard's number, then the row's.
        status: "success", "failed_to_download" or "failed_to_resize".
        error_message: why there is no picture, in a sentence; None for a success.
        reason: the same in short, a key of REASONS; "" for a success.
        width: of the stored picture in pixels, None where there is none; so are the next three.
        height: see width.
        original_width: see width; as the file said that came.
        original_height: see width.
        exif: the picture's EXIF block as JSON, or None.
        sha256: of the body as it came, or None.
        file: the name of the stored picture in the shard's folder, or "".
        size: bytes of that file.
        format: what Pillow calls the format of the body, or "".
    """

    number: int
    url: str
    caption: str
    key: str
    status: str = SUCCESS
    error_message: str | None = None
    reason: str = ""
    width: int | None = None
    height: int | None = None
    original_width: int | None = None
    original_height: int | None = None
    exif: str | None = None
    sha256: str | None = None
    file: str = ""
    size: int = 0
    format: str = ""

    @property
    def is_success(self) -> bool:
        """Whether there is a picture."""
        return self.status == SUCCESS

    def row(self) -> dict:
        """Return what the shard's table and the picture's JSON file say."""
        return {column: getattr(self, column) for column in COLUMNS}

    def line(self) -> str:
        """Return the journal's line, with its end."""
        return json.dumps(vars(self)) + "\n"

    def is_whole(self, folder: Path) -> bool:
        """Return whether its picture lies in folder in full size; True where there is none."""
        if not self.is_success:
            return True
        try:
            return (folder / self.file).stat().st_size == self.size
        except OSError:
            return False


def failed(number: int, url: str, caption: str, key: str, error: FetchError) -> Record:
    """Return the record of a picture that was not had."""
    return Record(number, url, caption, key, error.status, str(error), error.reason)


def read_journal(file: Path) -> list[Record]:
    """Return a journal's records; the last line may have been cut off by a kill."""
    records = []
    with suppress(ValueError, TypeError, FileNotFoundError):
        for line in file.read_text(encoding="utf-8").splitlines():
            records.append(Record(**json.loads(line)))
    return records


def report(folder: str | Path) -> pd.DataFrame:
    """Return one row per outcome, pictures that loaded first, then the commonest reason.

    A folder that img2dataset wrote can be reported on too; its error messages are the reasons then.

    Returns:
        Columns: reason ("" for those that loaded), what (in words), count, share (of all rows that
        are settled, in [0, 1]).

    Raises:
        FileNotFoundError: The folder holds no download.
    """
    counts = _counts(Path(folder))
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (item[0] != "", -item[1]))
    rows = [(reason, _what(reason), count, count / total) for reason, count in ranked]
    return pd.DataFrame(rows, columns=["reason", "what", "count", "share"])


def summary(table: pd.DataFrame) -> str:
    """Return a report in sentences, a line for each reason."""
    total = int(table["count"].sum())
    loaded = int(table.loc[table["reason"] == "", "count"].sum())
    lost = total - loaded
    share = lost / total if total else 0
    lines = [f"{loaded:,} of {total:,} pictures loaded; {lost:,} ({_percent(share)}) did not:"]
    for row in table[table["reason"] != ""].itertuples():
        lines.append(f"  {row.count:>9,}  {_percent(row.share):>7}  {row.what}")
    return "\n".join(lines if lost else [lines[0].replace("; 0 (0 %) did not:", ".")])


def rows(folder: str | Path) -> pd.DataFrame:
    """Return what became of every URL of the finished shards, in order: records.COLUMNS."""
    tables = [pd.read_parquet(path) for path in sorted(Path(folder).glob("*.parquet"))]
    if not tables:
        raise FileNotFoundError(_no_download(Path(folder)))
    return pd.concat(tables, ignore_index=True)


def _counts(folder: Path) -> Counter:
    """Return how often each reason came, "" for success, over finished and unfinished shards."""
    counts: Counter = Counter()
    finished = sorted(folder.glob("*_stats.json"))
    for file in finished:
        stats = read_json(file)
        counts[""] += stats["successes"]
        if "reasons" in stats:
            counts.update(stats["reasons"])
        else:
            messages = {k: v for k, v in stats["status_dict"].items() if k != SUCCESS}
            counts.update(messages)
    journals = [path for path in folder.glob("*.journal") if _stats_of(path) not in finished]
    for file in journals:
        counts.update({record.number: record.reason for record in read_journal(file)}.values())
    if not finished and not journals:
        raise FileNotFoundError(_no_download(folder))
    return counts


def _stats_of(journal: Path) -> Path:
    return journal.with_name(f"{journal.stem}_stats.json")


def _what(reason: str) -> str:
    return REASONS.get(reason, reason) if reason else "loaded"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share else "0 %"


def _no_download(folder: Path) -> str:
    return f"{folder} holds no download; `python -m sigscope download` makes one."
