"""Large stores: embeddings of ours that would fill the memory stay on disk (`StoredRows`)."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sigscope.embeddings.shards import REMAKE, StaleEmbeddings
from sigscope.embeddings.stored_rows import StoredRows
from sigscope.files import digest
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import as_items, is_among, same_ids
from sigscope.trouble import check_machine

SETTING = "SIGSCOPE_VECTORS"
PLACES = ("auto", "memory", "disk")
SHARE = 0.5  # of the machine's memory, which vectors may fill
TEXT = pa.large_string()


def stay_on_disk(rows: int, d: int, most: float = float("inf")) -> bool:
    """Return whether so many vectors of d dimensions are to be read from disk when needed.

    They are where SIGSCOPE_VECTORS is "disk", and where they are more than ``most`` or would take
    more than half of the machine's memory, unless it is "memory".

    Raises:
        ValueError: SIGSCOPE_VECTORS is something else.
    """
    place = os.environ.get(SETTING) or "auto"
    if place not in PLACES:
        raise ValueError(f"{SETTING} is {place!r}; it must be one of {', '.join(PLACES)}")
    return place == "disk" or place == "auto" and (rows > most or 4 * rows * d > _room())


def stored_parts(files: Callable[[str], list[Path]], manifest: dict) -> dict:
    """Return the fields of Embeddings whose vectors stay on disk, with columns of Arrow.

    Args:
        files: those of a part (a key of ``PARTS``), in their order.
        manifest: of the store.

    Raises:
        StaleEmbeddings: a file cannot be read, or an id is there twice.
    """
    ids = _column(files("metadata"), "id")
    if pc.count_distinct(pa.chunked_array(ids.__arrow_array__())).as_py() < len(ids):
        raise StaleEmbeddings(f"{files('metadata')[0].parent} has an id more than once; {REMAKE}")
    return {
        "ids": ids,
        "images": StoredRows(files("images")),
        "caption_ids": _column(files("captions"), "id"),
        "caption_texts": _column(files("captions"), "caption"),
        "captions": StoredRows(files("caption_vectors")),
        "stamp": digest([shard["files"] for shard in manifest["shards"]]),
    }


def lists_the_same(gallery: Gallery, ids: object, failed: list[str]) -> bool:
    """Return whether ids are those of a gallery but for some that failed, in its order."""
    listed = gallery.items["id"].array
    return same_ids(listed[~np.asarray(is_among(listed, failed), bool)], ids)


def _column(paths: list[Path], name: str) -> object:
    """Return a column of some parquet files below each other."""
    parts = []
    for path in paths:
        try:
            with pa.OSFile(str(path)) as source, pq.ParquetFile(source) as file:
                parts += file.read(columns=[name], use_threads=False)[name].cast(TEXT).chunks
        except (OSError, KeyError, pa.ArrowException) as error:
            check_machine(path, error)
            raise StaleEmbeddings(f"{path} cannot be read ({error}); {REMAKE}") from error
    column = pa.chunked_array(parts, TEXT).combine_chunks()
    return as_items(pa.table({name: column}))[name].array


def _room() -> float:
    """Return how many bytes vectors may fill."""
    try:
        return SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return float("inf")
