"""What a run works with, put together from a checkpoint, a gallery and a recipe.

Trained towers compute in the recipe's number format; heads and losses are in float32.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sigscope.gallery.gallery import Gallery
from sigscope.images.prefetch import prefetch
from sigscope.images.read import PictureError, open_picture
from sigscope.models.hub import ModelError
from sigscope.models.towers import choose_dtype, named_dtype
from sigscope.tuning.data import TrainingSet
from sigscope.tuning.features import image_features, text_features
from sigscope.tuning.losses import MOST_SCALE, START
from sigscope.tuning.network import Towers
from sigscope.tuning.recipes import Recipe
from sigscope.tuning.sides import LivePictures, LiveTexts, LockedSide, LockedTexts, Side
from sigscope.tuning.validation import Validation


class Precision:
    """Autocast, and for float16 the factor that keeps small gradients above 0."""

    def __init__(self, asked: str, device: str) -> None:
        """Settle what "auto" means on this device.

        Raises:
            ModelError: float16 was asked for where it cannot be trained in.
        """
        kind = device.partition(":")[0]
        asked = named_dtype(asked)
        if asked == "auto":
            asked = choose_dtype("auto", device)
            asked = "float16" if asked == "float32" and kind == "cuda" else asked
        if asked == "float16" and kind != "cuda":
            raise ModelError(
                f"float16 cannot be trained in on {device}; choose bfloat16 or float32"
            )
        self.name, self.kind = asked, kind
        self.scaler = torch.amp.GradScaler(kind, enabled=asked == "float16")

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which towers compute."""
        if self.name == "float32":
            return nullcontext()
        return torch.autocast(self.kind, dtype=getattr(torch, self.name))


class Temperature:
    """t, kept as its logarithm, and for the sigmoid loss b."""

    def __init__(self, network: Any, recipe: Recipe) -> None:
        """Start where the recipe says, or the checkpoint, or the paper; see `Recipe`."""
        scale, bias = START[recipe.loss]
        scale = scale if recipe.scale is None else recipe.scale
        bias = bias if recipe.bias is None else recipe.bias
        if not scale > 0:
            raise ValueError(f"scale is {scale}; it must be above 0")
        self.loss, device = recipe.loss, network.logit_scale.device
        self.log_scale = _parameter(math.log(scale), device)
        self.bias = _parameter(bias, device)
        if recipe.loss == _own_loss(network):  # copied, as a logarithm of a power is another number
            with torch.no_grad():
                if recipe.scale is None:
                    self.log_scale.copy_(network.logit_scale.squeeze())
                if recipe.bias is None and recipe.loss == "sigmoid":
                    self.bias.copy_(network.logit_bias.squeeze())

    @property
    def scale(self) -> torch.Tensor:
        """The factor t, with gradient."""
        return self.log_scale.exp()

    def trainable(self) -> dict[str, torch.Tensor]:
        """Return what learns, by name."""
        named = {"temperature.log_scale": self.log_scale}
        return named | ({"temperature.bias": self.bias} if self.loss == "sigmoid" else {})

    def keep_in_range(self) -> None:
        """Bring the softmax loss's t back to 100 where it has grown past that, as CLIP does."""
        if self.loss == "softmax":
            with torch.no_grad():
                self.log_scale.clamp_(max=math.log(MOST_SCALE))

    def write_into(self, network: Any) -> None:
        """Write t and b where a checkpoint keeps them; a dual encoder has no place for b."""
        with torch.no_grad():
            network.logit_scale.fill_(self.log_scale.item())
            if self.loss == "sigmoid" and hasattr(network, "logit_bias"):
                network.logit_bias.fill_(self.bias.item())


def _own_loss(network: Any) -> str:
    """Return the loss that a network's temperature comes from."""
    return "sigmoid" if hasattr(network, "logit_bias") else "softmax"


def _parameter(value: float, device: Any) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(value, dtype=torch.float32, device=device))


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
            unread = _unreadable(gallery, set(splits), recipe.searched)
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


def _unreadable(gallery: Gallery, splits: set[str], searched: str) -> list[str]:
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
