"""Candidates: the few indexes that the recommender tries, some of them cut to a memory budget."""

from dataclasses import replace
from math import sqrt

from sigscope.indexes.specs import BEAMS, CELLS, GRAPH, INDEXES, PROBES, ROWS_PER_CELL, IndexSpec

ALWAYS = (
    "flat",
    "fp16",
    "sq8",
    "hnsw",
    "ivf",
    "ivf-sq8",
    "pq-fast",
    "ivf-pq-fast",
    "ivf-rabitq",
    "pq-fast+rerank",
    "rabitq+rerank",
    "ivf-pq-fast+rerank",
    "ivf-rabitq+rerank",
)
LINKS = (8, 31)  # the fewest and the most per row and layer of a graph cut to a budget
GRAPH_BYTES = 16.5  # per row of a graph, beside its vector and 8 bytes a link: levels and offsets
FEWEST_CODES = 4  # sub-vectors


def candidates(n: int, d: int, memory: float | None) -> list[str | IndexSpec]:
    """Return what to try for n rows of d dimensions within memory bytes per vector.

    Left out of the registry are twins (L2, numpy, scikit-learn), which find the same in about the
    same time, or re-rank what is all but exact; and ivfpq and opq, whose training costs more than
    all the others and which ivf-pq-fast does not fall behind. A graph with half the links is added.
    Under a memory budget so are the graph with the most links that fit, if fewer than usual do, and
    the longest product codes that fit, if the usual ones do not.
    """
    cut = [] if memory is None else [*_graphs(d, memory), *_codes(n, d, memory)]
    specs = {spec.label: spec for spec in [_graph(16), *cut]}
    return [*(name for name in ALWAYS if name in INDEXES), *specs.values()]


def _graph(links: int) -> IndexSpec:
    return IndexSpec(f"HNSW{links}", "ip", GRAPH, (10, *BEAMS), default=64, label=f"hnsw-{links}")


def _graphs(d: int, memory: float) -> list[IndexSpec]:
    """Return graphs with as many links as fit; two, where a fraction of a byte decides."""
    links = (memory - 4 * d - GRAPH_BYTES) / 8
    counts = {int(links - 0.1), int(links + 0.1)} if links > 0 else set()
    return [_graph(count) for count in sorted(counts) if LINKS[0] <= count <= LINKS[1]]


def _codes(n: int, d: int, memory: float) -> list[IndexSpec]:
    """Return product codes, re-ranked and not, of the most bytes that fit, up to d / 8 bytes.

    With room for as many as 16 bytes more, the usual codes fit and nothing is cut.
    """
    wide = -(-d // 8) * 8
    cells = min(4 * sqrt(n), n / ROWS_PER_CELL)
    room = memory - 8 - 4 * wide * (cells + 256) / n  # beside row numbers, centroids and codebooks
    fitting = [m for m in range(FEWEST_CODES, wide // 8 + 1) if wide % m == 0 and m <= room]
    if not fitting or room > wide / 8 + 16:
        return []
    plain = IndexSpec(f"IVF{{cells}},PQ{max(fitting)}x8np", "ip", CELLS, PROBES)
    label = f"ivf-pq{max(fitting)}"
    reranked = replace(
        plain, factory=f"{plain.factory},RFlat", candidates=20, label=f"{label}+rerank"
    )
    return [replace(plain, label=label), reranked]
