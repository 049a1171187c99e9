"""Parquet files that hold the pictures themselves, as the Hugging Face hub ships data sets.

The pictures are written to the cache once, as they are, because a gallery's pictures are files.
"""

import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sigscope import paths
from sigscope.files import atomic_folder, digest
from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.columns import (
    CATEGORIES,
    NOT_TAKEN,
    OTHER_NAMES,
    SPLITS,
    caption_columns,
    first_of,
    like_captions,
    split_in,
)
from sigscope.gallery.folder import GalleryError, Listing, Problems
from sigscope.gallery.gallery import COLUMNS, Gallery
from sigscope.gallery.layouts import with_answer
from sigscope.gallery.tables import bytes_columns, parquet_file, records
from sigscope.images.captions import distinct, tidy
from sigscope.images.formats import FORMATS
from sigscope.images.sniff import kind_of

FIRST = ("conditioning", "image", "img", "picture", "jpg", "target")  # columns, the first there is


def picture_column(shard: Path) -> str:
    """Return which column of a parquet file holds pictures, or "" in a file of another kind.

    Raises:
        GalleryError: The file is not whole.
    """
    try:
        names = bytes_columns(shard)
        named = [name for name in FIRST if name in names]
        return next((name for name in [*named, *names] if _is_picture(shard, name)), "")
    except (OSError, ValueError) as error:
        raise GalleryError(f"{shard} is not whole ({error}); download it again.") from error


def load_packed(
    name: str,
    root: Path,
    shards: Sequence[Path],
    problems: Problems,
    *,
    most: int | None = None,
    progress: bool = False,
) -> Gallery:
    """Return the gallery of some parquet files; ids are the numbers of their rows from 0.

    Captions, class and split are taken from their columns (`gallery.columns`); where no column
    says it, the split is what the file or its folder is called.

    Args:
        name: What to call it.
        root: The folder that the problems' paths count from.
        shards: The files, in their order; each has a `picture_column`.
        problems: What is known to be left out; is added to.
        most: How many rows are taken; None takes all.
        progress: Show a bar on stderr while pictures are written to the cache.
    """
    columns = {shard: picture_column(shard) for shard in shards}
    stamps = [[str(path.relative_to(root)), path.stat().st_size, columns[path]] for path in shards]
    home = paths.CACHE / "datasets" / f"{name}-{digest(stamps)[:12]}"
    rows: list[dict[str, Any]] = []
    number = 0
    for shard, column in columns.items():
        if most is not None and number >= most:
            break
        shown = shard.relative_to(root).as_posix()
        told = islice(records(shard, problems), most and most - number)
        kept = [with_answer(record) for _, record in told]
        folder = f"{shown.removesuffix('.parquet')}-{len(kept)}"
        if not (home / folder).is_dir():
            _extract(shard, column, len(kept), home / folder, progress)
        files = {Path(file).stem: file for file in os.listdir(home / folder)}
        classes, split, packed = _class_names(shard), split_in(shown), bytes_columns(shard)
        taken = {*packed, *_taken(kept[0])} if kept else ()
        others = like_captions(kept, taken)
        problems += [(shown, f"its column {other} {NOT_TAKEN}") for other in others]
        for place, record in enumerate(kept):
            if file := files.get(f"{place:06}"):
                row = {"id": str(number + place), "path": f"{folder}/{file}"}
                said = {name: cell for name, cell in record.items() if name not in packed}
                rows.append(row | _row(said, classes, split))
            else:
                problems.append((shown, f"row {place} holds no picture"))
        number += len(kept)
        if further := _further(shard, column):
            reason = (
                f"of lists in its column {column} the first pictures are taken, not {further:,}"
            )
            problems.append((shown, f"{reason} further"))
        problems += [
            (shown, f"its column {other} holds pictures as well, which are not taken")
            for other in packed
            if other != column and _is_picture(shard, other)
        ]
    total = sum(map(_count_rows, shards))
    if total > number:
        reason = f"only the first {number:,} of {total:,} rows are taken"
        problems.append((shards[-1].relative_to(root).as_posix(), reason))
    counts = {"pictures": len(rows), "unreadable": number - len(rows)}
    return Gallery.of(name, home, Listing(rows, problems, counts), shown=root)


def _taken(record: dict[str, Any]) -> list[str]:
    """Return the columns that say the captions, the class and the split."""
    names = (CATEGORIES, OTHER_NAMES["split"])
    return [*caption_columns(record), *(first_of(each, record) for each in names)]


def _row(record: dict[str, Any], classes: dict[str, list[str]], split: str) -> dict[str, Any]:
    captions = caption_columns(record)
    label, part = first_of(CATEGORIES, record), first_of(OTHER_NAMES["split"], record)
    category, named = record.get(label), text_of(record.get(part))
    if isinstance(category, int) and 0 <= category < len(classes.get(label, [])):
        category = classes[label][category]
    texts = distinct(tidy(text) for name in captions for text in texts_of(record[name]))
    taken = {label, part, *captions}
    further = {name: value for name, value in record.items() if name not in taken}
    for name in further.keys() & {*COLUMNS, "content"}:
        further[f"metadata_{name}"] = further.pop(name)
    split = SPLITS.get(named.lower(), named) or split
    return {"captions": texts, "category": text_of(category), "split": split, **further}


def _count_rows(shard: Path) -> int:
    with parquet_file(shard) as file:
        return file.metadata.num_rows


def _further(shard: Path, column: str) -> int:
    """Return how many cells there are in the lists of a column behind the first of each row."""
    with parquet_file(shard) as file:
        groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
        chunks = [group.column(at) for group in groups for at in range(group.num_columns)]
        paths = [(chunk.path_in_schema.split("."), chunk.num_values) for chunk in chunks]
        cells = sum(n for path, n in paths if path[0] == column and path[-1] != "path")
        return max(0, cells - file.metadata.num_rows)


def _class_names(shard: Path) -> dict[str, list[str]]:
    """Return what the numbers of each column of classes mean, as the hub writes it down."""
    with parquet_file(shard) as file:
        said = (file.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    try:
        features = json.loads(said)["info"]["features"]
        return {name: each["names"] for name, each in features.items() if "names" in each}
    except (ValueError, KeyError, TypeError):
        return {}


def _extract(shard: Path, column: str, count: int, folder: Path, progress: bool) -> None:
    """Write the first pictures of a shard into a folder, which gets its name once it is whole."""
    with atomic_folder(folder) as part:
        bar = tqdm(_pictures(shard, column), desc=shard.name, total=count, disable=not progress)
        for place, data in islice(bar, count):
            if kind := kind_of(data):
                (part / f"{place:06}{FORMATS[kind][0]}").write_bytes(data)


def _pictures(shard: Path, column: str) -> Iterator[tuple[int, bytes]]:
    """Yield (row, bytes of its picture, b"" where there is none); a few are held at a time."""
    place = 0
    with parquet_file(shard) as file:
        for batch in file.iter_batches(32, columns=[column]):
            for cell in batch.column(0).to_pylist():
                yield place, _bytes_of(cell)
                place += 1


def _bytes_of(cell: Any) -> bytes:
    """Return the bytes in a cell: its own, or those of the first picture in it."""
    if isinstance(cell, list):
        return next(filter(None, map(_bytes_of, cell)), b"")
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    return data if isinstance(data, bytes) else b""


def _is_picture(shard: Path, column: str) -> bool:
    """Return whether the first cells of a column that hold bytes hold a picture."""
    found = (data for _, data in islice(_pictures(shard, column), 32) if data)
    return any(kind_of(data) for data in found)
