"""Listings: a folder's tables, texts and sub-folders become rows, and nothing vanishes.

A file called metadata.csv, .json, .jsonl or .parquet, at any depth and in any capitals, lists the
pictures of its folder; those that it does not name are left out with a word. Any other table that
names pictures gives them captions, and leaves none out.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from sigscope.gallery.columns import Record, is_plain_folder, split_folder
from sigscope.gallery.delimited import looks_like_table
from sigscope.gallery.folder import (
    KNOWN,
    NO_NAMES_HERE,
    Contents,
    GalleryError,
    Listing,
    Problems,
    suffix_of,
    trouble,
)
from sigscope.gallery.lookup import Lookup
from sigscope.gallery.metadata import Table, merge
from sigscope.gallery.sidecars import sidecar_captions
from sigscope.gallery.tables import READERS

METADATA = re.compile(r"metadata\.(jsonl|ndjson|json|csv|tsv|parquet)", re.IGNORECASE)
LISTS = re.compile(
    r"caption|metadata|annotation|label|sentence|description|prompt|token|list|results"
    r"|train|val|test",
    re.IGNORECASE,
)
MOST_TABLES = 50  # in a folder; more are side-cars of something else


def list_folder(root: Path, contents: Contents | None = None) -> Listing:
    """Return every picture under root, those that metadata names first, and then by id.

    Captions come from metadata and other tables, or else from texts beside the pictures
    (`gallery.sidecars`). The category is the first folder below root, or below train, val and test
    where these are its folders; then those are the splits. What holds all of them, and is called
    data or images, is passed over. Links are followed. No picture is opened: ``embedded_captions``
    has what one itself says, and `inventory.take` whether it can be read.

    Args:
        root: The folder.
        contents: What lies in it, where somebody has looked already.

    Raises:
        GalleryError: Two metadata files of one folder name pictures.
    """
    contents = contents or Contents(root)
    problems: Problems = []
    beside = sidecar_captions(contents, problems)
    metadata, others = _tables(contents, problems)
    rows: dict[str, Record] = {}
    unlisted: dict[str, str] = {}
    for table in metadata:
        _take(rows, table, contents, problems)
        unlisted |= _unlisted(table, rows, contents)
    problems += unlisted.items()
    told = {path for path, _ in problems}
    paths = sorted(path for path in contents.paths() if contents.is_picture(path))
    for path in paths:
        if path in rows or path in told:
            continue
        if path in contents.odd and (reason := trouble(contents.place(path))):
            problems.append((path, reason))
        else:
            rows[path] = {"id": path, "captions": [], "category": ""}
    places = layout(path for path in paths if path in rows)
    for table in others:
        if metadata:
            reason = f"it is not used, as there is {metadata[0].name}; give its path to use it"
            problems.append((table.name, reason))
        else:
            _take(rows, table, contents, problems)
    for path, row in rows.items():
        if row["captions"] and beside.get(path):
            problems.append((path, "a table has its captions; the text beside it is not used"))
        row["captions"] = row["captions"] or beside.get(path, [])
        split, category = places[path]
        row["category"] = row["category"] or ("" if metadata else category)
        if split and not row.get("split"):
            row["split"] = split
    return contents.finish(Listing(list(rows.values()), sorted(problems)), unlisted)


def layout(paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the split and the category that each path says, by its folders.

    A folder is a split where all at its depth are called like one, or where another split lies
    beside it; the category is the folder below, or if there is none the one above. Else it is the
    first folder.
    """
    within = {path: path.rpartition("/")[0] for path in paths}
    folders = {folder: folder.split("/") if folder else [] for folder in within.values()}
    shared = os.path.commonprefix(list(folders.values()))
    plain = len(list(takewhile(is_plain_folder, shared)))
    said = _said({folder: parts[plain:] for folder, parts in folders.items()})
    return {path: said[folder] for path, folder in within.items()}


def _said(folders: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
    """Return the split and the category of each folder, by the names on the way to it."""
    beside: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for each in folders.values():
        for place, name in enumerate(each):
            beside[tuple(each[:place])].add(split_folder(name))
    for place in range(max(map(len, folders.values()), default=0)):
        splits = [split_folder(each[place]) if each[place:] else "" for each in folders.values()]
        is_known = any(len(found - {""}) > 1 for at, found in beside.items() if len(at) == place)
        if all(splits) or is_known:
            above = {tuple(each[:place]) for each in folders.values() if each[place:]}
            return {
                folder: (split, _category(each, place if split else -1, len(above) > 1))
                for (folder, each), split in zip(folders.items(), splits, strict=True)
            }
    return {folder: ("", _category(each, -1, False)) for folder, each in folders.items()}


def _category(folders: list[str], split: int, is_told_above: bool) -> str:
    """Return the first folder below the split, or the first above where that tells them apart.

    Args:
        folders: Those that a picture lies in.
        split: Which of them is the split; -1 where none is.
        is_told_above: Whether the folders above the split differ.
    """
    below = [
        name
        for name in folders[split + 1 :]
        if split < 0 or not (split_folder(name) or is_plain_folder(name))
    ]
    return next(iter(below), folders[0] if split > 0 and is_told_above else "")


def _tables(contents: Contents, problems: Problems) -> tuple[list[Table], list[Table]]:
    """Return the metadata files of a folder and its other tables, as far as they name pictures."""
    lookup = Lookup(path for path in contents.paths() if suffix_of(path) not in KNOWN)
    metadata: dict[str, Table] = {}
    others = []
    told = {path for path, _ in problems}
    for path in _candidates(contents):
        if path in told and not LISTS.search(path.rpartition("/")[2]):
            continue  # it lies beside a picture
        is_metadata = METADATA.fullmatch(path.rpartition("/")[2]) is not None
        try:
            table = Table(Path(contents.place(path)), contents.root, lookup)
        except GalleryError as error:
            problems.append((path, f"it is not used: {error}".removesuffix(".")))
            continue
        if not table.rows:
            problems += [*table.problems[:1], (path, NO_NAMES_HERE)]
        elif not is_metadata:
            others.append(table)
        elif table.folder in metadata:
            names = f"{metadata[table.folder].path.name} and {table.path.name}"
            raise GalleryError(f"{table.path.parent} holds {names}; keep the one that counts.")
        else:
            metadata[table.folder] = table
    return list(metadata.values()), others


def _candidates(contents: Contents) -> list[str]:
    """Return the files that may be tables, the least deep first."""
    found: list[str] = []
    for prefix, names in contents.folders.items():
        here = [name for name in names if _may_be_table(contents, prefix, name)]
        certain = [name for name in here if LISTS.search(name)]
        found += [prefix + name for name in (here if len(here) <= MOST_TABLES else certain)]
    return sorted(found, key=lambda path: (path.count("/"), path))


def _may_be_table(contents: Contents, prefix: str, name: str) -> bool:
    path, lower = prefix + name, name.lower()
    if path in contents.used:
        return False
    if lower.endswith((".txt", ".token")):
        return LISTS.search(name) is not None and looks_like_table(Path(contents.place(path)))
    return lower.endswith((*READERS,))


def _take(rows: dict[str, Record], table: Table, contents: Contents, problems: Problems) -> None:
    """Add what a table says to the rows."""
    contents.used.add(table.name)
    problems += table.problems
    for path, row in table.rows.items():
        merge(rows.setdefault(path, row), row)


def _unlisted(table: Table, rows: dict[str, Record], contents: Contents) -> dict[str, str]:
    """Return the pictures of a table's folder that it does not name, with what is said of them."""
    folder = f"{table.folder}/" if table.folder else ""
    return {
        path: f"{table.name} does not name it"
        for path in contents.paths()
        if path.startswith(folder) and contents.is_picture(path) and path not in rows
    }
