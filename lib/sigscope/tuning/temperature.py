"""Temperature and bias: t and b of a loss, learnt with the towers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sigscope.tuning.losses import MOST_SCALE, START
from sigscope.tuning.recipes import Recipe


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
        if recipe.loss == own_loss(network):  # copied, as a logarithm of a power is another number
            with torch.no_grad():
                if recipe.scale is None:
                    self.log_scale.copy_(network.logit_scale.squeeze())
                if recipe.bias is None and recipe.loss == "sigmoid":
                    self.bias.copy_(network.logit_bias.squeeze())

    @property
    def scale(self) -> Tensor:
        """The factor t, with gradient."""
        return self.log_scale.exp()

    def trainable(self) -> dict[str, Tensor]:
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


def own_loss(network: Any) -> str:
    """Return the loss that a network's temperature comes from."""
    return "sigmoid" if hasattr(network, "logit_bias") else "softmax"


def _parameter(value: float, device: Any) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(value, dtype=torch.float32, device=device))
