"""Map making: a map made by another process, while a page shows a quick one and how far it is.

UMAP brings numba and holds the interpreter for seconds, so it runs in a process of its own, which
ends when the map is in the cache. Whoever asks for the same map again gets the same making.

    python -m sigscope.maps.background FOLDER

is that process: FOLDER holds the vectors and the settings, and is removed once they are read.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from sigscope import paths
from sigscope.embeddings.load import Embeddings, as_objects
from sigscope.embeddings.stored_rows import StoredRows
from sigscope.files import read_json, write_json
from sigscope.gallery.rows import read_column, write_column
from sigscope.maps.map import Map, MapSettings, StaleMap, as_record, read_map
from sigscope.maps.projection import kept_map, map_folder, settings_record, stored_map
from sigscope.priority import stand_back

TEXTS = ("ids", "caption_ids", "caption_texts")
VECTORS = ("images", "captions")
READY, MAKING, FAILED = "ready", "being made", "failed"


@dataclass(eq=False)
class Making:
    """A map that is there, or on its way.

    Attributes:
        state: "being made", "ready" or "failed".
        share: how much of the work is done, in [0, 1].
        doing: what is done now.
        map: the map, once it is ready.
        reason: why it failed, a sentence.
    """

    state: str = MAKING
    share: float = 0.0
    doing: str = "starting"
    map: Map | None = None
    reason: str = ""
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    def wait(self, timeout_s: float | None = None) -> "Making":
        """Return this making when it is over, or when the time is up."""
        self._over.wait(timeout_s)
        return self


_makings: dict[str, Making] = {}
_lock = threading.Lock()


def start_map(
    embeddings: Embeddings, settings: MapSettings | None = None, *, again: bool = False
) -> Making:
    """Return the making of a map, and begin with it if nobody has; some milliseconds.

    A map in the cache is ready at once. What is returned is shared by all who ask for that map, and
    changes as the work goes on.

    Args:
        embeddings: what to lay out.
        settings: how.
        again: try once more what failed; else it stays failed, for a page asks at every rerun.
    """
    settings = settings or MapSettings()
    record = settings_record(embeddings, settings)
    folder = map_folder(record)
    with _lock:
        known = _makings.get(str(folder))
        if known and not (again and known.state == FAILED):
            return known
        kept = stored_map(embeddings, settings)
        making = Making(READY, 1.0, "done", kept) if kept else Making()
        _makings[str(folder)] = making
    if kept:
        making._over.set()
    else:
        work = (making, embeddings, settings, folder, record)
        threading.Thread(target=_make, args=work, name="map", daemon=True).start()
    return making


def _make(
    making: Making, embeddings: Embeddings, settings: MapSettings, folder: Path, record: dict
) -> None:
    """Have the map made, and say how it ended, whatever happens."""
    try:
        said = _run(making, embeddings, settings)
        making.map = read_map(folder, record)
        making.state, making.share, making.doing = READY, 1.0, "done"
    except StaleMap:
        making.state, making.reason = FAILED, f"The map could not be made: {said}"
    except OSError as error:
        making.state, making.reason = FAILED, f"The map could not be made: {error}"
    finally:
        making._over.set()


def _run(making: Making, embeddings: Embeddings, settings: MapSettings) -> str:
    """Run the process to its end, and return its last words."""
    place = Path(tempfile.mkdtemp(prefix="sigscope-map-"))
    try:
        write_job(place, embeddings, settings)
        environment = {**os.environ, "SIGSCOPE_CACHE": str(paths.CACHE)}
        with (place / "said").open("w+", encoding="utf-8") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "sigscope.maps.background", str(place)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=environment,
                text=True,
                encoding="utf-8",
            )
            atexit.register(process.kill)  # a server that ends takes its makers with it
            for line in process.stdout:
                _heard(making, line)
            process.wait()
            atexit.unregister(process.kill)
            said.seek(0)
            return (said.read().strip().splitlines() or [f"it ended with {process.returncode}"])[-1]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _heard(making: Making, line: str) -> None:
    share, _, doing = line.strip().partition(" ")
    try:
        making.share, making.doing = float(share), doing
    except ValueError:
        return  # a library's own words


def write_job(place: Path, embeddings: Embeddings, settings: MapSettings) -> None:
    """Write to a folder what the process needs of embeddings; what stays on disk stays there."""
    job = {"settings": as_record(settings), "stamp": embeddings.stamp}
    for name in VECTORS:
        vectors = getattr(embeddings, name)
        if isinstance(vectors, StoredRows):
            job[name], vectors = vectors.told(), vectors.rows
        if vectors is not None:
            np.save(place / f"{name}.npy", vectors, allow_pickle=False)
    for name in TEXTS:
        texts = getattr(embeddings, name)
        if isinstance(texts, np.ndarray):
            job[name] = list(texts)
        else:
            write_column(place / f"{name}.arrow", texts)
    write_json(place / "job.json", job)


def read_job(place: Path) -> tuple[Embeddings, MapSettings]:
    """Return what `write_job` wrote, for as long as its folder is there."""
    job, parts = read_json(place / "job.json"), {}
    for name in VECTORS:
        file = place / f"{name}.npy"
        held = np.load(file, allow_pickle=False) if file.exists() else None
        parts[name] = StoredRows.of(job[name], held) if name in job else held
    for name in TEXTS:
        file = place / f"{name}.arrow"
        parts[name] = as_objects(job[name]) if name in job else read_column(file)
    failed = pd.DataFrame(columns=["id", "path", "reason"])
    stamp = job["stamp"]
    embeddings = Embeddings(folder=place, manifest={}, failed=failed, stamp=stamp, **parts)
    return embeddings, MapSettings(**job["settings"])


def main(place: Path) -> None:
    """Make the map that a folder asks for, saying on stdout how far it is."""
    embeddings, settings = read_job(place)
    shutil.rmtree(place, ignore_errors=True)  # whatever becomes of who asked

    def tell(share: float, doing: str) -> None:
        print(f"{share:.3f} {doing}", flush=True)

    try:
        kept_map(embeddings, settings, tell)
    except (ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    stand_back()
    main(Path(sys.argv[1]))
