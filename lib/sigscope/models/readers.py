"""Readers: models that take a text and a picture together and say whether they belong together.

A two-tower model never sees both at once; a reader does, and is far slower for it, so it only
orders what a search has found already. BLIP (Li et al. 2022) and BLIP-2 (Li et al. 2023) with their
image-text matching heads, in the hub's format, and what sentence-transformers calls a CrossEncoder,
such as Qwen3-VL-Reranker.
"""

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sigscope import paths
from sigscope.files import digest
from sigscope.models import blip, checkpoints
from sigscope.models.hub import MODULES
from sigscope.models.readings import Readings
from sigscope.models.towers import choose_device

JOB = "re-ranker"
CLASSES = {  # by what config.json says: the processor, the network, the switch of its head
    "blip": ("BlipProcessor", "BlipForImageTextRetrieval", "use_itm_head"),
    "blip-2": ("Blip2Processor", "Blip2ForImageTextRetrieval", "use_image_text_matching_head"),
}
BATCH = 16


class Reader:
    """A checkpoint that judges pairs of a text and a picture; threads take turns."""

    def __init__(self, model: str | Path, *, device: str = "auto") -> None:
        """Load a checkpoint.

        Args:
            model: a folder, or a name on the model hub, in the hub's format.
            device: "auto", "cuda", "mps" or "cpu".

        Raises:
            ModelError: it cannot be had, is broken, or is no re-ranker that takes pictures.
        """
        self.model = str(model)
        folder, device = blip.located(model, JOB), choose_device(device)
        if (folder / MODULES).is_file():
            from sigscope.models.sentence_transformers import load_judge

            checkpoints.check_parts(folder, ("text",))
            self._judge = load_judge(folder, device)
        else:
            self._judge = _matching_head(folder, device)
        self._lock = threading.Lock()
        key = digest([checkpoints.weights_sha256(folder), checkpoints.picture_rules(folder)])
        self.readings = Readings(paths.CACHE / "readings" / f"{key[:32]}.sqlite")

    def probabilities(self, text: str, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Return how probable it is that each RGB picture fits a text, float32, shape (n,), 0-1."""
        parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        with self._lock:
            answers = [self._judge(text, list(part)) for part in parts]
        return np.concatenate([np.empty(0, np.float32), *answers])


def _matching_head(folder: Path, device: str) -> Callable[[str, list], np.ndarray]:
    processor, network, head = CLASSES[blip.checked(folder, tuple(CLASSES), JOB)]
    prepare, judges = blip.loaded(folder, processor, network, JOB)
    judges.to(device)

    def judge(text: str, pictures: list[Image.Image]) -> np.ndarray:
        import torch

        inputs: Any = prepare(
            images=pictures, text=[text] * len(pictures), truncation=True, return_tensors="pt"
        )
        with torch.inference_mode():
            out = judges(**inputs.to(device), **{head: True})
        logits = out.itm_score if hasattr(out, "itm_score") else out.logits_per_image
        return logits.float().softmax(dim=-1)[:, 1].cpu().numpy()

    return judge


@lru_cache(maxsize=1)
def open_reader(model: str | Path) -> Reader:
    """Return the reader of a checkpoint, which stays loaded for the next time."""
    return Reader(model)
