"""Notebooks executed in order, each in a fresh kernel, and only when something has changed.

What a notebook's outcome depends on is one hash: its own cells, the code of the notebooks before
it (they hand over through files), the package, the gallery, the model and what is installed.
"""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from time import perf_counter

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from sigscope import paths
from sigscope.claims import is_shipped
from sigscope.cli.notebook_needs import NOT_RUN, SKIP, excuse, is_enough, mark_skipped, unmet
from sigscope.datasets.load import load_gallery
from sigscope.files import atomic_write, read_json, sha256, write_json
from sigscope.models import checkpoints

CELL_S = 600  # how long one cell may take
TICK_S = 0.2

Tell = Callable[[str, int, int, float], None]  # name, cells done, cells in all, seconds


@dataclass(frozen=True)
class NotebookOutcome:
    """What became of one notebook; error is a sentence, or nothing when all went well."""

    name: str
    cells: int
    seconds: float
    error: str = ""
    was_done: bool = False
    left_out: str = ""  # how many cells were not run, and why, in words

    def sentence(self) -> str:
        """Return it in words."""
        if self.error:
            return self.error
        if self.was_done:
            return f"{self.name}: nothing has changed since it was run."
        left_out = f"; {self.left_out}" if self.left_out else ""
        return f"{self.name}: {self.cells} cells in {self.seconds:.0f} s{left_out}."


def found(folder: Path = paths.NOTEBOOKS) -> list[Path]:
    """Return the notebooks of a folder in their order."""
    return sorted(folder.glob("[0-9]*.ipynb"))


def keys(notebooks: Iterable[Path]) -> list[str]:
    """Return for each notebook, given in order, the hash that its outcome depends on."""
    surroundings, code_before, found_keys = _surroundings(), "", []
    for path in notebooks:
        cells = nbformat.read(path, as_version=4).cells
        text = "\0".join(f"{cell.cell_type}\0{cell.source}" for cell in cells)
        found_keys.append(_digest(surroundings, code_before, path.name, text))
        code_before += "\0".join(cell.source for cell in cells if cell.cell_type == "code")
    return found_keys


def run_once(path: Path, into: Path, key: str, tell: Tell) -> NotebookOutcome:
    """Execute a notebook into a folder, unless what lies there was made under the same key."""
    executed, stamp = into / path.name, into / f"{path.stem}.json"
    if executed.exists() and _key_in(stamp) == key:
        return NotebookOutcome(
            path.name, len(_code(nbformat.read(executed, 4))), 0.0, was_done=True
        )
    stamp.unlink(missing_ok=True)
    notebook = nbformat.read(path, as_version=4)
    outcome = execute(notebook, path, tell)
    _write(notebook, executed)
    if not outcome.error:
        write_json(stamp, {"key": key})
    return outcome


def run_in_place(path: Path, tell: Tell) -> NotebookOutcome:
    """Execute a notebook and keep its output in it; one that fails stays as it was."""
    return run_into(path, path.parent, tell)


def run_into(path: Path, folder: Path, tell: Tell) -> NotebookOutcome:
    """Execute a notebook, and write it into a folder if nothing fails."""
    notebook = nbformat.read(path, as_version=4)
    outcome = execute(notebook, path, tell)
    if not outcome.error:
        _write(notebook, folder / path.name)
    return outcome


def execute(notebook: nbformat.NotebookNode, path: Path, tell: Tell) -> NotebookOutcome:
    """Execute notebook, which is changed in place, from the folder of path.

    On a gallery of too few pictures a cell that fails says so, and the next one runs all the same.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_S,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    for cell in _code(notebook):  # what an earlier run left says nothing of how far this one got
        cell.execution_count, cell.outputs = None, []
    gallery = load_gallery()
    mark_skipped(_code(notebook), unmet(gallery))
    client.allow_errors = not (is_shipped() or is_enough(gallery))
    total = sum(SKIP not in cell.metadata.get("tags", []) for cell in _code(notebook))
    left_out = _left_out(notebook)
    start, done, problem = perf_counter(), [0], []
    client.on_cell_executed = lambda **_: done.__setitem__(0, done[0] + 1)
    worker = threading.Thread(target=lambda: problem.append(_problem(client)), daemon=True)
    worker.start()
    try:
        while worker.is_alive():
            tell(path.name, done[0], total, perf_counter() - start)
            worker.join(TICK_S)
    except BaseException:
        _kill(client)
        worker.join(10)
        raise
    if client.allow_errors:
        excuse(_code(notebook))
    error = f"{path.name} stopped {problem[0]}" if problem[0] else ""
    return NotebookOutcome(path.name, total, perf_counter() - start, error, left_out=left_out)


def _left_out(notebook: nbformat.NotebookNode) -> str:
    skipped = [cell for cell in _code(notebook) if SKIP in cell.metadata.get("tags", [])]
    said = dict.fromkeys(cell.outputs[0].text.strip().rstrip(".") for cell in skipped)
    reasons = "; ".join(text.removeprefix(f"{NOT_RUN} it needs ") for text in said)
    return f"{len(skipped)} were not run, for want of {reasons}" if skipped else ""


def _problem(client: NotebookClient) -> str:
    """Execute; return where and why it stopped, or nothing."""
    try:
        client.execute(env=_kernel_environment(), stderr=subprocess.DEVNULL)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return f"at code cell {_reached(client.nb)}: {_reason(error)}"
    except Exception as error:
        return f"before its first cell: {type(error).__name__}: {error}"
    return ""


def _reached(notebook: nbformat.NotebookNode) -> int:
    """Return the number, from 1, of the code cell that ran last."""
    ran = [
        number
        for number, cell in enumerate(_code(notebook), 1)
        if (cell.execution_count or cell.outputs) and SKIP not in cell.metadata.get("tags", [])
    ]
    return max(ran, default=1)


def _reason(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        said = str(error.evalue).strip().splitlines()
        return f"{error.ename}: {said[0]}" if said else str(error.ename)
    if isinstance(error, CellTimeoutError):
        return f"it took longer than {CELL_S} s"
    return "its kernel died, perhaps for want of memory"


def _kernel_environment() -> dict[str, str]:
    return {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def _kill(client: NotebookClient) -> None:
    """End the kernel and whatever it has started; its client then ends by itself."""
    provisioner = getattr(client.km, "provisioner", None)
    process = getattr(provisioner, "pid", None)
    with suppress(OSError):
        if process:
            os.killpg(process, signal.SIGKILL)


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def _write(notebook: nbformat.NotebookNode, path: Path) -> None:
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if SKIP in cell.metadata.get("tags", []):
            cell.metadata["tags"].remove(SKIP)
    with atomic_write(path) as part:
        nbformat.write(notebook, part)


def _key_in(stamp: Path) -> str:
    try:
        return read_json(stamp)["key"]
    except (OSError, ValueError, KeyError):
        return ""


def _surroundings() -> str:
    """Return one hash for all that every notebook reads, other than the one before it."""
    package = Path(__file__).parents[1]
    read = [path for path in sorted(package.glob("*/*.py")) if path.parent.name != "cli"]
    read += [package / "cli" / "embed.py", *sorted(paths.GALLERY.glob("metadata.*"))]
    read += sorted(paths.DATA.glob("how_*.json"))
    model = checkpoints.named(None)
    read += sorted(Path(model).glob("*.*")) if Path(model).is_dir() else []
    installed = sorted(f"{one.name} {one.version}" for one in distributions())
    files = (f"{path.name} {sha256(path)}" for path in read)
    return _digest(sys.version, str(model), *installed, *files)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
