"""Validation: hit rate@10 of the val split's captions, by the rules of `evaluation.evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import torch

from sigscope.evaluation.metrics import hit_at_k
from sigscope.evaluation.rankings import rank_relevant
from sigscope.evaluation.tasks import items_of
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.twins import right_pictures, twins
from sigscope.tuning.network import Towers

K = 10
AT_ONCE = 64


class Validation:
    """Scores the towers as they are now; call it."""

    def __init__(
        self,
        gallery: Gallery,
        split: str,
        searched: str,
        *,
        unread: Sequence[str] = (),
        images: np.ndarray | None = None,
        autocast: Callable = nullcontext,
    ) -> None:
        """Settle who is asked for what.

        Args:
            gallery: what is searched, or its split alone.
            split: whose captions ask.
            searched: "gallery" or "split".
            unread: ids of pictures that cannot be read.
            images: features of all the gallery's pictures, float32, (n, width), where the image
                tower is locked; else they are computed anew each time.
            autocast: what towers that learn compute in.
        """
        items = gallery.items
        chosen = ~items["id"].isin(list(unread)).to_numpy()
        if searched == "split":
            chosen &= (items["split"] == split).to_numpy()
        self.rows = np.flatnonzero(chosen)
        ids = items["id"].to_numpy(object)[self.rows]
        asked = items_of(gallery, split) & set(ids)
        captions = gallery.captions[gallery.captions["id"].isin(asked)]
        if captions.empty:
            raise ValueError(
                f"split {split!r} of gallery {gallery.name} has no caption to ask with"
            )
        self.texts = captions["caption"].tolist()
        stands_for = twins(gallery, ids)
        self.right = right_pictures(self.texts, captions["id"].to_numpy(object), ids, stands_for)
        self.files = [gallery.root / path for path in items["path"].iloc[self.rows]]
        self.images = None if images is None else torch.from_numpy(images[self.rows])
        self.captions: torch.Tensor | None = None
        self.autocast = autocast

    def keep_texts(self, features: np.ndarray) -> None:
        """Take features of ``texts``, float32, (n, width), where the text tower is locked."""
        self.captions = torch.from_numpy(features)

    def __call__(self, towers: Towers) -> float:
        """Return the hit rate@10, in [0, 1]."""
        towers.training(False)
        with torch.inference_mode():
            images = self._vectors(towers, "image", self.images, self._seen)
            texts = self._vectors(towers, "text", self.captions, self._read)
        if not (np.isfinite(images).all() and np.isfinite(texts).all()):
            raise ArithmeticError(
                "the towers give vectors that are no numbers any more; lower lr, or compute in "
                "float32"
            )
        if self.captions is None:
            texts[self._order] = texts.copy()
        return float(hit_at_k(rank_relevant(texts, images, self.right), K).mean())

    def _vectors(
        self, towers: Towers, side: str, kept: torch.Tensor | None, made: Callable
    ) -> np.ndarray:
        parts = made(towers) if kept is None else kept.to(towers.device).split(4096)
        return torch.cat([towers.vectors(side, part) for part in parts]).cpu().numpy()

    @property
    def _order(self) -> np.ndarray:
        """The order in which texts are read: those of like length together."""
        return np.argsort([len(text) for text in self.texts], kind="stable")

    def _read(self, towers: Towers) -> Iterator[torch.Tensor]:
        order = self._order
        for start in range(0, len(order), AT_ONCE):
            texts = [self.texts[row] for row in order[start : start + AT_ONCE]]
            with self.autocast():
                features = towers.text_features(texts)
            yield features

    def _seen(self, towers: Towers) -> Iterator[torch.Tensor]:
        for start in range(0, len(self.files), AT_ONCE):
            pictures = [towers.opened(file) for file in self.files[start : start + AT_ONCE]]
            with self.autocast():
                features = towers.image_features(towers.prepare(pictures))
            yield features
