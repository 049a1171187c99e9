"""Measurement: what an index gives up for its speed, against exact search over the same rows.

Every index answers the same queries, one kind (text, image) at a time, with the same k and as many
threads. "Recall" here is always ``neighbour_recall``, the share of exact neighbours found. A number
carries its unit in its name; times are wall time, the least of several, taken after a warm-up.
"""

import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from time import perf_counter
from typing import Any, Protocol

import faiss
import numpy as np
import pandas as pd
from tqdm import tqdm

from sigscope.arguments import whole
from sigscope.indexes.exact import exact_neighbours, neighbour_recall
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import IndexSpec, find_spec

__all__ = ["IndexRun", "as_table", "exact_neighbours", "measure", "pareto", "single_ms", "sweep"]

WARM_UP = 10  # queries, unmeasured
SINGLES = 200  # queries asked one at a time for the median and p95
PASSES = 5  # over the queries; the least time of each counts, as a busy moment slows one pass only
LONG_S = 0.5  # after so long there is no further pass
BIGGER_IS_BETTER = {"neighbour_recall", "queries_per_s"}
SMALLER_IS_BETTER = {
    "ms_median",
    "ms_p95",
    "build_s",
    "bytes_per_vector",
    "rerank_bytes_per_vector",
}
NAN = float("nan")


class Builder(Protocol):
    """Something other than a name in INDEXES that ``sweep`` can build, such as AutoFaiss."""

    name: str

    def build(self, xb: np.ndarray, ids: Sequence[str]) -> Any:
        """Return an index over xb that has the attributes and the search of a VectorIndex."""


@dataclass(frozen=True)
class IndexRun:
    """One measured setting of one index on one kind of query; a row of the results table."""

    index: str
    effort: int | None  # value of the index's search-time knob; None where there is none to turn
    kind: str  # of the queries: "text" or "image"
    k: int
    neighbour_recall: float  # in [0, 1], against exact search
    ms_median: float  # of single queries
    ms_p95: float
    queries_per_s: float  # all queries in one call
    build_s: float
    bytes_per_vector: float  # serialised index / n
    rerank_bytes_per_vector: float  # of vectors kept beside the index to re-rank with
    threads: int
    n: int
    d: int
    queries: int  # behind the recall and the batch
    note: str = ""  # why there are no numbers, where there are none


@contextmanager
def threads_set(threads: int) -> Iterator[None]:
    """Hold Faiss and the BLAS under numpy and scikit-learn to this many threads inside the block.

    Faiss heeds it in the calling thread alone; the BLAS libraries in the whole process.
    """
    from threadpoolctl import threadpool_limits

    whole("threads", threads, "it must be at least 1")
    before = faiss.omp_get_max_threads()
    with threadpool_limits(limits=threads):
        faiss.omp_set_num_threads(threads)
        try:
            yield
        finally:
            faiss.omp_set_num_threads(before)


def measure(
    index: Any,
    xq: np.ndarray,
    exact: np.ndarray,
    k: int,
    *,
    kind: str,
    effort: int | None = None,
    threads: int = 1,
    singles: int = SINGLES,
) -> IndexRun:
    """Return one measured setting of an index.

    Args:
        index: a VectorIndex, or what searches like one.
        xq: queries of one kind, unit rows, float32, shape (q, d).
        exact: their exact neighbours, best first, int64, shape (q, at least k or all n).
        k: how many neighbours to ask for.
        kind: of the queries.
        effort: value of the index's knob; None leaves it at its default.
        threads: for Faiss and BLAS alike.
        singles: how many of the queries, evenly spaced, are also asked one at a time.
    """
    k = min(k, len(index))
    if not len(xq):
        raise ValueError(f"there are no {kind} queries to measure with")
    if exact.ndim != 2 or len(exact) != len(xq) or exact.shape[1] < k:
        raise ValueError(f"exact {exact.shape} does not hold {k} neighbours of {len(xq)} queries")
    with threads_set(threads):
        index.search(xq[:WARM_UP], k, effort=effort)
        _, found = index.search(xq, k, effort=effort)
        batch_s = least_seconds(lambda queries: index.search(queries, k, effort=effort), [xq])[0]
        ms = single_ms(index, xq, k, effort, singles)
    return IndexRun(
        index=index.name,
        effort=effort,
        kind=kind,
        k=k,
        neighbour_recall=neighbour_recall(found, exact[:, :k]),
        ms_median=float(np.median(ms)),
        ms_p95=float(np.percentile(ms, 95)),
        queries_per_s=len(xq) / batch_s,
        threads=threads,
        queries=len(xq),
        **_size_of(index),
    )


def single_ms(
    index: Any, xq: np.ndarray, k: int, effort: int | None, singles: int = SINGLES
) -> np.ndarray:
    """Return the fewest milliseconds that each of some evenly spaced queries took, asked alone."""
    picked = np.unique(np.linspace(0, len(xq) - 1, min(singles, len(xq))).round().astype(int))
    alone = [np.ascontiguousarray(xq[row : row + 1]) for row in picked]
    for query in alone[:3]:
        index.search(query, k, effort=effort)
    return 1000 * least_seconds(lambda query: index.search(query, k, effort=effort), alone)


def least_seconds(ask: Callable[[np.ndarray], Any], queries: Sequence[np.ndarray]) -> np.ndarray:
    """Return the fewest seconds that ask took for each of queries, over at most PASSES passes."""
    passes: list[np.ndarray] = []
    while len(passes) < PASSES and np.sum(passes) < LONG_S:
        passes.append(np.empty(len(queries)))
        for i, query in enumerate(queries):
            start = perf_counter()
            ask(query)
            passes[-1][i] = perf_counter() - start
    return np.min(passes, axis=0)


def _size_of(index: Any) -> dict[str, float]:
    names = ("build_s", "bytes_per_vector", "rerank_bytes_per_vector", "d")
    return {"n": len(index), **{name: getattr(index, name) for name in names}}


def sweep(
    entries: Sequence[str | IndexSpec | Builder],
    xb: np.ndarray,
    ids: Sequence[str],
    queries: Mapping[str, np.ndarray],
    k: int = 10,
    *,
    threads: int = 1,
    exact: Mapping[str, np.ndarray] | None = None,
    singles: int = SINGLES,
    progress: bool = False,
) -> list[IndexRun]:
    """Return a run for every index, value of its knob and kind of query; each index built once.

    An index that cannot be built or searched gives one row per kind that says why in its note, so
    that nothing is missing without a word.

    Args:
        entries: names in INDEXES, specs, or builders such as ``autofaiss.AutoFaiss()``.
        xb: unit rows, float32, shape (n, d).
        ids: the id of each row.
        queries: unit queries, float32, shape (q, d), by kind ("text", "image").
        k: neighbours asked for.
        threads: for building and searching, the same for all.
        exact: exact neighbours by kind, where they are known already.
        singles: queries of each kind that are asked one at a time.
        progress: show a bar on stderr.

    Raises:
        StayOnDisk: xb is `StoredRows`, and indexes are built over arrays here.
    """
    names, xb = [name_of(entry) for entry in entries], np.asarray(xb)
    with threads_set(threads):
        exact = exact or {kind: exact_neighbours(xb, xq, k) for kind, xq in queries.items()}
    runs: list[IndexRun] = []
    bar = tqdm(entries, disable=not progress, file=sys.stderr, unit="index")
    for name, entry in zip(names, bar, strict=True):
        bar.set_description(name)
        try:
            with threads_set(threads):
                index = build(entry, xb, ids)
            how = {"threads": threads, "singles": singles}
            for effort in efforts_of(index):
                for kind, xq in queries.items():
                    runs.append(measure(index, xq, exact[kind], k, kind=kind, effort=effort, **how))
        except Exception as error:  # whatever went wrong is the row's note
            runs += [_failed(name, kind, k, threads, xb, error) for kind in queries]
        index = None
        gc.collect()
    return runs


def name_of(entry: str | IndexSpec | Builder) -> str:
    """Return what an entry of a sweep is called in the table, or raise if there is no such name."""
    return find_spec(entry)[0] if isinstance(entry, str | IndexSpec) else entry.name


def build(entry: str | IndexSpec | Builder, xb: np.ndarray, ids: Sequence[str]) -> Any:
    """Return the index that an entry of a sweep stands for, over xb."""
    if isinstance(entry, str | IndexSpec):
        return VectorIndex.build(entry, xb, ids)
    return entry.build(xb, ids)


def efforts_of(index: Any) -> tuple[int | None, ...]:
    """Return the values of an index's knob in rising effort; a single None where it has none."""
    return tuple(index.efforts) or (None,)


def _failed(
    name: str, kind: str, k: int, threads: int, xb: np.ndarray, error: Exception
) -> IndexRun:
    measured = ("neighbour_recall", "ms_median", "ms_p95", "queries_per_s")
    sizes = ("build_s", "bytes_per_vector", "rerank_bytes_per_vector")
    return IndexRun(
        index=name,
        effort=None,
        kind=kind,
        k=k,
        threads=threads,
        n=len(xb),
        d=xb.shape[1],
        queries=0,
        note=str(error) or type(error).__name__,
        **dict.fromkeys(measured + sizes, NAN),
    )


def as_table(runs: Sequence[IndexRun]) -> pd.DataFrame:
    """Return one row per run with the fields of IndexRun, by kind and index, rising in effort."""
    table = pd.DataFrame([asdict(run) for run in runs], columns=[f.name for f in fields(IndexRun)])
    table["effort"] = table["effort"].astype("Int64")
    order = {name: place for place, name in enumerate(dict.fromkeys(table["index"]))}
    return table.sort_values(
        ["kind", "index", "effort"],
        key=lambda column: column.map(order) if column.name == "index" else column,
        ignore_index=True,
    )


def pareto(
    table: pd.DataFrame, by: Sequence[str] = ("neighbour_recall", "ms_median")
) -> pd.DataFrame:
    """Return the table with a column ``front``: no row of the same kind is better in all of by.

    A row is beaten if another is at least as good everywhere and better somewhere. Rows without
    numbers are never on the front.
    """
    known = BIGGER_IS_BETTER | SMALLER_IS_BETTER
    wrong = [name for name in by if name not in known]
    if wrong or not by:
        raise ValueError(f"cannot compare by {wrong}; choose from {', '.join(sorted(known))}")
    signs = np.array([-1.0 if name in BIGGER_IS_BETTER else 1.0 for name in by])
    front = pd.Series(False, index=table.index)
    for _, rows in table.groupby("kind"):
        costs = rows[list(by)].to_numpy(dtype=float) * signs
        front[rows.index] = ~np.isnan(costs).any(axis=1) & ~_beaten(costs)
    return table.assign(front=front)


def _beaten(costs: np.ndarray) -> np.ndarray:
    """Return which rows of costs, shape (rows, measures), another row beats."""
    no_worse = (costs[None] <= costs[:, None]).all(axis=2)
    better = (costs[None] < costs[:, None]).any(axis=2)
    return (no_worse & better).any(axis=1)
