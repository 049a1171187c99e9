"""Readings: what a reader has answered stays in the cache, so that no pair is read twice.

One file per checkpoint, which several processes may use at once. What is broken there is begun
anew, and where nothing can be kept, answers last as long as the process.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sigscope.cache import mark_used

KEPT = 1_000_000  # answers, of about 100 bytes each
TABLE = "CREATE TABLE IF NOT EXISTS answers (pair TEXT PRIMARY KEY, p REAL)"
log = logging.getLogger(__name__)


class Readings:
    """Probabilities by text and picture; threads may share it."""

    def __init__(self, file: Path) -> None:
        """Open the file, or begin it."""
        self._lock = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._answers = _opened(file)
        except (OSError, sqlite3.Error) as error:
            log.warning("%s cannot be used (%s): answers are not kept", file, error)
            self._answers = _opened(":memory:")
        mark_used(file)

    def known(self, pairs: Sequence[str]) -> list[float | None]:
        """Return what was answered for each pair, None where nothing was."""
        marks = ", ".join("?" * len(pairs))
        asked = f"SELECT pair, p FROM answers WHERE pair IN ({marks})"
        found = dict(self._done(lambda base: base.execute(asked, list(pairs)).fetchall()) or ())
        return [found.get(pair) for pair in pairs]

    def keep(self, pairs: Sequence[str], answers: Sequence[float]) -> None:
        """Keep answers, in the order of the pairs; beyond KEPT of them the oldest go."""
        rows = [(pair, float(p)) for pair, p in zip(pairs, answers, strict=True)]
        put = "INSERT OR REPLACE INTO answers VALUES (?, ?)"
        oldest = "DELETE FROM answers WHERE rowid <= (SELECT max(rowid) - ? FROM answers)"
        self._done(lambda base: [base.executemany(put, rows), base.execute(oldest, [KEPT])])

    def _done(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        try:
            with self._lock, self._answers:
                return work(self._answers)
        except sqlite3.Error as error:  # a full disk, or another process that takes its time
            log.warning("what a re-ranker answered is not at hand (%s)", error)
            return None


def _opened(file: Path | str) -> sqlite3.Connection:
    base = sqlite3.connect(file, check_same_thread=False)
    try:
        base.execute(TABLE)
        base.execute("SELECT max(rowid), p FROM answers")
        return base
    except sqlite3.OperationalError:  # locked or not writable, which is no fault of the file
        base.close()
        raise
    except sqlite3.DatabaseError as error:
        log.warning("%s is broken (%s): begun anew", file, error)
        base.close()
        Path(file).unlink()
    with closing(sqlite3.connect(file)) as base, base:
        base.execute(TABLE)
    return sqlite3.connect(file, check_same_thread=False)
