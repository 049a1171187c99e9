"""Folders of pictures as they lie on disk: one row per picture, and what was left out and why.

No picture is opened here, so that a folder of 50,000 is listed in seconds.
"""

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigscope.images.captions import distinct
from sigscope.images.read import MAX_BYTES, REFUSED_SUFFIXES, SUFFIXES, plain
from sigscope.trouble import check_machine

UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".opdownload")  # by browsers
MAX_TEXT = 1_000_000  # bytes of a text file with captions


class GalleryError(ValueError):
    """There is no gallery to be had as asked; the message is a sentence for a person."""


@dataclass(frozen=True)
class Listing:
    """What a folder or a metadata file offers.

    Attributes:
        rows: One dict per picture: id (its path under the gallery's root, with "/"), captions
            (list of str, no blanks, no doubles), and any other fields, in the gallery's order.
        problems: (path, reason) for everything that was left out.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def list_folder(root: Path) -> Listing:
    """Return every picture under root, sorted by id, where there is no metadata to go by.

    Captions are the lines of the text file with the picture's stem (a.jpg, a.txt); the category is
    the first folder below root. Hidden files and folders are skipped, links are followed. Where
    there is no such text, ``embedded_captions`` has what the picture itself says; it opens the
    file, so whoever wants that asks for it.
    """
    listing = Listing()
    for prefix, files in folders(root, listing.problems):
        _add_pictures(listing, prefix, files)
    listing.rows.sort(key=lambda row: row["id"])
    listing.problems.sort()
    return listing


def trouble(path: str) -> str:
    """Return why the file at path cannot be offered as a picture, or "" when it can."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in REFUSED_SUFFIXES:
        return REFUSED_SUFFIXES[suffix]
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return f"{'its link leads to' if os.path.islink(path) else 'there is'} no such file"
    except (OSError, ValueError) as error:
        check_machine(path, error)
        return f"it cannot be reached ({getattr(error, 'strerror', None) or error})"
    if not stat.S_ISREG(status.st_mode):
        return "it is a folder" if stat.S_ISDIR(status.st_mode) else "it is not an ordinary file"
    if status.st_size > MAX_BYTES:
        return f"it has more than {MAX_BYTES // 10**9} GB; make it smaller first"
    return "" if os.access(path, os.R_OK) else "it may not be read (permission denied)"


def folders(
    root: Path, problems: list[tuple[str, str]], without: Collection[str] = ()
) -> Iterator[tuple[str, list[os.DirEntry]]]:
    """Yield (path below root with a final "/", its files) of root and every folder below it.

    What is hidden is passed over, and so are folders with a name in ``without``. Each real folder
    comes once, so a loop of links ends; links wait until all real folders have been seen, so a
    linked folder is listed under its own name where it has one below root.
    """
    seen, real, links = set(), [""], []
    while real or links:
        prefix = (real or links).pop()
        try:
            status = os.stat(os.path.join(root, prefix))
            entries = _visible(os.path.join(root, prefix))
        except OSError as error:
            check_machine(prefix or root, error)
            problems.append((prefix or ".", f"this folder cannot be read ({error.strerror})"))
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        entries = [entry for entry in entries if _named_in_utf8(prefix, entry, problems)]
        below = [entry for entry in entries if _is_folder(entry) and entry.name not in without]
        for entry in sorted(below, key=lambda entry: entry.name, reverse=True):
            (links if entry.is_symlink() else real).append(f"{prefix}{entry.name}/")
        yield prefix, [entry for entry in entries if not _is_folder(entry)]


def _visible(folder: str) -> list[os.DirEntry]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _named_in_utf8(prefix: str, entry: os.DirEntry, problems: list[tuple[str, str]]) -> bool:
    """Return whether the name is UTF-8; a picture or folder whose name is not is a problem."""
    shown = plain(entry.name)
    if shown == entry.name:
        return True
    if _is_folder(entry) or _suffix(entry) in SUFFIXES:
        problems.append((prefix + shown, "its name is not UTF-8; rename it and it will be found"))
    return False


def _suffix(entry: os.DirEntry) -> str:
    return os.path.splitext(entry.name)[1].lower()


def _add_pictures(listing: Listing, prefix: str, files: list[os.DirEntry]) -> None:
    """Add the pictures among the files of one folder, or why not, to the listing."""
    texts = {os.path.splitext(entry.name)[0]: entry for entry in files if _suffix(entry) == ".txt"}
    for entry in files:
        if _is_unfinished(entry.name):
            reason = "its download has not finished; finish it or fetch it again"
            listing.problems.append((prefix + entry.name, reason))
        if _suffix(entry) not in SUFFIXES and _suffix(entry) not in REFUSED_SUFFIXES:
            continue
        name = prefix + entry.name
        if reason := trouble(entry.path):
            listing.problems.append((name, reason))
            continue
        text = texts.get(os.path.splitext(entry.name)[0])
        captions = _lines(prefix, text, listing.problems) if text else []
        category = prefix.split("/", 1)[0]
        listing.rows.append({"id": name, "captions": captions, "category": category})


def _is_unfinished(name: str) -> bool:
    """Return whether this is a picture that a browser is still writing, or has given up."""
    stem, suffix = os.path.splitext(name.lower())
    return suffix in UNFINISHED and os.path.splitext(stem)[1] in SUFFIXES | REFUSED_SUFFIXES.keys()


def _lines(prefix: str, text: os.DirEntry, problems: list[tuple[str, str]]) -> list[str]:
    """Return the captions in a text file; one that cannot be read is a problem and gives none."""
    try:
        if reason := trouble(text.path):
            raise OSError(None, reason)
        if text.stat().st_size > MAX_TEXT:
            raise OSError(None, "it has more than a million bytes")
        return distinct(Path(text.path).read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        check_machine(prefix + text.name, error)
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        problems.append((prefix + text.name, f"its captions cannot be read ({reason})"))
        return []
