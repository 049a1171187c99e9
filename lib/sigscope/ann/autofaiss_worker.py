"""Run AutoFaiss: executed by the Python of .venv-autofaiss, where sigscope is not installed.

    python autofaiss_worker.py FOLDER '{"memory_bytes": ..., "ms": ..., "k": ..., "threads": ...}'

reads FOLDER/vectors/vectors.npy and leaves FOLDER/knn.index (tuned; its search-time settings are in
it) and FOLDER/knn.json: AutoFaiss's own account, the seconds it took, and its version.
"""

import json
import logging
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter


def main(folder: Path, memory_bytes: int, ms: float, k: int, threads: int) -> None:
    """Build and tune an inner-product index over the vectors in folder."""
    from autofaiss import build_index

    about = folder / "knn.json"
    start = perf_counter()
    index, infos = build_index(
        str(folder / "vectors"),
        index_path=str(folder / "knn.index"),
        index_infos_path=str(about),
        max_index_memory_usage=f"{memory_bytes}B",
        current_memory_available=f"{max(4 * memory_bytes, 32 * 1024**3)}B",
        max_index_query_time_ms=ms,
        min_nearest_neighbors_to_retrieve=k,
        metric_type="ip",
        nb_cores=threads,
        verbose=logging.ERROR,
    )
    seconds = perf_counter() - start
    if index is None:
        sys.exit("AutoFaiss knows no index that keeps to this memory budget")
    plain = {
        key: getattr(value, "item", lambda value=value: value)() for key, value in infos.items()
    }
    kept = {**plain, "build_s": seconds, "autofaiss": version("autofaiss")}
    about.write_text(json.dumps(kept), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), **json.loads(sys.argv[2]))
