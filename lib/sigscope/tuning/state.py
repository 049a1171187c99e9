"""The state of a run on disk, whole or absent: weights, optimiser, and where it stands.

Tensors and a few numbers, as safetensors with JSON in its header. What is drawn at random depends
on the seed and the step alone, so no generator needs to be kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from sigscope.files import atomic_write

STATE = "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # what Adam keeps of each weight


def save(path: Path, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Write tensors and numbers to path."""
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as part:
        save_file(flat, part, metadata={"numbers": json.dumps(numbers)})


def load(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Return the tensors and numbers in path.

    Raises:
        ValueError: It is not such a file; the sentence names it.
    """
    try:
        with safe_open(path, framework="np") as file:
            numbers = json.loads(file.metadata()["numbers"])
        return load_file(path), numbers
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not the state of a run ({error}); delete it to begin anew"
        ) from error


def of_optimiser(optimiser: torch.optim.Optimizer, named: Mapping[str, Tensor]) -> dict:
    """Return what Adam keeps of each named weight, by a name of its own."""
    return {
        f"{moment}|{name}": optimiser.state[weight][moment]
        for name, weight in named.items()
        if weight in optimiser.state
        for moment in MOMENTS
    }


def into_optimiser(
    optimiser: torch.optim.Optimizer, named: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> None:
    """Give Adam back what `of_optimiser` returned."""
    for name, weight in named.items():
        if f"step|{name}" in tensors:
            optimiser.state[weight] = {
                moment: _placed(tensors[f"{moment}|{name}"], weight, moment) for moment in MOMENTS
            }


def into_weights(named: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Overwrite the named weights in place."""
    with torch.no_grad():
        for name, weight in named.items():
            weight.copy_(tensors[name])


def _placed(kept: Tensor, weight: Tensor, moment: str) -> Tensor:
    """Return a moment on its weight's device and in its layout; the step stays on the CPU."""
    if moment == "step":
        return kept
    return torch.empty_like(weight).copy_(kept)
