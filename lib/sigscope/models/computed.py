"""Towers at work: from tokens and pixels to features, by whatever is quickest on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sigscope.models.pace import Pace
from sigscope.models.towers import has_convolutions, pooled


@dataclass(frozen=True, eq=False)
class Computed:
    """A network where it computes; its features are float32, shape (n, d), not normalised."""

    network: Any
    device: str
    dimension: int  # d
    is_plain: bool  # in float32 on the CPU, so that other libraries than torch may compute it

    def texts(self, tokens: Mapping) -> np.ndarray:
        """Return the features of texts."""
        import torch

        with torch.inference_mode():
            return self.text_tower(**self._moved(tokens)).float().cpu().numpy()

    def pictures(self, batch: Mapping) -> np.ndarray:
        """Return the features of a batch of preprocessed pictures."""
        if "modality" in batch or self.device != "cpu":
            return self._pictures(batch)  # a modality's tensors are not of a row each
        return self.pace(batch)

    def text_tower(self, **tokens: Any) -> Any:
        """Return the same of texts as a tensor."""
        return pooled(self.network.get_text_features(**tokens))[:, : self.dimension]

    @cached_property
    def pace(self) -> Pace:
        """How many pictures are encoded on the CPU."""
        return Pace(self._pictures, self._picture_tower, self._convolves, self.is_plain)

    @cached_property
    def _convolves(self) -> bool:
        return self.device == "cpu" and has_convolutions(self.network)

    def _pictures(self, inputs: Mapping) -> np.ndarray:
        import torch

        layout = torch.channels_last if self._convolves else torch.contiguous_format
        inputs = self._moved(inputs)
        inputs["pixel_values"] = inputs["pixel_values"].contiguous(memory_format=layout)
        with torch.inference_mode():
            return self._picture_tower(**inputs).float().cpu().numpy()

    def _picture_tower(self, pixel_values: Any, **more: Any) -> Any:
        pixels = pixel_values.to(self.network.dtype)
        return pooled(self.network.get_image_features(pixel_values=pixels, **more))[
            :, : self.dimension
        ]

    def _moved(self, inputs: Mapping) -> dict:
        """Return inputs on the device of the towers; what is no tensor stays as it is."""
        movable = {name: one for name, one in inputs.items() if hasattr(one, "to")}
        return {**inputs, **{name: one.to(self.device) for name, one in movable.items()}}
