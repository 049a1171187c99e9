"""Twins: marked duplicates of a picture, and which pictures are right for a caption."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from sigscope.gallery.gallery import Gallery


def twins(gallery: Gallery, ids: np.ndarray) -> np.ndarray:
    """Return for each id the id that stands for it and its duplicates, shape (n,)."""
    kept = dict(zip(gallery.items["id"], gallery.items["duplicate_of"], strict=True))
    return np.array([kept[name] or name for name in ids])


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
        stands_for: from `twins`, shape (n,).
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
