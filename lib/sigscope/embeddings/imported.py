"""Vectors that others have computed, such as R5's table, as embeddings: no picture is looked at.

A row is the same item in the table and in its gallery, by its id.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.embeddings.load import Embeddings, load_embeddings
from sigscope.embeddings.shards import Shard, StaleEmbeddings
from sigscope.embeddings.store import MANIFEST, commit, writing
from sigscope.embeddings.vector_folder import COMPARED, check_encoder, open_folder
from sigscope.embeddings.writer import Writer
from sigscope.files import digest, folder_lock, sha256, slug
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.vectors import VectorRow, parse_vector, usable_rows
from sigscope.progress import progress_bar
from sigscope.types import EncoderLike

SHARD_SIZE = 1024  # rows
LOOKED_AT = 256  # rows that tell how many dimensions the vectors have
log = logging.getLogger(__name__)

Row = tuple[VectorRow, str]  # and its id


def import_vectors(gallery: Gallery, encoder: EncoderLike, *, progress: bool = False) -> Embeddings:
    """Return the vectors in the table of a gallery, made unit vectors and stored in the cache.

    Those in a folder of clip-retrieval's stay there (`vector_folder.open_folder`).

    The table is read row by row, so memory holds one shard of it and in the end the vectors. A row
    whose vector cannot be used (NaN, other dimensions than most, all zeros, cut short) is in
    ``failed`` with its reason. A row without a text vector has no caption to search. What an
    earlier call stored of the same table is kept.

    Args:
        gallery: of ``datasets.vector_tables.load_vectors``; its ``vectors`` name the table.
        encoder: the model that made the vectors, which is put to the test on some descriptions.
        progress: show a bar on stderr.

    Raises:
        GalleryError: The table has no vectors, or its text vectors have other dimensions.
        ValueError: The encoder did not make these vectors.
    """
    if gallery.vectors.is_dir():
        return open_folder(gallery, encoder)
    table, identity = gallery.vectors, encoder.identity
    source = {"name": table.name, "sha256": sha256(table)}
    key = digest([identity, source, gallery.part])[:12]
    into = paths.CACHE / "embeddings" / f"{slug(f'{gallery.name}-{encoder.model}')}-{key}"
    with suppress(StaleEmbeddings):
        found = load_embeddings(into, gallery=gallery, identity=identity)
        mark_used(into / MANIFEST)
        return found
    d = _dimension(table)
    _check_encoder(table, encoder, d)
    about = {
        "encoder": identity,
        "gallery": {"name": gallery.name, "fingerprint": gallery.fingerprint},
        "dimension": d,
        "versions": {},
        "source": source,
    }
    with writing(into), folder_lock(into, say=log.info):
        commit(into)
        _store(gallery, into, about, progress)
    return load_embeddings(into, gallery=gallery)


def _dimension(table: Path) -> int:
    """Return how many dimensions most of the first vectors have.

    Raises:
        GalleryError: None of them can be used, or those of texts have other dimensions.
    """
    rows = [row for row, _ in islice(usable_rows(table), LOOKED_AT)]
    images = _sizes(row.image for row in rows)
    texts = _sizes(row.text for row in rows)
    if not images:
        raise GalleryError(f"None of the first {len(rows)} rows of {table} holds a vector.")
    if texts and texts != images:
        raise GalleryError(
            f"{table} has {images} numbers for a picture and {texts} for a text; they are not of "
            "one space, so neither can be searched by the other."
        )
    return images


def _sizes(cells: Iterable[Any]) -> int:
    """Return the commonest number of dimensions, 0 where no cell holds a vector."""
    sizes: Counter[int] = Counter()
    for cell in cells:
        with suppress(ValueError, TypeError):
            sizes[parse_vector(cell).size] += 1
    return sizes.most_common(1)[0][0] if sizes else 0


def _check_encoder(table: Path, encoder: EncoderLike, d: int) -> None:
    """Encode some descriptions and compare, if the table has vectors of texts."""
    texts, stored = [], []
    for row, _ in islice(usable_rows(table), LOOKED_AT):
        with suppress(ValueError, TypeError):
            vector = parse_vector(row.text, d)
            if row.description and len(texts) < COMPARED:
                stored.append(vector)
                texts.append(row.description)
    check_encoder(table, encoder, d, texts, np.reshape(stored, (-1, d)))


def _store(gallery: Gallery, into: Path, about: dict, progress: bool) -> None:
    places = dict(zip(gallery.items["id"], gallery.items["path"], strict=True))
    kept = list(places.items())
    parts = [kept[start : start + SHARD_SIZE] for start in range(0, len(kept), SHARD_SIZE)]
    of = [about["source"]["sha256"], about["dimension"]]
    writer = Writer(into, about, [digest([*of, part]) for part in parts])
    missing = set(writer.missing())
    rows = (row for row in usable_rows(gallery.vectors) if row[1] in places)
    with progress_bar(len(kept), "Importing", " vectors", progress) as bar:
        for number in range(len(parts)):
            part = list(islice(rows, SHARD_SIZE))
            if number in missing:
                writer.add(number, *_shard(part, about["dimension"], places))
            bar.update(len(part))
    writer.finish()


def _shard(rows: Iterable[Row], d: int, places: dict[str, str]) -> tuple[Shard, list[dict]]:
    """Return the vectors of some rows, and what could not be used."""
    items, texts, failed = [], [], []
    for row, id in rows:
        try:
            image, text = _vectors(row, d)
        except (ValueError, TypeError) as error:
            reason = f"row {row.number}: {error}"
            failed.append({"id": id, "path": places[id], "reason": reason, "errno": ""})
            continue
        items.append((id, image))
        if text is not None and row.description:
            texts.append((id, row.description, text))
    nothing = np.empty((0, d), np.float32)
    shard = Shard(
        ids=[id for id, _ in items],
        paths=[places[id] for id, _ in items],
        images=np.stack([image for _, image in items]) if items else nothing,
        caption_ids=[id for id, _, _ in texts],
        caption_numbers=[0] * len(texts),
        caption_texts=[caption for _, caption, _ in texts],
        captions=np.stack([text for _, _, text in texts]) if texts else nothing,
        contents=[""] * len(items),
    )
    return shard, failed


def _vectors(row: VectorRow, d: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the vectors of a row's picture and text; ValueError says which cannot be used."""
    try:
        image = parse_vector(row.image, d)
    except ValueError as error:
        raise ValueError(f"its picture's vector cannot be used: {error}") from error
    if row.text is None or (isinstance(row.text, str) and not row.text.strip()):
        return image, None
    try:
        return image, parse_vector(row.text, d)
    except ValueError as error:
        raise ValueError(f"its text's vector cannot be used: {error}") from error
