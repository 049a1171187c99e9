"""Twins: marked duplicates of a picture, and which pictures are right for a caption."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import rows_of


def twins(gallery: Gallery, ids: np.ndarray) -> np.ndarray:
    """Return for each id the id that stands for it and its duplicates, shape (n,)."""
    rows = rows_of(ids, gallery.items["id"].array)
    if (rows < 0).any():
        raise KeyError(ids[int(np.argmin(rows))])
    kept = gallery.items["duplicate_of"].array.take(rows)
    return np.array([twin or name for twin, name in zip(kept, ids, strict=True)])


def same_pictures(gallery: Gallery, ids: np.ndarray) -> np.ndarray:
    """Return a number for each id that its marked duplicates have as well, int64, (n,).

    Ids that are not in the gallery have none.
    """
    numbers = np.arange(len(ids))
    place = rows_of(ids, gallery.items["id"].array)
    twin = gallery.items["duplicate_of"].array
    marked = np.flatnonzero((np.asarray(twin != "", bool))[place] & (place >= 0))
    if marked.size:
        names = twin.take(place[marked])
        kept = rows_of(names, ids)
        numbers[marked] = np.where(kept >= 0, kept, len(ids) + pd.factorize(names)[0])
    return numbers


def right_pictures(
    captions: Sequence[str], owners: np.ndarray, ids: np.ndarray, stands_for: np.ndarray
) -> list[np.ndarray]:
    """Return for each caption the rows of ``ids`` that are right for it.

    They are its own picture, the pictures with an equal caption (ignoring case), and marked
    duplicates of these.

    Args:
        captions: the texts, length m.
        owners: the id of the picture each belongs to, shape (m,).
        ids: the pictures that are searched, shape (n,).
        stands_for: from `twins` or `same_pictures`, shape (n,).
    """
    key = dict(zip(ids, stands_for, strict=True))
    rows_of, keys_of = defaultdict(list), defaultdict(set)
    for row, twin in enumerate(stands_for):
        rows_of[twin].append(row)
    for caption, owner in zip(captions, owners, strict=True):
        keys_of[caption.casefold()].add(key[owner])
    return [
        np.array(sorted(row for twin in keys_of[caption.casefold()] for row in rows_of[twin]))
        for caption in captions
    ]


def _own_and_twins(owners: np.ndarray, ids: np.ndarray, stands_for: np.ndarray) -> list[np.ndarray]:
    rows_of = defaultdict(list)
    for row, twin in enumerate(stands_for):
        rows_of[twin].append(row)
    key = dict(zip(ids, stands_for, strict=True))
    return [np.array(rows_of[key[owner]]) for owner in owners]
