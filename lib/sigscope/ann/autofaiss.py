"""AutoFaiss, in an environment of its own: its pins (numpy < 2) clash with ours.

``make autofaiss`` builds the environment. Vectors go there as an ``.npy`` file and an index comes
back as a Faiss file, with the search-time settings that AutoFaiss tuned inside it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from sigscope import paths
from sigscope.files import read_json, write_json
from sigscope.indexes.faiss_backend import FaissIndex
from sigscope.indexes.files import vectors_fingerprint
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import IndexSpec

ENVIRONMENT = paths.ROOT / ".venv-autofaiss"
WORKER = Path(__file__).with_name("autofaiss_worker.py")
PINS = (
    "autofaiss==2.18.0",
    "embedding-reader==1.8.1",
    "faiss-cpu==1.13.2",  # AutoFaiss calls OPQMatrix in a way that 1.15 refuses; we read its files
    "fire==0.6.0",
    "fsspec==2026.9.0",
    "numpy==1.26.4",
    "pandas==2.3.3",
    "pyarrow==18.1.0",  # the newer ones need numpy 2
)
PYTHONS = ((3, 11), (3, 12))  # that these pins have wheels for
DEFAULT_BYTES = 16 * 1024**3  # AutoFaiss's own, and so are the 10 ms and 20 neighbours below
MISSING = (
    "AutoFaiss is not installed: run 'make autofaiss', which builds its own environment "
    "(.venv-autofaiss, about 430 MB) beside this one"
)


class AutofaissError(RuntimeError):
    """AutoFaiss could not be installed or run; the message is a sentence for a person."""


class AutofaissMissing(AutofaissError):
    """The environment of AutoFaiss is not there, or only half; the message says how to build it."""


@dataclass(frozen=True)
class AutoFaiss:
    """AutoFaiss as an entry of ``measure.sweep``: it chooses an index by itself and tunes it.

    Its rules, as read in its 2.18.0: under 1,000 vectors flat, under 10,000 HNSW15 whatever the
    memory budget; above, HNSW if the budget allows it, else IVF, else OPQ + IVF + PQ. The knob is
    then turned as high as the time budget allows, which it measures with 40 neighbours on rows of
    the index itself.
    """

    memory: float | None = None  # bytes per vector of the index; None is AutoFaiss's own 16 GiB
    latency: float = 10.0  # ms of a single query
    neighbours: int = 20  # that a query must return, before its time counts
    threads: int = 1
    environment: Path = ENVIRONMENT
    name: str = "autofaiss"

    def build(self, xb: np.ndarray, ids: Sequence[str]) -> VectorIndex:
        """Return the index that AutoFaiss makes of xb, unit rows, float32, shape (n, d).

        It searches as AutoFaiss set it; ``spec.label`` names its settings, such as "efSearch=120",
        and ``build_s`` holds reading, training, adding and tuning, which are one there.

        Raises:
            AutofaissMissing: its environment is not there.
            AutofaissError: it gave up.
        """
        if not is_ready(self.environment):
            raise AutofaissMissing(MISSING)
        if xb.dtype != np.float32 or xb.ndim != 2 or len(ids) != len(xb):
            raise ValueError(
                f"AutoFaiss needs float32 vectors (n, d) and n ids, not {xb.dtype} {xb.shape} "
                f"and {len(ids)} ids"
            )
        budget = DEFAULT_BYTES if self.memory is None else round(self.memory * len(xb))
        settings = {
            "memory_bytes": budget,
            "ms": self.latency,
            "k": self.neighbours,
            "threads": self.threads,
        }
        with tempfile.TemporaryDirectory(prefix="sigscope-autofaiss-") as name:
            folder = Path(name)
            (folder / "vectors").mkdir()
            np.save(folder / "vectors" / "vectors.npy", xb)
            _run_worker(self.environment, folder, settings)
            index = faiss.read_index(str(folder / "knn.index"))
            about = read_json(folder / "knn.json")
        if (index.ntotal, index.d) != xb.shape:
            raise AutofaissError(
                f"AutoFaiss returned {index.ntotal:,} rows of {index.d} for vectors {xb.shape}"
            )
        key, tuned = about["index_key"], about["index_param"]
        spec = IndexSpec(
            key, "ip", label=f"AutoFaiss: {key}, {tuned}"
        )  # its knob is turned already
        ids = np.array([str(id) for id in ids], dtype=object)
        made_of = vectors_fingerprint(xb), about["build_s"], index.d
        return VectorIndex(self.name, spec, FaissIndex(index, spec), ids, *made_of)


def is_ready(environment: Path = ENVIRONMENT) -> bool:
    """Tell whether the environment was installed to the end, with today's pins."""
    try:
        return read_json(environment / "sigscope.json") == list(PINS) and bool(_python(environment))
    except (OSError, ValueError):
        return False


def make_environment(environment: Path = ENVIRONMENT) -> None:
    """Install AutoFaiss with its pins into environment, unless it is there.

    Raises:
        AutofaissError: there is no Python for it, or pip stopped; the sentence says why.
    """
    if is_ready(environment):
        return
    log = paths.CACHE / "autofaiss.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    commands = (
        [_base_python(), "-m", "venv", "--clear", str(environment)],
        [str(environment / "bin" / "python"), "-m", "pip", "install", *PINS],
    )
    with log.open("w", encoding="utf-8") as file:
        for command in commands:
            done = subprocess.run(
                command, stdout=file, stderr=subprocess.STDOUT, env=_pip_settings()
            )
            if done.returncode:
                last = [line for line in log.read_text(errors="replace").splitlines() if line]
                raise AutofaissError(
                    f"AutoFaiss could not be installed ({last[-1].strip() if last else command}); "
                    f"connect this machine and run 'make autofaiss' again. All of it is in {log}"
                )
    (environment / ".gitignore").write_text("*\n")
    write_json(environment / "sigscope.json", list(PINS))


def _run_worker(environment: Path, folder: Path, settings: dict) -> None:
    command = [_python(environment), str(WORKER), str(folder), json.dumps(settings)]
    threads = str(settings["threads"])
    alone = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": ""}
    done = subprocess.run(
        command, env={**os.environ, **alone}, capture_output=True, text=True, errors="replace"
    )
    if done.returncode or not (folder / "knn.json").exists():
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise AutofaissError(f"AutoFaiss stopped: {said[-1].strip() if said else 'without a word'}")


def _python(environment: Path) -> str:
    """Return the Python of an environment, or an empty string."""
    python = environment / "bin" / "python"
    return str(python) if python.exists() else ""


def _base_python() -> str:
    """Return a Python that the pins have wheels for: the one here, or one on the PATH."""
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    names = ["python{}.{}".format(*version) for version in PYTHONS]
    found = [path for path in map(shutil.which, names) if path]
    if not found:
        raise AutofaissError(
            f"AutoFaiss needs {' or '.join(names)}, as numpy 1.26 has no wheels for newer ones: "
            "put one on the PATH and run 'make autofaiss' again"
        )
    return found[0]


def _pip_settings() -> dict[str, str]:
    ours = {"PIP_RETRIES": "2", "PIP_DEFAULT_TIMEOUT": "20"}
    forced = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    return {**ours, **os.environ, **forced}


if __name__ == "__main__":
    try:
        make_environment()
    except AutofaissError as reason:
        sys.exit(str(reason))
