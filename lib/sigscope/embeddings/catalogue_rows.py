"""Catalogue rows: clip-retrieval's metadata, batch by batch, as the items of a gallery."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sigscope.gallery.cells import MISSING, text_of, texts_of
from sigscope.gallery.columns import (
    CATEGORIES,
    FIELDS,
    FILES,
    OTHER_NAMES,
    SPLITS,
    URLS,
    caption_columns,
    first_of,
)
from sigscope.images.captions import tidy

TEXT = pa.large_string()
OURS = ("id", "path", "caption", "captions", *FIELDS, "vector", "text_vector")


class CatalogueRows:
    """The rows of some parquet files below each other, n of them; none is held.

    The id is the first column that names a file, a key or a URL, or else the row's number; one that
    comes again has its row's number behind it.
    """

    def __init__(self, files: Sequence[pq.ParquetFile]) -> None:
        """Look at the headings of the files, and at all ids."""
        self._files = files
        names = list(dict.fromkeys(name for file in files for name in file.schema_arrow.names))
        self._id = first_of((*FILES, *URLS), names)
        self._caption = next(iter(caption_columns(names)), "")
        self._category = first_of(CATEGORIES, names)
        self._fields = {field: first_of(OTHER_NAMES.get(field, ()), names) for field in FIELDS[1:]}
        self._fields["source"] = self._fields["source"] or first_of(URLS, names)
        taken = {self._id, self._caption, self._category, *self._fields.values()}
        self._further = {
            field.name: TEXT if _is_text(field.type) else field.type
            for field in files[0].schema_arrow
            if field.name not in taken and _is_plain(field.type)
        }
        self._again = self._repeated()

    def _repeated(self) -> np.ndarray:
        """Return which rows have the id of an earlier one, (n,)."""
        if not self._id:
            return np.zeros(sum(file.metadata.num_rows for file in self._files), bool)
        parts = [_text(column) for file in self._files for column in self._column(file, self._id)]
        codes = pa.chunked_array(parts, TEXT).dictionary_encode().combine_chunks()
        codes = codes.indices.to_numpy()
        again = np.ones(len(codes), bool)
        again[np.unique(codes, return_index=True)[1]] = False
        return again

    @staticmethod
    def _column(file: pq.ParquetFile, name: str) -> Iterator[pa.Array]:
        if name in file.schema_arrow.names:
            for batch in file.iter_batches(columns=[name]):
                yield batch.column(0)
        else:
            yield pa.nulls(file.metadata.num_rows, TEXT)

    def batches(
        self, good: np.ndarray, said: np.ndarray | None, size: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield the items of at most so many rows at a time, in their order.

        Args:
            good: which rows have a vector, (n,); the others are left out.
            said: which have a vector of their text, (n,); None where there are none.
            size: of a batch.
        """
        start = 0
        for file in self._files:
            for batch in file.iter_batches(size):
                rows = np.arange(start, start + len(batch))
                texts = np.zeros(len(batch), bool) if said is None else said[rows]
                yield self._items(batch, rows, texts).filter(pa.array(good[rows]))
                start += len(batch)

    def _items(self, batch: pa.RecordBatch, rows: np.ndarray, said: np.ndarray) -> pa.RecordBatch:
        def text(name: str) -> pa.Array:
            there = name in batch.schema.names
            return _text(batch.column(name)) if there else pa.array([""] * len(rows), TEXT)

        names = text(self._id)
        numbers = pa.array(rows).cast(TEXT)
        ids = pc.if_else(pc.equal(names, ""), numbers, names)
        numbered = pc.binary_join_element_wise(ids, numbers, pa.scalar("#", TEXT))
        ids = pc.if_else(pa.array(self._again[rows]), numbered, ids)
        has_captions = self._caption in batch.schema.names
        cells = batch.column(self._caption).to_pylist() if has_captions else [""] * len(rows)
        captions = [[tidy(each) for each in texts_of(cell)] for cell in cells]
        first = [texts[0] if texts else "" for texts in captions]
        said &= np.array([bool(each) for each in first], bool)
        columns = {
            "id": ids,
            "path": pc.if_else(pc.equal(names, ""), ids, names),
            "caption": pa.array(first, TEXT),
            "captions": pa.array(captions, pa.list_(TEXT)),
            "category": text(self._category),
            **{field: text(name) for field, name in self._fields.items()},
            "vector": pa.array(rows),
            "text_vector": pa.array(said),
        }
        columns["split"] = _splits(columns["split"])
        for name, kind in self._further.items():
            there = name in batch.schema.names
            column = batch.column(name).cast(kind) if there else pa.nulls(len(batch), kind)
            column = _text(column) if kind == TEXT else column
            columns[f"metadata_{name}" if name in OURS else name] = column
        return pa.RecordBatch.from_pydict(columns)


def _text(column: pa.Array) -> pa.Array:
    """Return a column as text, "" where a cell says nothing."""
    if not _is_text(column.type):
        return pa.array([text_of(cell) for cell in column.to_pylist()], TEXT)
    column = pc.utf8_trim_whitespace(pc.fill_null(column.cast(TEXT), ""))
    return pc.if_else(pc.is_in(column, value_set=pa.array(MISSING, TEXT)), "", column).cast(TEXT)


def _splits(column: pa.Array) -> pa.Array:
    """Return splits as they are called here."""
    coded = column.dictionary_encode()
    names = [SPLITS.get(name.lower(), name) for name in coded.dictionary.to_pylist()]
    return pa.array(names, TEXT).take(coded.indices)


def _is_plain(kind: pa.DataType) -> bool:
    """Return whether a column's cells are numbers or texts."""
    known = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, _is_text)
    return any(is_kind(kind) for is_kind in known)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
