"""Metadata files of an imagefolder: metadata.jsonl, .csv or .parquet, one row per picture."""

import ast
import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sigscope.listing import GalleryError, Listing, distinct, plain, trouble

# Columns of text that every gallery has, "" where a row says nothing.
FIELDS = ("category", "split", "source", "licence", "author", "duplicate_of")
CAPTIONS = ("text", "caption", "captions")  # columns that hold captions, the first caption first
SPLITS = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}  # what others call the splits, in lower case; any further name is kept as it is

Record = dict[str, Any]
Problems = list[tuple[str, str]]

EXAMPLE = '{"file_name": "a.jpg", "text": "a cat"}'


def find_metadata(root: Path) -> list[Path]:
    """Return the metadata file in root, or else those in its train, val and test folders, or none.

    Raises:
        GalleryError: One folder holds two of them, so it is not clear which one counts.
    """
    return _metadata_in(root) or [path for name in SPLITS for path in _metadata_in(root / name)]


def list_metadata(root: Path, path: Path) -> Listing:
    """Return the pictures that the metadata file at path lists and that are there, in its order.

    A file_name counts from the folder of path and must stay inside it. Rows with the same file_name
    become one with all their captions. In a folder called train, val or test, that is the split of
    the pictures whose row names none. A row that cannot be used is a problem; no other row moves.

    Raises:
        GalleryError: The file cannot be read, or has no column file_name.
    """
    listing, merged, columns = Listing(), {}, set()
    folder = "" if path.parent == root else path.parent.name
    listed = path.relative_to(root).as_posix()
    for place, record in _records(path, listing.problems):
        columns.update(record)
        try:
            row = _row(record, folder)
            _check_picture(root, row["id"])
        except ValueError as error:
            name = _text(record.get("file_name")) or listed
            listing.problems.append((name, f"{listed}, {place}: {error}"))
        else:
            _merge(merged.setdefault(row["id"], row), row)
    if columns and "file_name" not in columns:
        found = ", ".join(sorted(columns))
        raise GalleryError(f"{path} has no column file_name (it has {found}); add one.")
    listing.rows.extend(merged.values())
    return listing


def _metadata_in(folder: Path) -> list[Path]:
    found = [folder / name for name in READERS if os.path.isfile(folder / name)]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise GalleryError(f"{folder} holds {names}; keep the one that counts.")
    return found


def _records(path: Path, problems: Problems) -> list[tuple[str, Record]]:
    """Return (place in the file, columns and values) of every row; text is made safe for UTF-8."""
    try:
        found = list(READERS[path.name](path, problems))
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
    """Read with the csv module: every cell is a str, so NA, null and 001 are just captions."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="", strict=True)
        for record in _rows_of(reader):
            if None in record:
                reason = 'has more cells than the heading; put "…" around text that holds commas'
                problems.append((path.name, f"line {reader.line_num} {reason}"))
            else:
                yield f"line {reader.line_num}", record


def _rows_of(reader: csv.DictReader) -> Iterator[Record]:
    """Yield the rows; an unclosed quote would swallow rows in silence, so it is an error here."""
    try:
        yield from reader
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}; look at its quotes") from error


def _read_parquet(path: Path, problems: Problems) -> Iterator[tuple[str, Record]]:
    """Read with pyarrow: what is missing is None, never nan."""
    import pyarrow.parquet

    for number, record in enumerate(pyarrow.parquet.read_table(path).to_pylist(), start=1):
        yield f"row {number}", record


READERS: dict[str, Callable[[Path, Problems], Iterator[tuple[str, Record]]]] = {
    "metadata.jsonl": _read_jsonl,
    "metadata.csv": _read_csv,
    "metadata.parquet": _read_parquet,
}


def _row(record: Record, folder: str) -> Record:
    """Return a gallery row: id, captions, FIELDS, and the record's further columns as they are.

    A column called id or path keeps its values as metadata_id or metadata_path.
    """
    fields = {name: _text(record.get(name)) for name in FIELDS}
    fields["split"] = SPLITS.get(fields["split"].lower(), fields["split"]) or SPLITS.get(folder, "")
    taken = {"file_name", *CAPTIONS, *FIELDS}
    further = {name: value for name, value in record.items() if name not in taken}
    for name in {"id", "path"} & further.keys():
        further[f"metadata_{name}"] = further.pop(name)
    captions = [caption for name in CAPTIONS for caption in _texts(record.get(name))]
    name = _inside(folder, record.get("file_name"))
    return {"id": name, "captions": distinct(captions), **fields, **further}


def _inside(folder: str, file_name: Any) -> str:
    """Return file_name as a path below the root; one that leads out of its folder is refused."""
    if not isinstance(file_name, str) or not file_name.strip():
        raise ValueError("it has no file_name")
    path = Path(file_name)
    if path.anchor or ".." in path.parts:
        raise ValueError("its file_name leads out of the folder; name a file inside it")
    return (Path(folder) / path).as_posix()


def _check_picture(root: Path, name: str) -> None:
    if reason := trouble(os.path.join(root, name)):
        raise ValueError(reason)


def _merge(row: Record, other: Record) -> None:
    """Give row the captions of other as well, and its value wherever row has none."""
    row["captions"] = distinct([*row["captions"], *other["captions"]])
    for name, value in other.items():
        if _text(row.get(name)) == "":
            row[name] = value


def _texts(value: Any) -> list[str]:
    """Return the captions in a cell: a list, a list written out as JSON or Python, or one text."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _written_list(value)
    return [_text(each) for each in value] if isinstance(value, list) else [_text(value)]


def _written_list(text: str) -> list[str] | str:
    """Return the list of str that text spells out, or text itself when it is only a text."""
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return value
    return text


def _text(value: Any) -> str:
    """Return value as text; what is missing (None, nan) is "", and never "None" or "nan"."""
    return "" if value is None or value != value else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return plain(value) if isinstance(value, str) else value
