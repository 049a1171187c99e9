"""The commands behind make: run, explorer, notebooks, report, embed, download, clean."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep

from sigscope import paths
from sigscope.cli import download, launch
from sigscope.files import slug
from sigscope.models import checkpoints

INTERRUPTED = 130
BAR = 24


def run(options: argparse.Namespace) -> int:
    """Start the explorer, execute the notebooks, and go on serving until Ctrl-C.

    With pictures of one's own only the explorer is started: the notebooks are about the gallery
    that is shipped.
    """
    work = _no_notebooks if options.pictures else _notebooks_once
    if _serves_already(options):
        return work()
    with _serving(options.port) as process:
        status = work()
        if options.once:
            launch.check_alive(process, options.port)
        else:
            print(f"The explorer keeps serving at {launch.url(options.port)}; Ctrl-C ends it.")
            _keep(process, options.port)
    return status


def explorer(options: argparse.Namespace) -> int:
    """Start the explorer and serve until Ctrl-C."""
    if _serves_already(options):
        return 0
    with _serving(options.port) as process:
        print("Ctrl-C ends it.", flush=True)
        _keep(process, options.port)
    return 0


def notebooks(options: argparse.Namespace) -> int:
    """Execute every notebook in place, so that what they print is what is committed."""
    from sigscope.cli import notebooks as books

    return _execute(books.found(), lambda path, _, tell: books.run_in_place(path, tell))


def report(options: argparse.Namespace) -> int:
    """Write all notebooks as one site of static pages, with their output as last executed."""
    from sigscope.cli.site import write_site

    first = write_site(Path(options.into), progress=True)
    print(f"Open {os.path.relpath(first)} in a browser.")
    return 0


def embed(options: argparse.Namespace) -> int:
    """Make the gallery searchable: its embeddings are there when this ends."""
    from sigscope.cli.embed import make_searchable

    for sentence in make_searchable(os.environ.get("SIGSCOPE_GALLERY")):
        print(sentence, flush=True)
    return 0


def clean(options: argparse.Namespace) -> int:
    """Remove embeddings and inventories from the cache that nobody has used for long."""
    from sigscope import cache

    found = cache.unused(options.days)
    for thing in found:
        cache.remove(thing)
        print(f"{os.path.relpath(thing.path)}: {thing.size / 1e6:,.1f} MB, {thing.days:.0f} days.")
    freed = sum(thing.size for thing in found) / 1e6
    print(f"{len(found)} unused for over {options.days:g} days were removed, {freed:,.1f} MB.")
    return 0


@contextmanager
def _serving(port: int) -> Iterator[subprocess.Popen]:
    """Serve the explorer for as long as the block lasts, once its gallery is searchable."""
    launch.check_port(port)
    start = perf_counter()
    _make_searchable()
    with launch.explorer(port) as process:
        launch.wait(process, port)
        seconds = perf_counter() - start
        print(f"The explorer is at {launch.url(port)} (after {seconds:.0f} s).", flush=True)
        yield process


def _serves_already(options: argparse.Namespace) -> bool:
    """Return whether the explorer of this checkout shows the same pictures there already."""
    port = options.port
    if not launch.is_ours(port):
        return False
    if not launch.is_showing(port):
        raise launch.LaunchError(
            f"The explorer at {launch.url(port)} shows other pictures; end it with Ctrl-C where it "
            f"runs, or choose another port, as in PORT={launch.free_port(port + 1)}."
        )
    print(f"The explorer of this checkout serves at {launch.url(port)} already.")
    if options.pictures:
        print("Pictures added or changed since are found once it is started again.")
    return True


def _make_searchable() -> None:
    """Embed the gallery first, in a process of its own, so far as it is not embedded yet.

    For the shipped gallery a look at names will do: the explorer checks what it loads, and embeds
    again what is stale.
    """
    if not os.environ.get("SIGSCOPE_GALLERY"):
        model = checkpoints.named(None)
        model = Path(model).resolve().name if Path(model).is_dir() else str(model)
        name = slug(f"{paths.GALLERY.name}-{model}")
        stores = [paths.SHIPPED / name, *(paths.CACHE / "embeddings").glob(f"{name}-*")]
        if any((store / "manifest.json").exists() for store in stores):
            return
    status = subprocess.call([sys.executable, "-m", "sigscope", "embed"])
    if status:  # it has said why
        raise SystemExit(status)


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
    print("The notebooks are about the shipped gallery; 'make run' without PICTURES runs them.")
    return 0


def _execute(listed: list[Path], one: Callable) -> int:
    """Execute notebooks one by one with visible progress, the next one even if one fails."""
    from sigscope.cli import notebooks as books

    if not listed:
        print("There are no notebooks to run.")
    failures = 0
    for path, key in zip(listed, books.keys(listed), strict=True):
        outcome = one(path, key, _tell)
        failures += bool(outcome.error)
        _tell_end(outcome)
    if failures:
        print(f"{failures} of {len(listed)} notebooks stopped; see above.", file=sys.stderr)
    return int(failures > 0)


def _tell(name: str, done: int, total: int, seconds: float) -> None:
    """Redraw one notebook's bar on a terminal; elsewhere say only that it begins."""
    if sys.stdout.isatty():
        full = BAR * done // max(total, 1)
        bar = "█" * full + "░" * (BAR - full)
        line = f"{name}  {bar}  {done}/{total} cells, {seconds:.0f} s"
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\033[K{line[:width]}", end="", flush=True)
    elif seconds < 0.1:
        print(f"{name}: {total} cells ...", flush=True)


def _tell_end(outcome) -> None:
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if outcome.error:
        print(outcome.error, flush=True)
    elif outcome.was_done:
        print(f"{outcome.name}: nothing has changed since it was run.", flush=True)
    else:
        print(f"{outcome.name}: {outcome.cells} cells in {outcome.seconds:.0f} s.", flush=True)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sigscope", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for command, add_arguments in COMMANDS.items():
        words = command.__doc__.splitlines()[0]
        one = commands.add_parser(command.__name__, help=words, description=words)
        one.set_defaults(command=command)
        add_arguments(one)
    return parser.parse_args(arguments)


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    _explorer_arguments(parser)
    parser.add_argument("--once", action="store_true", help="end once the notebooks have run")


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    into = paths.CACHE / "report"
    parser.add_argument("--into", default=into, help="the folder to write to (data/cache/report)")


def _explorer_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", default="8501", help="where to serve (8501)")
    _pictures_argument(parser)


def _pictures_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pictures",
        default="",
        metavar="FOLDER",
        help="show these: a folder, a zip, a table, or name:/path for a data set; none is changed",
    )


def _clean_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=float, default=30, help="unused for longer than this (30)")


COMMANDS: dict[Callable[[argparse.Namespace], int], Callable] = {  # -> what adds its options
    run: _run_arguments,
    explorer: _explorer_arguments,
    notebooks: lambda parser: None,
    report: _report_arguments,
    embed: _pictures_argument,
    download.download: download.add_arguments,
    clean: _clean_arguments,
}


def _sentence(error: Exception) -> str:
    """Return what went wrong as a sentence, for an error whose message is not one already."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.strerror}: {error.filename or paths.ROOT}; make room or change its rights."
    return str(error)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the cores alone
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _options(arguments)
    try:
        if "port" in options:
            options.port = launch.port_from(options.port)
        if getattr(options, "pictures", ""):
            os.environ["SIGSCOPE_GALLERY"] = options.pictures
        return options.command(options)
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on where it was.", file=sys.stderr)
        return INTERRUPTED
    except (OSError, RuntimeError, ValueError) as error:  # ours are sentences already
        print(_sentence(error), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
