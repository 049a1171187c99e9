"""Shards: unit vectors and what each row belongs to, as the bytes of five files and back.

Vectors are float16 on disk and float32 rows of length 1 in memory. Equal shards have equal bytes:
no clock time and no machine path is written.
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sigscope.trouble import check_machine

LENGTH_OFF = 0.01  # how far the length of a stored row may be from 1
FETCH = "copy it again, or run clip-retrieval inference again"
REMAKE = "make the embeddings again with embed_gallery(gallery, encoder, folder)"


class StaleEmbeddings(ValueError):
    """Embeddings on disk are broken or belong to something else; says what to rebuild."""


@dataclass(frozen=True)
class Shard:
    """The vectors of one shard of a gallery, float32, and what each row belongs to."""

    ids: list[str]
    paths: list[str]
    contents: list[str]  # the SHA-256 of each picture's file, or "" where it is not known
    images: np.ndarray  # (items, d)
    caption_ids: list[str]
    caption_numbers: list[int]  # 0 is an item's first caption
    caption_texts: list[str]
    captions: np.ndarray  # (captions, d)

    def encoded(self) -> dict[str, bytes]:
        """Return the bytes of each of the five files, by their key in ``PARTS``."""
        first = {
            item: row
            for row, (item, number) in enumerate(
                zip(self.caption_ids, self.caption_numbers, strict=True)
            )
            if number == 0
        }
        texts = np.zeros_like(self.images)  # an item with no caption keeps a row of zeros
        captioned = [row for row, item in enumerate(self.ids) if item in first]
        rows = [first[self.ids[row]] for row in captioned]
        texts[captioned] = self.captions[rows]
        caption = [self.caption_texts[first[item]] if item in first else "" for item in self.ids]
        return {
            "images": _npy(self.images),
            "texts": _npy(texts),
            "metadata": _parquet(
                image_path=self.paths, caption=caption, id=self.ids, content=self.contents
            ),
            "caption_vectors": _npy(self.captions),
            "captions": _parquet(
                id=self.caption_ids, number=self.caption_numbers, caption=self.caption_texts
            ),
        }


def read_rows(
    files: list[Path], d: int | None = None, keep: np.ndarray | None = None
) -> np.ndarray:
    """Return the vectors in some .npy files below each other, float32 rows of length 1, (n, d).

    The files are mapped, not read whole, so memory holds little more than the result.

    Args:
        files: the files, in the order of their rows.
        d: the dimensions they must have; None takes those of the first file.
        keep: which rows to return, a mask over all of them; None returns all.

    Raises:
        StaleEmbeddings: A file is no .npy of such rows; the sentence names it.
    """
    if not files:
        return np.empty((0, d or 0), np.float32)
    shapes = [mapped(file).shape for file in files]  # and let go: a process may open only so many
    d = shapes[0][1] if d is None else d
    counts = [count for count, _ in shapes]
    keep = np.ones(sum(counts), bool) if keep is None else keep
    if len(keep) != sum(counts):
        raise StaleEmbeddings(
            f"{files[0].parent} has {sum(counts)} rows, not {len(keep)}; {REMAKE}"
        )
    rows = np.empty((np.count_nonzero(keep), d), dtype=np.float32)
    start = 0
    for file, kept in zip(files, np.split(keep, np.cumsum(counts)[:-1]), strict=True):
        shard = mapped(file)
        if shard.shape[1] != d:
            raise StaleEmbeddings(f"{file} has {shard.shape[1]} dimensions, not {d}; {REMAKE}")
        stop = start + np.count_nonzero(kept)
        rows[start:stop] = shard if stop - start == len(shard) else shard[kept]
        _make_unit(rows[start:stop], file)
        start = stop
    return rows


def read_foreign_rows(files: list[Path]) -> np.ndarray:
    """Return the vectors that others stored, float32 rows of length 1, (n, d); (0, 0) of no files.

    A row that has no direction (a number is NaN, or all are zeros) is NaN.

    Raises:
        StaleEmbeddings: A file is no .npy of rows, or its rows have another length.
    """
    parts = [mapped(file, FETCH).astype(np.float32) for file in files]
    if len({part.shape[1] for part in parts}) > 1:
        raise StaleEmbeddings(f"the files in {files[0].parent} differ in their dimensions")
    rows = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def read_table(paths: list[Path], columns: dict[str, pa.DataType]) -> dict[str, list]:
    """Return those columns of some parquet files, below each other, as Python values."""
    values: dict[str, list] = {column: [] for column in columns}
    for path in paths:
        try:
            # read_table takes three times as long
            with pa.OSFile(str(path)) as source, pq.ParquetFile(source) as file:
                table = file.read(columns=list(columns), use_threads=False)
        except (OSError, pa.ArrowException) as error:
            check_machine(path, error)
            raise StaleEmbeddings(f"{path} cannot be read ({error}); {REMAKE}") from error
        for column, kind in columns.items():
            if column not in table.column_names:
                raise StaleEmbeddings(f"{path} has no column {column!r}; {REMAKE}")
            values[column] += table[column].cast(kind).to_pylist()
    return values


def read_column(path: Path, column: str) -> list | None:
    """Return one column of a parquet file as Python values, or None if it has no such column."""
    with pq.ParquetFile(path) as file:
        if column not in file.schema_arrow.names:
            return None
        return file.read(columns=[column])[column].to_pylist()


def _npy(rows: np.ndarray) -> bytes:
    buffer = BytesIO()
    np.save(buffer, rows.astype(np.float16), allow_pickle=False)
    return buffer.getvalue()


def _parquet(**columns: list) -> bytes:
    kinds = {"number": pa.int64()}
    arrays = {name: pa.array(v, kinds.get(name, pa.string())) for name, v in columns.items()}
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays), buffer, compression="zstd")
    return buffer.getvalue().to_pybytes()


def mapped(path: Path, remedy: str = REMAKE) -> np.ndarray:
    """Return the rows in a .npy file, mapped into memory; StaleEmbeddings says what is wrong."""
    try:
        rows = np.load(str(path), mmap_mode="r", allow_pickle=False)  # a Path it would resolve
    except Exception as error:  # numpy raises many kinds on a damaged heading
        check_machine(path, error)
        raise StaleEmbeddings(f"{path} is not a whole .npy file ({error}); {remedy}") from error
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise StaleEmbeddings(f"{path} holds {rows.dtype} {rows.shape}, not vectors; {remedy}")
    return rows


def _make_unit(rows: np.ndarray, file: Path) -> None:
    """Give rows the length 1 again that they had before float16."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    wrong = ~(np.abs(lengths - 1) <= LENGTH_OFF)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise StaleEmbeddings(
            f"vector {row} in {file} has length {lengths[row, 0]:.3g}, not 1; {REMAKE}"
        )
    rows /= lengths
