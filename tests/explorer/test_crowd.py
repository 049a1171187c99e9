"""Twenty visitors at once: nobody meets an error, and nobody is shown another's results.

Each message of a search costs the server, and the browser that draws what it says.

SIGSCOPE_CROWD_S says for how many seconds they stay; two minutes is what a release should bear.
"""

import asyncio
import os

from crowd import Crowd
from visitors import visit

from sigscope.search.searcher import Searcher

VISITORS = 20
MOST_MESSAGES, MOST_BYTES = 49, 250_000  # of one search, most of them pictures
SECONDS = float(os.environ.get("SIGSCOPE_CROWD_S", 10))


def test_twenty_visitors_get_their_own_results_and_no_errors(port):
    crowd = Crowd(Searcher.open(os.environ.get("SIGSCOPE_GALLERY")))
    asyncio.run(crowd.meet(port, VISITORS, SECONDS))
    assert crowd.acts >= VISITORS and not crowd.wrong


def test_a_search_is_answered_in_few_messages(port):
    async def search() -> list[int]:
        visitor = await visit(port)
        await visitor.search("a red cat")
        await visitor.socket.close()
        assert visitor.captions
        return visitor.sizes

    sizes = asyncio.run(search())
    assert len(sizes) <= MOST_MESSAGES and sum(sizes) <= MOST_BYTES
