"""The training set: a gallery's train split as pairs, dealt into batches.

What an epoch shows, and in which order, depends on the seed and the epoch's number alone, so a run
may be gone on with anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigscope.gallery.gallery import Gallery
from sigscope.tuning.matches import Matches
from sigscope.tuning.recipes import Recipe


@dataclass
class Batch:
    """n pairs that are each other's negatives, but for those in ``right``."""

    rows: np.ndarray  # (n,) int64: the item of each, as a row of the training set
    captions: list[str]
    right: np.ndarray  # (p, 2) int64, see Matches
    seeds: np.ndarray  # (n, 2) uint32: for what is drawn at random for each picture and text
    views: np.ndarray  # (n,) int64: which stored view of a locked picture
    pixels: list | None = None  # prepared pictures by part, where they fit in memory

    def __len__(self) -> int:
        """Return the number of pairs, n."""
        return len(self.rows)


class TrainingSet:
    """Pictures with captions of one split of a gallery."""

    def __init__(self, gallery: Gallery, split: str, unread: Sequence[str] = ()) -> None:
        """Keep the split's items that have a caption and can be read."""
        items = gallery.items
        chosen = (items["split"] == split) & (items["captions"].map(len) > 0)
        chosen &= ~items["id"].isin(list(unread))
        if chosen.sum() < 2:
            there = ", ".join(sorted(set(items["split"]) - {""})) or "none"
            raise ValueError(
                f"{gallery.name} has {chosen.sum()} pictures with captions in split {split!r}; "
                f"training needs two or more. Its splits: {there}"
            )
        self.split = split
        self.items = items[chosen].reset_index(drop=True)
        self.matches = Matches(self.items)
        counts = self.items["captions"].map(len).to_numpy()
        self._row = np.repeat(np.arange(len(self.items)), counts)
        self._number = np.concatenate([np.arange(count) for count in counts])

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.items)

    @property
    def texts(self) -> list[str]:
        """All captions, each once."""
        return list(dict.fromkeys(text for texts in self.items["captions"] for text in texts))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over ids, captions and duplicates, 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for row in self.items[["id", "captions", "duplicate_of"]].itertuples(index=False):
            digest.update(repr((row.id, list(row.captions), row.duplicate_of)).encode())
        return digest.hexdigest()

    def pairs(self, recipe: Recipe) -> int:
        """Return how many pairs an epoch shows, if all batches were full."""
        return len(self._row) if recipe.every_caption else len(self)

    def steps(self, recipe: Recipe) -> int:
        """Return the number of batches in an epoch; an incomplete last one is left out."""
        return max(1, self.pairs(recipe) // recipe.batch_size)

    def epoch(self, recipe: Recipe, epoch: int, views: int = 1) -> Epoch:
        """Return what an epoch shows, in its order."""
        rng = np.random.default_rng([recipe.seed, epoch])
        if recipe.every_caption:
            order = rng.permutation(len(self._row))
            rows, numbers = self._row[order], self._number[order]
        else:
            rows = rng.permutation(len(self))
            counts = self.items["captions"].map(len).to_numpy()[rows]
            numbers = rng.integers(counts)
        seeds = rng.integers(2**32, size=(len(rows), 2), dtype=np.uint32)
        return Epoch(self, rows, numbers, seeds, rng.integers(views, size=len(rows)))


@dataclass(frozen=True)
class Epoch:
    """Pairs in the order in which they are shown."""

    pairs: TrainingSet
    rows: np.ndarray
    numbers: np.ndarray
    seeds: np.ndarray
    views: np.ndarray

    def batch(self, step: int, size: int) -> Batch:
        """Return the batch at a step, from 0."""
        part = slice(step * size, (step + 1) * size)
        listed = self.pairs.items["captions"]
        captions = [
            listed.iat[row][number]
            for row, number in zip(self.rows[part], self.numbers[part], strict=True)
        ]
        right = self.pairs.matches.right(self.rows[part], captions)
        return Batch(self.rows[part], captions, right, self.seeds[part], self.views[part])
