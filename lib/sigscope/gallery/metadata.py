"""Tables of pictures: an imagefolder's metadata, or any table of file names and captions."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.columns import (
    FIELDS,
    HF_FILES,
    NOT_TAKEN,
    SPLITS,
    Columns,
    Record,
    address_column,
    columns_of,
    normal,
    split_in,
)
from sigscope.gallery.delimited import Placed
from sigscope.gallery.folder import GalleryError, Listing, Problems, trouble
from sigscope.gallery.lookup import Lookup
from sigscope.gallery.tables import READERS, bytes_columns, records
from sigscope.gallery.walk import count_of, folders
from sigscope.images.captions import distinct, tidy

DOWNLOAD = "python -m sigscope download"
Find = Callable[[str, str], str]  # what is listed, and the folder that it counts from -> its path
NO_NAMES = "no column of file names such as file_name or image"
NO_NAME = "it is no file's name; save pictures that a table holds as text (base64) as files"
SHOWN = 12  # columns that a sentence names
MOST_LETTERS = 1_000  # of a path


class Table:
    """A file that lists pictures, and what it says of those that are there.

    Attributes:
        rows: The rows of a gallery by id, in the table's order; rows of one picture are merged.
        problems: What of it cannot be used, and why.
    """

    def __init__(self, path: Path, root: Path, lookup: Lookup, name: str = "") -> None:
        """Read a table.

        A file name counts from the folder of path and must stay inside root. A row that cannot be
        used is a problem; no other row moves. In a folder, or a file, called train, val or test,
        that is the split of the pictures whose row names none.

        Args:
            path: Whose suffix is a key of READERS, or a .txt that is a CSV.
            root: The gallery's folder, from which ids count.
            lookup: The files below root.
            name: What problems call it; its path below root if that is not given.

        Raises:
            GalleryError: The file cannot be read, or no column names files; where the column holds
                URLs, the sentence says how to download them.
        """
        self.path, self.root, self.lookup = path, root, lookup
        self.rows: dict[str, Record] = {}
        self.problems: Problems = []
        self.name = name or path.relative_to(root).as_posix()
        self.folder = path.parent.relative_to(root).as_posix().removeprefix(".")
        folders = [part.lower() for part in self.folder.split("/")]
        self.split = next((SPLITS[part] for part in reversed(folders) if part in SPLITS), "")
        self.split = self.split or split_in(path.stem)
        found = list(records(path, self.problems))
        self.problems = [(self.name, reason) for _, reason in self.problems]
        if found:
            self.columns = self._columns([record for _, record in found])
            self._add(found)

    def _columns(self, rows: list[Record]) -> Columns:
        columns = columns_of(rows, lambda cell: bool(self._find(cell)))
        self.lookup.by_name.clear()
        names = list(dict.fromkeys(name for record in rows for name in record))
        further = [name for name in names if normal(name).endswith(HF_FILES)]
        if columns.file in further[:1] and len(further) > 1:
            raise GalleryError(
                f"{self.path} has the columns {' and '.join(further)}; call the one that counts "
                "file_name."
            )
        if not columns.file:
            raise GalleryError(_no_files(self.path, names, address_column(rows)))
        for name in columns.not_taken:
            self.problems.append((self.name, f"its column {name} {NOT_TAKEN}"))
        if not columns.captions and not columns.category and len(names) > 1:
            reason = f"it has no column of captions such as text or caption ({_some(names)})"
            self.problems.append((self.name, reason))
        return columns

    def _find(self, listed: str, within: Iterable[str] = ()) -> str:
        """Return the path below root of what is listed, or "".

        Args:
            listed: A path or a name.
            within: Folders of which one is meant, where several files are called so.
        """
        inside = listed
        if os.path.isabs(listed):
            with suppress(ValueError):
                inside = Path(listed).relative_to(self.root.absolute() / self.folder).as_posix()
        for folder in ("", *within):
            with suppress(ValueError):
                return self.lookup.find(f"{folder}/{inside}".removeprefix("/"), self.folder)
        return ""

    def _add(self, found: list[Placed]) -> None:
        for place, record in found:
            for listed in _file_names(self.columns.file, record.get(self.columns.file)):
                try:
                    name = self._found(text_of(listed), self._folders(record))
                except ValueError as error:
                    shown = _cut(text_of(listed)) or self.name
                    self.problems.append((shown, f"{self.name}, {place}: {error}"))
                else:
                    row = self._row(name, record)
                    if self.rows.setdefault(name, row) is not row:
                        merge(self.rows[name], row)
        if matched := self.lookup.by_name:
            listed, path = next(iter(matched.items()))
            found_alone = f"{count_of(len(matched), 'file')} found by name alone"
            self.problems.append((self.name, f"{found_alone}: {listed} is taken to be {path}"))
            matched.clear()

    def _folders(self, record: Record) -> list[str]:
        """Return the folders that a row may mean: of its class, and those called like its split."""
        columns = self.columns
        split = text_of(record.get(columns.fields.get("split", ""))).lower()
        split = SPLITS.get(split, split) or self.split
        named = text_of(record.get(columns.category))
        return [named] * bool(named) + [each for each, kind in SPLITS.items() if kind == split]

    def _found(self, listed: str, within: Iterable[str]) -> str:
        if not listed:
            raise ValueError("it has no file_name")
        if len(listed) > MOST_LETTERS:
            raise ValueError(NO_NAME)
        name = self._find(listed, within)
        if not name:
            self.lookup.find(listed, self.folder)  # raises, where there is more to say
            raise ValueError("there is no such file")
        if reason := trouble(os.path.join(self.root, name)):
            raise ValueError(reason)
        return name

    def _row(self, name: str, record: Record) -> Record:
        """Return a gallery row: id, captions, FIELDS, and the record's further columns as they are.

        A column called id or path keeps its values as metadata_id or metadata_path.
        """
        columns = self.columns
        fields = dict.fromkeys(FIELDS, "")
        fields |= {field: text_of(record.get(column)) for field, column in columns.fields.items()}
        fields["category"] = text_of(record.get(columns.category))
        fields["split"] = SPLITS.get(fields["split"].lower(), fields["split"]) or self.split
        taken = {columns.file, columns.category, *columns.captions, *columns.fields.values()}
        further = {column: value for column, value in record.items() if column not in taken}
        for column in {"id", "path", "caption", "captions", "content", *FIELDS} & further.keys():
            further[f"metadata_{column}"] = further.pop(column)
        cells = (record.get(column) for column in columns.captions)
        captions = [
            tidy(text) if "&" in text else text for cell in cells for text in texts_of(cell)
        ]
        return {"id": name, "captions": distinct(captions), **fields, **further}


def list_table(path: str | Path) -> Listing:
    """Return the pictures that any table lists and that are there; ids count from its folder.

    Args:
        path: A .csv or .tsv (comma, tab, semicolon or bar), .json, .jsonl or .parquet, one row per
            picture or per caption, with columns as in ``gallery.columns``.

    Raises:
        GalleryError: As `Table`.
    """
    path = Path(path)
    if path.suffix.lower() not in (*READERS, ".txt"):
        raise GalleryError(f"{path} is no table that is read here ({', '.join(READERS)}).")
    root = path.parent
    files = (prefix + file.name for prefix, found in folders(root, []) for file in found)
    table = Table(path, root, Lookup(files, root))
    return Listing(list(table.rows.values()), table.problems)


def _no_files(path: Path, columns: list[str], addresses: str) -> str:
    if addresses:
        return (
            f"{path} holds addresses of pictures (its column {addresses}), not files; "
            f"fetch them first with `{DOWNLOAD}`."
        )
    if packed := bytes_columns(path):
        return f"{path} holds the pictures themselves (its column {packed[0]}), not file names."
    return f"{path} has {NO_NAMES} ({_some(columns)}); add a heading like file_name,text."


def _some(columns: list[str]) -> str:
    shown = ", ".join(map(_cut, columns[:SHOWN]))
    return f"it has {shown}{' …' if len(columns) > SHOWN else ''}"


def _cut(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[:40]}…"


def _file_names(column: str, cell: Any) -> Iterator[Any]:
    """Yield the file names in a cell, unchecked: one, or several in a column called file_names."""
    if normal(column).endswith("file_names") and (several := texts_of(cell)):
        yield from several
    else:
        yield cell


def merge(row: Record, other: Record) -> None:
    """Give row the captions of other as well, and its value wherever row has none."""
    row["captions"] = distinct([*row["captions"], *other["captions"]])
    for name, value in other.items():
        if text_of(row.get(name)) == "":
            row[name] = value
