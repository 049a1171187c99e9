"""The command line: `sigscope`, or `python -m sigscope`."""

import os
import re
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sigscope import paths
from sigscope.cli import download, measure, models, pictures, run, search
from sigscope.files import atomic_write

FAILED, INTERRUPTED = 1, 130
HELP = (
    "Find pictures by describing them, and know how far to trust what you find.\n\n"
    "Without --pictures a command is about the gallery that is shipped, and without --model it "
    'takes the small model beside it, so each can be tried at once: sigscope search "a red bus"'
)
EPILOG = (
    "Exit status: 0 all went well; 1 it did not, and one sentence on stderr says why and what to "
    "do; 2 the command was not understood; 130 interrupted.\n\n"
    "sigscope COMMAND --help has examples, and sigscope --install-completion teaches your shell "
    "the commands and options."
)
START, FIND, OWN, KEEP = "Start", "Find and measure", "Pictures of your own", "House-keeping"


class Commands(TyperGroup):
    """The commands; what goes wrong in one is a sentence on stderr and a status, no traceback."""

    def invoke(self, context: Any) -> Any:
        """Run the command that was given."""
        try:
            return super().invoke(context)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            print("\nStopped; the same command goes on where it was.", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            print(_sentence(error), file=sys.stderr)
            raise typer.Exit(FAILED) from None
        except typer.TyperException:  # a command that was not understood
            raise
        except Exception as error:
            print(_fault(error), file=sys.stderr)
            raise typer.Exit(FAILED) from None


def report(
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to. Left out: report in the cache.")
    ] = None,
) -> None:
    """Write all notebooks, as last executed, and the API as one site of static pages."""
    from sigscope.cli.site import write_site

    first = write_site(into and into.expanduser(), progress=True)
    print(f"Open {os.path.relpath(first)} in a browser.")


def clean(
    days: Annotated[float, typer.Option(min=0, help="Unused for longer than this.")] = 30,
) -> None:
    """Remove from the cache what nobody has used for long; all of it can be computed again."""
    from sigscope import cache

    found = cache.unused(days)
    for thing in found:
        cache.remove(thing)
        print(f"{os.path.relpath(thing.path)}: {thing.size / 1e6:,.1f} MB, {thing.days:.0f} days.")
    freed = sum(thing.size for thing in found) / 1e6
    print(f"{len(found)} unused for over {days:g} days were removed, {freed:,.1f} MB.")


app = typer.Typer(
    name="sigscope",
    cls=Commands,
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
app.command(rich_help_panel=START, epilog=run.EPILOG)(run.run)
app.command(rich_help_panel=START)(run.explorer)
app.command(rich_help_panel=START)(run.notebooks)
app.command(rich_help_panel=FIND, epilog=search.EPILOG)(search.search)
app.command(rich_help_panel=FIND, epilog=measure.EVALUATE)(measure.evaluate)
app.command(rich_help_panel=FIND, epilog=measure.COMPARE)(measure.compare)
app.command(rich_help_panel=FIND, epilog=measure.RECOMMEND)(measure.recommend)
app.command("map", rich_help_panel=FIND, epilog=pictures.MAP)(pictures.map_of)
app.command(rich_help_panel=OWN, epilog=pictures.EMBED)(pictures.embed)
app.command(rich_help_panel=OWN, epilog=pictures.DUPLICATES)(pictures.duplicates)
app.command(rich_help_panel=OWN, epilog=download.EPILOG)(download.download)
app.add_typer(models.app, name="models", rich_help_panel=OWN)
app.command(rich_help_panel=KEEP)(report)
app.command(rich_help_panel=KEEP)(clean)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"sigscope {version('sigscope')}")
        raise typer.Exit


@app.callback()
def before(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which it is."),
    ] = False,
) -> None:
    """Prepare the process for any command."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the cores alone
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _fault(error: Exception) -> str:
    """Keep where an error that nobody foresaw came from, and return a sentence about it."""
    file = paths.CACHE / "fault.txt"
    kept = "".join(traceback.format_exception(error))
    try:
        with atomic_write(file) as part:
            part.write_text(kept, encoding="utf-8")
    except OSError:
        return f"This is a fault of sigscope, please report it:\n{kept}"
    return (
        f"This is a fault of sigscope ({type(error).__name__}: {_sentence(error)}); please report "
        f"it with what is in {file}."
    )


def _sentence(error: Exception) -> str:
    """Return what went wrong as a sentence, for an error whose message is not one already."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.strerror}: {error.filename or paths.ROOT}; make room or change its rights."
    if isinstance(error, MemoryError):
        return "There is not enough memory for this; close other programs or take fewer pictures."
    return re.sub(r"\s*\n\s*", " ", str(error))


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    try:
        app(args=arguments, prog_name="sigscope")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
