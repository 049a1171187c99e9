"""Twenty visitors at once: nobody meets an error, and nobody is shown another's results.

SIGSCOPE_CROWD_S says for how many seconds they stay; two minutes is what a release should bear.
"""

import asyncio
import os

from crowd import Crowd

from sigscope.search.searcher import Searcher

VISITORS = 20
SECONDS = float(os.environ.get("SIGSCOPE_CROWD_S", 10))


def test_twenty_visitors_get_their_own_results_and_no_errors(port):
    crowd = Crowd(Searcher.open(os.environ.get("SIGSCOPE_GALLERY")))
    asyncio.run(crowd.meet(port, VISITORS, SECONDS))
    assert crowd.acts >= VISITORS and not crowd.wrong
