"""Twenty visitors at once: nobody meets an error, and nobody is shown another's results.

SIGSCOPE_CROWD_S says for how many seconds they search; two minutes is what a release should bear.
"""

import asyncio
import os
from time import monotonic

import pytest
from visiting import captions_of
from visitors import visit

from sigscope.search.searcher import Searcher

VISITORS = 20
SECONDS = float(os.environ.get("SIGSCOPE_CROWD_S", 10))
PATIENCE_S = 120
WORDS = [f"{colour} {thing}" for colour in ("red", "blue", "old") for thing in (
    "apple", "dog", "boat", "tree", "clock", "bird", "hat", "guitar")]  # fmt: skip


@pytest.fixture(scope="module")
def expected():
    searcher = Searcher.open(os.environ.get("SIGSCOPE_GALLERY"))
    tables = {words: searcher.by_text(words, 20, by="both") for words in WORDS}
    return {words: captions_of(table) for words, table in tables.items()}


async def searching(port: int, number: int, until: float) -> list[tuple[str, list[str], list]]:
    """Search on and on as one visitor; return what was asked, what was shown, and any errors."""
    visitor, seen = await visit(port), []
    while not seen or monotonic() < until:
        words = WORDS[(number * 7 + len(seen)) % len(WORDS)]
        await visitor.search(words)
        seen.append((words, visitor.captions, visitor.errors))
    await visitor.socket.close()
    return seen


async def crowd(port: int) -> list[list[tuple[str, list[str], list]]]:
    until = monotonic() + SECONDS
    return await asyncio.gather(*(searching(port, number, until) for number in range(VISITORS)))


def test_twenty_visitors_get_their_own_results_and_no_errors(port, expected):
    seen = asyncio.run(crowd(port))
    assert len(seen) == VISITORS
    for words, captions, errors in (search for visitor in seen for search in visitor):
        assert not errors
        assert captions == expected[words], f"results for {words!r} are not its own"
