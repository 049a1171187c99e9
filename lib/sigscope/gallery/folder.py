"""Folders of pictures as they lie on disk: one row per picture, and what was left out and why.

Nothing vanishes in silence: every file ends as a picture, as the text of one, or as a problem. A
file is opened only where its suffix does not say what it is, so that a folder of 50,000 is listed
in seconds.
"""

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigscope.gallery.links import LEADS_OUT, leads_out
from sigscope.images.read import MAX_BYTES, RAW_SUFFIXES, REFUSED_SUFFIXES, SUFFIXES, plain
from sigscope.images.sniff import ARCHIVE, HEAD, kind_of, meaning_of
from sigscope.trouble import check_machine

UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".opdownload")  # by browsers
KNOWN = (  # suffixes of files that are never opened to see whether they are pictures
    *(".txt", ".caption", ".captions", ".xmp", ".json", ".jsonl", ".ndjson", ".csv", ".tsv"),
    *(".parquet", ".md", ".html", ".xml", ".py", ".npy", ".db", ".ini", ".log"),
)

# What other programs keep for themselves, in lower case: thumbnails, previews and bins.
JUNK = (
    *("__macosx", "@eadir", "#recycle", "@recycle", "$recycle.bin", "recycler", "lost+found"),
    *("@__thumb", "@recently-snapshot", "#snapshot", "system volume information"),
)
PREVIEWS = (".lrdata", ".lrcat-data", ".cocatalogdb")  # how such folders end
LIBRARIES = (".photoslibrary", ".photolibrary", ".migratedphotolibrary", ".aplibrary")
ORIGINALS = ("originals", "masters")  # what counts in a photo library
NO_PICTURE = "it is no picture"
Problems = list[tuple[str, str]]


class GalleryError(ValueError):
    """There is no gallery to be had as asked; the message is a sentence for a person."""


@dataclass(frozen=True)
class Listing:
    """What a folder or a metadata file offers.

    Attributes:
        rows: One dict per picture: id (its path under the gallery's root, with "/"), captions
            (list of str, no blanks, no doubles), and any other fields, in the gallery's order.
        problems: (path, reason) for everything that was left out; a path that ends with "/" stands
            for the files of a folder that are not named otherwise.
        counts: How many files there are of each kind; together they are all files.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: Problems = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


class Contents:
    """The files below a folder.

    Attributes:
        root: The folder.
        folders: The names of the files in each folder, by its path below root with a final "/".
        left_out: What could not be looked at, and what others keep for themselves.
        used: Paths of the texts and tables that were read.
    """

    def __init__(self, root: Path) -> None:
        """Look at everything below root; files without a known suffix are opened."""
        self.root, self.used = root, set()
        self.left_out: list[LeftOut] = []
        self.folders = {
            prefix: sorted(entry.name for entry in files)
            for prefix, files in folders(root, self.left_out)
        }
        self._pictures = {path for path in self.paths() if self._is_picture(path)}

    def paths(self) -> Iterator[str]:
        """Yield the path of every file below root."""
        for prefix, names in self.folders.items():
            yield from (prefix + name for name in names)

    def is_picture(self, path: str) -> bool:
        """Return whether a file is one of the pictures that are read, by its suffix or its head."""
        return path in self._pictures

    def place(self, path: str) -> str:
        """Return where a file lies."""
        return os.path.join(self.root, path)

    def _is_picture(self, path: str) -> bool:
        suffix = suffix_of(path)
        if suffix in SUFFIXES:
            return True
        if suffix in KNOWN or suffix in UNFINISHED:
            return False
        return holds_picture(self.place(path))

    def finish(self, listing: Listing, unlisted: Collection[str]) -> Listing:
        """Return the listing with a problem for every file that is in none yet, and the counts.

        Args:
            listing: What was made of the folder.
            unlisted: The pictures that metadata does not name.
        """
        ids = {row["id"] for row in listing.rows}
        told = {path for path, _ in listing.problems}
        problems = [*listing.problems, *((each.path, each.reason) for each in self.left_out)]
        counts = {"pictures": len(ids), "unreadable": 0, "not listed": 0}
        counts |= {"texts and tables": len(self.used), "not pictures": 0}
        counts["hidden or other programs'"] = sum(each.count for each in self.left_out)
        for path in self.paths():
            if path not in ids and path not in self.used:
                counts[self._kind(path, path in unlisted)] += 1
                if path not in told:
                    problems.append((path, self._reason(path)))
        return Listing(listing.rows, problems, counts)

    def _kind(self, path: str, is_unlisted: bool) -> str:
        if is_unlisted:
            return "not listed"
        may_be = self.is_picture(path) or suffix_of(path) in REFUSED_SUFFIXES
        return "unreadable" if may_be or _is_unfinished(path) else "not pictures"

    def _reason(self, path: str) -> str:
        """Return why a file is neither a picture of the gallery nor the text of one."""
        suffix = suffix_of(path)
        if _is_unfinished(path):
            return "its download has not finished; finish it or fetch it again"
        if suffix in REFUSED_SUFFIXES:
            return trouble(self.place(path)) or REFUSED_SUFFIXES[suffix]
        if suffix == ".tar":
            return ARCHIVE
        if suffix in (".txt", ".caption", ".captions", ".xmp"):
            return "it is a text, and no picture has its name"
        return meaning_of(_head(self.place(path))) or NO_PICTURE


def trouble(path: str) -> str:
    """Return why the file at path cannot be offered as a picture, or "" when it can."""
    if reason := unreachable(path):
        return reason
    suffix = suffix_of(path)
    if suffix in SUFFIXES or holds_picture(path):
        return ""
    return REFUSED_SUFFIXES.get(suffix) or meaning_of(_head(path)) or NO_PICTURE


def unreachable(path: str) -> str:
    """Return why the file at path cannot be read, or "" when it can; it is not opened."""
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


def suffix_of(path: str) -> str:
    """Return how a file's name ends, in lower case, with its dot."""
    dot = path.rfind(".")
    return path[dot:].lower() if dot > path.rfind("/") + 1 else ""


def is_junk(name: str, within: str = "") -> bool:
    """Return whether a folder holds what another program keeps for itself.

    Args:
        name: What it is called.
        within: What the folder around it is called.
    """
    name = name.lower()
    if within.lower().endswith(LIBRARIES):
        return name not in ORIGINALS
    return name in JUNK or name.endswith(PREVIEWS)


@dataclass(frozen=True)
class LeftOut:
    """What is not looked at in a folder, why, and how many files that is."""

    path: str
    reason: str
    count: int


def folders(
    root: Path, left_out: list[LeftOut], without: Collection[str] = ()
) -> Iterator[tuple[str, list[os.DirEntry]]]:
    """Yield (path below root with a final "/", its files) of root and every folder below it.

    What is hidden, and the folders of `is_junk`, are left out, one line a folder; folders with a
    name in ``without`` are passed over. Each real folder comes once, so a loop of links ends; links
    wait until all real folders have been seen, so a linked folder is listed under its own name
    where it has one below root.
    """
    seen, real, links = set(), [""], []
    while real or links:
        prefix = (real or links).pop()
        try:
            status = os.stat(os.path.join(root, prefix))
            with os.scandir(os.path.join(root, prefix)) as found:
                entries = list(found)
        except OSError as error:
            check_machine(prefix or root, error)
            reason = f"this folder cannot be read ({error.strerror})"
            left_out.append(LeftOut(prefix or ".", reason, 0))
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        entries = _sorted_out(prefix, entries, left_out)
        below = [entry for entry in entries if _is_folder(entry) and entry.name not in without]
        for entry in sorted(below, key=lambda entry: entry.name, reverse=True):
            (links if entry.is_symlink() else real).append(f"{prefix}{entry.name}/")
        files = [entry for entry in entries if not _is_folder(entry)]
        yield prefix, [entry for entry in files if not _is_elsewhere(root, prefix, entry, left_out)]


def _is_elsewhere(root: Path, prefix: str, entry: os.DirEntry, left_out: list[LeftOut]) -> bool:
    """Return whether a file is a link that leads out of root, which is left out then."""
    if not (entry.is_symlink() and leads_out(root, prefix + entry.name)):
        return False
    left_out.append(LeftOut(prefix + plain(entry.name), LEADS_OUT, 1))
    return True


def _sorted_out(
    prefix: str, entries: list[os.DirEntry], left_out: list[LeftOut]
) -> list[os.DirEntry]:
    """Return what is to be looked at in a folder."""
    kept, hidden = [], []
    within = prefix.rstrip("/").rpartition("/")[2]
    for entry in entries:
        is_folder, shown = _is_folder(entry), plain(entry.name)
        if is_folder and (entry.name.startswith(".") or is_junk(entry.name, within)):
            what = "it is hidden" if entry.name.startswith(".") else "another program keeps it"
            if count := _count(entry):
                reason = f"{what}, with its {count_of(count, 'file')}"
                left_out.append(LeftOut(f"{prefix}{shown}/", reason, count))
        elif entry.name.startswith("."):
            hidden.append(shown)
        elif shown != entry.name:
            reason = "its name is not UTF-8; rename it and it will be found"
            left_out.append(LeftOut(prefix + shown, reason, _count(entry) if is_folder else 1))
        else:
            kept.append(entry)
    if hidden:
        reason = f"{count_of(len(hidden), 'hidden file')} in it, the first {min(hidden)}"
        left_out.append(LeftOut(prefix or "./", reason, len(hidden)))
    return kept


def count_of(n: int, thing: str) -> str:
    """Return a number with its noun: 1 file, 1,200 files."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _count(folder: os.DirEntry) -> int:
    return sum(len(names) for _, _, names in os.walk(folder.path))


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_unfinished(name: str) -> bool:
    """Return whether this is a picture that a browser is still writing, or has given up."""
    stem, suffix = os.path.splitext(name.lower())
    return suffix in UNFINISHED and os.path.splitext(stem)[1] in SUFFIXES | REFUSED_SUFFIXES.keys()


def holds_picture(path: str) -> bool:
    """Return whether a file begins like a picture that is read; raw files begin like TIFF."""
    kind = kind_of(_head(path))
    return bool(kind) and not (kind == "TIFF" and suffix_of(path) in RAW_SUFFIXES)


def _head(path: str) -> bytes:
    """Return how an ordinary file begins; nothing where that cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return b""
        with open(path, "rb", buffering=0) as file:
            return file.read(HEAD)
    except (OSError, ValueError) as error:
        check_machine(path, error)
        return b""
