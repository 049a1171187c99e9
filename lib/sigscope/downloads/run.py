"""Downloading a list of URLs: resumable, polite, a status for every row, flat in memory."""

import asyncio
import errno
import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from anyio.from_thread import start_blocking_portal
from tqdm import tqdm

from sigscope.arguments import whole
from sigscope.downloads.feed import DownloadJob, Feed
from sigscope.downloads.fetch import Fetcher
from sigscope.downloads.limits import REASONS, FetchError, Limits
from sigscope.downloads.lists import UrlList
from sigscope.downloads.pictures import Saving, keep
from sigscope.downloads.placeholders import (
    Placeholders,
    demoted,
    notice,
    purge,
    stored_placeholders,
)
from sigscope.downloads.records import Record, failed, report
from sigscope.downloads.shard import DownloadShard
from sigscope.files import LOCK, folder_lock, read_json, sha256, write_json

MANIFEST = "download.json"


class DiskError(RuntimeError):
    """A file cannot be written or read; the message is a sentence for a person."""


@dataclass(frozen=True)
class Effort:
    """How much is done at once.

    Attributes:
        workers: how many URLs.
        per_host: how many requests one server gets.
        shard_size: how many rows a shard has.
    """

    workers: int = 32
    per_host: int = 8
    shard_size: int = 10_000

    def __post_init__(self):
        """Refuse numbers below 1."""
        for name, value in asdict(self).items():
            whole(name, value, "give 1 or more")


def download(
    urls: UrlList,
    folder: str | Path,
    *,
    limits: Limits | None = None,
    saving: Saving | None = None,
    effort: Effort | None = None,
    first: int | None = None,
    retry: Collection[str] = (),
    progress: bool = False,
) -> pd.DataFrame:
    """Download the pictures of a list into folder, in img2dataset's "files" layout.

    Run again, it goes on where it was: rows that are settled, well or badly, are not asked again.

    Args:
        urls: what to download.
        folder: where to; it is made if need be.
        limits: what one URL may cost, and where it may lead.
        saving: how pictures are kept.
        effort: how much is done at once.
        first: only so many rows of the list; None takes all. A later run may take more.
        retry: reasons (keys of REASONS) of failed rows that are to be asked once more.
        progress: whether to draw a bar on stderr, with the rate and the time left.

    Returns:
        The report of the folder, as records.report returns it.

    Raises:
        FolderBusy: Another process works in folder.
        ListChanged: folder was begun with another list.
        ValueError: folder was begun with another way of saving, or holds something else.
        DiskError: The disk is full, or a file cannot be written.
    """
    folder = Path(folder).expanduser()
    limits, saving, effort = limits or Limits(), saving or Saving(), effort or Effort()
    if unknown := set(retry) - set(REASONS):
        raise ValueError(f"{sorted(unknown)} are no reasons; there are {', '.join(REASONS)}")
    total = urls.total if first is None else min(first, urls.total or first)
    try:
        with folder_lock(folder, wait_s=0):
            _check_manifest(folder, urls, saving, effort)
            placeholders = Placeholders(folder)
            feed = Feed(urls, folder, effort.shard_size, first, frozenset(retry))
            with tqdm(total=total, unit=" URLs", disable=not progress, smoothing=0.05) as bar:
                run = _Run(feed, placeholders, limits, saving, effort, bar)
                with start_blocking_portal() as portal:  # in a loop of its own
                    portal.call(run.all)
            placeholders.learn(stored_placeholders(folder))
            if not placeholders.is_purged:
                purge(folder, placeholders.known)
                placeholders.purged()
            return report(folder)
    except OSError as error:
        raise _disk(error, folder) from error


@dataclass
class _Run:
    """One run over a feed of jobs; the network is the event loop's, files and pixels threads'."""

    _feed: Feed
    _placeholders: Placeholders
    _limits: Limits
    _saving: Saving
    _effort: Effort
    _bar: tqdm
    _settled: int = 0
    _failures: int = 0

    def __post_init__(self):
        self._turn = asyncio.Lock()
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="pictures")

    async def all(self) -> None:
        """Settle every job; the first error that is not a URL's own ends the run."""
        effort = self._effort
        try:
            async with Fetcher(self._limits, per_host=effort.per_host) as fetcher:
                workers = [asyncio.create_task(self._work(fetcher)) for _ in range(effort.workers)]
                try:
                    await asyncio.gather(*workers)
                finally:
                    for worker in workers:
                        worker.cancel()
                    await asyncio.gather(*workers, return_exceptions=True)
        finally:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._feed.close()

    async def _work(self, fetcher: Fetcher) -> None:
        while (job := await self._next()) is not None:
            await self._settle(job, await self._record(job, fetcher))

    async def _next(self) -> DownloadJob | None:
        """Return the next job; one worker at a time opens shards, in a thread."""
        async with self._turn:
            if (job := self._feed.ready()) is not None:
                return job
            job = await self._in_thread(self._feed.next)
            self._skip()
            return job

    def _skip(self) -> None:
        """Move the bar over what was settled before; the rate counts only what is done now."""
        if not self._bar.disable:
            for place in ("initial", "n", "last_print_n"):
                setattr(self._bar, place, getattr(self._bar, place) + self._feed.skipped)
        self._feed.skipped = 0

    async def _record(self, job: DownloadJob, fetcher: Fetcher) -> Record:
        """Return what becomes of one row; its files are written when it is a success."""
        try:
            found = await fetcher.fetch(job.url)
            return await self._in_thread(self._store, job, found.body)
        except FetchError as error:
            return failed(job.number, job.url, job.caption, job.key, error)

    def _store(self, job: DownloadJob, body: bytes) -> Record:
        """Decode a body and write its picture."""
        kept = keep(body, self._saving, self._limits.max_pixels)
        content = sha256(body)
        if self._placeholders.is_one(content, job.url, kept.format):
            raise notice()
        return job.shard.store(job.number, kept, content)

    async def _settle(self, job: DownloadJob, record: Record) -> None:
        """Note what became of a row, and finish its shard if it was the last one."""
        if job.shard.add(record):
            await self._in_thread(self._finish, job.shard)
        self._settled += 1
        self._failures += not record.is_success
        self._bar.set_postfix_str(f"{self._failures / self._settled:.0%} failed", refresh=False)
        self._bar.update()

    def _finish(self, shard: DownloadShard) -> None:
        known = frozenset(self._placeholders.known)
        shard.replace(lambda record: demoted(record, known))
        shard.finish()
        self._feed.forget(shard)

    async def _in_thread(self, work: Callable, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _check_manifest(folder: Path, urls: UrlList, saving: Saving, effort: Effort) -> None:
    """Write down how the folder's pictures are kept, or compare with what was written down."""
    file = folder / MANIFEST
    manifest = {"list": urls.name, "shard_size": effort.shard_size, "saving": asdict(saving)}
    if file.exists():
        if (found := read_json(file)) != manifest:
            told = f"{found.get('list')}, {found.get('shard_size')} rows a shard, "
            raise ValueError(
                f"{folder} was begun with {told}{found.get('saving')}; keep to that, or choose "
                "another folder"
            )
    elif any(path.name != LOCK for path in folder.iterdir()):
        raise ValueError(
            f"{folder} holds other files, so nothing is downloaded there; choose an empty folder"
        )
    else:
        write_json(file, manifest)


def _disk(error: OSError, folder: Path) -> DiskError:
    """Return a sentence about a file that cannot be read or written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskError(
            f"There is no room left on the disk of {folder}; make some and run the same command "
            "again: it goes on where it was."
        )
    return DiskError(
        f"{error.filename or folder} cannot be used ({error.strerror or error}); put that right "
        "and run the same command again: it goes on where it was."
    )
