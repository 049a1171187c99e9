"""Loading: embeddings on disk become arrays in memory, every file checked against its hash.

A folder made by clip-retrieval is read as well. Rows carry ids; nothing is joined by row number.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sigscope.embeddings.large_stores import lists_the_same, stay_on_disk, stored_parts
from sigscope.embeddings.shards import (
    FETCH,
    REMAKE,
    StaleEmbeddings,
    read_foreign_rows,
    read_rows,
    read_table,
)
from sigscope.embeddings.store import (
    MAKING,
    MANIFEST,
    PARTS,
    broken_files,
    read_manifest,
    unfinished,
)
from sigscope.embeddings.stored_rows import StoredRows, in_order
from sigscope.files import same
from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.columns import FILES, URLS, caption_columns, first_of
from sigscope.gallery.folder import Problems
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import rows_of
from sigscope.gallery.tables import records
from sigscope.garbage import seldom_collected

TEXT = pa.string()


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Unit vectors of a gallery's pictures and captions, with the id of each row.

    Of a folder of vectors (`vector_folder`), and where they would fill the memory, the vectors are
    `StoredRows`, which stay on disk, and ids and texts are columns of Arrow.
    """

    folder: Path
    ids: np.ndarray  # (n,) strings
    images: np.ndarray  # (n, d) float32, unit rows
    caption_ids: np.ndarray  # (m,) the item of each caption
    caption_texts: np.ndarray  # (m,)
    captions: np.ndarray  # (m, d) float32, unit rows
    manifest: dict
    failed: pd.DataFrame  # id, path, reason
    stamp: str = ""  # what changes with any vector, where that is known without reading them

    @property
    def dimension(self) -> int:
        """The number of dimensions, d."""
        return self.images.shape[1]

    @property
    def stay_on_disk(self) -> bool:
        """Whether the vectors are `StoredRows`."""
        return isinstance(self.images, StoredRows)

    @cached_property
    def owners(self) -> np.ndarray:
        """The row of the picture of each caption, int64, (m,); -1 where it is not there."""
        return rows_of(self.caption_ids, self.ids)

    def owners_among(self, rows: np.ndarray) -> np.ndarray:
        """Return ``owners`` counted among some rows of the pictures, -1 for others, (m,)."""
        place = np.full(len(self) + 1, -1)
        place[rows] = np.arange(len(rows))
        return place[self.owners]  # that of -1 is -1

    def __len__(self) -> int:
        """Return the number of pictures, n."""
        return len(self.ids)


@seldom_collected()
def load_embeddings(
    folder: str | Path, *, gallery: Gallery | None = None, identity: dict | None = None
) -> Embeddings:
    """Return the embeddings in folder, every file checked against its hash.

    With neither gallery nor identity, a folder made by clip-retrieval is read too: its ids are its
    image paths (or keys), and nothing is known about its model.

    Args:
        folder: the store.
        gallery: what it must be of; None leaves that unchecked.
        identity: the ``identity`` of the encoder it must be by; None leaves that unchecked.

    Raises:
        StaleEmbeddings: It is missing, unfinished, broken, or of something else.
    """
    folder = Path(folder)
    if _is_foreign(folder):
        if gallery is None and identity is None:
            return _foreign(folder)
        raise StaleEmbeddings(
            f"{folder} holds vectors by clip-retrieval, of a model that is not known; read them "
            "with load_embeddings(folder) alone, or embed the gallery into another folder"
        )
    manifest = read_manifest(folder)
    _check_belongs(folder, manifest, gallery, identity)
    _check_whole(folder, manifest)
    found = _read(folder, manifest)
    _check_ids(found, gallery)
    return found


def failures(manifest: dict) -> pd.DataFrame:
    """Return what could not be read when a store was made: id, path, reason."""
    return pd.DataFrame(manifest["failed"], columns=["id", "path", "reason"])


def _check_belongs(
    folder: Path, manifest: dict, gallery: Gallery | None, identity: dict | None
) -> None:
    made_by, of = manifest["encoder"], manifest["gallery"]
    if identity is not None and not same(made_by, identity):
        names = (made_by or {}).get("model", "a model that is not named"), identity.get("model")
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
        raise StaleEmbeddings(unfinished(folder, len(manifest["shards"])))
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
    if stay_on_disk(sum(shard["items"] + shard["captions"] for shard in manifest["shards"]), d):
        about = {"folder": folder, "manifest": manifest, "failed": failures(manifest)}
        return checked(**stored_parts(files, manifest), **about)
    items = read_table(files("metadata"), {"id": TEXT})
    captions = read_table(files("captions"), {"id": TEXT, "caption": TEXT})
    return checked(
        folder=folder,
        ids=as_objects(items["id"]),
        images=read_rows(files("images"), d),
        caption_ids=as_objects(captions["id"]),
        caption_texts=as_objects(captions["caption"]),
        captions=read_rows(files("caption_vectors"), d),
        manifest=manifest,
        failed=failures(manifest),
    )


def checked(**parts: Any) -> Embeddings:
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
    if found.stay_on_disk:
        return found
    if len(set(found.ids)) < len(found.ids):
        twice = Counter(found.ids).most_common(1)[0][0]
        raise StaleEmbeddings(f"{found.folder} has the id {twice} more than once; {REMAKE}")
    for array in (found.ids, found.images, found.caption_ids, found.caption_texts, found.captions):
        array.setflags(write=False)
    return found


def _check_ids(found: Embeddings, gallery: Gallery | None) -> None:
    """Raise unless every item of the gallery is there or failed, in the gallery's order."""
    if gallery is None:
        return
    if not lists_the_same(gallery, found.ids, found.failed["id"].tolist()):
        raise StaleEmbeddings(
            f"{found.folder} and {gallery.name} do not list the same pictures; {REMAKE}"
        )


def as_objects(values: list[str]) -> np.ndarray:
    """Return strings as an array of objects: one long text would make a fixed width costly."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _is_foreign(folder: Path) -> bool:
    ours = (folder / MANIFEST).exists() or (folder / MAKING).exists()
    return not ours and any((folder / PARTS[part][0]).is_dir() for part in ("images", "texts"))


def _foreign(folder: Path) -> Embeddings:
    """Return what clip-retrieval left in folder; its files are in the order of their numbers.

    A row whose vector is no number or has no length is left out, and ``failed`` says so. The id is
    the first column that names a file, a key or a URL, made unique.
    """

    def files(part: str) -> list[Path]:
        place, suffix = PARTS[part]
        return in_order((folder / place).glob(f"*{suffix}"))

    told: Problems = []
    rows = [record for file in files("metadata") for _, record in records(file, told)]
    names = list(dict.fromkeys(name for record in rows for name in record))
    known, captioned = first_of((*FILES, *URLS), names), next(iter(caption_columns(names)), "")
    ids = _unique([text_of(row.get(known)) or str(n) for n, row in enumerate(rows)])
    images, texts = (read_foreign_rows(files(part)) for part in ("images", "texts"))
    if not len(images):
        raise StaleEmbeddings(
            f"{folder} has no vectors of pictures ({PARTS['images'][0]}/*.npy); {FETCH} with "
            "--enable_image True"
        )
    if len(images) != len(rows) or len(texts) not in (0, len(rows)):
        raise StaleEmbeddings(
            f"{folder} has {len(images)} vectors of pictures and {len(texts)} of texts for "
            f"{len(rows)} rows of metadata; {FETCH}"
        )
    good = np.isfinite(images).all(axis=1)
    captions = as_objects([next(iter(texts_of(row.get(captioned))), "") for row in rows])
    said = (captions != "") & good
    said &= np.isfinite(texts).all(axis=1) if len(texts) else False
    reason = "row {} has a vector that is no number, or all zeros".format
    bad = [(ids[n], ids[n], reason(n)) for n in np.flatnonzero(~good)]
    return checked(
        folder=folder,
        ids=ids[good],
        images=images[good],
        caption_ids=ids[said],
        caption_texts=captions[said],
        captions=texts[said] if len(texts) else np.empty((0, images.shape[1]), np.float32),
        manifest={},
        failed=pd.DataFrame(bad, columns=["id", "path", "reason"]),
    )


def _unique(names: list[str]) -> np.ndarray:
    """Return the names as ids; one that comes again has its row's number behind it."""
    seen: set[str] = set()
    ids = []
    for number, name in enumerate(names):
        ids.append(f"{name}#{number}" if name in seen else name)
        seen.add(name)
    return as_objects(ids)
