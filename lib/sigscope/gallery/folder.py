"""Folders of pictures as they lie on disk: one row per picture, and what was left out and why.

Nothing vanishes in silence: every file ends as a picture, as the text of one, or as a problem. A
file is opened only where its suffix does not say what it is, so that a folder of 50,000 is listed
in seconds.
"""

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigscope.gallery.walk import LeftOut, folders
from sigscope.images.formats import RAW_SUFFIXES, REFUSED_SUFFIXES, SUFFIXES
from sigscope.images.read import MAX_BYTES
from sigscope.images.sniff import ARCHIVE, FAILED, FILM, HEAD, LFS, kind_of, meaning_of
from sigscope.images.video import SUFFIXES as VIDEOS
from sigscope.trouble import check_machine

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
FILMS = (".wmv", ".flv", ".mts", ".m2ts", ".mpg", ".mpeg", ".3gp", ".insv")  # of other kinds
SHEETS = (".xlsx", ".xls", ".ods", ".numbers")
UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".opdownload")  # by browsers
TEXTS = (".txt", ".caption", ".captions", ".text", ".xmp")  # of texts beside pictures
TABLES = (".json", ".jsonl", ".ndjson", ".jsonlines", ".csv", ".tsv", ".parquet")
OTHERS = {  # what else lies in folders of pictures, and what to do about it
    "it is YAML or TOML, which is not read; save captions as CSV": (".yaml", ".yml", ".toml"),
    "it is an Arrow file; export it as parquet": (".arrow", ".feather"),
    "it is XML, such as the places of boxes, and is not read": (".xml",),
    "it is a document; save captions as .txt or CSV": (".docx", ".doc", ".odt", ".rtf", ".pages"),
    "it holds records of another program; export them as pictures and CSV": (
        *(".tfrecord", ".lmdb", ".mdb", ".h5", ".hdf5", ".mat", ".pkl", ".pickle", ".pt", ".pth"),
        *(".msgpack", ".recordio", ".rec", ".beton"),
    ),
    "it holds arrays of numbers, which are not read here": (".npz", ".npy"),
}
OTHER_SUFFIXES = {suffix: what for what, suffixes in OTHERS.items() for suffix in suffixes}
KNOWN = (  # suffixes of files that are never opened to see whether they are pictures
    *(*TEXTS, *TABLES),
    *(".md", ".html", ".xml", ".py", ".npy", ".db", ".ini", ".log"),
)

ANYONE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH  # may read it
NO_PICTURE = "it is no picture"
NO_NAMES_HERE = "it names no picture that is here, and is not used"  # of a table
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
        odd: Paths of what is no ordinary file: a pipe, a link that leads nowhere.
        used: Paths of the texts and tables that were read.
    """

    def __init__(self, root: Path) -> None:
        """Look at everything below root; files without a known suffix are opened."""
        self.root, self.used = root, set()
        self._top = os.path.join(root, "")
        self.left_out: list[LeftOut] = []
        self.folders: dict[str, list[str]] = {}
        self.odd: set[str] = set()
        for prefix, files in folders(root, self.left_out):
            self.folders[prefix] = sorted(entry.name for entry in files)
            self.odd.update(prefix + entry.name for entry in files if not _is_ordinary(entry))
        self._paths = [each + name for each, names in self.folders.items() for name in names]
        self._pictures = {path for path in self._paths if self._is_picture(path)}

    def paths(self) -> Sequence[str]:
        """Return the path of every file below root."""
        return self._paths

    def is_picture(self, path: str) -> bool:
        """Return whether a file is one of the pictures that are read, by its suffix or its head."""
        return path in self._pictures

    def place(self, path: str) -> str:
        """Return where a file lies."""
        return self._top + path

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
        head = _head(self.place(path))
        if suffix in TEXTS and not kind_of(head):
            return "it is a text, and no picture has its name"
        return no_picture(path, head)


def trouble(path: str) -> str:
    """Return why the file at path cannot be offered as a picture, or "" when it can."""
    if reason := unreachable(path):
        return reason
    suffix = suffix_of(path)
    if suffix in SUFFIXES or holds_picture(path):
        return ""
    return REFUSED_SUFFIXES.get(suffix) or no_picture(path, _head(path))


def no_picture(path: str, head: bytes) -> str:
    """Return what a file is that is not called like a picture and does not begin like one."""
    suffix, meaning = suffix_of(path), meaning_of(head)
    if (kind := kind_of(head)) and suffix not in RAW_SUFFIXES:
        return f"it begins like {kind} and is called {suffix}; give it the suffix of a picture"
    if suffix in SHEETS:
        return "it is a spreadsheet; save it as CSV"
    if suffix in VIDEOS:
        return "it is a film; its moments are searched where videos:FOLDER is given"
    if suffix in FILMS:
        return FILM
    if suffix in OTHER_SUFFIXES and meaning != LFS:
        return OTHER_SUFFIXES[suffix]
    if suffix in ARCHIVES and meaning != LFS:
        return ARCHIVE
    if suffix in TABLES:
        return "it is a table, and is not used here"
    is_own = FAILED in meaning or meaning == ARCHIVE and suffix  # XML, or what a program packs
    return NO_PICTURE if is_own else meaning or NO_PICTURE


def unreachable(path: str) -> str:
    """Return why the file at path cannot be read, or "" when it can; it is not opened."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return f"{'its link leads to' if os.path.islink(path) else 'there is'} no such file"
    except (OSError, ValueError) as error:
        check_machine(path, error)
        return f"it cannot be reached ({getattr(error, 'strerror', None) or error})"
    return refusal(path, status)


def refusal(path: str, status: os.stat_result) -> str:
    """Return why a file with this status cannot be read, or "" when it can; it is not opened."""
    if not stat.S_ISREG(status.st_mode):
        return "it is a folder" if stat.S_ISDIR(status.st_mode) else "it is not an ordinary file"
    if status.st_size > MAX_BYTES:
        return f"it has more than {MAX_BYTES // 10**9} GB; make it smaller first"
    if status.st_mode & ANYONE == ANYONE or os.access(path, os.R_OK):
        return ""
    return "it may not be read (permission denied)"


def _is_ordinary(entry: os.DirEntry) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def suffix_of(path: str) -> str:
    """Return how a file's name ends, in lower case, with its dot."""
    dot = path.rfind(".")
    return path[dot:].lower() if dot > path.rfind("/") + 1 else ""


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
