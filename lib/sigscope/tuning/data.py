"""The training set: a gallery's train split as pairs, dealt into batches, seen anew each time.

What an epoch shows, and in which order, depends on the seed and the epoch's number alone, so a run
may be gone on with anywhere. Right for a caption are the pictures that the evaluation takes as
right (`gallery.twins`); none of them may be taught as wrong.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from sigscope.gallery.gallery import Gallery
from sigscope.gallery.twins import right_pictures, twins
from sigscope.tuning.recipes import Recipe

NARROWEST, WIDEST = 3 / 4, 4 / 3  # sides of a crop against those of the picture


@dataclass
class PairBatch:
    """n pairs that are each other's negatives, but for those in ``right``."""

    rows: np.ndarray  # (n,) int64: the item of each, as a row of the training set
    captions: list[str]
    right: np.ndarray  # (p, 2) int64, see `TrainingSet.right`
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
        counts = self.items["captions"].map(len).to_numpy()
        self._row = np.repeat(np.arange(len(self.items)), counts)
        ids, texts = self.items["id"].to_numpy(object), self.items["captions"].explode().tolist()
        right = right_pictures(texts, ids[self._row], ids, twins(gallery, ids))
        self._right = {text.casefold(): rows for text, rows in zip(texts, right, strict=True)}
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

    def right(self, rows: np.ndarray, captions: Sequence[str]) -> np.ndarray:
        """Return which picture and text of a batch belong together, int64, shape (p, 2).

        Args:
            rows: the picture of each of n pairs, shape (n,); one may come more than once.
            captions: the caption of each, as the items have it.

        Returns:
            Numbers below n of a picture and a text, ordered by picture; every (i, i) is among them.
        """
        places = defaultdict(list)
        for place, row in enumerate(rows):
            places[int(row)].append(place)
        pairs = [
            (picture, text)
            for text, caption in enumerate(captions)
            for row in self._right[caption.casefold()]
            for picture in places.get(int(row), ())
        ]
        return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)

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

    def batch(self, step: int, size: int) -> PairBatch:
        """Return the batch at a step, from 0."""
        part = slice(step * size, (step + 1) * size)
        listed = self.pairs.items["captions"]
        captions = [
            listed.iat[row][number]
            for row, number in zip(self.rows[part], self.numbers[part], strict=True)
        ]
        right = self.pairs.right(self.rows[part], captions)
        return PairBatch(self.rows[part], captions, right, self.seeds[part], self.views[part])


def picture_view(
    picture: Image.Image, rng: np.random.Generator, *, flip: float, crop: float
) -> Image.Image:
    """Return a random part of an RGB picture, perhaps mirrored.

    Args:
        picture: left as it is.
        rng: where the draws come from.
        flip: how often it is mirrored, from 0 to 1.
        crop: the least share of the area that is kept; 1 keeps all of it. The crop's shape strays
            from the picture's by at most 4 : 3 (as in Szegedy et al. 2015).
    """
    if crop < 1:
        picture = picture.crop(_box(picture.size, rng, crop))
    return ImageOps.mirror(picture) if rng.random() < flip else picture


def with_words_left_out(text: str, rng: np.random.Generator, share: float) -> str:
    """Return text without a random share of its words; one at least is kept."""
    words = text.split()
    if not share or len(words) < 2:
        return text
    kept = rng.random(len(words)) >= share
    if not kept.any():
        kept[rng.integers(len(words))] = True
    return " ".join(word for word, stays in zip(words, kept, strict=True) if stays)


def _box(size: tuple[int, int], rng: np.random.Generator, crop: float) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a random part of a picture of that size."""
    area = rng.uniform(crop, 1.0)
    shape = math.exp(rng.uniform(math.log(NARROWEST), math.log(WIDEST)))
    shares = (math.sqrt(area * shape), math.sqrt(area / shape))
    width, height = (
        max(1, round(side * min(1.0, share))) for side, share in zip(size, shares, strict=True)
    )
    left, top = rng.integers(size[0] - width + 1), rng.integers(size[1] - height + 1)
    return int(left), int(top), int(left) + width, int(top) + height
