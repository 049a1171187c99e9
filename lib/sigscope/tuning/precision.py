"""Precision: the number format that trained towers compute in. Heads and losses are in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from sigscope.models.hub import ModelError
from sigscope.models.towers import choose_dtype, named_dtype


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
