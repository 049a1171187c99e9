"""A store in the making, or of an earlier version: the shards that are whole are searchable."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from sigscope.embeddings.load import TEXT, Embeddings, as_objects, checked, failures
from sigscope.embeddings.shards import StaleEmbeddings, read_rows, read_table
from sigscope.embeddings.store import PARTS, StoredShard, stored_shards
from sigscope.gallery.gallery import Gallery


def load_part(folder: Path, gallery: Gallery, identity: dict, dimension: int) -> Embeddings:
    """Return what the whole shards in folder hold of a gallery, newest first; perhaps nothing.

    A picture that has changed since, or that is not in the gallery any more, is not in it.

    Args:
        folder: a store, finished or in the making.
        gallery: what it is of.
        identity: of the encoder it is by.
        dimension: of its vectors.
    """
    contents = gallery.items.get("content", pd.Series("", gallery.items.index))
    known = dict(zip(gallery.items["id"], contents, strict=True))
    parts, failed, seen = [], {}, set()
    for shard in reversed(stored_shards(folder, identity)):
        failed |= {row["id"]: row for row in shard.failed if row["id"] in known}
        with suppress(OSError, StaleEmbeddings):  # its files are moved, or replaced, just now
            parts.append(_shard(shard, known, seen, dimension))
    items, images, owners, texts, captions = zip(*parts, strict=True) if parts else ([],) * 5
    return checked(
        folder=folder,
        ids=as_objects([id_ for ids in items for id_ in ids]),
        images=np.concatenate([np.empty((0, dimension), np.float32), *images]),
        caption_ids=as_objects([id_ for ids in owners for id_ in ids]),
        caption_texts=as_objects([text for each in texts for text in each]),
        captions=np.concatenate([np.empty((0, dimension), np.float32), *captions]),
        manifest={"complete": False, "encoder": identity},
        failed=failures({"failed": [row for id_, row in failed.items() if id_ not in seen]}),
    )


def _shard(shard: StoredShard, known: dict[str, str], seen: set[str], d: int) -> tuple:
    """Return ids, vectors, owners, texts and vectors of the captions that are not seen yet."""
    files = {part: shard.file(part) for part in PARTS}
    if not all(files.values()):
        raise StaleEmbeddings(f"a shard in {shard.folder} is not whole")
    items = read_table([files["metadata"]], {"id": TEXT, "content": TEXT})
    told = read_table([files["captions"]], {"id": TEXT, "caption": TEXT})
    images, captions = (read_rows([files[part]], d) for part in ("images", "caption_vectors"))
    rows = [
        row
        for row, (id_, content) in enumerate(zip(items["id"], items["content"], strict=True))
        if id_ not in seen and known.get(id_) in ("", content)
    ]
    ids = [items["id"][row] for row in rows]
    seen.update(ids)
    kept = set(ids)
    own = [row for row, id_ in enumerate(told["id"]) if id_ in kept]
    owners, texts = ([told[name][row] for row in own] for name in ("id", "caption"))
    return ids, images[rows], owners, texts, captions[own]
