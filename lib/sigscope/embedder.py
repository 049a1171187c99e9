"""The embedder: runs an encoder over a gallery while threads decode pictures ahead of it.

What is held in memory does not grow with the gallery: a few batches of decoded pictures, and the
vectors of one shard.
"""

import hashlib
import json
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from sigscope.gallery import Gallery
from sigscope.images import open_picture
from sigscope.shards import Shard
from sigscope.store import Writer

MAX_PIXELS = 32_000_000  # decoded pictures held at once by a thread: about 100 MB
VERSIONS = ("torch", "transformers", "pillow", "numpy")


@dataclass(frozen=True)
class Item:
    """One picture to embed, with its captions."""

    id: str
    path: str  # relative to the gallery
    file: Path
    captions: tuple[str, ...]


@dataclass
class Batch:
    """A few items decoded: parts fit for the encoder, and those that could not be read."""

    size: int
    parts: list[tuple[list[Item], Any]] = field(default_factory=list)
    failed: list[dict] = field(default_factory=list)


def embed(
    gallery: Gallery,
    encoder: Any,
    folder: Path,
    *,
    batch_size: int,
    shard_size: int,
    workers: int,
    progress: bool,
) -> None:
    """Make the shards that are not whole in folder yet, which the caller holds."""
    items = gallery_items(gallery)
    stretches = _cut(items, shard_size)
    writer = Writer(folder, _about(gallery, encoder), [_key(encoder, part) for part in stretches])
    missing = {number: _cut(stretches[number], batch_size) for number in writer.missing()}
    batches = [batch for number in missing for batch in missing[number]]
    side = picture_side(encoder)
    prepare = partial(_prepare, encoder=encoder, side=side)
    done = len(items) - sum(map(len, batches))
    with _bar(len(items), done, progress) as bar, closing(ahead(prepare, batches, workers)) as rest:
        for number, of_shard in missing.items():
            shard, failed = _shard(islice(rest, len(of_shard)), encoder, side, bar)
            writer.add(number, shard, failed)
    writer.finish()


def gallery_items(gallery: Gallery) -> list[Item]:
    """Return what there is to embed, in the order of the gallery."""
    table = gallery.items
    columns = zip(table["id"], table["path"], table["captions"], strict=True)
    return [
        Item(str(id_), str(path), gallery.root / path, tuple(captions))
        for id_, path, captions in columns
    ]


def picture_side(encoder: Any) -> int | None:
    """Return the pixels a side that the encoder looks at, or None where that varies.

    Large JPEGs are decoded no finer than this needs, for stored pictures and for queries alike.
    """
    rules = encoder.identity.get("preprocessing") or {}
    size = (rules.get("pictures") or {}).get("size") or {}
    sides = [size.get(side) for side in ("height", "width", "shortest_edge")]
    return max((side for side in sides if isinstance(side, int)), default=None)


def ahead(work: Callable, jobs: Iterable, workers: int) -> Iterator:
    """Yield work(job) for each job in order; threads are at most workers + 1 jobs ahead."""
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        waiting: deque = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def digest(value: Any) -> str:
    """Return the SHA-256 of value as JSON, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _about(gallery: Gallery, encoder: Any) -> dict:
    return {
        "encoder": encoder.identity,
        "gallery": {"name": gallery.name, "fingerprint": gallery.fingerprint},
        "dimension": encoder.dimension,
        "versions": {package: version(package) for package in VERSIONS},
    }


def _key(encoder: Any, items: list[Item]) -> str:
    """Return a digest of all that the vectors of a shard depend on."""
    return digest([encoder.identity, [[i.id, i.path, i.captions, _bytes(i.file)] for i in items]])


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _cut(items: list, size: int) -> list[list]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _bar(total: int, done: int, progress: bool) -> tqdm:
    """Return a bar that shows pictures per second and the time left."""
    return tqdm(
        total=total,
        initial=done,
        desc="Embedding",
        unit=" pictures",
        disable=not progress,
        file=sys.stderr,
        dynamic_ncols=True,
    )


def _prepare(items: list[Item], encoder: Any, side: int | None) -> Batch:
    """Open and preprocess pictures, in parts small enough to hold; runs in a thread."""
    batch = Batch(len(items))
    opened: list[tuple[Item, Image.Image]] = []
    pixels = 0
    for item in items:
        try:
            picture = open_picture(item.file, max_side=side)
        except (ValueError, OSError) as error:
            batch.failed.append(_failure(item, error))
            continue
        opened.append((item, picture))
        pixels += picture.width * picture.height
        if pixels > MAX_PIXELS:
            _preprocess(opened, encoder, batch)
            opened, pixels = [], 0
    _preprocess(opened, encoder, batch)
    return batch


def _preprocess(opened: list[tuple[Item, Image.Image]], encoder: Any, batch: Batch) -> None:
    """Add a part to batch; if the encoder refuses some pictures, find out which."""
    if not opened:
        return
    items = [item for item, _ in opened]
    try:
        batch.parts.append((items, encoder.preprocess([picture for _, picture in opened])))
    except Exception as error:
        if len(opened) == 1:
            batch.failed.append(_failure(items[0], error))
            return
        before = len(batch.failed)
        for one in opened:
            _preprocess([one], encoder, batch)
        if len(batch.failed) - before == len(opened):
            raise  # it refuses everything, so the pictures are not to blame


def _failure(item: Item, error: Exception) -> dict:
    """Return the row that says why item is left out, without machine paths and addresses."""
    reason = str(error).replace(str(item.file), item.path)
    reason = re.sub(r" at 0x[0-9a-fA-F]+", "", reason) or type(error).__name__
    return {"id": item.id, "path": item.path, "reason": reason}


def _encode(
    batch: Batch, encoder: Any, side: int | None
) -> Iterator[tuple[list[Item], np.ndarray]]:
    """Yield the vectors of batch, part by part; if the model fails, find out on which picture."""
    for items, part in batch.parts:
        try:
            rows = encoder.encode_batch(part)
        except Exception as error:
            if len(items) == 1:
                batch.failed.append(_failure(items[0], error))
                continue
            alone = Batch(len(items))
            for item in items:
                alone.parts += _prepare([item], encoder, side).parts
            yield from _encode(alone, encoder, side)
            batch.failed += alone.failed
            if len(alone.failed) == len(items):
                raise  # it fails on everything, so the pictures are not to blame
        else:
            yield items, rows


def _shard(
    batches: Iterable[Batch], encoder: Any, side: int | None, bar: tqdm
) -> tuple[Shard, list[dict]]:
    """Return the vectors of the batches of one shard, and what failed in them."""
    nothing = np.empty((0, encoder.dimension), np.float32)
    items, images, captions, failed = [], [nothing], [nothing], []
    for batch in batches:
        encoded = list(_encode(batch, encoder, side))
        images += [rows for _, rows in encoded]
        kept = [item for part, _ in encoded for item in part]
        texts = [caption for item in kept for caption in item.captions]
        captions.append(encoder.encode_texts(texts) if texts else nothing)
        items += kept
        failed += batch.failed
        bar.update(batch.size)
    numbered = [(i.id, number, text) for i in items for number, text in enumerate(i.captions)]
    shard = Shard(
        ids=[item.id for item in items],
        paths=[item.path for item in items],
        images=np.concatenate(images),
        caption_ids=[id_ for id_, _, _ in numbered],
        caption_numbers=[number for _, number, _ in numbered],
        caption_texts=[text for _, _, text in numbered],
        captions=np.concatenate(captions),
    )
    return shard, failed
