"""Tables in files: JSONL, CSV, TSV or parquet become records, each with its place in the file.

Every cell of text stays the text it is (NA, null and 001 too), made safe for UTF-8.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sigscope.gallery.folder import GalleryError
from sigscope.images.read import plain

Record = dict[str, Any]  # column -> value
Problems = list[tuple[str, str]]  # path, reason

EXAMPLE = '{"file_name": "a.jpg", "text": "a cat"}'
DELIMITERS = ",\t;|"
ROWS = 10_000  # of a parquet file that are in memory at once


def records(path: Path, problems: Problems) -> list[tuple[str, Record]]:
    """Return (place in the file, record) of every row; rows that cannot be read are problems.

    Args:
        path: A file whose suffix is a key of READERS. The delimiter of a CSV is found out.
        problems: Is added to.

    Raises:
        GalleryError: The file cannot be read at all.
    """
    try:
        found = list(READERS[path.suffix.lower()](path, problems))
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read ({error}); put it right or remove it."
        raise GalleryError(message) from error
    return [
        (place, {plain(key): _plain(cell) for key, cell in row.items()}) for place, row in found
    ]


def _read_jsonl(path: Path, problems: Problems) -> Iterator[tuple[str, Record]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                record = error
            if isinstance(record, dict):
                yield f"line {number}", record
            else:
                problems.append((path.name, f"line {number} is no JSON object like {EXAMPLE}"))


def _read_csv(path: Path, problems: Problems) -> Iterator[tuple[str, Record]]:
    """Read with the csv module, which leaves every cell the text it is."""
    with path.open(encoding=_encoding(path), newline="") as file:
        delimiter = _delimiter(file.readline())
        file.seek(0)
        reader = csv.DictReader(file, restval="", strict=True, delimiter=delimiter)
        for record in _rows_of(reader):
            if None in record:
                reason = 'has more cells than the heading; put "…" around text that holds '
                what = {",": "commas", "\t": "tabs"}.get(delimiter, delimiter)
                problems.append((path.name, f"line {reader.line_num} {reason}{what}"))
            else:
                yield f"line {reader.line_num}", record


def _encoding(path: Path) -> str:
    """Return UTF-16 for a file that begins with its mark, as spreadsheets write, or else UTF-8."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _delimiter(heading: str) -> str:
    """Return the delimiter that cuts a heading into the most columns; a comma if none does."""
    return max(DELIMITERS, key=lambda each: len(next(csv.reader([heading], delimiter=each), ())))


def _rows_of(reader: csv.DictReader) -> Iterator[Record]:
    """Yield the rows; an unclosed quote would swallow rows in silence, so it is an error here."""
    try:
        yield from reader
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}; look at its quotes") from error


def _read_parquet(path: Path, problems: Problems) -> Iterator[tuple[str, Record]]:
    """Read with pyarrow, where what is missing is None; columns of bytes are not read at all."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        columns = [each.name for each in file.schema_arrow if not _holds_bytes(each.type)]
        number = 0
        for batch in file.iter_batches(ROWS, columns=columns):
            for record in batch.to_pylist():
                number += 1
                yield f"row {number}", record


def bytes_columns(path: Path) -> list[str]:
    """Return the columns of a parquet file that hold bytes, such as pictures; else none."""
    import pyarrow.parquet

    if path.suffix.lower() != ".parquet":
        return []
    return [each.name for each in pyarrow.parquet.read_schema(path) if _holds_bytes(each.type)]


def _holds_bytes(kind: Any) -> bool:
    """Return whether values of this Arrow type are bytes, or have bytes in them."""
    from pyarrow.types import is_binary, is_fixed_size_binary, is_large_binary

    if any(test(kind) for test in (is_binary, is_large_binary, is_fixed_size_binary)):
        return True
    return any(_holds_bytes(kind.field(place).type) for place in range(kind.num_fields))


READERS: dict[str, Callable[[Path, Problems], Iterator[tuple[str, Record]]]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return plain(value) if isinstance(value, str) else value
