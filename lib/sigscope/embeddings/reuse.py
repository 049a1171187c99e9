"""Reuse: vectors of shards made before, found by what they are of, so as to be used again.

A picture is known by the SHA-256 of its file, a caption by that of its text; where it lay, and what
it was called, does not matter.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from sigscope.embeddings.shards import read_column
from sigscope.embeddings.store import StoredShard
from sigscope.files import sha256

DIGEST = "S32"  # 32 bytes; equal ones stay equal though numpy strips zeros at the end
ROW = np.dtype([("of", DIGEST), ("file", "i4"), ("row", "i4")])
SHARDS_AT_HAND = 8  # whose vectors are kept in memory


class VectorCache:
    """Rows of .npy files, each with the digest of what it is of; some 40 bytes in memory a row."""

    def __init__(self, files: Sequence[Path], digests: Sequence[Sequence[str]]) -> None:
        """Take the SHA-256 (64 hexadecimal digits, or "" for unknown) of each file's rows."""
        self._files = list(files)
        tables = [_table(file, of_file) for file, of_file in enumerate(digests)]
        table = np.concatenate([np.empty(0, ROW), *tables])
        table = table[table["of"] != b""]
        self._table = table[np.argsort(table["of"], kind="stable")]
        self._read = lru_cache(maxsize=SHARDS_AT_HAND)(self._load)

    def __getstate__(self) -> tuple[list[Path], np.ndarray]:
        """Return what another process needs of it."""
        return [file.absolute() for file in self._files], self._table

    def __setstate__(self, state: tuple[list[Path], np.ndarray]) -> None:
        """Be what it was in another process."""
        self._files, self._table = state
        self._read = lru_cache(maxsize=SHARDS_AT_HAND)(self._load)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._table)

    def find(self, digests: Sequence[str]) -> np.ndarray:
        """Return the place of each digest for ``vector``, int64, or -1 where it is not known."""
        wanted = _binary(digests)
        if not len(self) or not len(wanted):
            return np.full(len(wanted), -1)
        places = np.searchsorted(self._table["of"], wanted).clip(max=len(self) - 1)
        known = (self._table["of"][places] == wanted) & (wanted != b"")
        return np.where(known, places, -1)

    def vector(self, place: int) -> np.ndarray:
        """Return the row at a place as it is on disk, float16, shape (d,)."""
        _, file, row = self._table[place]
        return self._read(int(file))[row]

    def _load(self, file: int) -> np.ndarray:
        return np.load(self._files[file], allow_pickle=False)


class ReusableVectors:
    """What is known from shards that are whole; broken files among them are passed over.

    Attributes:
        ids: the items that were there.
        pictures, captions: their vectors.
    """

    def __init__(self, own: Iterable[StoredShard], others: Iterable[StoredShard] = ()) -> None:
        """Check and read what the rows of the shards are of; vectors are read when asked for.

        Args:
            own: shards of the store itself.
            others: those of other stores, whose ids do not count.
        """
        own = list(own)
        self.ids = {id_ for shard in own for id_ in _ids(shard)}
        pictures, captions = [], []
        for shard in [*own, *others]:
            metadata, rows = shard.file("metadata"), shard.file("images")
            if metadata and rows and (contents := read_column(metadata, "content")):
                pictures.append((rows, contents))
            texts, rows = shard.file("captions"), shard.file("caption_vectors")
            if texts and rows:
                captions.append((rows, [text_digest(t) for t in read_column(texts, "caption")]))
        self.pictures = VectorCache(*_columns(pictures))
        self.captions = VectorCache(*_columns(captions))


def _ids(shard: StoredShard) -> Iterator[str]:
    yield from (row["id"] for row in shard.failed)
    if metadata := shard.file("metadata"):
        yield from read_column(metadata, "id") or ()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, 64 hexadecimal digits."""
    return sha256(text.encode("utf-8", "surrogatepass"))


def _table(file: int, digests: Sequence[str]) -> np.ndarray:
    table = np.empty(len(digests), ROW)
    table["of"], table["file"], table["row"] = _binary(digests), file, np.arange(len(digests))
    return table


def _binary(digests: Sequence[str]) -> np.ndarray:
    return np.array([bytes.fromhex(one) for one in digests], dtype=DIGEST)


def _columns(pairs: list[tuple]) -> tuple[list, list]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
