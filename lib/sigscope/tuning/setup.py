"""What a run works with, put together from a checkpoint, a gallery and a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sigscope.gallery.gallery import Gallery
from sigscope.images.prefetch import prefetch
from sigscope.images.read import PictureError, open_picture
from sigscope.tuning.data import TrainingSet
from sigscope.tuning.features import image_features, text_features
from sigscope.tuning.network import Towers
from sigscope.tuning.precision import Precision
from sigscope.tuning.recipes import Recipe
from sigscope.tuning.sides import LivePictures, LiveTexts, LockedSide, LockedTexts, Side
from sigscope.tuning.temperature import Temperature
from sigscope.tuning.validation import Validation


@dataclass(eq=False)
class Setup:
    """Towers, pairs, sides, what learns, and how it is scored."""

    recipe: Recipe
    towers: Towers
    pairs: TrainingSet
    validate: Validation
    sides: tuple[Side, Side]
    temperature: Temperature
    precision: Precision
    optimiser: torch.optim.Optimizer
    unread: list[str]

    @classmethod
    def of(
        cls,
        model: Any,
        gallery: Gallery,
        recipe: Recipe,
        splits: tuple[str, str],
        *,
        device: str = "auto",
        progress: bool = False,
    ) -> Setup:
        """Load the towers, and let locked ones look once at all they will be asked for.

        Args:
            model: what `Towers.load` takes.
            gallery: with both splits.
            recipe: how to tune.
            splits: what to learn from, and what to be scored on.
            device: see `towers.choose_device`.
            progress: show bars.
        """
        train, val = splits
        towers = Towers.load(model, device)
        precision = Precision(recipe.precision, towers.device)
        seen, unread = None, []
        if recipe.image == "locked":
            seen = image_features(towers, gallery, progress=progress)[:, 0]
            unread = gallery.items["id"][~_looked_at(seen)].tolist()
        else:
            unread = unreadable(gallery, set(splits), recipe.searched)
        pairs = TrainingSet(gallery, train, unread)
        validate = Validation(
            gallery, val, recipe.searched, unread=unread, images=seen, autocast=precision.autocast
        )
        texts = _texts(towers, recipe, pairs, validate, precision, progress)
        if seen is None:
            images = LivePictures(towers, recipe, precision.autocast, gallery, pairs)
        else:
            views = _views(towers, gallery, pairs, recipe, seen, progress)
            images = LockedSide(towers, "image", recipe, views)
        towers.open_up(recipe)
        temperature = Temperature(towers.network, recipe)
        return cls(
            recipe=recipe,
            towers=towers,
            pairs=pairs,
            validate=validate,
            sides=(images, texts),
            temperature=temperature,
            precision=precision,
            optimiser=_optimiser(towers, temperature, recipe),
            unread=unread,
        )

    def learning(self) -> dict[str, torch.Tensor]:
        """Return all that learns, by name."""
        return self.towers.trainable() | self.temperature.trainable()


def unreadable(gallery: Gallery, splits: set[str], searched: str) -> list[str]:
    """Return the ids of pictures of a run that cannot be opened, found before hours are spent."""
    items = gallery.items
    if searched == "split":
        items = items[items["split"].isin(splits)]

    def opens(path: str) -> bool:
        try:
            open_picture(gallery.root / path, max_side=32)
        except PictureError:
            return False
        return True

    good = list(prefetch(opens, items["path"], 4))
    return items["id"][~np.array(good)].tolist()


def _looked_at(features: np.ndarray) -> np.ndarray:
    """Return which rows are features of a picture that could be read."""
    return np.isfinite(features).all(axis=1) & (features.shape[1] > 0)


def _texts(
    towers: Towers,
    recipe: Recipe,
    pairs: TrainingSet,
    validate: Validation,
    precision: Precision,
    progress: bool,
) -> Side:
    """Return the side of the texts; where its tower is locked, all of them are read now."""
    if recipe.text != "locked":
        return LiveTexts(towers, recipe, precision.autocast)
    listed = list(dict.fromkeys([*pairs.texts, *validate.texts]))
    known = text_features(towers, listed, progress=progress)
    row = {text: number for number, text in enumerate(listed)}
    validate.keep_texts(known[[row[text] for text in validate.texts]])
    return LockedTexts(towers, recipe, listed, known)


def _views(
    towers: Towers,
    gallery: Gallery,
    pairs: TrainingSet,
    recipe: Recipe,
    seen: np.ndarray,
    progress: bool,
) -> np.ndarray:
    """Return features of the training pictures: as they are, then their augmented views."""
    row = {id: number for number, id in enumerate(gallery.items["id"])}
    plain = seen[[row[id] for id in pairs.items["id"]]][:, None]
    if not recipe.views:
        return plain
    part = gallery.subset(split=pairs.split)
    row = {id: number for number, id in enumerate(part.items["id"])}
    drawn = image_features(towers, part, recipe=recipe, progress=progress)
    return np.concatenate([plain, drawn[[row[id] for id in pairs.items["id"]]]], axis=1)


def _optimiser(towers: Towers, temperature: Temperature, recipe: Recipe) -> torch.optim.Optimizer:
    head_lr = recipe.lr if recipe.head_lr is None else recipe.head_lr
    groups = [
        {
            "params": [weight],
            "base_lr": head_lr if towers.is_head(name) else recipe.lr,
            "weight_decay": recipe.weight_decay * (recipe.optimiser == "adam" or weight.ndim > 1),
        }
        for name, weight in towers.trainable().items()
    ]
    groups += [
        {"params": [weight], "base_lr": head_lr, "weight_decay": 0.0}
        for weight in temperature.trainable().values()
    ]
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps)
