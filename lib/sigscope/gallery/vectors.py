"""Vectors written into the cells of a table, as pandas writes a list, an array or a tensor."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.columns import FILES, URLS, Record, caption_columns, first_of, normal
from sigscope.gallery.delimited import heading_of
from sigscope.gallery.folder import GalleryError, Problems
from sigscope.gallery.tables import READERS, records
from sigscope.gallery.texts import GUESSED, LOST
from sigscope.images.captions import tidy

IMAGES = (
    *("image_embedding", "image_embeddings", "image_vector", "image_emb", "img_emb"),
    *("image_features", "embedding", "embeddings", "vector", "vectors", "features", "emb"),
)
VECTORS = re.compile(r"_(embeddings?|vectors?|features|emb)$")  # clip_embedding, of pictures
TEXTS = ("text_embedding", "text_embeddings", "text_vector", "text_emb", "caption_embedding")
IDS = ("id", "key", "uid")
FEWEST = 4  # columns that are one vector's, where each holds one number of it
SHELL = re.compile(  # what numpy, torch, jax and databases print around numbers
    r",\s*(?:dtype|device|grad_fn|requires_grad|size)=[^,()\[\]]*(?:\([^()]*\))?"
    r"|\b[A-Za-z_][\w.]*\(|[(){}'\"]|Parameter containing:"
)
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
        GalleryError: It is no such table, or cannot be read.
    """
    if path.suffix.lower() not in READERS:
        raise GalleryError(f"{path} is no table of vectors ({', '.join(READERS)}).")
    wrong: Problems = []
    number, told, fields = 0, 0, None
    for _, record in records(path, wrong):
        fields = fields or _fields(path, list(record))
        for _, reason in wrong[told:]:
            yield VectorRow(number, fault=reason)
            number, told = number + 1, told + 1
        yield _row(number, record, fields)
        number += 1
    if fields is None:
        _fields(path, heading_of(path) if path.suffix.lower() in (".csv", ".tsv") else [])
    for _, reason in wrong[told:]:
        if not reason.startswith((GUESSED, LOST)):  # of the file, and not of one row
            yield VectorRow(number, fault=reason)
            number += 1


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
        if isinstance(cell, list):  # one column a number, perhaps with decimal commas
            cell = [each.replace(",", ".") if isinstance(each, str) else each for each in cell]
        return np.asarray([] if cell is None else cell, dtype=np.float64).reshape(-1)
    if "..." in cell:
        raise ValueError("it was cut short: numpy writes … for what lies between its ends")
    if cell.count("[") != cell.count("]"):
        raise ValueError("it was cut short: a bracket is open")
    text = SHELL.sub(" ", cell)
    if ";" in text and "." not in text:
        text = text.replace(",", ".")  # [0,5; 0,5] of a country with decimal commas
    try:
        return np.array(text.translate(TO_BLANKS).split(), dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"it is no list of numbers ({error})") from None


def _fields(path: Path, names: list[str]) -> dict[str, list[str]]:
    """Return the columns of each field; there must be one of pictures' vectors, or many."""
    single = {"image": IMAGES, "text": TEXTS, "picture": FILES, "url": URLS, "id": IDS}
    fields = {
        field: [column] for field, known in single.items() if (column := first_of(known, names))
    }
    others = [name for name in names if VECTORS.search(normal(name))]
    if "image" not in fields and others and others[:1] != fields.get("text"):
        fields["image"] = others[:1]
    fields |= {field: columns for field, columns in _spread(names).items() if field not in fields}
    vectors = [name for field in ("image", "text") for name in fields.get(field, ())]
    fields["description"] = [name for name in caption_columns(names) if name not in vectors][:1]
    if fields.get("picture") == fields.get("id"):
        fields.pop("picture", None)
    if "image" not in fields:
        raise GalleryError(
            f"{path} has no column Image Embedding (it has {', '.join(names) or 'none'})."
        )
    return fields


def _spread(names: list[str]) -> dict[str, list[str]]:
    """Return the columns that hold a number of a vector each: 0, 1, … or text_emb_0, …."""
    found: dict[str, dict[int, str]] = {}
    for name in names:
        if numbered := re.fullmatch(r"(.*?)_?(\d+)", normal(name)):
            found.setdefault(numbered[1], {})[int(numbered[2])] = name
    spread = {}
    for prefix, columns in found.items():
        places = sorted(columns)
        if len(places) >= FEWEST and places[-1] - places[0] == len(places) - 1:
            is_text = re.match("text|caption", prefix) is not None
            spread.setdefault("text" if is_text else "image", [columns[at] for at in places])
    return spread


def _row(number: int, record: Record, fields: dict[str, list[str]]) -> VectorRow:
    def cell(field: str) -> Any:
        columns = fields.get(field, [])
        return record.get(columns[0]) if len(columns) == 1 else [record[name] for name in columns]

    return VectorRow(
        number,
        description=next(map(tidy, texts_of(cell("description"))), ""),
        image=cell("image"),
        text=cell("text") if "text" in fields else None,
        **{field: text_of(cell(field)) for field in ("picture", "url", "id")},
    )
