"""Prefetching: files are opened in threads that work ahead of whoever uses them."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from sigscope.types import EncoderLike

WORKERS = min(8, (os.cpu_count() or 1) + 1)  # threads; most of them wait for the disk


def prefetch(work: Callable, jobs: Iterable, workers: int = WORKERS) -> Iterator:
    """Yield work(job) for each job in order; threads are at most workers + 1 jobs ahead."""
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        waiting: deque = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def picture_side(encoder: EncoderLike) -> int | None:
    """Return the pixels a side that the encoder looks at, or None where that varies.

    Large JPEGs are decoded no finer than this needs, for stored pictures and for queries alike.
    """
    rules = encoder.identity.get("preprocessing") or {}
    size = (rules.get("pictures") or {}).get("size") or {}
    sides = [size.get(side) for side in ("height", "width", "shortest_edge")]
    return max((side for side in sides if isinstance(side, int)), default=None)
