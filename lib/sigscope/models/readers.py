"""Readers: models that take a text and a picture together and say whether they belong together.

A two-tower model never sees both at once; a reader does, and is far slower for it, so it only
orders what a search has found already. BLIP (Li et al. 2022) and BLIP-2 (Li et al. 2023) with their
image-text matching heads, in the hub's format.
"""

import threading
from collections.abc import Hashable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sigscope.models import blip
from sigscope.models.towers import choose_device

JOB = "re-ranker"
CLASSES = {  # by what config.json says: the processor, the network, the switch of its head
    "blip": ("BlipProcessor", "BlipForImageTextRetrieval", "use_itm_head"),
    "blip-2": ("Blip2Processor", "Blip2ForImageTextRetrieval", "use_image_text_matching_head"),
}
BATCH = 16
KEPT = 100_000  # answers


class Reader:
    """A checkpoint that judges pairs of a text and a picture; threads take turns."""

    def __init__(self, model: str | Path, *, device: str = "auto") -> None:
        """Load a checkpoint.

        Args:
            model: a folder, or a name on the model hub, in the hub's format.
            device: "auto", "cuda", "mps" or "cpu".

        Raises:
            ModelError: it cannot be had, is broken, or is no BLIP with a matching head.
        """
        self.model = str(model)
        folder = blip.located(model, JOB)
        processor, network, self._head = CLASSES[blip.checked(folder, tuple(CLASSES), JOB)]
        self._processor, self._network = blip.loaded(folder, processor, network, JOB)
        self._device, self._lock = choose_device(device), threading.Lock()
        self._network.to(self._device)
        self._known: dict[tuple[str, Hashable], float] = {}

    def probabilities(self, text: str, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Return how probable it is that each RGB picture fits a text, float32, shape (n,), 0-1."""
        parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        with self._lock:
            answers = [self._answers(text, list(part)) for part in parts]
        return np.concatenate([np.empty(0, np.float32), *answers])

    def remembered(self, text: str, keys: Sequence[Hashable]) -> list[float | None]:
        """Return what was answered for a text and each picture, by its key; None where nothing."""
        return [self._known.get((text, key)) for key in keys]

    def remember(self, text: str, keys: Sequence[Hashable], answers: Sequence[float]) -> None:
        """Keep answers; beyond KEPT of them the oldest go."""
        with self._lock:
            self._known |= {(text, key): float(p) for key, p in zip(keys, answers, strict=True)}
            for old in list(self._known)[: max(0, len(self._known) - KEPT)]:
                del self._known[old]

    def _answers(self, text: str, pictures: list[Image.Image]) -> np.ndarray:
        import torch

        inputs: Any = self._processor(
            images=pictures, text=[text] * len(pictures), truncation=True, return_tensors="pt"
        )
        with torch.inference_mode():
            out = self._network(**inputs.to(self._device), **{self._head: True})
        logits = out.itm_score if hasattr(out, "itm_score") else out.logits_per_image
        return logits.float().softmax(dim=-1)[:, 1].cpu().numpy()


@lru_cache(maxsize=1)
def open_reader(model: str | Path) -> Reader:
    """Return the reader of a checkpoint, which stays loaded for the next time."""
    return Reader(model)
