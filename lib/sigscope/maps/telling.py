"""Telling: how far the making of a map is, to a bar or to whoever asked for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

from tqdm import tqdm

TICK_S = 1.0
Tell = Callable[[float, str], None]  # the share of the work that is done, and what is done now


def bar(progress: bool) -> Tell:
    """Return what shows progress as a bar on stderr, or keeps quiet."""
    if not progress:
        return lambda share, doing: None
    bar = tqdm(total=100, unit="%", bar_format="{desc}: {percentage:.0f} %|{bar}| {elapsed}")

    def tell(share: float, doing: str) -> None:
        bar.set_description_str(f"Map: {doing}", refresh=False)
        bar.n = round(100 * share)
        bar.refresh()
        if share >= 1:
            bar.close()

    return tell


def share_of(tell: Tell, start: float, end: float) -> Tell:
    """Return what tells of work that is a part of the whole: from one share of it to another."""
    return lambda share, doing: tell(start + (end - start) * share, doing)


@contextmanager
def told(tell: Tell, start: float, end: float, doing: str, seconds: float) -> Iterator[None]:
    """Tell each second how far work should be that takes so long, until it is over."""
    over, begun = Event(), monotonic()

    def estimate() -> None:
        tell(start, doing)
        while not over.wait(TICK_S):
            share = min((monotonic() - begun) / seconds, 0.99)
            tell(start + (end - start) * share, doing)

    thread = Thread(target=estimate, name="map progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
