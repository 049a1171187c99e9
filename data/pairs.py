"""What a training run learns from: pictures as cached features, with texts or with a teacher."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Pictures, as features of the locked tower, and the texts that belong to them.

    Attributes:
        features: float16, shape (n, views, width): several augmented views of each picture.
        texts: for each picture its texts; one is drawn at random each epoch.
        groups: int, shape (n,): pictures of one group are right answers to each other's texts
            (near-duplicates, the same class), never negatives.
    """

    features: np.ndarray
    texts: list[list[str]]
    groups: np.ndarray

    def __post_init__(self):
        """Refuse tables of different lengths."""
        if not len(self.features) == len(self.texts) == len(self.groups):
            raise ValueError(
                f"pairs need one row each: {len(self.features)} pictures, "
                f"{len(self.texts)} lists of texts, {len(self.groups)} groups"
            )

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.features)

    def __add__(self, other: Pairs) -> Pairs:
        """Return both sets as one; their groups stay apart."""
        shift = self.groups.max() + 1 - other.groups.min()
        return Pairs(
            np.concatenate([self.features, other.features]),
            self.texts + other.texts,
            np.concatenate([self.groups, other.groups + shift]),
        )


@dataclass(frozen=True)
class Teacher:
    """A classifier over the same features: what it says of a picture, the text tower should say.

    Attributes:
        weights: its rows, float32, shape (classes, width).
        bias: float32, shape (classes,).
        names: the texts that name each class; one is drawn at random each time.
        features: pictures to ask it about, float16, shape (n, width).
    """

    weights: np.ndarray
    bias: np.ndarray
    names: list[list[str]]
    features: np.ndarray

    def question(
        self, n: int, classes: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, list[str], np.ndarray]:
        """Draw n pictures and the classes most often answered for them.

        Returns:
            Features, float32, (n, width); one name for each of at most ``classes`` classes; the
            classifier's logits, float32, (n, classes).
        """
        features = self.features[rng.integers(len(self.features), size=n)].astype(np.float32)
        logits = features @ self.weights.T + self.bias
        chosen = np.sort(np.argsort(-logits.max(0))[:classes])
        names = [self.names[c][rng.integers(len(self.names[c]))] for c in chosen]
        return features, names, logits[:, chosen]


def batches(pairs: Pairs, size: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield every pair once: features (b, width) float32, one text each, groups (b,)."""
    order = rng.permutation(len(pairs))
    for start in range(0, len(order) - size + 1, size) if len(order) > size else [0]:
        rows = order[start : start + size]
        views = rng.integers(pairs.features.shape[1], size=len(rows))
        texts = [pairs.texts[row][rng.integers(len(pairs.texts[row]))] for row in rows]
        yield pairs.features[rows, views].astype(np.float32), texts, pairs.groups[rows]


def belong_together(groups: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Return bool (n, n): True where picture i and text j are of one group or share their text."""
    _, words = np.unique([text.casefold() for text in texts], return_inverse=True)
    return (groups[:, None] == groups) | (words[:, None] == words)
