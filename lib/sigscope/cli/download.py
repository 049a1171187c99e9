"""The command `download`: a list of URLs becomes a folder of pictures."""

from pathlib import Path
from typing import Annotated, Literal

import typer

EPILOG = """Examples:

    sigscope download sbu:~/sbu --first 1000
    sigscope download urls.csv --into ~/pictures --max-side 256
    sigscope download urls.csv --retry-failed time-out

Stopped or killed, the same command goes on where it was. What became of each URL is in the
folder's .parquet files, column error_message.
"""


def download(
    source: Annotated[
        str,
        typer.Argument(help="sbu:/path, or a .csv, .tsv, .parquet (url, caption) or .txt of URLs."),
    ],
    into: Annotated[
        Path | None, typer.Option(help="The folder for the pictures. Left out: one in the cache.")
    ] = None,
    first: Annotated[int | None, typer.Option(min=1, help="Only so many rows.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="URLs at once.")] = 32,
    per_host: Annotated[int, typer.Option(min=1, help="Requests at once per server.")] = 8,
    max_side: Annotated[int, typer.Option(min=1, help="Pixels a side at most.")] = 512,
    format: Annotated[
        Literal["jpg", "webp", "original"], typer.Option(help="How to store pictures.")
    ] = "jpg",
    retry_failed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REASON",
            help='Ask again for rows that failed for a reason such as "time-out", or for "all"; '
            "may be repeated.",
        ),
    ] = None,
    allow_network: Annotated[
        list[str] | None,
        typer.Option(metavar="NET", help="A private network that may be asked, as 192.168.1.0/24."),
    ] = None,
    ignore_opt_out: Annotated[
        bool, typer.Option("--ignore-opt-out", help="Take pictures whose server says noai too.")
    ] = False,
    contact: Annotated[str, typer.Option(help="An address to name in the User-Agent.")] = "",
) -> None:
    """Download the pictures of a list of URLs, such as SBU's."""
    from sigscope.datasets.load import open_list
    from sigscope.downloads.limits import REASONS, Limits
    from sigscope.downloads.lists import default_folder
    from sigscope.downloads.pictures import Saving
    from sigscope.downloads.records import summary
    from sigscope.downloads.run import Effort
    from sigscope.downloads.run import download as run

    folder = into.expanduser() if into else default_folder(source)
    retry = REASONS if "all" in (retry_failed or []) else retry_failed or ()
    print(f"The pictures go to {folder}.", flush=True)
    table = run(
        open_list(source),
        folder,
        limits=Limits(
            allowed=tuple(allow_network or ()), opt_out=not ignore_opt_out, contact=contact
        ),
        saving=Saving(None if format == "original" else max_side, format),
        effort=Effort(workers, per_host),
        first=first,
        retry=retry,
        progress=True,
    )
    print(summary(table))
