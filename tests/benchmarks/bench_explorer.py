"""How quick the explorer is, in a browser and with many visitors; ``make bench``.

Marks: a warm server's first pictures within 3 s; words to pictures on the screen within 250 ms
(median, one visitor, a browser), of which 60 ms are ours; 600 ms (p95) with ten visitors who all
ask at once; 5 MB of memory for each further visitor, which those who come after use again; no error
and nobody else's results in two minutes of twenty visitors; 2 s for the first search after a
restart; the panel open within 150 ms; the first map of 20,000 pictures within 3 s (a warm server, a
fresh browser), and its colours changed within 500 ms; 100,000 points that follow the hand, without
a graphics card.
"""

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from unittest.mock import patch

import numpy as np
from bench_folder import TinyEncoder, write_folder
from marks import Mark

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from browsing import (
    BROWSER,
    DRIVER,
    MAP_S,
    ask,
    browser,
    cards,
    element,
    is_ready,
    text_of,
    wait_for,
)
from crowd import Crowd
from map_page import map_of, mouse, open_map
from visiting import captions_of
from visitors import visit

from sigscope import paths
from sigscope.cli import launch
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import _cached_store, embed_gallery
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
CROWD_S, FORGOTTEN_S = 120, 125  # Streamlit keeps a visitor who has left for two minutes
MANY, MOST, KINDS, DRAGGED_S = 20_000, 100_000, 20, 4  # points on a map, and of how many kinds


@contextmanager
def serving(**settings: str):
    """Yield the port and the process of an explorer that answers."""
    port = launch.free_port()
    with patch.dict(os.environ, settings), launch.explorer(port) as process:
        launch.wait(process, port)
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
            element(driver, ".st-key-q input")
            driver.execute_script(WATCH, expected)
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
    const shown = [...document.querySelectorAll('.card')].slice(0, expected.length);
    const same = shown.length === expected.length &&
      shown.every((c, i) => c.querySelector('figcaption').title === expected[i]);
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
    """Return the memory that a further visitor adds, in MB, on average over twenty who then go."""
    before = rss_mb(process)
    visitors = [await visit(port) for _ in range(FURTHER)]
    for visitor, words in zip(visitors, queries(FURTHER), strict=True):
        await visitor.search(words)
    grown = (rss_mb(process) - before) / FURTHER
    for visitor in visitors:
        await visitor.socket.close()
    return grown


def panel_ms(port: int, n: int = 10) -> list[float]:
    """Return the milliseconds from a click until a picture is large on the screen."""
    with browser() as driver:
        driver.get(f"{launch.url(port)}/?q=a+cat")
        wait_for(driver, lambda: cards(driver) and driver.execute_script(SHOWN))
        return [driver.execute_async_script(OPENED, place) for place in range(n)]


OPENED = """
const [place, done] = arguments, start = performance.now();
document.querySelectorAll('.card .open')[place].click();
const look = () => {
  const picture = document.querySelector('dialog.panel[open] .stage img');
  if (!picture?.complete || !picture.naturalWidth) return requestAnimationFrame(look);
  done(performance.now() - start);
  document.querySelector('dialog.panel [title=Close]').click();
};
requestAnimationFrame(look);
"""


class Standing(TinyEncoder):
    """Stands for a model where only places among vectors matter: as many kinds as folders."""

    def __init__(self, model) -> None:
        self.model, self.identity, self.dimension = model.model, model.identity, model.dimension
        self.rng = np.random.default_rng(0)
        self.kinds = self.rng.standard_normal((KINDS, self.dimension))

    def _unit(self, values):
        kinds = self.kinds[self.rng.integers(0, KINDS, len(values))]
        rows = kinds + self.rng.standard_normal(kinds.shape)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def of_maps(searcher: Searcher) -> list[Mark]:
    """Return how long a large map takes to show, and to be coloured otherwise."""
    with tempfile.TemporaryDirectory() as home:
        root, cache = Path(home, "photos"), Path(home, "cache")
        write_folder(root, MANY)
        with patch.object(paths, "CACHE", cache):
            gallery = load_gallery(root)
            store = _cached_store(gallery, searcher.encoder)
            embed_gallery(gallery, Standing(searcher.encoder), store)
        here = {"SIGSCOPE_GALLERY": str(root), "SIGSCOPE_CACHE": str(cache)}
        first_s = []
        for is_last in (False, False, True):
            shutil.rmtree(cache / "maps", ignore_errors=True)
            with serving(**here) as (port, process), browser() as driver:
                first_s.append(first_map_s(driver, port, process.pid))
                if is_last:
                    wait_for(driver, lambda: "Trustworthiness" in text_of(driver), MAP_S)
                    driver.set_script_timeout(60)
                    turns = ["cluster", "category"] * 4
                    times = [driver.execute_async_script(COLOURED, name) for name in turns]
    first = f"first map of {MANY:,} pictures on screen, warm server, fresh browser"
    return [
        Mark(first, statistics.median(first_s), "s", 3),
        Mark(f"another colour of {MANY:,} points", statistics.median(times), "ms", 500),
    ]


def first_map_s(driver, port: int, server: int) -> float:
    """Return the seconds from opening the map to its points, once the server's process rests."""
    driver.get(launch.url(port))
    wait_for(driver, lambda: is_ready(driver))
    while processor_s(server, during=1.0) > 0.05:
        pass
    start = perf_counter()
    driver.get(f"{launch.url(port)}/map")
    wait_for(driver, lambda: driver.execute_script(DRAWN))
    return perf_counter() - start


def processor_s(process: int, during: float) -> float:
    """Return the seconds of processor time that a process takes within some seconds."""
    taken = []
    for pause in (during, 0.0):
        parts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        taken.append((int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK"))
        sleep(pause)
    return taken[1] - taken[0]


DRAWN = "return !!document.querySelector('.js-plotly-plot')?._fullData?.some(t => t.x?.length > 1)"
COLOURED = """
const [name, done] = arguments, start = performance.now();
const names = () => document.querySelector('.js-plotly-plot[data-heard]')?._fullData
  .map(trace => trace.name).join();
const before = names();
const look = () => {
  const now = names(); // of a chart that is drawn anew, and none meanwhile
  if (!now || now === before) return requestAnimationFrame(look);
  requestAnimationFrame(() => done(performance.now() - start));
};
requestAnimationFrame(look);
[...document.querySelectorAll('.st-key-colour-now button')]
  .find(button => button.innerText.trim() === name).click();
"""


def frames_a_second(tool: str) -> float:
    """Return how many frames a second 100,000 points are seen in while a tool is used on them."""
    with tempfile.TemporaryDirectory() as home, browser() as driver:
        points = map_of(MOST, KINDS).update_layout(dragmode=tool)
        left, top, width, height = open_map(driver, Path(home), points)
        x, y = left + width / 2, top + height / 2
        sleep(2)  # until what was drawn first is on the screen
        mouse(driver, "mousePressed", x, y, buttons=1)
        driver.execute_script(COUNTED)
        start = perf_counter()
        while (passed := perf_counter() - start) < DRAGGED_S:
            at = x + 150 * np.sin(2 * passed), y + 150 * np.cos(2 * passed)
            mouse(driver, "mouseMoved", *at, buttons=1)
        return driver.execute_script("return window.frames") / passed


COUNTED = """
window.frames = 0;
const count = () => { window.frames += 1; requestAnimationFrame(count); };
requestAnimationFrame(count);
"""


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


def of_browsers(port: int, searcher: Searcher) -> list[Mark]:
    """Return what a visitor waits for at a warm server."""
    first_paint_s(port)
    return [
        Mark("first pictures, warm server", first_paint_s(port), "s", 3),
        Mark(
            "words to pictures on screen",
            statistics.median(on_screen_ms(port, searcher)),
            "ms",
            250,
        ),
        Mark("a picture opened large", statistics.median(panel_ms(port)), "ms", 150),
    ]


def of_crowds(port: int, process: int, searcher: Searcher) -> list[Mark]:
    """Return what many visitors at once wait for, and what they cost."""
    waited = asyncio.run(together_ms(port))
    added = asyncio.run(further_mb(port, process))
    crowd = Crowd(searcher)
    asyncio.run(crowd.meet(port, FURTHER, CROWD_S))
    print("\n".join(crowd.wrong[:5]), file=sys.stderr)
    before = rss_mb(process)
    sleep(FORGOTTEN_S)
    asyncio.run(further_mb(port, process))
    again = (rss_mb(process) - before) / FURTHER
    twenty = f"twenty visitors, {CROWD_S} s"
    return [
        Mark("ten visitors at once, p95", float(np.percentile(waited, 95)), "ms", 600),
        Mark("ten visitors at once, median", statistics.median(waited), "ms", 250),
        Mark("a further visitor", added, "MB", 5),
        Mark("a further visitor in the place of one who left", again, "MB", 1),
        Mark(f"{twenty}: what they did", crowd.acts, "acts"),
        Mark(f"{twenty}: errors, and others' results", len(crowd.wrong), "", 0),
    ]


def marks(quick: bool = False) -> list[Mark]:
    """Return what was measured with the shipped gallery and model, and with large maps."""
    searcher = Searcher.open()
    searcher.match(searcher.by_text("warm-up", 20))
    found = [Mark("ours: words to ranked, calibrated results", ours_ms(searcher), "ms", 60)]
    seen = BROWSER and DRIVER
    if seen:
        with serving() as (port, _):
            took = on_screen_ms(port, searcher, 1)[0] / 1000
        found.append(Mark("first search after a restart, once the page is up", took, "s", 2))
    with tempfile.TemporaryDirectory() as home:
        kept = {f"SIGSCOPE_{name}": str(Path(home, name)) for name in ("TAGS", "RATINGS")}
        with serving(**kept) as (port, process):
            asyncio.run(one_search(port))
            found += of_crowds(port, process.pid, searcher)
            found += of_browsers(port, searcher) if seen else []
    if seen:
        found += of_maps(searcher)
        for done, tool in {"moved": "pan", "drawn around": "lasso"}.items():
            name = f"{MOST:,} points, {done}, without a graphics card"
            found.append(Mark(name, frames_a_second(tool), "frames a second", 10, at_least=True))
    return found
