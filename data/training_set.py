"""The training set of `siglit-mini`, pictures and texts, as the locked parts see them.

Also the classifier that is distilled, and the val splits as the locked parts see them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from picture_features import Features, Tower, seen
from text_features import read
from torch.nn.functional import normalize
from towers import class_names, classifier
from training_sources import Source
from transformers import VisionTextDualEncoderModel, VisionTextDualEncoderProcessor

PROMPTS = [
    "{}",
    "a {}",
    "a photo of a {}",
    "a photo of the {}",
    "The photo of {}",
    "a picture of a {}",
]
SHARES = {"flickr8k": 0.45, "textbook": 0.2, "gallery": 0.25, "emoji": 0.1}  # of each batch


@dataclass(frozen=True)
class Texts:
    """Texts as the locked tower sees them.

    Attributes:
        row: the number of each text.
        seen: float32, shape (n, 384).
        same: int, shape (n,): texts that differ in case alone have one number.
    """

    row: dict[str, int]
    seen: torch.Tensor
    same: np.ndarray

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """Return the numbers of texts."""
        return np.array([self.row[text] for text in texts], dtype=int)


@dataclass(frozen=True)
class ValidationSet:
    """Pictures with captions that are not learnt from; ``owner`` is each caption's picture."""

    name: str
    pictures: Features
    captions: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True)
class TrainingSet:
    """What is learnt from.

    Attributes:
        pictures: every training picture as it is.
        mirrored: their mirror images; None where no maps are learnt from.
        captions: for each picture the numbers of its captions.
        group: int, shape (n,): pictures of one group show the same.
        chance: how likely each picture is drawn; they sum to 1.
        texts: all texts.
        classes: for each class of the classifier the numbers of its names in their prompts.
        weights: a unit row of the classifier for each class, float32, (1000, 1280); of several
            towers beside each other where the pictures are `teacher.Joined`.
        answers: what the classifier says of each picture: probabilities, float32, (n, 1000).
        taught: the teachers' unit vectors of the pictures, float32, (n, d); None without them.
    """

    pictures: Features
    mirrored: Features | None
    captions: list[np.ndarray]
    group: np.ndarray
    chance: np.ndarray
    texts: Texts
    classes: list[np.ndarray]
    weights: torch.Tensor
    answers: torch.Tensor
    taught: torch.Tensor | None = None

    def names(self, rng: np.random.Generator) -> torch.Tensor:
        """Return one name of each class in a prompt, as the locked tower sees it, (1000, 384)."""
        rows = [choice[rng.integers(len(choice))] for choice in self.classes]
        return self.texts.seen[rows]

    def maps(self, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """Return the maps of pictures, half of them of mirror images, float32, (n, c, h, w)."""
        views = rng.integers(2, size=len(rows))
        return torch.cat(
            [
                (self.mirrored if view else self.pictures).map([row])
                for view, row in zip(views, rows, strict=True)
            ]
        )


def gather(
    sources: Sequence[Source],
    tower: Tower,
    model: VisionTextDualEncoderModel,
    processor: VisionTextDualEncoderProcessor,
    folder: Path,
) -> tuple[TrainingSet, list[ValidationSet]]:
    """Return the training set of all train splits, and a validation set of each val split."""
    names = [
        [prompt.format(name) for name in listed[:3] for prompt in PROMPTS]
        for listed in class_names()
    ]
    learnt = [source.split("train") for source in sources]
    asked = [source.split("val") for source in sources]
    captions = [list(texts) for table in [*asked, *learnt] for texts in table["captions"]]
    texts = _texts([*names, *captions], model, processor, folder)
    files = [table["file"].tolist() for table in learnt]
    pictures = seen(tower, files, folder / "maps")
    weights, answers = classified(tower.number, pictures.features)
    train_set = TrainingSet(
        pictures=pictures,
        mirrored=seen(tower, files, folder / "maps", mirrored=True),
        captions=[texts.rows(own) for table in learnt for own in table["captions"]],
        group=_groups(sources, learnt),
        chance=_chances(sources, learnt),
        texts=texts,
        classes=[texts.rows(listed) for listed in names],
        weights=weights,
        answers=answers.softmax(1),
    )
    val_sets = [
        ValidationSet(
            source.name,
            seen(tower, [table["file"].tolist()], folder / "maps"),
            np.concatenate([texts.rows(own) for own in table["captions"]]),
            np.repeat(np.arange(len(table)), table["captions"].map(len)),
        )
        for source, table in zip(sources, asked, strict=True)
        if len(table)
    ]
    return train_set, val_sets


def classified(number: int, features: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a classifier's unit rows, (1000, 1280), and its logits of pictures, (n, 1000)."""
    _, weights, bias = classifier(number)
    values = torch.from_numpy(features.astype(np.float32))
    return normalize(weights, dim=1), values @ weights.T + bias


def _texts(listed, model, processor, folder: Path) -> Texts:
    distinct = list(dict.fromkeys(text for texts in listed for text in texts))
    _, same = np.unique([text.casefold() for text in distinct], return_inverse=True)
    row = {text: number for number, text in enumerate(distinct)}
    tokens = read(model, processor.tokenizer, distinct, folder)
    return Texts(row, torch.from_numpy(tokens), same)


def _groups(sources, tables) -> np.ndarray:
    names = [
        f"{source.name}/{group}"
        for source, table in zip(sources, tables, strict=True)
        for group in table["group"]
    ]
    return np.unique(names, return_inverse=True)[1]


def _chances(sources, tables) -> np.ndarray:
    parts = []
    for source, table in zip(sources, tables, strict=True):
        has = (table["captions"].map(len) > 0).to_numpy()
        parts.append(SHARES[source.name] * has / has.sum())
    chances = np.concatenate(parts)
    return chances / chances.sum()
