"""The teachers of `siglit-mini`: heads on what several locked towers make of a picture.

An EfficientNet-Lite of each size sees each picture and its mirror image; the largest sees larger
pictures too. A linear head on all they see finds more than one on a single tower's features, and
the mean score of several such teachers, each begun and fed otherwise, finds more again; but
embedding with them would take six times as long. So the student, one tower and one text head,
learns to give their vectors (distillation of an ensemble: Hinton et al. 2015).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from heads import Learner, Recipe, features
from picture_features import Tower, seen
from text_features import TextHead
from torch.nn.functional import dropout, normalize
from towers import DIMENSION
from training_set import TrainingSet, ValidationSet, classified
from training_sources import Source

BOTH = (False, True)  # the picture, and its mirror image
VIEWS = {  # by EfficientNet-Lite's number and the pixels of a side
    (2, 260): BOTH,
    (2, 340): (False,),
    (1, 240): BOTH,
    (0, 224): BOTH,
}
PART = 2048  # texts at once
MIXED = 0.5  # how much of another text a made-up one may hold


@dataclass(frozen=True)
class Joined:
    """Features of several towers beside each other, float16, shape (n, 1280 * towers)."""

    features: np.ndarray

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.features)


@dataclass(frozen=True)
class Ensemble:
    """Several teachers in one space, where a score is about the mean of theirs.

    Attributes:
        teachers: trained.
        axes: shape (d * teachers, d): where most of their vectors lie, those of one picture or text
            beside each other, turned towards the first teacher's space (orthogonal Procrustes), so
            that its text head is a start.
        taught: unit vectors of the training pictures, float32, shape (n, d).
        upper: a teacher trains no blocks.
    """

    teachers: list[Learner]
    axes: torch.Tensor
    taught: torch.Tensor
    upper: None = None

    @classmethod
    @torch.no_grad()
    def of(cls, teachers: list[Learner], train_set: TrainingSet) -> "Ensemble":
        """Return it, its axes those of the pictures and captions of a training set."""
        rows = np.arange(len(train_set.pictures))
        seen = features(teachers[0], train_set.pictures, rows)
        captions = train_set.texts.seen[np.unique(np.concatenate(train_set.captions))]
        pictures, texts = _pictures(teachers, seen), _texts(teachers, captions)
        sides = pictures.double(), texts.double()
        moment = sum(side.T @ side / len(side) for side in sides)
        axes = torch.linalg.eigh(moment).eigenvectors[:, -DIMENSION:]
        left, _, right = torch.linalg.svd(axes[:DIMENSION].T)
        axes = (axes @ left @ right).float()
        return cls(teachers, axes, normalize(pictures @ axes, dim=1))

    def picture(self, seen: torch.Tensor) -> torch.Tensor:
        """Return unit vectors, shape (n, d), of features, float32, (n, width)."""
        return normalize(_pictures(self.teachers, seen) @ self.axes, dim=1)

    def text(self, seen: torch.Tensor) -> torch.Tensor:
        """Return unit vectors, shape (n, d), of texts as the locked tower sees them, (n, 384)."""
        return normalize(_texts(self.teachers, seen) @ self.axes, dim=1)

    def eval(self) -> "Ensemble":
        """Return it as it is: its teachers learn no more."""
        return self

    def text_head(self, train_set: TrainingSet, recipe: Recipe) -> tuple[TextHead, float]:
        """Return one head that gives the vectors of texts, and its mean cosine with them.

        What it is asked are captions and names of classes, each mixed with some of another, so that
        it gives the teachers' vectors of more than what there is to read.
        """
        read = train_set.texts.seen[
            np.unique(np.concatenate([*train_set.captions, *train_set.classes]))
        ]
        head = copy.deepcopy(self.teachers[0].text)
        torch.manual_seed(recipe.seed)
        optimiser = torch.optim.AdamW(
            head.parameters(), recipe.text, weight_decay=recipe.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, recipe.text, total_steps=recipe.steps, pct_start=0.15
        )
        head.train()
        for _ in range(recipe.steps):
            one, other = torch.randint(len(read), (2, recipe.batch))
            share = MIXED * torch.rand(recipe.batch, 1)
            mixed = torch.lerp(read[one], read[other], share)
            mixed = dropout(mixed, recipe.text_dropout)
            loss = 1 - (head(mixed) * self.text(mixed)).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        head.eval()
        with torch.no_grad():
            given = torch.cat([head(part) for part in read.split(PART)])
        return head, (given * self.text(read)).sum(1).mean().item()


@torch.no_grad()
def _pictures(teachers: list[Learner], seen: torch.Tensor) -> torch.Tensor:
    """Return the teachers' vectors of pictures beside each other, shape (n, d * teachers)."""
    return torch.cat([teacher.eval().picture(seen) for teacher in teachers], dim=1)


@torch.no_grad()
def _texts(teachers: list[Learner], seen: torch.Tensor) -> torch.Tensor:
    """Return the teachers' vectors of texts beside each other, shape (n, d * teachers)."""
    parts = seen.split(PART)
    return torch.cat(
        [torch.cat([teacher.eval().text(part) for part in parts]) for teacher in teachers], dim=1
    )


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
        for name, views in seen_of.items():
            views.append(see([asked[name]]))
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
