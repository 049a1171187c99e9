"""Lists of URLs with captions, read row by row, so that a million takes no memory."""

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sigscope import paths
from sigscope.images.captions import tidy

Row = tuple[str, str]  # URL, caption

URL_COLUMNS = ("url", "image_url", "urls")  # in lower case, as LAION's are URL and TEXT
CAPTION_COLUMNS = ("caption", "text", "title")
BATCH = 10_000


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


def _read_csv(file: Path, delimiter: str = ",") -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        url, caption = _columns(file, next(reader, []))
        try:
            for row in reader:
                if row:
                    yield row[url].strip(), tidy(row[caption]) if caption is not None else ""
        except (csv.Error, IndexError) as error:
            raise ListError(f"{file}, line {reader.line_num}: {error}; look at it.") from error


def _read_tsv(file: Path) -> Iterator[Row]:
    return _read_csv(file, "\t")


def _read_parquet(file: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        raise ListError(f"{file} cannot be read ({error}).") from error
    names = table.schema_arrow.names
    wanted = [names[place] for place in _columns(file, names) if place is not None]
    for batch in table.iter_batches(BATCH, columns=wanted):
        columns = [batch.column(name).to_pylist() for name in wanted]
        for url, *rest in zip(*columns, strict=True):
            yield str(url or "").strip(), tidy(str(rest[0] or "")) if rest else ""


def _columns(file: Path, heading: list[str]) -> tuple[int, int | None]:
    """Return the places of the columns of URLs and of captions (None: there is none)."""
    names = [name.strip().lower() for name in heading]
    urls = [names.index(name) for name in URL_COLUMNS if name in names]
    captions = [names.index(name) for name in CAPTION_COLUMNS if name in names]
    if not urls:
        raise ListError(f"{file} has no column url (it has {', '.join(heading)[:200]}); name one.")
    return urls[0], captions[0] if captions else None


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".txt": _read_txt,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
}


def default_folder(source: str) -> Path:
    """Return where the pictures of a list go when nobody says: below the cache, by its path."""
    name, colon, path = source.partition(":")
    if not (colon and name.isidentifier() and len(name) > 1):
        name, path = Path(source).stem, source
    place = str(Path(path).expanduser().resolve())
    return paths.CACHE / "downloads" / f"{name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
