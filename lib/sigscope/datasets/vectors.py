"""Vectors that others have computed, such as R5's table: embeddings that fit the table's gallery.

A row is the same picture in both, by its id (`sigscope.datasets.vector_tables`).
"""

import logging
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from sigscope import paths
from sigscope.datasets.vector_tables import find_table, load_vectors, usable_rows
from sigscope.datasets.written_vectors import VectorRow, parse_vector
from sigscope.embeddings.embed import Embeddings, load_embeddings
from sigscope.embeddings.shards import Shard, StaleEmbeddings
from sigscope.embeddings.store import read_manifest, settle, writing
from sigscope.embeddings.writer import Writer
from sigscope.files import digest, folder_lock, same, sha256
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.types import EncoderLike

LOOKED_AT = 256  # rows that tell how many dimensions the vectors have
COMPARED = 16  # descriptions encoded again to see whether the model is the one that is named
ALIKE = 0.98  # the least cosine there
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Imported:
    """A table of vectors as a gallery, and the embeddings of it."""

    gallery: Gallery
    embeddings: Embeddings


def import_vectors(
    table: str | Path,
    into: str | Path | None = None,
    *,
    encoder: EncoderLike | None = None,
    shard_size: int = 1024,
    progress: bool = False,
) -> Imported:
    """Return a table's gallery and its vectors, made unit vectors and stored in a folder.

    The table is read twice, row by row, so memory holds one shard of it, besides the gallery and in
    the end the vectors. A row whose vector cannot be used (NaN, other dimensions than most, all
    zeros, cut short) is in ``embeddings.failed`` with its reason. A row without a text vector has
    no caption to search. What an earlier call stored of the same table is kept.

    Args:
        table: .csv or .parquet, or a folder that holds one such; columns Image Embedding,
            Description, and where there are any Text Embedding, a path, a url, an id.
        into: the store; None is a place in the cache.
        encoder: the model that made the vectors, which is put to the test on some descriptions;
            None says that nothing is known of it.
        shard_size: rows in a shard.
        progress: show a bar on stderr.

    Raises:
        GalleryError: It is no such table, or its text vectors have other dimensions.
        ValueError: The encoder did not make these vectors.
        StaleEmbeddings: ``into`` holds embeddings by another model.
    """
    table = find_table(table)
    gallery = load_vectors(table)
    identity = None if encoder is None else encoder.identity
    source = {"name": table.name, "sha256": sha256(table)}
    key = digest([identity, source])
    into = Path(into or paths.CACHE / "embeddings" / f"{table.stem}-{key[:12]}")
    _refuse_other(into, identity)
    with suppress(StaleEmbeddings):
        found = load_embeddings(into, gallery=gallery)
        if found.manifest.get("source") == source:
            return Imported(gallery, found)
    d = _dimension(table)
    if encoder is not None:
        _check_encoder(table, encoder, d)
    about = {
        "encoder": identity,
        "gallery": {"name": gallery.name, "fingerprint": gallery.fingerprint},
        "dimension": d,
        "versions": {},
        "source": source,
    }
    with writing(into), folder_lock(into, say=log.info):
        settle(into)
        _store(table, gallery, into, about, shard_size, progress)
    return Imported(gallery, load_embeddings(into, gallery=gallery))


def _refuse_other(into: Path, identity: dict | None) -> None:
    with suppress(StaleEmbeddings):
        made_by = read_manifest(into)["encoder"]
        if same(made_by, identity):
            return
        name = (made_by or {}).get("model", "a model that is not named")
        raise ValueError(f"{into} holds embeddings by {name}; choose another folder")


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
    name = encoder.identity.get("model")
    if encoder.dimension != d:
        raise ValueError(f"{table} has {d} dimensions, and {name} has {encoder.dimension}")
    texts, stored = [], []
    for row, _ in islice(usable_rows(table), LOOKED_AT):
        with suppress(ValueError, TypeError):
            stored.append(parse_vector(row.text, d))
            texts.append(row.description)
    if not texts:
        return
    here = encoder.encode_texts(texts[:COMPARED])
    cosines = np.sum(here * np.stack(stored[:COMPARED]), axis=1)
    if np.median(cosines) < ALIKE:
        raise ValueError(
            f"{name} did not make the text vectors in {table}: the cosine of its own with them is "
            f"{np.median(cosines):.2f}, not 1; name the right model, or none"
        )


def _store(
    table: Path, gallery: Gallery, into: Path, about: dict, shard_size: int, progress: bool
) -> None:
    places = dict(zip(gallery.items["id"], gallery.items["path"], strict=True))
    kept = list(places.items())
    stretches = [kept[start : start + shard_size] for start in range(0, len(kept), shard_size)]
    of = [about["source"]["sha256"], about["dimension"]]
    writer = Writer(into, about, [digest([*of, stretch]) for stretch in stretches])
    missing = set(writer.missing())
    bar = tqdm(
        usable_rows(table),
        total=len(gallery),
        desc="Importing",
        unit=" vectors",
        disable=not progress,
        dynamic_ncols=True,
    )
    rows = iter(bar)
    for number in range(len(stretches)):
        part = list(islice(rows, shard_size))
        if number in missing:
            writer.add(number, *_shard(part, about["dimension"], places))
    writer.finish()


def _shard(
    rows: Iterable[tuple[VectorRow, str]], d: int, places: dict[str, str]
) -> tuple[Shard, list[dict]]:
    """Return the vectors of some rows, and what could not be used."""
    items, texts, failed = [], [], []
    for row, id in rows:
        try:
            image, text = _vectors(row, d)
        except (ValueError, TypeError) as error:
            failed.append({"id": id, "path": places[id], "reason": f"row {row.number}: {error}"})
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
