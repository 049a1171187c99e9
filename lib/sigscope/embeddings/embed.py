"""Embeddings: a gallery's pictures and captions as unit vectors, made once and kept up to date.

An item whose picture cannot be read is in ``failed`` with its reason and nowhere else: neither its
vector nor its captions are stored. Rows carry ids; nothing is joined by row number.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from time import perf_counter

import pandas as pd
from tqdm import tqdm

from sigscope import paths
from sigscope.arguments import whole
from sigscope.cache import mark_used
from sigscope.embeddings.imported import import_vectors
from sigscope.embeddings.load import Embeddings, failures, load_embeddings
from sigscope.embeddings.part import load_part
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.embeddings.store import MANIFEST, are_settled, commit, read_manifest, writing
from sigscope.embeddings.worker import Engine, embed
from sigscope.files import LOCK, digest, folder_lock, slug
from sigscope.gallery.gallery import Gallery
from sigscope.models.zoo import note_pace
from sigscope.progress import Progress
from sigscope.types import EncoderLike

ENGINES = ("local", "ray")  # this process; processes on one machine or many
log = logging.getLogger(__name__)


def embed_gallery(
    gallery: Gallery,
    encoder: EncoderLike,
    folder: str | Path,
    *,
    batch_size: int = 32,
    shard_size: int = 128,
    workers: int = 2,
    progress: Progress = False,
    also: Sequence[Path] = (),
    engine: Engine | None = None,
) -> Embeddings:
    """Return the gallery's embeddings by encoder, made in folder as far as they are not there yet.

    A run that was stopped, even killed, is gone on with by the same call, and ends with the same
    bytes. Of a gallery that has changed, only new pictures (by the SHA-256 of their files, so not
    those renamed or copied) and new captions are embedded; what folder held stays until the new
    embeddings are whole.

    Args:
        gallery: what to embed; a picture counts as changed when its ``content`` has, or where the
            gallery has no such column, when its size in bytes has.
        encoder: an Encoder, or what has its identity, dimension and methods.
        folder: the store; made if need be. A second process that wants it waits for the first.
        batch_size: pictures given to the model at a time.
        shard_size: items in a shard, which is the most that a killed run loses: seconds of work.
        workers: threads that decode pictures while the model runs.
        progress: show a bar with pictures per second and time left on stderr, and at the end how
            many pictures were new, changed and kept; or a function that is told (done, total).
        also: other stores to take vectors from, if they are by the same encoder.
        engine: has the shards made elsewhere, as ``ray_engine.RayEngine`` does; the vectors are
            the same. None means what the environment variable SIGSCOPE_ENGINE says, or else here.

    Raises:
        StaleEmbeddings: folder holds embeddings by another model, or another tool's.
        StoreError: the disk is full or folder may not be written to.
        MachineTrouble: a picture could not be read, or computed with, by no fault of its own.
    """
    folder = Path(folder)
    sizes = {"batch_size": batch_size, "shard_size": shard_size, "workers": workers}
    for name, value in sizes.items():
        whole(name, value, "it must be at least 1")
    engine = engine or _engine_set()
    finished = partial(load_embeddings, folder, gallery=gallery, identity=encoder.identity)

    def settled() -> Embeddings:
        if are_settled(read_manifest(folder)["failed"]):
            return finished()
        raise StaleEmbeddings(f"{folder} has pictures to be looked at again")

    if not (folder / LOCK).exists():  # else somebody is at work here, or was killed
        with suppress(StaleEmbeddings):
            return settled()
    with ExitStack() as stack:
        with writing(folder):
            stack.enter_context(folder_lock(folder, say=_say(progress)))
        with writing(folder):
            commit(folder)
        with suppress(StaleEmbeddings):  # whoever held it before us may have done the work
            return settled()
        began = perf_counter()
        tally = embed(
            gallery, encoder, folder, **sizes, progress=progress, also=also, engine=engine
        )
        if not engine:
            note_pace(encoder.model, tally.new + tally.changed, perf_counter() - began)
        _say(progress)(f"{gallery.name}: {tally}.")
        return finished()


def open_embeddings(
    gallery: Gallery, encoder: EncoderLike, *, progress: Progress = False
) -> Embeddings:
    """Return the gallery's embeddings: those shipped, or those in the cache, brought up to date.

    A folder has one place in the cache for each encoder, and each of its subsets one of its own. A
    gallery that says where vectors of its items are gets those (`import_vectors`).
    """
    if gallery.vectors is not None:
        return import_vectors(gallery, encoder, progress=progress)
    shipped = paths.SHIPPED / _name(gallery, encoder.model)
    with suppress(StaleEmbeddings):
        return load_embeddings(shipped, gallery=gallery, identity=encoder.identity)
    folder = _cached_store(gallery, encoder)
    others = [path for path in folder.parent.glob(f"{shipped.name}-*") if path != folder]
    found = embed_gallery(gallery, encoder, folder, progress=progress, also=sorted(others))
    mark_used(folder / MANIFEST)
    return found


def embeddings_so_far(gallery: Gallery, encoder: EncoderLike) -> Embeddings:
    """Return what is embedded of a gallery by now, all of it or a part; nothing is made.

    Whether it is all, ``manifest["complete"]`` says. Who embeds it meanwhile is not waited for.
    """
    if gallery.vectors is not None:
        return import_vectors(gallery, encoder)
    cached = _cached_store(gallery, encoder)
    for folder in (paths.SHIPPED / _name(gallery, encoder.model), cached):
        with suppress(StaleEmbeddings):
            found = load_embeddings(folder, gallery=gallery, identity=encoder.identity)
            if folder == cached:
                mark_used(folder / MANIFEST)
            return found
    return load_part(cached, gallery, encoder.identity, encoder.dimension)


def _cached_store(gallery: Gallery, encoder: EncoderLike) -> Path:
    """Return where in the cache the gallery's embeddings by encoder lie, made or not."""
    place = os.fsencode(gallery.root.resolve()).hex()
    key = digest([encoder.identity, place, gallery.part])[:12]
    return paths.CACHE / "embeddings" / f"{_name(gallery, encoder.model)}-{key}"


def _engine_set() -> Engine | None:
    """Return the engine that the environment sets, or None for this process."""
    name = os.environ.get("SIGSCOPE_ENGINE") or "local"
    address = os.environ.get("SIGSCOPE_ENGINE_ADDRESS", "")
    if name not in ENGINES:
        raise ValueError(f"there is no engine {name!r}; choose from {', '.join(ENGINES)}")
    if name == "local":
        if address:
            raise ValueError(f"the address {address} is of no use here; choose the engine ray")
        return None
    from sigscope.embeddings.ray_engine import RayEngine

    gpu = os.environ.get("SIGSCOPE_ENGINE_GPU") or "1"
    if not re.fullmatch(r"0|1|0?\.\d+", gpu):
        raise ValueError(f"SIGSCOPE_ENGINE_GPU is {gpu!r}; it is a share of a GPU, from 0 to 1")
    return RayEngine(address, gpu=float(gpu))


def stored_failures(gallery: Gallery, model: str) -> pd.DataFrame | None:
    """Return what could not be read (id, path, reason) of a gallery that is embedded as it is now.

    A look at manifests tells, without the model: None where there are no such embeddings. What is
    loaded later is checked whole.

    Args:
        gallery: the gallery.
        model: what its encoder is called.
    """
    name = _name(gallery, model)
    for folder in [paths.SHIPPED / name, *(paths.CACHE / "embeddings").glob(f"{name}-*")]:
        with suppress(StaleEmbeddings):
            manifest = read_manifest(folder)
            if manifest["complete"] and manifest["gallery"]["fingerprint"] == gallery.fingerprint:
                return failures(manifest)
    return None


def _name(gallery: Gallery, model: str) -> str:
    return slug(f"{gallery.name}-{model}")


def _say(progress: Progress) -> Callable[[str], None]:
    return partial(tqdm.write, file=sys.stderr) if progress is True else log.info
