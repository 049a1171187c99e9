"""What an index costs that is larger than memory: 100 thousand, a million, ten million vectors.

``make bench-large`` makes SIGSCOPE_BENCH_N vectors (10,000,000) of SIGSCOPE_BENCH_D dimensions
(768) by the world of `bench_indexes`, float16 on disk (15.4 GB) below data/cache, where they stay
for the next run; the smaller sizes are their first rows. Of each size the index on disk is built,
asked and compared with exact search, every stage in a process of its own, so that the most memory
it ever had is the system's word for it. What is measured goes to data/how_large.json. A run that
was stopped goes on where it was. Exit code 1: a mark was missed.
"""

import argparse
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from time import perf_counter

import faiss
import numpy as np
from bench_indexes import SEED, D, K, say, world
from machine import facts, gflops
from marks import Mark, as_table, timed

from sigscope import paths
from sigscope.ann.measure import least_seconds, measure, threads_set
from sigscope.embeddings.stored_rows import StoredRows
from sigscope.files import atomic_write, digest, read_json, write_json
from sigscope.indexes.disk_files import ABOUT, build_on_disk, open_on_disk
from sigscope.indexes.exact import exact_neighbours
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES
from sigscope.indexes.training import TRAINED_PER_CELL

ROOT = Path(__file__).parents[2]
RESULT, CACHE = ROOT / "data/how_large.json", paths.CACHE / "bench/large"
N = int(os.environ.get("SIGSCOPE_BENCH_N", 10_000_000))
SIZES = sorted({min(n, N) for n in (100_000, 1_000_000, 5_000_000, N)})
NAME = "ivf-rabitq+disk"
FILE_ROWS = 20_000
QUERIES, SINGLES, FLAT_SINGLES, FLAT_ROWS = 200, 100, 9, 500_000
EFFORTS, ENOUGH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512), 0.97
RECALL, FASTER, MOST_GB = 0.90, 20.0, 8.0
KINDS = ("text", "image")


def rows_of(n: int) -> StoredRows:
    """Return the first n vectors."""
    return StoredRows([_file(start) for start in range(0, n, FILE_ROWS)])


def vectors(n: int) -> dict:
    """Make n vectors and the queries, float16, a file at a time; what is there is kept."""
    made = world().at(D)
    queries = {kind: made.queries(kind, QUERIES, np.random.default_rng(SEED)) for kind in KINDS}
    with atomic_write(CACHE / "queries.npz") as part:
        np.savez(part, **queries)
    there = next((at for at in range(0, n, FILE_ROWS) if not _file(at).exists()), n)
    start = perf_counter()
    rows = made.streamed(N, np.random.default_rng(SEED), first=there, chunk=FILE_ROWS)
    for at in range(there, n, FILE_ROWS):
        with atomic_write(_file(at)) as part:
            np.save(part, next(rows)[: n - at].astype(np.float16))
        say_share("vectors", at, n)
    seconds = (perf_counter() - start) * n / max(n - there, 1) if there < n else None
    return {"vectors_s": seconds}


def exact(n: int) -> dict:
    """Find the nearest neighbours of all queries by comparing every row."""
    rows, start = rows_of(n), perf_counter()
    found = {kind: exact_neighbours(rows, xq, K) for kind, xq in _queries().items()}
    with atomic_write(CACHE / f"exact-{n}.npz") as part:
        np.savez(part, **found)
    return {"exact_s": perf_counter() - start}


def build(n: int) -> dict:
    """Build the index on disk."""
    spec, rows, start, trained = INDEXES[NAME], rows_of(n), perf_counter(), []

    def told(done: int, total: int) -> None:
        if total == n:
            trained.append(perf_counter() - start)
        say_share("rows" if total == n else "steps of training", done, total)

    folder = CACHE / f"index-{n}"
    if (folder / ABOUT).exists():
        shutil.rmtree(folder)
    build_on_disk(folder, spec, rows, str(n), progress=told)
    return {
        "cells": spec.cells(n),
        "sample": min(n, spec.cells(n) * TRAINED_PER_CELL),
        "train_s": trained[0],
        "build_s": perf_counter() - start,
        "index_bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "vector_bytes": sum(_file(at).stat().st_size for at in range(0, n, FILE_ROWS)),
    }


def ask(n: int) -> dict:
    """Ask the index, one query at a time on one thread and all of them on all threads."""
    spec, rows = INDEXES[NAME], rows_of(n)
    backend = open_on_disk(CACHE / f"index-{n}", spec, rows, str(n))
    index = VectorIndex(NAME, spec, backend, np.arange(n), "", 0.0, D)
    near, runs = np.load(CACHE / f"exact-{n}.npz"), []
    for kind, xq in _queries().items():
        for effort in (effort for effort in EFFORTS if effort <= spec.cells(n)):
            how = {"kind": kind, "effort": effort, "singles": SINGLES}
            index.search(xq, K, effort=effort)  # so that all of them find the lists in memory
            one = measure(index, xq, near[kind], K, threads=1, **how)
            with threads_set(os.cpu_count() or 1):
                seconds = min(
                    timed(lambda xq=xq, e=effort: index.search(xq, K, effort=e)) for _ in range(3)
                )
            runs.append({
                "n": n, "kind": kind, "effort": effort, "recall": one.neighbour_recall,
                "ms": one.ms_median, "ms_p95": one.ms_p95, "queries_per_s": len(xq) / seconds,
            })  # fmt: skip
            say(str(runs[-1]))
            if one.neighbour_recall >= ENOUGH:
                break
    return {"runs": runs}


def flat(n: int) -> dict:
    """Ask an exact index in float32, of as many rows as memory is sure to hold."""
    rows, few = rows_of(n), min(n, FLAT_ROWS)
    index = faiss.IndexFlatIP(D)
    for start in range(0, few, FILE_ROWS):
        index.add(rows[start : min(start + FILE_ROWS, few)])
    xq = _queries()["text"]
    with threads_set(1):
        index.search(xq[:1], K)
        alone = [xq[row : row + 1] for row in range(FLAT_SINGLES)]
        times = least_seconds(lambda query: index.search(query, K), alone)
    return {"flat_rows": few, "flat_ms": 1000 * float(np.median(times)) * n / few}


def staged(name: str, n: int) -> dict:
    """Return what a stage measures, run in a process of its own, with its most memory in GB."""
    spec = INDEXES[NAME]
    about = digest([spec.factory, spec.per_root, spec.candidates, D, faiss.__version__])[:12]
    kept = CACHE / f"{name}-{n}-{about}.json"
    if kept.exists():
        return read_json(kept)
    say(f"{name}, {n:,} rows")
    began = subprocess.Popen([sys.executable, __file__, name, str(n), str(kept)])
    _, status, used = os.wait4(began.pid, 0)
    if status:
        raise SystemExit(f"{name} of {n:,} rows ended with {os.waitstatus_to_exitcode(status)}")
    scale = 1 if sys.platform == "darwin" else 1024
    found = read_json(kept) | {f"{name}_gb": used.ru_maxrss * scale / 1e9}
    write_json(kept, found)
    return found


def say_share(what: str, done: int, total: int) -> None:
    """Say how far it is, once for each twentieth."""
    share = 20 * done // total
    if _SAID.get(what) != share:
        _SAID[what] = share
        say(f"  {what}: {done:,} of {total:,}")


def marks(result: dict) -> list[Mark]:
    """Return the marks of a result: memory at its largest size, and speed with text."""
    largest = result["sizes"][-1]
    n, most = largest["n"], max(largest["build_gb"], largest["ask_gb"])
    found = [Mark(f"{n:,} x {D}: most memory, building and asking", most, "GB", MOST_GB)]
    for kind in KINDS:
        runs = [run for run in result["runs"] if run["n"] == n and run["kind"] == kind]
        good = [run for run in runs if run["recall"] >= RECALL]
        best = min(good, key=lambda run: run["ms"]) if good else None
        what = f"{n:,} x {D}, {kind}: flat over {NAME}"
        if best:
            what += f" at {best['effort']} (recall {best['recall']:.3f}, {best['ms']:.1f} ms)"
        times = largest["flat_ms"] / best["ms"] if best else 0.0
        found.append(Mark(what, times, "x", FASTER, at_least=True))
    return found


def main() -> int:
    """Measure all sizes, write the table, print the marks; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", nargs="*", help="for the processes that this one starts")
    if given := parser.parse_args().stage:
        write_json(given[2], STAGE[given[0]](int(given[1])))
        return 0
    CACHE.mkdir(parents=True, exist_ok=True)
    sizes, runs = [], []
    made = staged("vectors", N)
    for n in SIZES:
        row = {"n": n, "vectors_s": made["vectors_s"] and made["vectors_s"] * n / N}
        for name in ("exact", "build", "ask", "flat"):
            row |= staged(name, n)
        runs += row.pop("runs")
        sizes.append(row)
    about = {"date": str(date.today()), "machine": facts(), "d": D, "k": K, "index": NAME}
    import torch

    result = about | {"gflops": gflops(torch.float32), "sizes": sizes, "runs": runs}
    write_json(RESULT, result)
    found = marks(result)
    print(f"\n{as_table(found).to_string(index=False)}\n")
    return not all(mark.ok for mark in found)


def _file(start: int) -> Path:
    return CACHE / f"vectors-{D}/img_emb_{start // FILE_ROWS:05}.npy"


def _queries() -> dict[str, np.ndarray]:
    with np.load(CACHE / "queries.npz") as file:
        return dict(file)


STAGE = {"vectors": vectors, "exact": exact, "build": build, "ask": ask, "flat": flat}
_SAID: dict[str, int] = {}

if __name__ == "__main__":
    sys.exit(main())
