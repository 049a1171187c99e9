"""Features of locked towers, computed once and kept below data/cache.

They are kept in parts whose names tell what they depend on: the tower's weights and rules, and the
pictures' contents or the texts. So a stopped run goes on, a tower that was never trained is never
asked twice (however the rest of the checkpoint was tuned), and nothing stale is ever read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sigscope import paths
from sigscope.files import atomic_write, content_of
from sigscope.gallery.gallery import Gallery
from sigscope.images.prefetch import prefetch
from sigscope.images.read import PictureError
from sigscope.progress import progress_bar
from sigscope.trouble import watched
from sigscope.tuning.data import picture_view
from sigscope.tuning.recipes import Recipe

PICTURES, TEXTS = 64, 512  # in a part
FEW = 64  # texts read at once
FOLDER = paths.CACHE / "features"


def contents(gallery: Gallery) -> list[str]:
    """Return the SHA-256 of each picture's file, "" where it cannot be read."""
    if "content" in gallery.items:
        return gallery.items["content"].tolist()
    return list(prefetch(content_of, (gallery.root / path for path in gallery.items["path"]), 4))


def image_features(
    towers: Any,
    gallery: Gallery,
    *,
    recipe: Recipe | None = None,
    folder: Path | None = None,
    workers: int = 2,
    progress: bool = False,
) -> np.ndarray:
    """Return the image tower's features of a gallery, float32, shape (n, views, width).

    Args:
        towers: whose image tower is locked.
        gallery: what to look at; a picture that cannot be read has nan.
        recipe: how many augmented views, and how they are drawn (from the picture's content); with
            None the one view is the picture as it is.
        folder: the cache; None is data/cache/features.
        workers: threads that decode.
        progress: show a bar with the time left on stderr.
    """
    drawn = [recipe.views, recipe.flip, recipe.crop, recipe.seed] if recipe else []
    known, key = contents(gallery), towers.key("image")
    look = _Look(towers, recipe)
    parts = []
    starts = range(0, len(gallery), PICTURES)
    bar = progress_bar(len(gallery), "Looking at pictures", " pictures", progress)
    for start in starts:
        names = known[start : start + PICTURES]
        files = [gallery.root / p for p in gallery.items["path"].iloc[start : start + PICTURES]]
        path = _part(folder, [key, "pictures", drawn, names])
        parts.append(_kept(path, lambda f=files, n=names: look(f, n, workers)))
        bar.update(len(names))
    bar.close()
    return np.concatenate(parts)


def text_features(
    towers: Any, texts: Sequence[str], *, folder: Path | None = None, progress: bool = False
) -> np.ndarray:
    """Return the text tower's features of texts, float32, shape (n, width); see image_features."""
    import torch

    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), texts[row]))
    key, parts = towers.key("text"), []

    def read(some: list[str]) -> np.ndarray:
        with torch.inference_mode():
            few = (some[start : start + FEW] for start in range(0, len(some), FEW))
            return torch.cat([towers.text_features(t).float().cpu() for t in few]).numpy()

    bar = progress_bar(len(texts), "Reading texts", " texts", progress)
    for start in range(0, len(order), TEXTS):
        some = [texts[row] for row in order[start : start + TEXTS]]
        parts.append(_kept(_part(folder, [key, "texts", some]), lambda t=some: read(t)))
        bar.update(len(some))
    bar.close()
    features = np.concatenate(parts)
    return features[np.argsort(order)]


class _Look:
    """Opens files and asks the tower about them; decoding runs ahead in threads."""

    def __init__(self, towers: Any, recipe: Recipe | None) -> None:
        self.open, self.recipe = towers.opened, recipe
        self.features = towers.locked_image_features()

    def __call__(self, files: Sequence[Path], names: Sequence[str], workers: int) -> np.ndarray:
        """Return features, float32, shape (n, views, width)."""
        seen = list(prefetch(self._views, zip(files, names, strict=True), workers))
        pictures = [picture for views in seen for picture in views or ()]
        n_views = self.recipe.views if self.recipe else 1
        if not pictures:
            return np.empty((len(files), n_views, 0), np.float32)
        found = self.features(pictures)
        rows = np.full((len(files), n_views, found.shape[1]), np.nan, np.float32)
        rows[[views is not None for views in seen]] = found.reshape(-1, *rows.shape[1:])
        return rows

    def _views(self, job: tuple[Path, str]) -> list[Image.Image] | None:
        file, content = job
        try:
            picture = self.open(file)
        except PictureError:
            return None
        if self.recipe is None:
            return [picture]
        seed = [self.recipe.seed, int(content[:16] or "0", 16)]
        rng, how = np.random.default_rng(seed), self.recipe
        return [picture_view(picture, rng, flip=how.flip, crop=how.crop) for _ in range(how.views)]


def _kept(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return what is in path, which is made first if it is not there, or damaged.

    It is a zip, which has a checksum of what is in it.
    """
    if path.exists():
        with watched(path, forgiving=Exception), np.load(path) as kept:
            return kept["rows"]
    rows = make()
    with atomic_write(path) as part, part.open("wb") as file:
        np.savez(file, rows=rows)
    return rows


def _part(folder: Path | None, of: Iterable) -> Path:
    digest = hashlib.sha256(json.dumps(list(of)).encode()).hexdigest()
    return (FOLDER if folder is None else folder) / digest[:2] / f"{digest}.npz"
