"""Duplicates: pictures that are in a gallery more than once, as the same file or as a near copy.

Of each group one is kept: the one with the most pixels, of these the largest file, of these the
first in the gallery. Every other one was held against the kept one itself, so a chain of small
changes does not join two pictures that differ. Files are read and never changed.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from sigscope.duplicates.compare import KINDS, Copies, close_embeddings
from sigscope.duplicates.signatures import same_bytes
from sigscope.duplicates.splits import crossing
from sigscope.gallery.gallery import Gallery

COLUMNS = ["id", "kept", "kind", "likeness", "across_splits"]


def find_duplicates(
    gallery: Gallery,
    embeddings: Any | None = None,
    *,
    near: bool = True,
    progress: bool = False,
) -> pd.DataFrame:
    """Return the gallery's duplicates, one row for each that need not be kept.

    Near duplicates are copies that were resized, recompressed, turned grey or cropped by a few per
    cent; see `duplicates.near` for what is not one. Pictures that cannot be read are compared as
    files alone, and so are plain ones, which may also have the same pixels.

    Args:
        gallery: what to look through. A column ``content`` of its items (SHA-256) saves hashing.
        embeddings: of the gallery, or of a part of it: pictures that a model holds to be close are
            compared as well, which finds larger crops. None does without.
        near: look at pixels too. False reads files of equal size and decodes none, so it finds
            same files only.
        progress: show bars on stderr.

    Returns:
        Columns id, kept (the id of the twin that is kept), kind ("same file", "same pixels" or
        "near", of the two), likeness (1 / (1 + difference), from 0.58 to 1; 1 where pixels are the
        same), across_splits (whether the two are in two different splits), in the gallery's order.
    """
    items = gallery.items
    files = [gallery.root / path for path in items["path"]]
    contents = items["content"] if "content" in items else np.full(len(items), "")
    first = same_bytes(files, list(contents), progress=progress)
    kept, kinds, alike = first, np.zeros(len(items), np.int64), np.ones(len(items))
    if near:
        rows = np.flatnonzero(first == np.arange(len(items)))
        proposed = close_embeddings(items["id"].to_numpy()[rows], embeddings)
        of_rows = Copies([files[row] for row in rows], proposed, progress)
        number = np.searchsorted(rows, first)
        kept = rows[of_rows.kept][number]
        moved = kept != first
        kinds[moved], alike[moved] = of_rows.kinds[number][moved], of_rows.alike[number][moved]
    return _table(gallery, kept, kinds, alike)


def mark_duplicates(gallery: Gallery, found: pd.DataFrame) -> Gallery:
    """Return the gallery with ``duplicate_of`` filled in; marks it has already stay.

    Where a mark and a finding meet, the groups become one, and its kept one is that of the finding.

    Args:
        gallery: whose items to mark. Its fingerprint does not change by it.
        found: from `find_duplicates`; drop the rows that you do not believe.

    Raises:
        ValueError: found names an item that the gallery has not.
    """
    items = gallery.items
    stands_for = dict(zip(items["id"], items["duplicate_of"], strict=True))
    for id, kept in zip(found["id"], found["kept"], strict=True):
        if id not in stands_for or kept not in stands_for:
            raise ValueError(
                f"{gallery.name} has no item {id if id not in stands_for else kept!r} to mark; "
                "give what was found in this gallery"
            )
        id, kept = _last(stands_for, id), _last(stands_for, kept)
        if id != kept:
            stands_for[id] = kept
    marks = [_last(stands_for, id) for id in items["id"]]
    marks = ["" if mark == id else mark for mark, id in zip(marks, items["id"], strict=True)]
    return replace(gallery, items=items.assign(duplicate_of=pd.Series(marks, items.index, "str")))


def without_duplicates(gallery: Gallery) -> Gallery:
    """Return the gallery without the items that are marked as duplicates; embed it again."""
    kept = gallery.items["duplicate_of"] == ""
    return replace(gallery, items=gallery.items[kept].reset_index(drop=True))


def leaks(gallery: Gallery, found: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the pictures that have a duplicate on another side of a split.

    Args:
        gallery: says which picture is in which split, and what is marked already.
        found: from `find_duplicates`, to be marked as well; None takes the gallery's marks alone.

    Returns:
        Columns id, split, twin, twin_split, in the gallery's order. The twin is the kept one, or,
        where that is in no split, the first of the group that is in one. With found also kind and
        likeness, "" and nan where the pair was marked before.
    """
    if found is None:
        return crossing(gallery)
    table = crossing(mark_duplicates(gallery, found))
    pairs = found[["id", "kept", "kind", "likeness"]].rename(columns={"kept": "twin"})
    return table.merge(pairs, "left", ["id", "twin"]).fillna({"kind": ""})


def _last(stands_for: dict[str, str], id: str) -> str:
    """Return the end of a chain of marks; one that names itself or no item ends there."""
    seen = {id}
    while (kept := stands_for.get(id, "")) not in ("", *seen):
        seen.add(kept)
        id = kept
    return id


def _table(
    gallery: Gallery, kept: np.ndarray, kinds: np.ndarray, alike: np.ndarray
) -> pd.DataFrame:
    rows = np.flatnonzero(kept != np.arange(len(kept)))
    ids, splits = (gallery.items[name].to_numpy(object) for name in ("id", "split"))
    one, other = splits[rows], splits[kept[rows]]
    values = {
        "id": ids[rows],
        "kept": ids[kept[rows]],
        "kind": np.array(KINDS, object)[kinds[rows]],
        "likeness": alike[rows].astype(np.float64),
        "across_splits": (one != other) & (one != "") & (other != ""),
    }
    text = {name: "str" for name in ("id", "kept", "kind")}
    return pd.DataFrame(values, columns=COLUMNS).astype(text | {"across_splits": bool})
