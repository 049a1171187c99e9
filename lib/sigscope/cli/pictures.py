"""The commands for a folder of one's own: `embed` it, look for `duplicates`, make a `map`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sigscope.cli.options import Address, AsJson, Engine, Model, Pictures
from sigscope.cli.output import print_table, shows_bars

SOME_FOUND = 3
EMBED = """Examples:

    sigscope embed --pictures ~/Photos
    sigscope embed --pictures coco:~/coco --engine ray
    sigscope embed --pictures ~/webdataset-shards --engine ray
    sigscope embed --pictures urls:~/table.parquet --engine ray
    SIGSCOPE_CACHE=/nfs/cache sigscope embed --pictures /nfs/photos --engine ray --address auto

The last one runs on a Ray cluster; `ray start` says how to make one.
"""
DUPLICATES = """Examples:

    sigscope duplicates --pictures ~/Photos
    sigscope duplicates --pictures ~/Photos --same-files --json
    sigscope duplicates --pictures coco:~/coco --exit-code || echo "not clean"

Of each group one picture is kept: the one with the most pixels. No file is changed or removed.
"""
MAP = """Examples:

    sigscope map
    sigscope map --pictures ~/Photos --html map.html --colour-by cluster

The page is one file, and asks nothing of the network.
"""


def embed(
    pictures: Pictures = "", model: Model = "", engine: Engine = "local", address: Address = ""
) -> None:
    """Make pictures searchable: their vectors are in the cache when this ends.

    Stopped or killed, the same command goes on where it was.
    """
    from sigscope.cli.embed import make_searchable

    for sentence in make_searchable(pictures or None):
        print(sentence, flush=True)


def duplicates(
    pictures: Pictures = "",
    same_files: Annotated[
        bool, typer.Option(help="Look for equal files alone, which decodes none and is quick.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help=f"End with status {SOME_FOUND} if there are any.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List pictures that are there more than once, as the same file or as a near copy."""
    from sigscope.datasets.load import load_gallery
    from sigscope.duplicates.find import find_duplicates

    gallery = load_gallery(pictures or None, progress=shows_bars())
    found = find_duplicates(gallery, near=not same_files, progress=shows_bars())
    print_table(found, as_json=as_json)
    across = found["across_splits"].sum()
    said = f"{len(found):,} of {len(gallery):,} pictures need not be kept"
    print(f"{said}; {across:,} of these have their twin in another split.", file=sys.stderr)
    if exit_code and len(found):
        raise typer.Exit(SOME_FOUND)


def map_of(
    pictures: Pictures = "",
    html: Annotated[Path, typer.Option(metavar="FILE", help="The page to write.")] = Path(
        "map.html"
    ),
    colour_by: Annotated[str, typer.Option(help="category, cluster, split or trust.")] = "category",
    model: Model = "",
) -> None:
    """Lay pictures out by likeness, and write the map as an interactive page."""
    from sigscope.datasets.load import load_gallery
    from sigscope.embeddings.embed import open_embeddings
    from sigscope.figures.maps import map_figure
    from sigscope.files import atomic_write
    from sigscope.gallery.walk import count_of
    from sigscope.maps.projection import open_map
    from sigscope.models.encoder import Encoder
    from sigscope.search.targets import check_readable

    gallery = load_gallery(pictures or None, progress=shows_bars())
    embeddings = open_embeddings(gallery, Encoder.load(), progress=True)
    check_readable(gallery, embeddings)
    made = open_map(embeddings, progress=shows_bars())
    figure = map_figure(made.table(gallery.items), colour_by, title=colour_by)
    page = html.expanduser()
    with atomic_write(page) as part:
        figure.write_html(part, include_plotlyjs=True)
    points = f"{count_of(len(made), 'point')} {'is' if len(made) == 1 else 'are'}"
    print(f"{points} in {os.path.relpath(page)}; open it in a browser.")
    if made.rows is not None:
        print(made.settings["note"])
