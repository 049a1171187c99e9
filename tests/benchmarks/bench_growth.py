"""What an index still finds once it has grown, beside one that is built anew; ``make bench``.

Half of the pictures of a made world (as in `bench_indexes`) are indexed, and the others added in
steps of 10, 50 and 100 %, as `search.saved_indexes` does it; each time the same queries are asked.
"""

import os

import numpy as np
from bench_indexes import asked_of, say, world
from marks import Mark

from sigscope.ann.measure import threads_set
from sigscope.indexes.exact import exact_neighbours, neighbour_recall
from sigscope.indexes.growing import GrownIndex, grow
from sigscope.indexes.index import VectorIndex
from sigscope.search.saved_indexes import FALLEN, STEPS, K

N = int(os.environ.get("SIGSCOPE_BENCH_GROWTH", 50_000))  # rows at first
GROWING = ("ivf", "hnsw", "ivf-sq8", "ivf-pq-fast+rerank")
QUERIES = 400


def marks(quick: bool) -> list[Mark]:
    """Return each index's recall after each step of growth, and how far it falls below one anew."""
    n = N // 5 if quick else N
    made = world()
    xb = made.pictures(2 * n, np.random.default_rng(0), None)
    asked, found = asked_of(made, QUERIES, None), []
    with threads_set(2):
        for name in GROWING:
            first = VectorIndex.build(name, xb[:n], range(n))
            say(first.describe())
            backend, place, worst = first.backend, np.arange(n), 1.0
            for step in (0, *STEPS):
                rows = xb[: int(n + n * step)]
                backend, place = grow(backend, place, rows)
                anew = VectorIndex.build(name, rows, range(len(rows)))
                for kind, xq in asked.items():
                    exact = exact_neighbours(rows, xq, K)
                    grown = neighbour_recall(GrownIndex(backend, place).search(xq, K)[1], exact)
                    fresh = neighbour_recall(anew.search(xq, K)[1], exact)
                    worst = min(worst, grown - fresh)
                    what = f"{name}, {n:,} x {xb.shape[1]} and {step:.0%} more: recall, {kind}"
                    found += [Mark(what, grown, ""), Mark("  built anew", fresh, "")]
                    say(f"{what} {grown:.3f}, built anew {fresh:.3f}")
            more = f"{n:,} x {xb.shape[1]} and up to {max(STEPS):.0%} more"
            what = f"{name}, {more}: recall less that of one built anew, at worst"
            found.append(Mark(what, worst, "", -FALLEN, at_least=True))
    return found
