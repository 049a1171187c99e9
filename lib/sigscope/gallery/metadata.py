"""Tables of pictures: an imagefolder's metadata, or any table of file names and captions."""

import ast
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

from sigscope.gallery.folder import GalleryError, Listing, trouble
from sigscope.gallery.tables import READERS, Record, bytes_columns, records
from sigscope.images.captions import distinct

# Columns of text that every gallery has, "" where a row says nothing.
FIELDS = ("category", "split", "source", "licence", "author", "duplicate_of")
CAPTIONS = ("text", "caption", "captions")  # columns that hold captions, the first caption first
SPLITS = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}  # what others call the splits, in lower case; any further name is kept as it is
METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")  # what an imagefolder has

# What tables of other makes call such columns, in capitals or not: the first that is there counts
# for the file, all of them for the captions, and after these the numbered ones (caption_0).
FILES = (
    *("file_name", "filename", "file", "image", "image_path", "path", "filepath", "file_path"),
    *("image_file", "image_name", "img", "img_path", "picture", "photo", "name"),
)
ANY_CAPTIONS = (*CAPTIONS, "title", "description", "sentence", "sentences", "comment", "alt_text")
NUMBERED = re.compile(r"(text|caption|sentence|comment)_?\d+")
CATEGORIES = ("category", "label", "class")  # the first that is there
HF_FILES = ("_file_name", "_file_names")  # how Hugging Face ends the names of further file columns
DOWNLOAD = "python -m sigscope download"

Problems = list[tuple[str, str]]


@dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what."""

    file: str
    captions: tuple[str, ...]
    category: str = "category"


def find_metadata(root: Path) -> list[Path]:
    """Return the metadata file in root, or else those in its train, val and test folders, or none.

    Raises:
        GalleryError: One folder holds two of them, so it is not clear which one counts.
    """
    return _metadata_in(root) or [path for name in SPLITS for path in _metadata_in(root / name)]


def list_metadata(root: Path, path: Path) -> Listing:
    """Return the pictures that the metadata file at path lists and that are there, in its order.

    A file_name counts from the folder of path and must stay inside it; file_names holds several,
    which share the row's captions, and one column called *_file_name may stand for it, as in
    Hugging Face's imagefolders. Rows with the same file_name become one with all their captions.
    In a folder called train, val or test, that is the split of the pictures whose row names none.
    A row that cannot be used is a problem; no other row moves.

    Raises:
        GalleryError: The file cannot be read, or has no column file_name.
    """
    listing = Listing()
    found = records(path, listing.problems)
    if found:
        file = _hugging_face_column(path, _columns(found))
        folder = "" if path.parent == root else path.parent.name
        _add(listing, found, Columns(file, CAPTIONS), root, path, folder)
    return listing


def list_table(path: str | Path) -> Listing:
    """Return the pictures that any table lists and that are there; ids count from its folder.

    Args:
        path: A .csv or .tsv (comma, tab, semicolon or bar), .jsonl or .parquet, one row per
            picture or per caption. The first column of FILES that is there names the files, from
            the table's folder and inside it; ANY_CAPTIONS are the captions; CATEGORIES the
            category. Anything else is as in ``list_metadata``.

    Raises:
        GalleryError: The file cannot be read, or no column names files; where the column holds
            URLs, the sentence says how to download them.
    """
    path, listing = Path(path), Listing()
    if path.suffix.lower() not in READERS:
        raise GalleryError(f"{path} is no table that is read here ({', '.join(READERS)}).")
    found = records(path, listing.problems)
    if found:
        _add(listing, found, _any_columns(path, found), path.parent, path, "")
    return listing


def _metadata_in(folder: Path) -> list[Path]:
    found = [folder / name for name in METADATA if os.path.isfile(folder / name)]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise GalleryError(f"{folder} holds {names}; keep the one that counts.")
    return found


def _columns(found: list[tuple[str, Record]]) -> list[str]:
    return list(dict.fromkeys(name for _, record in found for name in record))


def _hugging_face_column(path: Path, columns: Sequence[str]) -> str:
    """Return the column that holds file names by Hugging Face's rules."""
    further = [name for name in columns if name.endswith(HF_FILES)]
    named = [name for name in ("file_name", "file_names") if name in columns] or further
    if len(named) > 1 and named == further:
        message = f"{path} has the columns {' and '.join(further)}; call the one that counts"
        raise GalleryError(f"{message} file_name.")
    if not named:
        has = ", ".join(sorted(columns))
        raise GalleryError(f"{path} has no column file_name (it has {has}); add one.")
    return named[0]


def _any_columns(path: Path, found: list[tuple[str, Record]]) -> Columns:
    """Return what the columns of any table seem to hold."""
    columns = _columns(found)
    by_name = {name.strip().lower(): name for name in reversed(columns)}
    files = [by_name[name] for name in FILES if name in by_name]
    files += [name for name in columns if name.endswith(("file_names", *HF_FILES))]
    addresses = [name for name in columns if _holds_addresses(found, name)]
    files = [name for name in files if name not in addresses]
    if not files:
        raise GalleryError(_no_files(path, columns, addresses))
    captions = [by_name[name] for name in ANY_CAPTIONS if name in by_name]
    captions += sorted(name for name in columns if NUMBERED.fullmatch(name.lower()))
    category = next((by_name[name] for name in CATEGORIES if name in by_name), "category")
    return Columns(files[0], tuple(name for name in captions if name != files[0]), category)


def _holds_addresses(found: list[tuple[str, Record]], column: str) -> bool:
    """Return whether the first value of a column is a URL."""
    values = (_text(record.get(column)) for _, record in found)
    return bool(re.match("https?://", next(filter(None, values), ""), re.IGNORECASE))


def _no_files(path: Path, columns: list[str], addresses: list[str]) -> str:
    if addresses:
        return (
            f"{path} holds addresses of pictures (its column {addresses[0]}), not files; "
            f"fetch them first with `{DOWNLOAD}`."
        )
    if packed := bytes_columns(path):
        return f"{path} holds the pictures themselves (its column {packed[0]}), not file names."
    return (
        f"{path} has no column of file names such as file_name or image (it has "
        f"{', '.join(columns)}); add a heading like file_name,text."
    )


def _add(
    listing: Listing,
    found: list[tuple[str, Record]],
    columns: Columns,
    root: Path,
    path: Path,
    folder: str,
) -> None:
    """Add the pictures of all records to listing, or why not."""
    merged: dict[str, Record] = {}
    listed = path.relative_to(root).as_posix()
    for place, record in found:
        for file_name in _file_names(columns.file, record.get(columns.file)):
            try:
                name = _found(root, _inside(root, folder, file_name))
            except ValueError as error:
                shown = _text(file_name) or listed
                listing.problems.append((shown, f"{listed}, {place}: {error}"))
            else:
                row = _row(name, record, columns, folder)
                _merge(merged.setdefault(name, row), row)
    listing.rows.extend(merged.values())


def _file_names(column: str, cell: Any) -> list[Any]:
    """Return the file names in a cell, unchecked: one, or several in a column called file_names."""
    if column.endswith("file_names") and isinstance(cell, str) and cell.startswith("["):
        cell = _written_list(cell)
    return cell if column.endswith("file_names") and isinstance(cell, list) else [cell]


def _row(name: str, record: Record, columns: Columns, folder: str) -> Record:
    """Return a gallery row: id, captions, FIELDS, and the record's further columns as they are.

    A column called id or path keeps its values as metadata_id or metadata_path.
    """
    fields = {field: _text(record.get(field)) for field in FIELDS}
    fields["category"] = _text(record.get(columns.category))
    fields["split"] = SPLITS.get(fields["split"].lower(), fields["split"]) or SPLITS.get(folder, "")
    taken = {columns.file, columns.category, *columns.captions, *FIELDS}
    further = {column: value for column, value in record.items() if column not in taken}
    for column in {"id", "path", "caption", "captions", "content"} & further.keys():
        further[f"metadata_{column}"] = further.pop(column)
    captions = [text for column in columns.captions for text in _texts(record.get(column))]
    return {"id": name, "captions": distinct(captions), **fields, **further}


def _inside(root: Path, folder: str, file_name: Any) -> str:
    """Return file_name as a path below the root; one that leads out of its folder is refused."""
    if not isinstance(file_name, str) or not file_name.strip():
        raise ValueError("it has no file_name")
    path = Path(file_name)
    if path.is_absolute() and path.is_relative_to(root.absolute() / folder):
        path = path.relative_to(root.absolute() / folder)
    if path.anchor or ".." in path.parts:
        raise ValueError("its file_name leads out of the folder; name a file inside it")
    return (Path(folder) / path).as_posix()


def _found(root: Path, name: str) -> str:
    """Return the name under which the picture lies there, or raise a ValueError that says why not.

    Where there is none of that name, one that differs only in how accents are composed (Macs take
    them apart) or in Windows' backslashes is meant.
    """
    reason = trouble(os.path.join(root, name))
    if not reason:
        return name
    for other in _spellings(name):
        if not trouble(os.path.join(root, other)):
            return other
    raise ValueError(reason)


def _spellings(name: str) -> Iterator[str]:
    for spelt in (name, name.replace("\\", "/")):
        if ".." not in spelt.split("/") and not spelt.startswith("/"):
            yield from (spelt, normalize("NFC", spelt), normalize("NFD", spelt))


def _merge(row: Record, other: Record) -> None:
    """Give row the captions of other as well, and its value wherever row has none."""
    row["captions"] = distinct([*row["captions"], *other["captions"]])
    for name, value in other.items():
        if _text(row.get(name)) == "":
            row[name] = value


def _texts(value: Any) -> Iterable[str]:
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
