"""Lists of URLs with captions, read row by row, so that a million takes no memory."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sigscope import paths
from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.columns import URLS, caption_columns, first_of
from sigscope.gallery.delimited import heading_of
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.tables import READERS as TABLES
from sigscope.gallery.tables import records
from sigscope.images.captions import tidy

Row = tuple[str, str]  # URL, caption


class ListError(ValueError):
    """There is no such list of URLs; the message is a sentence for a person."""


@dataclass(frozen=True)
class UrlList:
    """A list of URLs with captions.

    Attributes:
        name: what to call it, fit for a folder's name.
        rows: a function that begins to read it: an iterator of (URL, caption).
        total: how many rows there are, or None when nobody has counted.
    """

    name: str
    rows: Callable[[], Iterator[Row]]
    total: int | None = None


def _read_txt(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines:
        for line in lines:
            if line.strip():
                yield line.strip(), ""


def _read_table(file: Path) -> Iterator[Row]:
    url: str | None = None
    try:
        for _, record in records(file, []):
            if url is None:
                url, captions = _columns(file, list(record))
            caption = texts_of(record.get(captions[0])) if captions else []
            yield text_of(record.get(url)), next(map(tidy, caption), "")
    except GalleryError as error:
        raise ListError(str(error)) from error
    if url is None:
        _columns(file, heading_of(file) if file.suffix.lower() in (".csv", ".tsv") else [])


def _columns(file: Path, heading: list[str]) -> tuple[str, list[str]]:
    """Return the column of URLs and those of captions."""
    url = first_of(URLS, heading)
    if not url:
        raise ListError(f"{file} has no column url (it has {', '.join(heading)[:200]}); name one.")
    return url, caption_columns(heading)


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".txt": _read_txt,
    **dict.fromkeys(TABLES, _read_table),
}


def default_folder(source: str) -> Path:
    """Return where the pictures of a list go when nobody says: below the cache, by its path."""
    name, colon, path = source.partition(":")
    if not (colon and name.isidentifier() and len(name) > 1):
        name, path = Path(source).stem, source
    place = str(Path(path).expanduser().resolve())
    return paths.CACHE / "downloads" / f"{name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
