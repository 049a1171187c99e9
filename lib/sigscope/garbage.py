"""Garbage: Python's search for cycles of objects, put off while many are made that stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

USUAL = gc.get_threshold()
MANY = 100_000  # new objects between two searches


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Let Python search seldom: each search looks at the rows of a listing that is being made.

    A second look at 50,000 files takes a seventh less time so. What a picture leaves behind that
    was opened meanwhile still goes, a little later.
    """
    gc.set_threshold(MANY, *USUAL[1:])
    try:
        yield
    finally:
        gc.set_threshold(*USUAL)
