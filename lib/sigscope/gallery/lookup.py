"""Lookup: the files below a folder, found under whatever name a table calls them."""

import os
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from unicodedata import normalize
from urllib.parse import unquote

from sigscope.gallery.columns import NUMBERED
from sigscope.images.formats import FORMATS, SUFFIXES

LABEL_STUDIO = re.compile(r"[0-9a-f]{8}-(?=.)")  # what it puts before a name
NUMBER = re.compile(r"(?:COCO_\w+_)?0*(\d+)")  # a name that is one, as COCO's pictures have it
OUTSIDE = "its file_name leads out of the folder; name a file inside it"


class Lookup:
    """Paths below a root by their names; a name that several files have is not chosen between.

    Attributes:
        by_name: What was matched by its name or number alone: as listed, and the path below root.
    """

    def __init__(self, paths: Iterable[str], root: Path | None = None) -> None:
        """Take the paths of the files, below the root and with "/".

        Args:
            paths: Not asked for before a file is missed, if root is given.
            root: Where a file that lies as it is listed is looked for first.
        """
        self.by_name: dict[str, str] = {}
        self._source, self._root = paths, root
        self._alike: dict[str, list[str]] | None = None

    @cached_property
    def _paths(self) -> dict[str, str | tuple[str, ...]]:
        found: dict[str, str | tuple[str, ...]] = {}
        for path in self._source:
            earlier = found.setdefault(path.rpartition("/")[2], path)
            if earlier is not path:
                earlier = (earlier,) if isinstance(earlier, str) else earlier
                found[path.rpartition("/")[2]] = (*earlier, path)
        return found

    def names(self) -> Iterable[str]:
        """Return the file names there are."""
        return self._paths

    def all(self, name: str) -> list[str]:
        """Return every path with this file name, the least deep first."""
        found = self._paths.get(name, ())
        found = [found] if isinstance(found, str) else found
        return sorted(found, key=lambda path: (path.count("/"), path))

    def find(self, listed: str, folder: str = "") -> str:
        """Return the path of the file that is listed, or "" where there is none.

        How accents are composed, capitals and Windows' backslashes do not matter. A path that leads
        elsewhere (another machine's), and a name or number without a suffix, find the one picture
        of that name; `by_name` keeps what was found so.

        Args:
            listed: A path or a name.
            folder: The folder below root that it counts from; the folder itself need not be there.

        Raises:
            ValueError: It leads out of the root, or several files are meant equally.
        """
        path = _within(listed.replace("\\", "/"), folder)
        if self._root and os.path.isfile(os.path.join(self._root, path)):
            return path
        name = path.rpartition("/")[2]
        exact = self.all(name)
        if path in exact:
            return path
        found = _nearest(path, exact) or _nearest(path, self._spelt(name))
        if not found:
            found = _nearest(path, self._numbered(name)) or _nearest(path, self._renamed(name))
        if len(found) > 1:
            raise ValueError(f"{len(found)} files are called so, such as {found[0]}")
        if found and _key(found[0]) not in (_key(path), _key(listed.strip("./"))):
            self.by_name[listed] = found[0]
        return found[0] if found else ""

    def _spelt(self, name: str) -> list[str]:
        return self._index().get(_key(name), [])

    def _numbered(self, name: str) -> list[str]:
        """Return the pictures that a name without a suffix, or a number, may mean."""
        stem, _, suffix = name.rpartition(".")
        if stem and f".{suffix.lower()}" in SUFFIXES:
            return []
        key = _key(name).removesuffix(".0")  # of a number in a column that has a gap
        found = self._index().get(f"/{_key(name)}", [])
        if not found and key.isdecimal():
            return self._index().get(f"/{key.lstrip('0') or '0'}", [])
        return found

    def _renamed(self, name: str) -> list[str]:
        """Return what a name in an address (my%20cat.jpg), or with something more, may mean.

        That is what Label Studio puts before it, a question behind it (?w=200) or a caption's
        number (#0), and another suffix of the same format (a.jpeg).
        """
        bare = unquote(name.removeprefix("?d=").partition("?")[0])  # ?d=cat.jpg of a local file
        bare = LABEL_STUDIO.sub("", NUMBERED.sub("", bare))
        stem, suffix = os.path.splitext(bare)
        kinds = next((each for each in FORMATS.values() if suffix.lower() in each), ())
        names = [bare] * (bare != name) + [f"{stem}{each}" for each in kinds]
        return next(filter(None, map(self._spelt, names)), [])

    def _index(self) -> dict[str, list[str]]:
        """Return paths by how their names sound, and with a "/" before it by stem."""
        if self._alike is None:
            self._alike = {}
            for name in self._paths:
                stem, _, suffix = name.rpartition(".")
                keys = [_key(name)]
                if f".{suffix.lower()}" in SUFFIXES:
                    keys.append(f"/{_key(stem)}")
                    if (number := NUMBER.fullmatch(stem)) and number[1] != stem:
                        keys.append(f"/{number[1]}")
                for key in keys:
                    self._alike.setdefault(key, []).extend(self.all(name))
        return self._alike


def _key(name: str) -> str:
    return normalize("NFC", name).casefold()


def _within(listed: str, folder: str) -> str:
    """Return a listed path as one below the root, its dots resolved."""
    parts: list[str] = []
    is_absolute = listed.startswith("/") or listed[1:2] == ":"
    for part in PurePosixPath(listed if is_absolute else f"{folder}/{listed}").parts:
        if part == "..":
            if not parts:
                raise ValueError(OUTSIDE)
            parts.pop()
        elif part not in ("/", "//"):
            parts.append(part)
    return "/".join(parts)


def _nearest(path: str, candidates: list[str]) -> list[str]:
    """Return the candidates that share the most folders with path, counted from the file."""
    wanted = [_key(part) for part in reversed(path.split("/")[:-1])]

    def shared(candidate: str) -> int:
        count = 0
        for one, other in zip(wanted, reversed(candidate.split("/")[:-1]), strict=False):
            if one != _key(other):
                break
            count += 1
        return count

    most = max(map(shared, candidates), default=0)
    return [each for each in candidates if shared(each) == most]
