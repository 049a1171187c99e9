"""Embeddings: a gallery's pictures and captions as unit vectors, made once and checked when loaded.

An item whose picture cannot be read is in ``failed`` with its reason and nowhere else: neither its
vector nor its captions are stored. Rows carry ids; nothing is joined by row number.
"""

import logging
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from sigscope import paths
from sigscope.embedder import digest, embed
from sigscope.gallery import Gallery
from sigscope.locks import LOCK, hold
from sigscope.shards import REMAKE, StaleEmbeddings, read_rows, read_table
from sigscope.store import MANIFEST, PARTS, StoreError, broken_files, read_manifest, same, writing

__all__ = [
    "Embeddings",
    "StaleEmbeddings",
    "StoreError",
    "embed_gallery",
    "load_embeddings",
    "open_embeddings",
]

TEXT = pa.string()
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Unit vectors of a gallery's pictures and captions, with the id of each row."""

    folder: Path
    ids: np.ndarray  # (n,) strings
    images: np.ndarray  # (n, d) float32, unit rows
    caption_ids: np.ndarray  # (m,) the item of each caption
    caption_texts: np.ndarray  # (m,)
    captions: np.ndarray  # (m, d) float32, unit rows
    manifest: dict
    failed: pd.DataFrame  # id, path, reason

    @property
    def dimension(self) -> int:
        """The number of dimensions, d."""
        return self.images.shape[1]

    def __len__(self) -> int:
        """Return the number of pictures, n."""
        return len(self.ids)


def embed_gallery(
    gallery: Gallery,
    encoder: Any,
    folder: str | Path,
    *,
    batch_size: int = 32,
    shard_size: int = 1024,
    workers: int = 2,
    progress: bool = False,
) -> Embeddings:
    """Return the gallery's embeddings by encoder, made in folder as far as they are not there yet.

    A run that was stopped, even killed, is gone on with by the same call, and ends with the same
    bytes. Whole shards whose pictures and captions have not changed are kept.

    Args:
        gallery: what to embed; a picture counts as changed when its size in bytes has changed.
        encoder: an Encoder, or what has its identity, dimension and methods.
        folder: the store; made if need be. A second process that wants it waits for the first.
        batch_size: pictures given to the model at a time.
        shard_size: items in a shard, which is the most that a killed run loses.
        workers: threads that decode pictures while the model runs.
        progress: show a bar with pictures per second and time left on stderr.

    Raises:
        StaleEmbeddings: folder holds embeddings by another model, or another tool's.
        StoreError: the disk is full or folder may not be written to.
    """
    folder = Path(folder)
    sizes = {"batch_size": batch_size, "shard_size": shard_size, "workers": workers}
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    finished = partial(load_embeddings, folder, gallery=gallery, identity=encoder.identity)
    if not (folder / LOCK).exists():  # else somebody is at work here, or was killed
        with suppress(StaleEmbeddings):
            return finished()
    with ExitStack() as stack:
        with writing(folder):
            stack.enter_context(hold(folder, say=_teller(progress)))
        with suppress(StaleEmbeddings):  # whoever held it before us may have done the work
            return finished()
        embed(gallery, encoder, folder, **sizes, progress=progress)
        return finished()


def load_embeddings(
    folder: str | Path, *, gallery: Gallery | None = None, identity: dict | None = None
) -> Embeddings:
    """Return the embeddings in folder, every file checked against its hash.

    With neither gallery nor identity, a folder made by clip-retrieval is read too: its ids are its
    image paths, and nothing is known about its model.

    Args:
        folder: the store.
        gallery: what it must be of; None leaves that unchecked.
        identity: the ``identity`` of the encoder it must be by; None leaves that unchecked.

    Raises:
        StaleEmbeddings: It is missing, unfinished, broken, or of something else.
    """
    folder = Path(folder)
    if gallery is None and identity is None and _is_foreign(folder):
        return _foreign(folder)
    manifest = read_manifest(folder)
    _check_belongs(folder, manifest, gallery, identity)
    _check_whole(folder, manifest)
    found = _read(folder, manifest)
    _check_ids(found, gallery)
    return found


def open_embeddings(gallery: Gallery, encoder: Any, *, progress: bool = False) -> Embeddings:
    """Return the gallery's embeddings: those shipped, or those in the cache, or made there now."""
    name = re.sub(r"[^\w.-]+", "--", f"{gallery.name}-{encoder.model}")
    with suppress(StaleEmbeddings):
        return load_embeddings(paths.SHIPPED / name, gallery=gallery, identity=encoder.identity)
    key = digest([encoder.identity, gallery.fingerprint])[:12]
    folder = paths.CACHE / "embeddings" / f"{name}-{key}"
    return embed_gallery(gallery, encoder, folder, progress=progress)


def _teller(progress: bool) -> Callable[[str], None]:
    return partial(tqdm.write, file=sys.stderr) if progress else log.info


def _check_belongs(
    folder: Path, manifest: dict, gallery: Gallery | None, identity: dict | None
) -> None:
    made_by, of = manifest["encoder"], manifest["gallery"]
    if identity is not None and not same(made_by, identity):
        names = made_by.get("model"), identity.get("model")
        other = f"{names[0]}, not {names[1]}" if names[0] != names[1] else f"another {names[0]}"
        raise StaleEmbeddings(
            f"{folder} holds embeddings by {other}; embed the gallery into another folder"
        )
    if gallery is not None and of["fingerprint"] != gallery.fingerprint:
        raise StaleEmbeddings(
            f"{folder} holds embeddings of {of['name']} as it was with other pictures, captions "
            f"or labels than {gallery.name} has now; {REMAKE}"
        )


def _check_whole(folder: Path, manifest: dict) -> None:
    if not manifest["complete"]:
        raise StaleEmbeddings(
            f"{folder} is unfinished: {len(manifest['shards'])} shards are whole; "
            "embed_gallery(gallery, encoder, folder) goes on where it stopped"
        )
    broken = [name for shard in manifest["shards"] for name in broken_files(folder, shard)]
    if broken:
        raise StaleEmbeddings(
            f"{len(broken)} files in {folder} are missing or changed, the first {broken[0]}; "
            "embed_gallery(gallery, encoder, folder) makes their shards again"
        )


def _read(folder: Path, manifest: dict) -> Embeddings:
    def files(part: str) -> list[Path]:
        start = PARTS[part][0] + "/"
        names = [name for shard in manifest["shards"] for name in shard["files"]]
        return [folder / name for name in names if name.startswith(start)]

    d = manifest["dimension"]
    items = read_table(files("metadata"), {"id": TEXT})
    captions = read_table(files("captions"), {"id": TEXT, "caption": TEXT})
    return _checked(
        folder=folder,
        ids=_texts(items["id"]),
        images=read_rows(files("images"), d),
        caption_ids=_texts(captions["id"]),
        caption_texts=_texts(captions["caption"]),
        captions=read_rows(files("caption_vectors"), d),
        manifest=manifest,
        failed=pd.DataFrame(manifest["failed"], columns=["id", "path", "reason"]),
    )


def _checked(**parts: Any) -> Embeddings:
    """Return Embeddings whose arrays fit each other and which nobody can change by accident."""
    found = Embeddings(**parts)
    for rows, ids, what in (
        (found.images, found.ids, "pictures"),
        (found.captions, found.caption_ids, "captions"),
    ):
        if len(rows) != len(ids):
            raise StaleEmbeddings(
                f"{found.folder} has {len(rows)} vectors for {len(ids)} {what}; {REMAKE}"
            )
    names, counts = np.unique(found.ids.astype(str), return_counts=True)
    if (counts > 1).any():
        raise StaleEmbeddings(
            f"{found.folder} has the id {names[counts > 1][0]} more than once; {REMAKE}"
        )
    for array in (found.ids, found.images, found.caption_ids, found.caption_texts, found.captions):
        array.setflags(write=False)
    return found


def _check_ids(found: Embeddings, gallery: Gallery | None) -> None:
    """Raise unless every item of the gallery is there or failed, in the gallery's order."""
    if gallery is None:
        return
    failed = set(found.failed["id"])
    expected = [id_ for id_ in gallery.items["id"] if id_ not in failed]
    if expected != found.ids.tolist():
        raise StaleEmbeddings(
            f"{found.folder} and {gallery.name} do not list the same pictures; {REMAKE}"
        )


def _texts(values: list[str]) -> np.ndarray:
    """Return strings as an array of objects: one long text would make a fixed width costly."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _is_foreign(folder: Path) -> bool:
    return not (folder / MANIFEST).exists() and (folder / PARTS["images"][0]).is_dir()


def _foreign(folder: Path) -> Embeddings:
    """Return what clip-retrieval left in folder; its files are in the order of their numbers."""

    def files(part: str) -> list[Path]:
        place, suffix = PARTS[part]
        return sorted((folder / place).glob(f"*{suffix}"), key=_number)

    ids = _texts(read_table(files("metadata"), {"image_path": TEXT})["image_path"])
    images = read_rows(files("images"))
    captions = _texts([])
    if files("texts"):
        captions = _texts(read_table(files("metadata"), {"caption": TEXT})["caption"])
    captioned = np.array([bool(caption and caption.strip()) for caption in captions], bool)
    return _checked(
        folder=folder,
        ids=ids,
        images=images,
        caption_ids=ids[: len(captions)][captioned],
        caption_texts=captions[captioned],
        captions=read_rows(files("texts"), images.shape[1], keep=captioned),
        manifest={},
        failed=pd.DataFrame(columns=["id", "path", "reason"]),
    )


def _number(path: Path) -> tuple[int, str]:
    digits = re.findall(r"\d+", path.stem)
    return (int(digits[-1]) if digits else -1, path.name)
