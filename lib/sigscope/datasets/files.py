"""The files of a data set, looked up by name, so that it may be unpacked in any way."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigscope.datasets.registry import DATASETS
from sigscope.gallery.folder import GalleryError, Listing, folders
from sigscope.gallery.gallery import Gallery
from sigscope.images.captions import distinct

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
    """All files below a folder; no file is opened and none is asked for its size."""

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
        self._paths: dict[str, str | tuple[str, ...]] = {}
        if not self.root.is_dir():
            what = "is a file, not a folder" if self.root.exists() else "is not there"
            raise self.error(f"{self.root} {what}.")
        for prefix, files in folders(self.root, self.problems, {"__MACOSX", *without}):
            for entry in files:
                self._add(entry.name, prefix + entry.name)

    def error(self, sentence: str) -> GalleryError:
        """Return an error that says what is wrong, what was expected and where it is to be had."""
        about = DATASETS[self.dataset]
        return GalleryError(f"{sentence} {about.expects} The data set is at {about.source}.")

    def all(self, name: str) -> list[str]:
        """Return every path below root with this file name, the least deep first."""
        found = self._paths.get(name, ())
        found = [found] if isinstance(found, str) else found
        return sorted(found, key=lambda path: (path.count("/"), path))

    def names(self) -> Iterable[str]:
        """Return the file names there are."""
        return self._paths

    def find(self, *names: str) -> Path | None:
        """Return the first of these files that is there, or None."""
        for name in names:
            if found := self.all(name):
                return self.root / found[0]
        return None

    def picture(self, name: str, folder: str = "") -> str:
        """Return the path below root of a picture, in folder if it is there, or ""."""
        found = self._paths.get(name, "")
        if isinstance(found, str):
            return found
        return next((path for path in self.all(name) if _lies_in(path, folder)), self.all(name)[0])

    def shown(self, path: Path) -> str:
        """Return a path below root as the problems name it."""
        return path.relative_to(self.root).as_posix()

    def json(self, path: Path) -> Any:
        """Return what a JSON file says; GalleryError when it is not whole."""
        try:
            return json.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
        except (OSError, ValueError, RecursionError) as error:
            raise self.error(f"{path} cannot be read ({error}); download it again.") from error

    def gallery(self, entries: Iterable[Entry]) -> Gallery:
        """Return the gallery of the entries whose pictures are there; the others are problems.

        Where none of the pictures of one list is there, that is one problem. A second entry with
        an id gives its captions to the first.
        """
        rows: dict[str, dict[str, Any]] = {}
        there: dict[str, int] = {}
        absent: dict[str, list[Entry]] = {}
        for entry in entries:
            path = self.picture(entry.file, entry.folder)
            if not path:
                absent.setdefault(entry.listed, []).append(entry)
                continue
            there[entry.listed] = there.get(entry.listed, 0) + 1
            row = {"id": entry.id, "path": path, "captions": entry.captions, **entry.fields}
            if (first := rows.setdefault(entry.id, row)) is not row:
                first["captions"] = [*first["captions"], *entry.captions]
        for row in rows.values():
            row["captions"] = distinct(row["captions"])
        problems = [*self.problems, *self._absent(absent, there)]
        if not rows:
            raise self.error(self._nothing(absent))
        return Gallery.of(self.dataset, self.root, Listing(list(rows.values()), problems))

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
            return f"The lists of {self.dataset} below {self.root} name no pictures."
        named = ", ".join(missing[:SHOWN])
        return f"None of the {len(missing):,} pictures listed lies below {self.root} ({named} …)."

    def _add(self, name: str, path: str) -> None:
        earlier = self._paths.setdefault(name, path)
        if earlier is not path:
            earlier = (earlier,) if isinstance(earlier, str) else earlier
            self._paths[name] = (*earlier, path)


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line) of a text file, blank lines left out, line by line.

    It is read as UTF-8, and a line that is not is read as Windows-1252. Only LF and CRLF end a
    line: a caption may hold a form feed or a line separator.
    """
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            raw = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError:
                line = raw.decode("cp1252", "replace")
            if line.strip():
                yield number, line.rstrip("\r\n")


def _lies_in(path: str, folder: str) -> bool:
    return bool(folder) and path.rpartition("/")[0].split("/")[-1] == folder


def _expected(entry: Entry) -> str:
    return f"{entry.folder}/{entry.file}" if entry.folder else entry.file
