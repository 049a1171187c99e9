"""The jobs of a run, shard by shard: rows of the list that are not settled yet."""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sigscope.downloads.lists import UrlList
from sigscope.downloads.shard import DownloadShard
from sigscope.images.read import plain


@dataclass(frozen=True)
class DownloadJob:
    """One row that is to be downloaded: its shard, and its number there."""

    shard: DownloadShard
    number: int

    @property
    def url(self) -> str:
        """What to ask for."""
        return self.shard.rows[self.number][0]

    @property
    def caption(self) -> str:
        """The caption that belongs to it."""
        return self.shard.rows[self.number][1]

    @property
    def key(self) -> str:
        """img2dataset's name for it."""
        return self.shard.key(self.number)


class Feed:
    """Jobs in the order of the list; a shard is in memory only while one of its rows is under way.

    Attributes:
        skipped: how many rows have turned out to be settled already; the caller sets it back.
    """

    def __init__(
        self,
        urls: UrlList,
        folder: Path,
        shard_size: int,
        first: int | None = None,
        retry: frozenset[str] = frozenset(),
    ):
        """Begin to read the list; retry names the reasons of failures to be tried once more."""
        self._rows = islice(urls.rows(), first)
        self._folder, self._size, self._retry = folder, shard_size, retry
        self._next_shard = 0
        self._jobs: deque[DownloadJob] = deque()
        self._open: set[DownloadShard] = set()
        self.skipped = 0

    def ready(self) -> DownloadJob | None:
        """Return the next job of the shards that are open, or None."""
        return self._jobs.popleft() if self._jobs else None

    def next(self) -> DownloadJob | None:
        """Return the next job, opening shards as need be; None when the list is at its end."""
        while (job := self.ready()) is None:
            rows = [(plain(url), plain(text)) for url, text in islice(self._rows, self._size)]
            if not rows:
                return None
            shard = DownloadShard(self._folder, self._next_shard, rows, digits(self._size))
            self._next_shard += 1
            self._take_up(shard)
        return job

    def forget(self, shard: DownloadShard) -> None:
        """Let go of a shard that is finished."""
        self._open.discard(shard)

    def close(self) -> None:
        """Close the journals of the shards that stay unfinished."""
        for shard in self._open:
            with suppress(OSError):  # a full disk has been told of already
                shard.close()

    def _take_up(self, shard: DownloadShard) -> None:
        """Add the jobs of a shard; one whose rows are all settled is finished instead."""
        if shard.is_finished and not self._reopened(shard):
            self.skipped += len(shard.rows)
            return
        shard.begin()
        missing = shard.missing
        self.skipped += len(shard.rows) - len(missing)
        if not missing:
            shard.finish()
            return
        self._open.add(shard)
        self._jobs.extend(DownloadJob(shard, number) for number in missing)

    def _reopened(self, shard: DownloadShard) -> bool:
        """Reopen a finished shard if the list has more rows for it, or failures are to be retried.

        Returns:
            Whether it was.
        """
        shard.journal.unlink(missing_ok=True)  # of a process killed between the stats and this
        stats = shard.stats()
        is_retried = bool(self._retry & set(stats["reasons"]))
        if not is_retried and stats["count"] >= len(shard.rows):
            return False
        shard.reopen(lambda row: row["reason"] not in self._retry)
        return True


def digits(shard_size: int) -> int:
    """Return how many digits of a key count the rows of a shard, as img2dataset has it."""
    return max(1, len(str(shard_size - 1)))
