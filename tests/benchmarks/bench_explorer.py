"""How quick the explorer is, in a browser and with many visitors; ``make bench``.

Marks: a warm server's first pictures within 3 s; words to pictures on the screen within 250 ms
(median, one visitor, a browser), of which 60 ms are ours; 600 ms (p95) with ten visitors who all
ask at once; 5 MB of memory for each further visitor.
"""

import asyncio
import os
import statistics
import sys
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
from marks import Mark

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from browsing import BROWSER, DRIVER, Keys, ask, browser, cards, element, is_ready, wait_for
from visiting import captions_of
from visitors import visit

from sigscope.cli import launch
from sigscope.search.searcher import Searcher

THINGS = (
    *("cat", "dog", "boat", "tree", "apple", "house", "car", "clock", "flower", "bird", "horse"),
    *("guitar", "key", "lamp", "chair", "fish", "star", "hat", "shoe", "book", "bread", "cake"),
)
COLOURS = ("red", "green", "blue", "old", "small")
SHOWN = (
    "return [...document.querySelectorAll('.card img')]"
    ".filter(i => i.getBoundingClientRect().top < innerHeight)"
    ".every(i => i.complete && i.naturalWidth > 0)"
)
TOGETHER, ROUNDS, FURTHER = 10, 8, 20


@contextmanager
def serving():
    """Yield the port and the process of an explorer that has answered once."""
    port = launch.free_port()
    with launch.explorer(port) as process:
        launch.wait(process, port)
        asyncio.run(one_search(port))
        yield port, process


async def one_search(port: int) -> None:
    await (await visit(port)).search("warm-up")


def queries(n: int) -> list[str]:
    """Return n different queries."""
    return [f"a {colour} {thing}" for colour in COLOURS for thing in THINGS][:n]


def first_paint_s(port: int) -> float:
    """Return the seconds from opening the explorer to its first pictures, in a fresh browser."""
    with browser() as driver:
        driver.get("about:blank")
        start = perf_counter()
        driver.get(launch.url(port))
        wait_for(driver, lambda: cards(driver) and driver.execute_script(SHOWN))
        return perf_counter() - start


def on_screen_ms(port: int, searcher: Searcher, n: int = 15) -> list[float]:
    """Return the milliseconds from Enter to new pictures on the screen, for queries in turn."""
    times = []
    with browser() as driver:
        driver.get(launch.url(port))
        wait_for(driver, lambda: is_ready(driver))
        for words in queries(n):
            expected = captions_of(searcher.by_text(words, 20, by="both"))
            box = element(driver, ".st-key-q input")
            driver.execute_script(WATCH, expected)
            box.send_keys(Keys.CONTROL + "a")
            ask(driver, words)
            times.append(wait_for(driver, lambda: driver.execute_script("return window.took")))
    return times


WATCH = """
const expected = arguments[0]; window.took = null;
const box = document.querySelector('.st-key-q input');
box.addEventListener('keydown', function entered(event) {
  if (event.key !== 'Enter') return;
  box.removeEventListener('keydown', entered, true);
  const start = performance.now();
  const look = () => {
    const shown = [...document.querySelectorAll('.card')];
    const same = shown.length >= expected.length && // more where the end has come into sight
      expected.every((text, i) => shown[i].querySelector('figcaption').title === text);
    const drawn = same && shown.map(c => c.querySelector('img'))
      .filter(i => i.getBoundingClientRect().top < innerHeight)
      .every(i => i.complete && i.naturalWidth > 0);
    if (drawn) window.took = performance.now() - start; else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}, true);
"""


async def together_ms(port: int) -> list[float]:
    """Return the milliseconds that each of ten visitors waited who asked at once, in rounds."""
    visitors = [await visit(port) for _ in range(TOGETHER)]
    words = iter(queries(TOGETHER * ROUNDS))
    waited = []
    for _ in range(ROUNDS):
        waited += await asyncio.gather(*(visitor.search(next(words)) for visitor in visitors))
    assert not any(visitor.errors for visitor in visitors)
    return [1000 * seconds for seconds in waited]


async def further_mb(port: int, process: int) -> float:
    """Return the memory that a further visitor adds, in MB, on average over twenty."""
    before = rss_mb(process)
    visitors = [await visit(port) for _ in range(FURTHER)]
    for visitor, words in zip(visitors, queries(FURTHER), strict=True):
        await visitor.search(words)
    return (rss_mb(process) - before) / FURTHER


def rss_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def ours_ms(searcher: Searcher) -> float:
    """Return the median milliseconds of what is ours in a query: encode, search, match."""
    times = []
    for words in queries(60)[20:]:
        start = perf_counter()
        searcher.match(searcher.by_text(words, 20, by="both"))
        times.append(1000 * (perf_counter() - start))
    return statistics.median(times)


def marks(quick: bool = False) -> list[Mark]:
    """Return what was measured with the shipped gallery and model."""
    searcher = Searcher.open()
    searcher.match(searcher.by_text("warm-up", 20))
    found = [Mark("ours: words to ranked, calibrated results", ours_ms(searcher), "ms", 60)]
    with serving() as (port, process):
        waited = asyncio.run(together_ms(port))
        found += [
            Mark("ten visitors at once, p95", float(np.percentile(waited, 95)), "ms", 600),
            Mark("ten visitors at once, median", statistics.median(waited), "ms"),
            Mark("a further visitor", asyncio.run(further_mb(port, process.pid)), "MB", 5),
        ]
        if BROWSER and DRIVER:
            first_paint_s(port)
            found.append(Mark("first pictures, warm server", first_paint_s(port), "s", 3))
            times = on_screen_ms(port, searcher)
            found.append(Mark("words to pictures on screen", statistics.median(times), "ms", 250))
    return found
