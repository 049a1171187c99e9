"""Tables in files: CSV, TSV, JSON, JSON Lines or parquet become records, each with its place.

Every cell of text stays the text it is (NA, null and 001 too), made safe for UTF-8. A row that
cannot be read costs itself alone: it is a problem, and the others are read.
"""

import json
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from sigscope.gallery.delimited import Placed, read_csv
from sigscope.gallery.folder import GalleryError, Problems
from sigscope.gallery.layouts import listed_in, rows_of
from sigscope.gallery.texts import MIXED, decoded, is_damaged, lines_of, unmangled
from sigscope.images.read import plain
from sigscope.images.sniff import LFS, is_pointer
from sigscope.trouble import check_machine

EXAMPLE = '{"file_name": "a.jpg", "text": "a cat"}'
ROWS = 256  # of a parquet file that are in memory at once


def records(path: Path, problems: Problems) -> Iterator[Placed]:
    """Yield (place in the file, record) of every row; rows that cannot be read are problems.

    Args:
        path: A file whose suffix is a key of READERS, or a .txt that is a CSV.
        problems: Is added to.

    Raises:
        GalleryError: The file cannot be read at all.
    """
    reader = READERS.get(path.suffix.lower(), read_csv)
    try:
        for place, row in reader(path, problems):
            record = {plain(str(key)).strip(): _plain(cell) for key, cell in row.items()}
            if reader is not _read_parquet and any(map(_is_damaged, record.values())):
                problems.append((path.name, f"{place} {MIXED}"))
            else:
                yield place, record
    except (OSError, ValueError, RecursionError) as error:
        check_machine(path, error)
        message = f"{path} cannot be read ({error}); put it right or remove it."
        raise GalleryError(message) from error


def _read_jsonl(path: Path, problems: Problems) -> Iterator[Placed]:
    lines = lines_of(path, problems)
    first = next(lines, None)
    if first is None:
        return
    if first[1].strip() == "{" or first[1].lstrip().startswith("[") and not _is_row(first[1]):
        yield from _read_json(path, problems)
        return
    for number, line in chain([first], lines):
        try:
            record = json.loads(line.strip().rstrip(","), strict=False)
        except (ValueError, RecursionError):
            record = None
        for row in rows_of(record):
            if isinstance(row, dict):
                yield f"line {number}", row
            else:
                problems.append((path.name, f"line {number} is no JSON object like {EXAMPLE}"))


def _is_row(line: str) -> bool:
    """Return whether a line is a list of a file and what is said of it, and not of records."""
    try:
        said = json.loads(line.strip().rstrip(","), strict=False)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, list) and bool(said) and isinstance(said[0], str)


def _read_json(path: Path, problems: Problems) -> Iterator[Placed]:
    """Read an array of objects, columns, or file names with their captions."""
    text = decoded(path.read_bytes()).lstrip()
    try:
        said = json.loads(text, strict=False)
    except ValueError:
        first = next(filter(str.strip, text.splitlines()), "")
        if first.strip() != "{" and first.lstrip().startswith("{"):
            yield from _read_jsonl(path, problems)
            return
        said = _salvaged(text, path, problems) if text.startswith("[") else _one_by_one(text)
    for number, record in enumerate(listed_in(said)):
        if isinstance(record, dict):
            yield f"object {number}", record
        elif isinstance(record, ValueError):
            problems.append((path.name, f"{record}"))
        else:
            problems.append((path.name, f"object {number} is no JSON object like {EXAMPLE}"))


def _salvaged(text: str, path: Path, problems: Problems) -> list[Any]:
    """Return the objects of an array that is broken somewhere; those that are lost are problems."""
    found, lost, place = [], 0, 0
    while start := re.compile(r"\{").search(text, place):
        try:
            value, place = json.JSONDecoder(strict=False).raw_decode(text, start.start())
            found.append(value)
        except ValueError as error:
            lost += 1
            reason = f"object {len(found) + lost - 1} is broken, and is left out ({error})"
            problems.append((path.name, reason))
            following = re.compile(r"\}\s*,\s*(?=\{)").search(text, start.start())
            place = following.end() if following else len(text)
    if not found:
        raise ValueError("it is no whole JSON")
    return found


def _one_by_one(text: str) -> list[Any]:
    """Return the values of a text in which one follows the other, over several lines each."""
    found, place = [], 0
    while place < len(text):
        value, place = json.JSONDecoder(strict=False).raw_decode(text, place)
        found.append(value)
        place = re.compile(r"[\s,]*").match(text, place).end()
    return found


def _read_parquet(path: Path, problems: Problems) -> Iterator[Placed]:
    """Read with pyarrow, where what is missing is None; columns of bytes are not read at all."""
    number = 0
    with parquet_file(path) as file:
        packed = [each.name for each in file.schema_arrow if _holds_bytes(each.type)]
        columns = [name for name in file.schema_arrow.names if name not in packed]
        columns += [f"{name}.path" for name in packed if _holds_paths_alone(file, name)]
        for batch in file.iter_batches(ROWS, columns=columns):
            for record in batch.to_pylist():
                number += 1
                yield f"row {number}", record


def parquet_file(path: Path) -> Any:
    """Return a parquet file, opened; ValueError when it is none, or a pointer to one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        if is_pointer(file.read(64)):
            raise ValueError(LFS)
    try:
        return pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise ValueError(f"it is not whole parquet: {error}") from error


def bytes_columns(path: Path) -> list[str]:
    """Return the columns of a parquet file that hold bytes, such as pictures; else none."""
    if path.suffix.lower() != ".parquet":
        return []
    with parquet_file(path) as file:
        return [each.name for each in file.schema_arrow if _holds_bytes(each.type)]


def _holds_paths_alone(file: Any, column: str) -> bool:
    """Return whether a column of pictures holds their paths, and no bytes."""
    groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    packed = [each for each in chunks if each.path_in_schema == f"{column}.bytes"]
    if any(not each.statistics or each.statistics.null_count < each.num_values for each in packed):
        return False
    return any(each.path_in_schema == f"{column}.path" for each in chunks)


def _holds_bytes(kind: Any) -> bool:
    """Return whether values of this Arrow type are bytes, or have bytes in them."""
    from pyarrow.types import is_binary, is_fixed_size_binary, is_large_binary

    if any(test(kind) for test in (is_binary, is_large_binary, is_fixed_size_binary)):
        return True
    return any(_holds_bytes(kind.field(place).type) for place in range(kind.num_fields))


READERS: dict[str, Callable[..., Iterator[Placed]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".jsonlines": _read_jsonl,
    ".json": _read_json,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": _read_parquet,
}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {plain(str(key)): _plain(each) for key, each in value.items()}
    return plain(unmangled(value)).replace("\0", "") if isinstance(value, str) else value


def _is_damaged(cell: Any) -> bool:
    return isinstance(cell, str) and is_damaged(cell)
