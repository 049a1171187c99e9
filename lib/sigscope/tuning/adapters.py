"""Adapters: low-rank additions to a tower's linear layers (LoRA, Hu et al. 2021), by peft.

The tower stays as it is and only the additions learn; when the run is over they are added into
its weights, so what is saved is a plain checkpoint.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from sigscope.models.hub import ModelError
from sigscope.tuning.recipes import Recipe


def add_adapters(towers: Any, sides: Sequence[str], recipe: Recipe) -> Any:
    """Put adapters into the network's own layers and return it as peft sees it.

    At first they add nothing. What they start from depends on the recipe's seed alone.

    Raises:
        ModelError: peft is not installed, or a tower has no linear layers to adapt.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ModelError(
            'adapters need peft; install it with pip install -e ".[tune]", or set image and text '
            'to "locked" or "trained"'
        ) from error
    names = [name for side in sides for name in _linear_layers(towers, side)]
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.adapter_dropout,
        target_modules=names,
        bias="none",
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
        torch.manual_seed(recipe.seed)
        return get_peft_model(towers.network, config)


def merged(adapted: Any) -> Any:
    """Return the plain network with its adapters added into its weights."""
    return adapted.merge_and_unload(safe_merge=True)


def _linear_layers(towers: Any, side: str) -> list[str]:
    """Return the full names of a tower's linear layers.

    Those inside torch's own attention are left out, as it reads their weights without calling them.
    """
    tower = towers.tower(side)
    prefix = next(name for name, part in towers.network.named_modules() if part is tower)
    closed = [n for n, p in tower.named_modules() if isinstance(p, torch.nn.MultiheadAttention)]
    names = [
        f"{prefix}.{name}"
        for name, part in tower.named_modules()
        if isinstance(part, torch.nn.Linear)
        and not any(name.startswith(f"{one}.") for one in closed)
    ]
    if not names:
        raise ModelError(
            f"the {side} tower of {towers.folder.name} has no linear layers to adapt; lock it or "
            "train it"
        )
    return names
