"""Vectors written into the cells of a table, as pandas writes a list, an array or a tensor."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sigscope.gallery.folder import GalleryError
from sigscope.images.captions import tidy

FIELDS = {  # what a column may be called, in lower case and with blanks for _
    "image": ("image embedding", "image embeddings", "image vector"),
    "text": ("text embedding", "text embeddings", "text vector"),
    "description": ("description", "text description", "caption", "text", "prompt"),
    "picture": ("image path", "path", "file name", "filename", "image"),
    "url": ("url", "image url"),
    "id": ("id",),
}
SUFFIXES = (".csv", ".parquet")
LONGEST_CELL = 1 << 26  # characters: a vector of two million numbers
WRAPPED = re.compile(r"(?:tensor|array|np\.array)\((.*?)(?:,\s*\w+=[^\[\]]*)?\)", re.DOTALL)
TO_BLANKS = str.maketrans("[],;", "    ")


@dataclass(frozen=True)
class VectorRow:
    """One row of a table of vectors, whose cells have not been parsed yet.

    ``fault`` says why the row cannot be used, or is "".
    """

    number: int  # of the row, from 0, as R5's pictures are called
    description: str = ""
    picture: str = ""
    url: str = ""
    id: str = ""
    image: Any = ""
    text: Any = None  # None where there is no such column
    fault: str = ""


def read_rows(path: Path) -> Iterator[VectorRow]:
    """Yield the rows of a table one by one; memory does not grow with the table.

    Raises:
        GalleryError: It is no such table, or its quotes are broken.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise GalleryError(f"{path} is no table of vectors ({' or '.join(SUFFIXES)}).")
    rows = _of_csv(path) if path.suffix.lower() == ".csv" else _of_parquet(path)
    try:
        yield from rows
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise GalleryError(f"{path} cannot be read ({error}); look at its quotes.") from error


def usable_rows(
    table: Path, problems: list[tuple[str, str]] | None = None
) -> Iterator[tuple[VectorRow, str]]:
    """Yield the rows that the gallery has, with their ids; the others go to the problems."""
    seen: set[str] = set()
    for row in read_rows(table):
        id = row.id or str(row.number)
        fault = row.fault or (f"the id {id} stands in an earlier row as well" if id in seen else "")
        if not fault:
            seen.add(id)
            yield row, id
        elif problems is not None:
            problems.append((table.name, f"row {row.number}: {fault}"))


def parse_vector(cell: Any, d: int | None = None) -> np.ndarray:
    r"""Return the unit vector that a cell spells out, float32, shape (d,).

    Args:
        cell: "[0.1, 0.2]", "[0.1 0.2\n 0.3]" as numpy writes it, "tensor([[0.1, 0.2]])", or a list.
        d: How many numbers it must have; None takes any.

    Raises:
        ValueError: It holds no such vector; the message says why.
    """
    vector = _numbers(cell)
    if not vector.size:
        raise ValueError("it is empty")
    if d is not None and vector.size != d:
        raise ValueError(f"it has {vector.size} numbers, not {d}")
    if not np.isfinite(vector).all():
        place = int(np.argmin(np.isfinite(vector)))
        raise ValueError(f"number {place} is {vector[place]}")
    length = np.linalg.norm(vector)
    if not (np.isfinite(length) and length > 0):
        raise ValueError("it is all zeros and has no direction")
    return (vector / length).astype(np.float32)


def _numbers(cell: Any) -> np.ndarray:
    if not isinstance(cell, str):
        return np.asarray([] if cell is None else cell, dtype=np.float64).reshape(-1)
    if "..." in cell:
        raise ValueError("it was cut short: numpy writes … for what lies between its ends")
    text = cell.strip()
    if found := WRAPPED.fullmatch(text):
        text = found[1]
    try:
        return np.array(text.translate(TO_BLANKS).split(), dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"it is no list of numbers ({error})") from None


def _of_csv(path: Path) -> Iterator[VectorRow]:
    csv.field_size_limit(LONGEST_CELL)  # of this process; the default suits no vector
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        heading = next(rows, [])
        places = _places(path, heading)
        filled = (cells for cells in rows if any(cell.strip() for cell in cells))
        for number, cells in enumerate(filled):
            if len(cells) == len(heading):
                yield _row(number, {field: cells[place] for field, place in places.items()})
            else:
                fault = f"it has {len(cells)} cells, and the heading {len(heading)}"
                yield VectorRow(number, fault=fault)


def _of_parquet(path: Path) -> Iterator[VectorRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise GalleryError(f"{path} is not whole parquet ({error}).") from error
    with file:
        names = file.schema_arrow.names
        places = _places(path, names)
        wanted = [names[place] for place in places.values()]
        number = 0
        for batch in file.iter_batches(256, columns=wanted):
            for record in batch.to_pylist():
                yield _row(number, {field: record[names[p]] for field, p in places.items()})
                number += 1


def _places(path: Path, heading: list[str]) -> dict[str, int]:
    """Return where each field's column stands; there must be one of pictures' vectors."""
    known = [name.strip().lower().replace("_", " ") for name in heading]
    places = {
        field: known.index(name)
        for field, names in FIELDS.items()
        if (name := next((name for name in names if name in known), None)) is not None
    }
    if "image" not in places:
        raise GalleryError(
            f"{path} has no column Image Embedding (it has {', '.join(heading) or 'none'})."
        )
    return places


def _row(number: int, cells: dict[str, Any]) -> VectorRow:
    texts = {field: _text(cells.get(field)) for field in ("picture", "url", "id")}
    return VectorRow(
        number,
        description=tidy(cells.get("description")),
        image=cells["image"],
        text=cells.get("text", "") if "text" in cells else None,
        **texts,
    )


def _text(cell: Any) -> str:
    return "" if cell is None or cell != cell else str(cell).strip()
