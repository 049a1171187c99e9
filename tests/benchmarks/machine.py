"""The machine: what it is, and what it allows at most, measured in the same run as the marks."""

import os
import platform
import statistics
import tempfile
from pathlib import Path

import faiss
import numpy as np
import torch
from marks import Mark, timed

from sigscope.models.towers import processor

SIDES, ROUNDS, SLOW_S = (256, 1024, 2048), 7, 0.5
COPIED, WRITTEN = 2**28, 2**27  # bytes


def facts() -> dict[str, str]:
    """Return what the figures hang on: processor, instructions, threads, memory, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "instructions": processor("cpu"),
        "threads": f"{torch.get_num_threads()} (PyTorch), {faiss.omp_get_max_threads()} (Faiss)",
        "memory": f"{memory:.0f} GiB",
        "versions": f"Python {platform.python_version()}, PyTorch {torch.__version__}, "
        f"Faiss {faiss.__version__}",
    }


def limits() -> list[Mark]:
    """Return matrix products in float32 and bfloat16, copying in memory, and the disk."""
    return [
        Mark("limit: matrix product, float32", gflops(torch.float32), "GFLOP/s"),
        Mark("limit: matrix product, bfloat16", gflops(torch.bfloat16), "GFLOP/s"),
        Mark("limit: copying in memory", copied_gb_s(), "GB/s"),
        Mark("limit: writing to disk until it is there", written_mb_s(), "MB/s"),
    ]


def gflops(dtype: torch.dtype) -> float:
    """Return the best speed of a product of two square matrices, as large as time allows."""
    best = 0.0
    for side in SIDES:
        one, other = (torch.rand(side, side).to(dtype) for _ in range(2))
        seconds = [timed(lambda one=one, other=other: one @ other)]
        if seconds[0] < SLOW_S:
            seconds += [timed(lambda one=one, other=other: one @ other) for _ in range(ROUNDS)]
        best = max(best, 2 * side**3 / min(seconds) / 1e9)
        if seconds[0] >= SLOW_S:  # bfloat16 where the processor has no instructions for it
            break
    return best


def copied_gb_s() -> float:
    """Return the bytes a second that are read and written again, each counted once."""
    source = np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    seconds = [timed(lambda: np.copyto(target, source)) for _ in range(ROUNDS)]
    return COPIED / statistics.median(seconds[1:]) / 1e9


def written_mb_s() -> float:
    """Return the bytes a second that are written and have reached the disk."""
    content = os.urandom(WRITTEN)

    def write() -> None:
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    return WRITTEN / statistics.median(timed(write) for _ in range(3)) / 1e6


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    named = [line for line in info.read_text().splitlines() if line.startswith("model name")]
    if info.exists() and named:
        return f"{named[0].partition(':')[2].strip()}, {os.cpu_count()} logical processors"
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} logical processors"
