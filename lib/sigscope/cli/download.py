"""The command `python -m sigscope download`: a list of URLs becomes a folder of pictures."""

import argparse
from pathlib import Path

from sigscope.downloads.lists import default_folder

EPILOG = """Stopped or killed, the same command goes on where it was. What became of each URL is in
the folder's .parquet files, column error_message."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.epilog = EPILOG
    parser.add_argument(
        "source", help="sbu:/path, or a .csv, .tsv, .parquet (url, caption) or .txt of URLs"
    )
    parser.add_argument("--into", help="the folder for the pictures (below data/cache/downloads)")
    parser.add_argument("--first", type=int, metavar="N", help="only the first N rows")
    parser.add_argument("--workers", type=int, default=32, help="URLs at once (32)")
    parser.add_argument("--per-host", type=int, default=8, help="requests at once per server (8)")
    parser.add_argument("--max-side", type=int, default=512, help="pixels a side at most (512)")
    parser.add_argument(
        "--format", default="jpg", choices=["jpg", "webp", "original"], help="how to store (jpg)"
    )
    parser.add_argument(
        "--retry-failed",
        nargs="*",
        metavar="REASON",
        help='ask again for rows that failed; all, or those of reasons such as "time-out"',
    )
    parser.add_argument(
        "--allow-network",
        action="append",
        default=[],
        metavar="NET",
        help="a private network that may be asked, as 192.168.1.0/24",
    )
    parser.add_argument(
        "--ignore-opt-out", action="store_true", help="take pictures whose server says noai too"
    )
    parser.add_argument("--contact", default="", help="an address to name in the User-Agent")


def download(options: argparse.Namespace) -> int:
    """Download the pictures of a list of URLs, such as SBU's."""
    from sigscope.datasets.load import open_list
    from sigscope.downloads.limits import REASONS, Limits
    from sigscope.downloads.pictures import Saving
    from sigscope.downloads.records import summary
    from sigscope.downloads.run import Effort
    from sigscope.downloads.run import download as run

    if options.first is not None and options.first < 1:
        raise ValueError(f"--first is {options.first}; give 1 or more")
    original = options.format == "original"
    folder = Path(options.into).expanduser() if options.into else default_folder(options.source)
    limits = Limits(
        allowed=tuple(options.allow_network),
        opt_out=not options.ignore_opt_out,
        contact=options.contact,
    )
    print(f"The pictures go to {folder}.", flush=True)
    table = run(
        open_list(options.source),
        folder,
        limits=limits,
        saving=Saving(None if original else options.max_side, options.format),
        effort=Effort(options.workers, options.per_host),
        first=options.first,
        retry=REASONS if options.retry_failed == [] else options.retry_failed or (),
        progress=True,
    )
    print(summary(table))
    return 0
