"""The teacher of `siglit-mini`: heads on what several locked towers make of a picture.

An EfficientNet-Lite of each size sees each picture and its mirror image; the largest sees larger
pictures too. A linear head on all they see finds more than one on a single tower's features, but
embedding with it would take six times as long. So the student, one tower, learns to give the
teacher's vectors (distillation of an ensemble: Hinton et al. 2015).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from picture_features import Tower, seen
from training_set import TrainingSet, ValidationSet, classified
from training_sources import Source

BOTH = (False, True)  # the picture, and its mirror image
VIEWS = {  # by EfficientNet-Lite's number and the pixels of a side
    (2, 260): BOTH,
    (2, 340): (False,),
    (1, 240): BOTH,
    (0, 224): BOTH,
}


@dataclass(frozen=True)
class Joined:
    """Features of several towers beside each other, float16, shape (n, 1280 * towers)."""

    features: np.ndarray

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.features)


def for_teacher(
    sources: Sequence[Source],
    train_set: TrainingSet,
    val_sets: Sequence[ValidationSet],
    folder: Path,
) -> tuple[TrainingSet, list[ValidationSet]]:
    """Return the same sets as the towers of the teacher see their pictures."""
    learnt = [source.split("train")["file"].tolist() for source in sources]
    asked = {source.name: source.split("val")["file"].tolist() for source in sources}
    parts, weights, answers = [], [], []
    seen_of: dict[str, list[np.ndarray]] = {val_set.name: [] for val_set in val_sets}
    for (number, side), mirrored in VIEWS.items():
        see = partial(_mean, Tower(number, side), mirrored, folder / "maps")
        parts.append(see(learnt))
        rows, logits = classified(number, parts[-1])
        weights.append(rows)
        answers.append(logits)
        for name, features in seen_of.items():
            features.append(see([asked[name]]))
    joined = replace(
        train_set,
        pictures=Joined(np.concatenate(parts, axis=1)),
        mirrored=None,
        weights=torch.cat(weights, dim=1),
        answers=torch.stack(answers).mean(0).softmax(1),
    )
    return joined, [
        replace(val_set, pictures=Joined(np.concatenate(seen_of[val_set.name], axis=1)))
        for val_set in val_sets
    ]


def _mean(tower: Tower, mirrored: Sequence[bool], folder: Path, listed) -> np.ndarray:
    """Return the mean of what a tower makes of pictures and their mirror images, float16."""
    views = [seen(tower, listed, folder, mirrored=one, maps=False).features for one in mirrored]
    return np.mean([view.astype(np.float32) for view in views], axis=0).astype(np.float16)
