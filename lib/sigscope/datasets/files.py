"""The files of a data set, looked up by name, so that it may be unpacked in any way."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigscope.datasets.registry import DATASETS
from sigscope.gallery.archives import count_files, left_out, unpacked
from sigscope.gallery.folder import GalleryError, Listing, suffix_of
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.lookup import Lookup
from sigscope.gallery.texts import MIXED, decoded, is_damaged, lines_of
from sigscope.gallery.walk import LeftOut, count_of, folders
from sigscope.images.captions import distinct
from sigscope.images.formats import SUFFIXES
from sigscope.images.sniff import LFS, is_pointer
from sigscope.trouble import check_machine

MOST = 100  # JSON files that are looked into; more are side-cars
LISTS = (".json", ".csv", ".txt", ".token", ".parquet", ".mat")
SHOWN = 3  # missing pictures named in a sentence


@dataclass(frozen=True)
class Entry:
    """A picture as a data set lists it.

    Attributes:
        id: The data set's own id.
        file: Its file's name.
        captions: In their order; blanks and doubles are taken out later.
        folder: The folder that it should lie in, where the data set says so.
        listed: The file that lists it, as in "captions_val2017.json".
        fields: Further cells of its row.
    """

    id: str
    file: str
    captions: list[str]
    folder: str = ""
    listed: str = ""
    fields: dict[str, str] = field(default_factory=dict)


class Tree:
    """All files below a folder; no file is opened and none is asked for its size.

    Attributes:
        root: The folder.
        problems: What is left out, and why: path, reason.
        read: The lists that were read, by their paths below root.
    """

    def __init__(self, root: str | Path, dataset: str, without: Iterable[str] = ()) -> None:
        """List what is there.

        Args:
            root: The folder.
            dataset: A name in ``DATASETS``, for the sentences.
            without: Names of folders below root not to look into.

        Raises:
            GalleryError: There is no such folder.
        """
        self.root, self.dataset = Path(root).expanduser(), dataset
        self.problems: list[tuple[str, str]] = []
        self._files: list[str] = []
        self._packed = 0  # files in the zip that it was unpacked from
        if self.root.is_file() and self.root.suffix.lower() == ".zip":
            self._packed = count_files(self.root)
            self.root = unpacked(self.root)
            self.problems += left_out(self.root)
        if not self.root.is_dir():
            what = "is a file, not a folder" if self.root.exists() else "is not there"
            raise self.error(f"{self.root} {what}.")
        self._left_out: list[LeftOut] = []
        walked = folders(self.root, self._left_out, without)
        self._files = [prefix + entry.name for prefix, files in walked for entry in files]
        self._lookup = Lookup(self._files)
        self.read: set[str] = set()
        self.problems += [(each.path, each.reason) for each in self._left_out]

    def error(self, sentence: str) -> GalleryError:
        """Return an error that says what is wrong, what was expected and where to get it."""
        about = DATASETS[self.dataset]
        pointer = next(self._pointers(), "")
        if pointer and LFS not in sentence:
            sentence = f"{sentence} {pointer}: {LFS}."
        return GalleryError(f"{sentence} {about.expects} The data set is at {about.source}.")

    def _pointers(self) -> Iterator[str]:
        """Yield which of the first lists are only pointers to files that were not fetched."""
        for path in [path for path in self._files if suffix_of(path) in LISTS][:MOST]:
            with suppress(OSError), (self.root / path).open("rb") as file:
                if is_pointer(file.read(64)):
                    yield path

    def all(self, name: str) -> list[str]:
        """Return every path below root with this file name, the least deep first."""
        return self._lookup.all(name)

    def names(self) -> Iterable[str]:
        """Return the file names there are."""
        return self._lookup.names()

    def find(self, *names: str) -> Path | None:
        """Return the first of these files that is there, or None."""
        for name in names:
            if found := self.all(name):
                self.read.add(found[0])
                return self.root / found[0]
        return None

    def holding(self, *words: bytes) -> list[Path]:
        """Return the JSON files in which all of these words stand, whatever they are called."""
        files = [self.root / path for path in self._files if path.lower().endswith(".json")]
        return [file for file in files[:MOST] if all(word in file.read_bytes() for word in words)]

    def picture(self, name: str, folder: str = "") -> str:
        """Return the path below root of a picture, in folder if it is there, or "".

        Raises:
            ValueError: Several are meant equally.
        """
        return self._lookup.find(name, folder)

    def shown(self, path: Path) -> str:
        """Return a path below root as the problems name it."""
        return path.relative_to(self.root).as_posix()

    def json(self, path: Path) -> Any:
        """Return what a JSON file says; GalleryError when it is not whole."""
        self.read.add(self.shown(path))
        with self._reading(path):
            return json.loads(decoded(path.read_bytes()), strict=False)

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """Yield (number from 1, line) of a text without its blank lines; else a GalleryError."""
        with self._reading(path):
            for number, line in lines_of(path, self.problems):
                if is_damaged(line):
                    self.problems.append((self.shown(path), f"line {number} {MIXED}"))
                else:
                    yield number, line

    @contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        try:
            yield
        except GalleryError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            check_machine(path, error)
            raise self.error(f"{path} cannot be read ({error}); download it again.") from error

    def gallery(self, entries: Iterable[Entry]) -> Gallery:
        """Return the gallery of the entries whose pictures are there; the others are problems.

        Where none of the pictures of one list is there, that is one problem. A second entry with
        an id gives its captions to the first. A picture of another list with that id is called by
        its path.
        """
        rows: dict[str, dict[str, Any]] = {}
        there: dict[str, int] = {}
        absent: dict[str, list[Entry]] = {}
        again: dict[str, list[str]] = {}
        for entry in entries:
            try:
                path = self.picture(entry.file, entry.folder)
            except ValueError as error:
                self.problems.append((_expected(entry), f"{error}; {entry.listed} lists it"))
                continue
            if not path:
                absent.setdefault(entry.listed, []).append(entry)
                continue
            there[entry.listed] = there.get(entry.listed, 0) + 1
            is_taken = entry.id in rows and rows[entry.id]["path"] != path
            id = path if is_taken else entry.id
            row = {"id": id, "path": path, "captions": entry.captions, **entry.fields}
            first = rows.setdefault(id, row)
            if first is not row:
                first["captions"] = [*first["captions"], *entry.captions]
            elif is_taken:
                again.setdefault(entry.listed, []).append(f"{entry.id} of {path}")
        for row in rows.values():
            row["captions"] = distinct(row["captions"])
        self._tell_matches()
        for place, ids in again.items():
            reason = f"{len(ids):,} of its ids, such as {ids[0]}, are those of other pictures"
            self.problems.append((place, f"{reason}; paths are the ids here"))
        problems = [*self.problems, *self._absent(absent, there)]
        if not rows:
            raise self.error(self._nothing(absent))
        named = {row["path"] for row in rows.values()}
        counts = self.tell_others(named, problems)
        return Gallery.of(self.dataset, self.root, Listing(list(rows.values()), problems, counts))

    def _tell_matches(self) -> None:
        """Add a problem where pictures were found by another name than the listed one."""
        matched = self._lookup.by_name.items()
        other = [pair for pair in matched if not pair[1].casefold().endswith(pair[0].casefold())]
        if other:
            listed, path = other[0]
            said = f"such as {listed}, which is taken to be {path}"
            found = f"{count_of(len(other), 'picture')} found under another name"
            self.problems.append((".", f"{found}, {said}"))

    def tell_others(self, named: set[str], problems: list[tuple[str, str]]) -> dict[str, int]:
        """Add a problem for the files of each folder that no list names; return the counts.

        Args:
            named: The paths of the pictures that are in the gallery.
            problems: What is told already; is added to.
        """
        told = {path for path, _ in problems} | named | self.read
        others: dict[tuple[str, str], list[str]] = {}
        for path in self._files:
            if path not in told:
                folder, _, name = path.rpartition("/")
                kind = "picture" if suffix_of(name) in SUFFIXES else "other file"
                others.setdefault((folder, kind), []).append(name)
        for (folder, kind), names in others.items():
            reason = f"{count_of(len(names), kind)} that no list of {self.dataset} names"
            problems.append((f"{folder or '.'}/", f"{reason}, the first {min(names)}"))
        counts = {"pictures": len(named), "unreadable": 0, "lists": len(self.read - named)}
        total = len(self._files) + sum(each.count for each in self._left_out)
        counts["not listed"] = total - sum(counts.values())
        if self._packed:
            counts["left in the archive"] = self._packed - total
        return counts

    def _absent(self, absent: dict[str, list[Entry]], there: dict[str, int]) -> list:
        problems = []
        for listed, entries in absent.items():
            if there.get(listed):
                reason = f"there is no such file below the folder; {listed} lists it"
                problems += [(_expected(entry), reason) for entry in entries]
            else:
                first = f"the first is {_expected(entries[0])}"
                reason = f"none of the {len(entries):,} pictures that it lists is there; {first}"
                problems.append((listed, reason))
        return problems

    def _nothing(self, absent: dict[str, list[Entry]]) -> str:
        missing = [_expected(entry) for entries in absent.values() for entry in entries]
        if not missing:
            first = f" The first problem: {': '.join(self.problems[0])}." if self.problems else ""
            return f"The lists of {self.dataset} below {self.root} name no pictures.{first}"
        named = ", ".join(missing[:SHOWN])
        return f"None of the {len(missing):,} pictures listed lies below {self.root} ({named} …)."


def _expected(entry: Entry) -> str:
    return f"{entry.folder}/{entry.file}" if entry.folder else entry.file
