"""What became of a download, told as R1 told it: how many pictures loaded, and why not all."""

from collections import Counter
from pathlib import Path

import pandas as pd

from sigscope.downloads.reasons import REASONS
from sigscope.downloads.records import SUCCESS, from_line
from sigscope.files import read_json


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
        counts.update(_journal(file).values())
    if not finished and not journals:
        raise FileNotFoundError(_no_download(folder))
    return counts


def _journal(file: Path) -> dict[int, str]:
    """Return the reason of each row that a journal settles."""
    reasons = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            record = from_line(line)
        except ValueError:
            break
        reasons[record.number] = record.reason
    return reasons


def _stats_of(journal: Path) -> Path:
    return journal.with_name(f"{journal.stem}_stats.json")


def _what(reason: str) -> str:
    return REASONS.get(reason, reason) if reason else "loaded"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share else "0 %"


def _no_download(folder: Path) -> str:
    return f"{folder} holds no download; `python -m sigscope download` makes one."
