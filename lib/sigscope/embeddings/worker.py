"""The embedder: runs an encoder over a gallery while threads decode pictures ahead of it.

A picture or caption whose vector is known already, whatever it was called, is not encoded again.
What is held in memory beside the gallery's table does not grow with it but by some 40 bytes for
each vector that may be used again: a few batches of decoded pictures, and the vectors of a shard.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sigscope.embeddings.decode import DecodedBatch, Item, decode, failure
from sigscope.embeddings.reuse import ReusableVectors, text_digest
from sigscope.embeddings.store import stored_shards
from sigscope.embeddings.tally import Tally
from sigscope.embeddings.unfinished import ShardInProgress
from sigscope.embeddings.writer import Writer, write_shard
from sigscope.files import content_of, digest, size_of
from sigscope.gallery.gallery import Gallery
from sigscope.images.prefetch import picture_side, prefetch
from sigscope.progress import Progress, progress_bar
from sigscope.trouble import check_machine
from sigscope.types import EncoderLike

VERSIONS = ("torch", "transformers", "pillow", "numpy")


@dataclass(frozen=True)
class Order:
    """A shard to be made: its number, the key it gets, and what there is to embed of it."""

    number: int
    key: str
    items: list[Item]


@dataclass(frozen=True)
class Made:
    """A shard that is written: its record, what could not be read of it, and in numbers."""

    record: dict
    failed: list[dict]
    tally: Tally


@dataclass(frozen=True)
class Workshop:
    """What the shards of a store are made with but for the encoder; other processes can have it."""

    root: Path  # of the gallery
    sample: tuple[Path, int] | None  # a file of it and its size, if any can be reached
    folder: Path  # the store
    identity: dict  # of the encoder
    shards: int  # in the store
    batch_size: int
    workers: int
    known: ReusableVectors

    def make(self, encoder: EncoderLike, order: Order) -> Made:
        """Make a shard and write its files, whole or not at all, wherever this runs."""
        tally = Tally()
        with progress_bar(len(order.items), "Embedding", " pictures", progress=False) as bar:
            work = _Work(encoder, self.known, self.workers, tally, bar)
            [shard] = work.filled([(order.number, order.items)], self.batch_size)
            whole, failed = shard.finished(work.captions), shard.failures()
        number = (order.number, self.shards)
        record = write_shard(self.folder, self.identity, order.key, number, whole, failed)
        return Made(record, failed, tally)


Engine = Callable[[EncoderLike, Workshop, Iterator[Order]], Generator[Made]]  # in any order
Job = tuple[ShardInProgress, list[Item], bool]  # items to decode, the last of their shard or not


def embed(
    gallery: Gallery,
    encoder: EncoderLike,
    folder: Path,
    *,
    batch_size: int,
    shard_size: int,
    workers: int,
    progress: Progress,
    also: Sequence[Path] = (),
    engine: Engine | None = None,
) -> Tally:
    """Make the shards that are not right in folder yet, which the caller holds.

    Args:
        gallery: what to embed.
        encoder: what to embed it with.
        folder: the store.
        batch_size: pictures given to the model at a time.
        shard_size: items in a shard.
        workers: threads that decode.
        progress: whether to show a bar, or what is told (done, total).
        also: further stores whose vectors may be used, if they are by the same encoder.
        engine: has the shards made elsewhere; None makes them here.
    """
    starts = range(0, len(gallery), shard_size)
    keys = [_key(encoder, _items(gallery, start, shard_size)) for start in starts]
    writer = Writer(folder, _about(gallery, encoder), keys)
    missing = writer.missing()
    others = [shard for place in also for shard in stored_shards(place, encoder.identity)]
    known = ReusableVectors(writer.reusable(), others if missing else ())
    right = writer.records()
    tally = Tally(
        kept=sum(record["items"] for record in right),
        gone=len(known.ids.difference(gallery.items["id"])),
        failed=sum(record["failed"] for record in right),
    )
    done = tally.kept + tally.failed
    with progress_bar(len(gallery), "Embedding", " pictures", progress, done=done) as bar:
        shards = ((number, _items(gallery, starts[number], shard_size)) for number in missing)
        if engine and missing:
            workshop = Workshop(
                root=gallery.root.absolute(),
                sample=_sample(_items(gallery, starts[missing[0]], shard_size)),
                folder=folder.absolute(),
                identity=dict(encoder.identity),
                shards=len(keys),
                batch_size=batch_size,
                workers=workers,
                known=known,
            )
            orders = (Order(number, keys[number], items) for number, items in shards)
            with closing(engine(encoder, workshop, orders)) as shards_made:
                for made in shards_made:
                    writer.take(made.record, made.failed)
                    tally.add(made.tally)
                    bar.update(made.record["items"] + made.record["failed"])
        else:
            work = _Work(encoder, known, workers, tally, bar)
            for shard in work.filled(shards, batch_size):
                writer.add(shard.number, shard.finished(work.captions), shard.failures())
    writer.finish()
    return tally


class _Work:
    """One run over the shards to be made: what is known is used, the rest encoded."""

    def __init__(
        self, encoder: EncoderLike, known: ReusableVectors, workers: int, tally: Tally, bar: tqdm
    ) -> None:
        self.encoder, self.known, self.workers = encoder, known, workers
        self.tally, self.bar = tally, bar
        self.side = picture_side(encoder)

    def filled(
        self, shards: Iterable[tuple[int, list[Item]]], batch_size: int
    ) -> Iterator[ShardInProgress]:
        """Yield a shard for each number and items, with the vectors of all its pictures."""
        jobs = self._jobs(shards, batch_size)
        with closing(prefetch(self._decode, jobs, self.workers)) as decoded:
            for shard, batch, is_last in decoded:
                self._encode(shard, batch)
                if is_last:
                    yield shard

    def captions(self, texts: list[str]) -> np.ndarray:
        """Return the vectors of captions, (n, d) float32; each new text is encoded once."""
        rows = np.empty((len(texts), self.encoder.dimension), np.float32)
        places = self.known.captions.find([text_digest(text) for text in texts])
        for row in np.flatnonzero(places >= 0):
            rows[row] = self.known.captions.vector(places[row])
        new = np.flatnonzero(places < 0)
        distinct = {
            text: number for number, text in enumerate(dict.fromkeys(texts[r] for r in new))
        }
        if distinct:
            rows[new] = self.encoder.encode_texts(list(distinct))[[distinct[texts[r]] for r in new]]
        return rows

    def _jobs(self, shards: Iterable[tuple[int, list[Item]]], batch_size: int) -> Iterator[Job]:
        """Yield what to decode: for each shard its unknown items, or none if all are known."""
        for number, items in shards:
            images = np.zeros((len(items), self.encoder.dimension), np.float32)
            shard = ShardInProgress(number, items, images, [""] * len(items))
            rest = self._unknown(shard)
            for start in range(0, max(1, len(rest)), batch_size):
                yield shard, rest[start : start + batch_size], start + batch_size >= len(rest)

    def _unknown(self, shard: ShardInProgress) -> list[Item]:
        """Return the items of a shard whose vectors must be made, once the known are taken in."""
        contents, unknown = self._contents(shard.items), []
        places = self.known.pictures.find(contents)
        for item, content, place in zip(shard.items, contents, places, strict=True):
            if place < 0:
                unknown.append(item)
                continue
            shard.take(item, self.known.pictures.vector(place), content)
            self.tally.kept += item.id in self.known.ids
            self.tally.moved += item.id not in self.known.ids
        self.bar.update(len(shard.items) - len(unknown))
        return unknown

    def _contents(self, items: list[Item]) -> list[str]:
        """Return the SHA-256 of each file; nobody looks where there is nothing to compare with."""
        unseen = {i.id: i.file for i in items if not i.content} if len(self.known.pictures) else {}
        with ThreadPoolExecutor(self.workers) as pool:
            seen = dict(zip(unseen, pool.map(content_of, unseen.values()), strict=True))
        return [item.content or seen.get(item.id, "") for item in items]

    def _decode(self, job: Job) -> tuple[ShardInProgress, DecodedBatch, bool]:
        shard, items, is_last = job
        return shard, decode(items, self.encoder, self.side), is_last

    def _encode(self, shard: ShardInProgress, batch: DecodedBatch) -> None:
        """Take the vectors of a batch into its shard."""
        for items, rows in self._encoded(batch):
            for item, row in zip(items, rows, strict=True):
                shard.take(item, row, batch.contents[item.id])
                self.tally.changed += item.id in self.known.ids
                self.tally.new += item.id not in self.known.ids
        shard.failed |= {row["id"]: row for row in batch.failed}
        self.tally.failed += len(batch.failed)
        self.bar.update(len(batch.items))

    def _encoded(self, batch: DecodedBatch) -> Iterator[tuple[list[Item], np.ndarray]]:
        """Yield the vectors of batch by parts; if the model fails, find out on which picture."""
        for items, part in batch.parts:
            try:
                rows = self.encoder.encode_batch(part)
            except Exception as error:
                check_machine(items[0].path, error)
                if len(items) == 1:
                    batch.failed.append(failure(items[0], error))
                    continue
                alone = DecodedBatch(items)
                for item in items:
                    alone.parts += decode([item], self.encoder, self.side).parts
                yield from self._encoded(alone)
                batch.failed += alone.failed
                if len(alone.failed) == len(items):
                    raise  # it fails on everything, so the pictures are not to blame
            else:
                yield items, rows


def _items(gallery: Gallery, start: int, count: int) -> list[Item]:
    """Return what there is to embed of some rows of the gallery, in their order."""
    table, root = gallery.items.iloc[start : start + count], gallery.root.absolute()
    contents = table["content"].tolist() if "content" in table else [""] * len(table)
    columns = zip(
        *(table[name].tolist() for name in ("id", "path", "captions")), contents, strict=True
    )
    return [
        Item(row, id_, path, root / path, tuple(captions), content)
        for row, (id_, path, captions, content) in enumerate(columns)
    ]


def _sample(items: list[Item]) -> tuple[Path, int] | None:
    """Return the first file that can be reached, and its size."""
    sizes = ((item.file, size_of(item.file)) for item in items)
    return next(((file, size) for file, size in sizes if size >= 0), None)


def _about(gallery: Gallery, encoder: EncoderLike) -> dict:
    return {
        "encoder": encoder.identity,
        "gallery": {"name": gallery.name, "fingerprint": gallery.fingerprint},
        "dimension": encoder.dimension,
        "versions": {package: version(package) for package in VERSIONS},
    }


def _key(encoder: EncoderLike, items: list[Item]) -> str:
    """Return a digest of all that the vectors of a shard depend on."""
    of = [[i.id, i.path, i.captions, i.content or size_of(i.file)] for i in items]
    return digest([encoder.identity, of])
