"""The commands that serve and execute: `run`, `explorer` and `notebooks`."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Annotated, Any

import typer

from sigscope import paths
from sigscope.claims import is_shipped
from sigscope.cli import launch
from sigscope.cli.options import Model, Pictures, Port, Store
from sigscope.files import slug

EPILOG = """Examples:

    sigscope run
    sigscope run --pictures ~/Photos --port 8502
    SIGSCOPE_MODEL=google/siglip-base-patch16-224 sigscope run
"""


def run(
    port: Port = "8501",
    pictures: Pictures = "",
    model: Model = "",
    once: Annotated[bool, typer.Option("--once", help="End once the notebooks have run.")] = False,
) -> None:
    """Start the explorer, execute the notebooks, and go on serving until Ctrl-C.

    With pictures of one's own only the explorer is started: `sigscope notebooks --pictures` runs
    the notebooks on them.
    """
    work, number = _no_notebooks if pictures else _notebooks_once, launch.port_from(port)
    if _serves_already(number, pictures):
        raise typer.Exit(work())
    with _serving(number, at_once=not once) as process:
        status = work()
        if once:
            launch.check_alive(process, number)
        else:
            print(f"The explorer keeps serving at {launch.url(number)}; Ctrl-C ends it.")
            _keep(process, number)
    raise typer.Exit(status)


def explorer(
    port: Port = "8501", pictures: Pictures = "", model: Model = "", store: Store = ""
) -> None:
    """Start the explorer and serve until Ctrl-C."""
    number = launch.port_from(port)
    if _serves_already(number, pictures):
        return
    with _serving(number, at_once=True) as process:
        print("Ctrl-C ends it.", flush=True)
        _keep(process, number)


def notebooks(pictures: Pictures = "", model: Model = "") -> None:
    """Execute every notebook in place, so that what they print is what is committed.

    With other pictures or another model, and where sigscope is installed without a checkout, their
    output goes to the cache instead. Cells that need captions, a test split or categories say so.
    """
    from sigscope.cli import notebooks as books

    if pictures or not is_shipped():
        from sigscope.models.checkpoints import called

        into = paths.CACHE / "notebooks" / slug(f"{Path(pictures).name or 'gallery'}-{called()}")
        _make_searchable()
        status = _execute(books.found(), lambda path, _, tell: books.run_into(path, into, tell))
        print(f"Their output is in {os.path.relpath(into)}.", flush=True)
        raise typer.Exit(status)
    if paths.IS_INSTALLED:
        raise typer.Exit(_notebooks_once())
    raise typer.Exit(_execute(books.found(), lambda path, _, tell: books.run_in_place(path, tell)))


@contextmanager
def _serving(port: int, *, at_once: bool) -> Iterator[subprocess.Popen]:
    """Serve the explorer for as long as the block lasts.

    Pictures of one's own become searchable while it serves if at_once, else before.
    """
    launch.check_port(port)
    from sigscope.models.checkpoints import small_model_note

    if said := small_model_note():
        print(said, flush=True)
    start = perf_counter()
    if not (at_once and _are_listed()):
        _make_searchable()
    with launch.explorer(port) as process:
        launch.wait(process, port)
        seconds = perf_counter() - start
        print(f"The explorer is at {launch.url(port)} (after {seconds:.0f} s).", flush=True)
        yield process


def _serves_already(port: int, pictures: str) -> bool:
    """Return whether the explorer of this checkout shows the same pictures there already."""
    if not launch.is_ours(port):
        return False
    if not launch.is_showing(port):
        raise launch.LaunchError(
            f"The explorer at {launch.url(port)} shows other pictures; end it with Ctrl-C where it "
            f"runs, or choose another port, as in PORT={launch.free_port(port + 1)}."
        )
    print(f"The explorer of this checkout serves at {launch.url(port)} already.")
    if pictures:
        print("It notices by itself which pictures are added, changed or gone.")
    return True


def _are_listed() -> bool:
    """Return whether pictures of one's own are to be shown, once it is seen that there are some."""
    named = os.environ.get("SIGSCOPE_GALLERY")
    if not named:
        return False
    from sigscope.datasets.load import load_gallery
    from sigscope.gallery.walk import count_of

    gallery = load_gallery(named, progress=True)
    there = count_of(len(gallery), "picture")
    print(f"{gallery.name}: {there}; what is not searchable yet becomes so while the explorer "
          "serves.", flush=True)  # fmt: skip
    return True


def _make_searchable() -> None:
    """Embed the gallery first, in a process of its own, so far as it is not embedded yet.

    For the shipped gallery a look at names will do: the explorer checks what it loads, and embeds
    again what is stale.
    """
    if not os.environ.get("SIGSCOPE_GALLERY"):
        from sigscope.models.checkpoints import called

        name = slug(f"{paths.GALLERY.name}-{called()}")
        stores = [paths.SHIPPED / name, *(paths.CACHE / "embeddings").glob(f"{name}-*")]
        if any((store / "manifest.json").exists() for store in stores):
            return
    status = subprocess.call([sys.executable, "-m", "sigscope", "embed"])
    if status:  # it has said why
        raise typer.Exit(status)


def _keep(process: subprocess.Popen, port: int) -> None:
    """Serve until Ctrl-C."""
    sys.stdout.flush()
    try:
        while True:
            launch.check_alive(process, port)
            sleep(0.5)
    except KeyboardInterrupt:
        print("\nThe explorer has stopped.")


def _notebooks_once() -> int:
    """Execute the notebooks that have changed into the cache; the committed ones stay as they are.

    Returns:
        The exit status: 0 when all went well.
    """
    from sigscope.cli import notebooks as books

    into = paths.CACHE / "notebooks"
    status = _execute(books.found(), lambda *job: books.run_once(job[0], into, *job[1:]))
    if books.found():
        print(f"Their output is in {os.path.relpath(into)}.", flush=True)
    return status


def _no_notebooks() -> int:
    print("'make notebooks PICTURES=…' runs the notebooks on these pictures, too.")
    return 0


def _execute(listed: list[Path], one: Callable) -> int:
    """Execute notebooks one by one with visible progress, the next one even if one fails."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    from sigscope.cli import notebooks as books

    if not listed:
        print("There are no notebooks to run.")
    failures = 0
    parts = ["{task.description}", BarColumn(), MofNCompleteColumn(), "cells", TimeElapsedColumn()]
    with Progress(*parts, disable=not sys.stdout.isatty(), transient=True) as bars:
        for path, key in zip(listed, books.keys(listed), strict=True):
            task = bars.add_task(path.name)
            outcome = one(path, key, partial(_tell, bars, task))
            bars.remove_task(task)
            failures += bool(outcome.error)
            print(outcome.sentence(), flush=True)
    if failures:
        print(f"{failures} of {len(listed)} notebooks stopped; see above.", file=sys.stderr)
    return int(failures > 0)


def _tell(bars: Any, task: Any, name: str, done: int, total: int, seconds: float) -> None:
    """Redraw one notebook's bar on a terminal; elsewhere say only that it begins."""
    bars.update(task, completed=done, total=total)
    if bars.disable and seconds < 0.1:
        print(f"{name}: {total} cells ...", flush=True)
