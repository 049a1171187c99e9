"""Builds an index on disk, slowly enough to be killed anywhere: ``build_slowly.py VECTORS FOLDER``.

It prints a line when it begins.
"""

import os
import sys
import time
from pathlib import Path

from sigscope.embeddings.stored_rows import StoredRows
from sigscope.indexes.disk_files import build_on_disk
from sigscope.indexes.specs import INDEXES

PART_ROWS, LINGER_S = 100, 0.01  # before and after each file gets its final name
replace = os.replace


def lingering_replace(source, target):
    time.sleep(LINGER_S)
    replace(source, target)
    time.sleep(LINGER_S)


if __name__ == "__main__":
    os.replace = lingering_replace
    rows = StoredRows([Path(sys.argv[1])])
    print("begun", flush=True)
    spec = INDEXES["ivf-rabitq+disk"]
    build_on_disk(Path(sys.argv[2]), spec, rows, "toys", part_rows=PART_ROWS)
