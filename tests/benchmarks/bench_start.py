"""How long a first answer takes: ``import sigscope``, and a search from a cold start."""

import statistics
import subprocess
import sys
from time import perf_counter

from marks import Mark

ROUNDS = 3
IMPORT = "from time import perf_counter as t; a = t(); import sigscope; print(1000 * (t() - a))"


def started(*command: str) -> tuple[float, str]:
    """Return the median seconds that a fresh Python takes for a command, and what it printed."""
    full, seconds = [sys.executable, *command], []
    for _ in range(ROUNDS + 1):  # the first reads from disk what the others find in memory
        start = perf_counter()
        done = subprocess.run(full, capture_output=True, text=True, check=True)
        seconds.append(perf_counter() - start)
    return statistics.median(seconds[1:]), done.stdout


def marks(quick: bool = False) -> list[Mark]:
    """Return what was measured; the parts of a search are imported alone to compare."""
    imported_ms = min(float(started("-c", IMPORT)[1]) for _ in range(1 if quick else 3))
    libraries, _ = started("-c", "import torch, faiss; from transformers import BertModel")
    search, _ = started("-m", "sigscope", "search", "a red bus", "-k", "3")
    return [
        Mark("import sigscope", imported_ms, "ms", 50),
        Mark("torch, faiss, transformers imported alone", libraries, "s"),
        Mark("sigscope search from a cold start", search, "s", 3, limit=libraries),
    ]
