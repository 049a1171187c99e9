"""What indexes give up at the size where they differ; ``make bench``.

Vectors are made by a world fitted to the shipped gallery's embeddings (`synthetic_fit`), and the
two kinds of query come from the same world. Everything runs on one thread, the exact search
included, and times are wall times of single queries, medians after a warm-up. SIGSCOPE_BENCH_N and
SIGSCOPE_BENCH_D make it smaller (1,000,000 and 768 otherwise).
"""

import gc
import os
import sys
from dataclasses import replace
from time import perf_counter

import numpy as np
import pandas as pd
from marks import Mark, in_turns

from sigscope.ann.autofaiss import AutoFaiss, AutofaissMissing
from sigscope.ann.measure import IndexRun, as_table, measure, sweep, threads_set
from sigscope.ann.recommend import recommend
from sigscope.ann.synthetic_fit import SyntheticGallery, fit, from_folder
from sigscope.indexes.exact import exact_neighbours
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES
from sigscope.paths import SHIPPED

SEED, K, QUERIES, SINGLES, FLAT_SINGLES = 0, 10, 400, 100, 15
N = int(os.environ.get("SIGSCOPE_BENCH_N", 1_000_000))
D = int(os.environ.get("SIGSCOPE_BENCH_D", 768))
SMALL_N = min(N, 100_000)  # where an exhaustive sweep is still bearable
PRESETS = ("ivf", "ivf-sq8", "ivf-pq-fast+rerank", "ivf-rabitq+rerank")
RECALL, COMPRESSED_RECALL = 0.95, 0.90
SPEED = {"text": 20.0, "image": 40.0}  # times the exact search
SMALLER = 12.0  # times fewer bytes than float32


def world() -> SyntheticGallery:
    """Return the world that grows out of the shipped gallery's embeddings."""
    return fit(*from_folder(SHIPPED / "gallery-siglit-mini"), np.random.default_rng(SEED))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def asked_of(made: SyntheticGallery, n: int, d: int | None) -> dict[str, np.ndarray]:
    return {kind: made.queries(kind, n, np.random.default_rng(SEED), d) for kind in SPEED}


def climbed(
    index: VectorIndex, asked: dict[str, np.ndarray], exact: dict[str, np.ndarray]
) -> list[IndexRun]:
    """Return an IndexRun for each kind and effort, up to the first effort that reaches RECALL."""
    runs: list[IndexRun] = []
    for kind, xq in asked.items():
        for effort in index.efforts:
            runs.append(
                measure(index, xq, exact[kind], K, kind=kind, effort=effort, singles=SINGLES)
            )
            if runs[-1].neighbour_recall >= RECALL:
                break
    return runs


def at_full_size(made: SyntheticGallery) -> tuple[pd.DataFrame, list[Mark]]:
    """Compare the presets with exact search over N vectors of D dimensions."""
    start = perf_counter()
    xb = made.pictures(N, np.random.default_rng(SEED), D)
    asked = asked_of(made, QUERIES, D)
    say(f"{N:,} vectors of {D} dimensions made in {perf_counter() - start:.0f} s")
    with threads_set(2):
        exact = {kind: exact_neighbours(xb, xq, K) for kind, xq in asked.items()}
    ids, runs = [str(row) for row in range(N)], []
    for name in ("flat", *PRESETS):
        spec = INDEXES[name]
        half = replace(spec, factory=spec.factory.replace(",RFlat", ",Refine(SQfp16)"))
        with threads_set(1):
            index = VectorIndex.build(half, xb, ids)
        say(f"{index.describe()}; built in {index.build_s:.0f} s")
        if name == "flat":
            few = {kind: xq[:FLAT_SINGLES] for kind, xq in asked.items()}
            how = {"threads": 1, "singles": FLAT_SINGLES}
            near = {kind: rows[:FLAT_SINGLES] for kind, rows in exact.items()}
            runs += [measure(index, few[kind], near[kind], K, kind=kind, **how) for kind in few]
            overhead = wrapper(index, asked["text"][:1])
        else:
            runs += climbed(index, asked, exact)
        say(as_table(runs[-6:]).iloc[:, [0, 1, 2, 4, 5, 6, 8, 9, 10]].round(3).to_string())
        index = None
        gc.collect()
    table = as_table(runs)
    return table, full_size_marks(table) + overhead


def wrapper(index: VectorIndex, xq: np.ndarray) -> list[Mark]:
    """Compare VectorIndex.search with the bare Faiss call at several k, on one thread."""
    marks = []
    with threads_set(1):
        for k in (1, 100, 10_000):
            k = min(k, len(index))
            ours, bare = in_turns(
                lambda k=k: index.search(xq, k), lambda k=k: index.index.search(xq, k), 10
            )
            marks.append(Mark(f"wrapper over bare Faiss, flat, k = {k:,}", ours / bare, "x", 1.05))
    return marks


def full_size_marks(table: pd.DataFrame) -> list[Mark]:
    marks = []
    flat = table[table["index"] == "flat"].set_index("kind")["ms_median"]
    size = f"{N:,} x {D}"
    for kind, least in SPEED.items():
        good = table[(table["kind"] == kind) & (table["neighbour_recall"] >= RECALL)]
        best = good[good["index"] != "flat"].nsmallest(1, "ms_median").iloc[0]
        name = f"{size}, {kind} queries: {best['index']} at {best['effort']} (recall "
        name += f"{best['neighbour_recall']:.3f}) over flat ({flat[kind]:.0f} ms)"
        marks.append(Mark(name, flat[kind] / best["ms_median"], "x", least, at_least=True))
    small = table[table["bytes_per_vector"] <= 4 * D / SMALLER]
    for kind in SPEED:
        rows = small[small["kind"] == kind]
        if rows.empty:
            marks.append(Mark(f"{size}: nothing is as small as asked", 0.0, "", 0.9, at_least=True))
            continue
        best = rows.nlargest(1, "neighbour_recall").iloc[0]
        name = f"{size}, {kind}: recall of {best['index']}, {best['bytes_per_vector']:.0f} bytes a "
        name += f"vector (float32 {4 * D}), {best['ms_median']:.1f} ms"
        value = best["neighbour_recall"]
        marks.append(Mark(name, value, "", COMPRESSED_RECALL, at_least=True))
    return marks


def swept(made: SyntheticGallery) -> tuple[pd.DataFrame, list[Mark]]:
    """Compare the recommender with an exhaustive sweep, and with AutoFaiss, over SMALL_N rows."""
    xb = made.pictures(SMALL_N, np.random.default_rng(SEED))
    asked = asked_of(made, 2 * QUERIES, None)
    ids = [str(row) for row in range(len(xb))]
    later = {kind: xq[QUERIES:] for kind, xq in asked.items()}
    start = perf_counter()
    table = as_table(sweep([*INDEXES], xb, ids, later, K, singles=SINGLES, progress=True))
    sweep_s = perf_counter() - start
    start = perf_counter()
    advice = recommend(xb, asked, recall=RECALL, k=K, ids=ids, progress=True)
    recommend_s = perf_counter() - start
    say(f"sweep {sweep_s:.0f} s, recommend {recommend_s:.0f} s: {advice.reason}")
    worst = table.groupby(["index", "effort"], dropna=False).agg(
        recall=("neighbour_recall", "min"), ms=("ms_median", "max"), kinds=("kind", "size")
    )
    best = worst[worst["recall"] >= RECALL].nsmallest(1, "ms")
    (name, effort), ms = best.index[0], float(best["ms"].iloc[0])
    ours = max(run.ms_median for run in advice.verified)
    size = f"{SMALL_N:,} x {xb.shape[1]}"
    label = f"{size}: {advice.name} at {advice.effort} by recommend, latency over the sweep's best"
    label += f" ({name} at {effort}, {ms:.2f} ms)"
    marks = [
        Mark(label, ours / ms, "x", 1.15),
        Mark(f"{size}: time of recommend over the sweep's ({sweep_s:.0f} s)",
             recommend_s / sweep_s, "x", 0.2),
    ]  # fmt: skip
    return table, marks + against_autofaiss(xb, ids, asked)


def against_autofaiss(xb: np.ndarray, ids: list[str], asked: dict) -> list[Mark]:
    """Compare recall at AutoFaiss's own bytes and milliseconds."""
    try:
        index = AutoFaiss().build(xb, ids)
    except AutofaissMissing as error:
        say(str(error))
        return []
    later = {kind: xq[QUERIES:] for kind, xq in asked.items()}
    runs = [
        measure(index, xq, exact_neighbours(xb, xq, K), K, kind=kind, singles=SINGLES)
        for kind, xq in later.items()
    ]
    ms, size = max(run.ms_median for run in runs), runs[0].bytes_per_vector
    advice = recommend(xb, asked, recall=None, memory=size, latency=ms, k=K, ids=ids)
    found = min(run.neighbour_recall for run in runs)
    ours = min(run.neighbour_recall for run in advice.verified)
    label = f"recall of {advice.name} over AutoFaiss's {found:.3f} at its {size:.0f} bytes"
    label += f" and {ms:.2f} ms"
    return [Mark(label, ours / found, "x", 1.0, at_least=True)]


def marks(quick: bool = False) -> list[Mark]:
    """Return what was measured; the tables behind it are printed as they come."""
    made = world()
    found = []
    for part in (swept,) if quick else (at_full_size, swept):
        table, more = part(made)
        print(f"\n{table.round(3).to_string(index=False)}\n", flush=True)
        found += more
    return found
