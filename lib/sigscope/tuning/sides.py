"""The two sides of a batch: what turns its pictures, or its texts, into unit vectors.

Where a tower is locked its features are at hand, and the whole batch goes through its head at once.
Else the batch goes through the tower in parts of ``micro_batch``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import dropout

from sigscope.gallery.gallery import Gallery
from sigscope.tuning.data import PairBatch, TrainingSet, picture_view, with_words_left_out
from sigscope.tuning.network import Towers
from sigscope.tuning.recipes import Recipe

HELD_BYTES = 2**29  # prepared pictures of a batch that are kept for their second pass
WORKERS = 4  # threads that decode


class LockedSide:
    """Features of a locked tower, and its head: pictures or texts."""

    def __init__(self, towers: Towers, side: str, recipe: Recipe, features: np.ndarray) -> None:
        """Keep features, float32, shape (rows, views, width)."""
        self.towers, self.side, self.recipe = towers, side, recipe
        self.features = torch.from_numpy(features).to(towers.device)
        self.views = features.shape[1]

    @property
    def learns(self) -> bool:
        """Whether there is a head, and it learns."""
        head = self.towers.head(self.side)
        return head is not None and head.weight.requires_grad

    def rows(self, batch: PairBatch) -> tuple[np.ndarray, np.ndarray]:
        """Return which features, and which view of each, a batch asks for."""
        return batch.rows, batch.views

    def parts(self, batch: PairBatch, size: int) -> list[np.ndarray]:
        """Return the places of the batch that go through together: all of them."""
        return [np.arange(len(batch))]

    def vectors(self, batch: PairBatch, places: np.ndarray) -> Tensor:
        """Return unit vectors of these places of a batch, float32, shape (n, d)."""
        rows, views = (torch.from_numpy(x[places]) for x in self.rows(batch))
        features = self.features[rows, views]
        hidden = dropout(features, self.recipe.feature_dropout, training=True)
        return self.towers.vectors(self.side, hidden)


class LockedTexts(LockedSide):
    """The same for captions, which are found by their text."""

    def __init__(
        self, towers: Towers, recipe: Recipe, texts: Sequence[str], features: np.ndarray
    ) -> None:
        """Keep features of texts, float32, shape (n, width)."""
        super().__init__(towers, "text", recipe, features[:, None])
        self.row = {text: row for row, text in enumerate(texts)}

    def rows(self, batch: PairBatch) -> tuple[np.ndarray, np.ndarray]:
        """Return which features a batch asks for."""
        rows = np.array([self.row[text] for text in batch.captions])
        return rows, np.zeros_like(rows)


class LiveTexts:
    """Captions read by a text tower that learns."""

    learns, views = True, 1

    def __init__(self, towers: Towers, recipe: Recipe, autocast: Any) -> None:
        """Read in what ``autocast()`` sets."""
        self.towers, self.recipe, self.autocast = towers, recipe, autocast

    def parts(self, batch: PairBatch, size: int) -> list[np.ndarray]:
        """Return the places that go through together: texts of like length, to pad little."""
        order = np.argsort([len(text) for text in batch.captions], kind="stable")
        return [order[i : i + size] for i in range(0, len(order), size)]

    def vectors(self, batch: PairBatch, places: np.ndarray) -> Tensor:
        """Return unit vectors of these places of a batch, float32, shape (n, d)."""
        share = self.recipe.word_dropout
        texts = [
            with_words_left_out(
                batch.captions[place], np.random.default_rng(batch.seeds[place, 1]), share
            )
            for place in places
        ]
        with self.autocast():
            features = self.towers.text_features(texts)
        return self.towers.vectors("text", features)


class LivePictures:
    """Pictures seen by an image tower that learns; each time a new view of them."""

    learns, views = True, 1

    def __init__(
        self, towers: Towers, recipe: Recipe, autocast: Any, gallery: Gallery, pairs: TrainingSet
    ) -> None:
        """Open pictures of a gallery in threads."""
        self.towers, self.recipe, self.autocast = towers, recipe, autocast
        self.files = [gallery.root / path for path in pairs.items["path"]]
        self.pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="decode")

    def parts(self, batch: PairBatch, size: int) -> list[np.ndarray]:
        """Return the places that go through together."""
        places = np.arange(len(batch))
        return [places[i : i + size] for i in range(0, len(places), size)]

    def load(self, batch: PairBatch, size: int) -> PairBatch:
        """Return the batch with its pictures prepared, where they fit in memory together."""
        parts = self.parts(batch, size)
        first = self.prepared(batch, parts[0])
        if len(parts) * sum(tensor.nbytes for tensor in first.values()) <= HELD_BYTES:
            rest = [self.prepared(batch, places) for places in parts[1:]]
            batch.pixels = [first, *rest]
        return batch

    def prepared(self, batch: PairBatch, places: np.ndarray) -> dict[str, Tensor]:
        """Return pictures of a batch as the tower takes them."""
        jobs = ((batch.rows[place], batch.seeds[place, 0]) for place in places)
        return dict(self.towers.prepare(list(self.pool.map(self._picture, jobs))))

    def vectors(self, batch: PairBatch, places: np.ndarray) -> Tensor:
        """Return unit vectors of these places of a batch, float32, shape (n, d)."""
        if batch.pixels is None:
            pixels = self.prepared(batch, places)
        else:
            pixels = batch.pixels[places[0] // self.recipe.micro_batch]
        with self.autocast():
            features = self.towers.image_features(pixels)
        return self.towers.vectors("image", features)

    def _picture(self, job: tuple[int, int]) -> Any:
        row, seed = job
        rng, how = np.random.default_rng(seed), self.recipe
        return picture_view(self.towers.opened(self.files[row]), rng, flip=how.flip, crop=how.crop)


Side = LockedSide | LiveTexts | LivePictures
