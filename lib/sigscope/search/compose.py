"""Composed queries: pictures and words weighed against each other in one vector.

A sum of unit vectors is no fair mixture. Pictures lie in one corner of the sphere and texts in
another (Liang et al. 2022, "Mind the gap", NeurIPS), and a picture's cosines to pictures vary more
than a text's do. So each part is first freed of the mean of its own side, then brought to the same
spread of scores, and the sum is put back among the pictures (`ModalityGap`).
"""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sigscope.arguments import real
from sigscope.embeddings.load import Embeddings

SIDES = {"text": "text", "picture": "picture", "item": "picture"}
MOST_ROWS = 20_000  # of each side that means and spreads are taken from
SMALLEST = 1e-6  # of a length or a spread that still counts as one
STAND_INS = (  # where no caption says where the texts lie
    "a picture of a thing",
    "a drawing of an animal",
    "a photo of a person",
    "a place",
    "food on a plate",
    "a red car",
    "a sign with words on it",
    "a tool",
    "trees and flowers",
    "something blue",
)
LESS = 0.5  # what "less like" weighs beside what is wanted
_NOT = re.compile(r"[\s,;]+(?:but\s+not|and\s+not|not|without)\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """One part of a composed query.

    Attributes:
        kind: "text" (words), "picture" (a path, bytes or an open one) or "item" (an id).
        value: that text, picture or id.
        weight: how much it counts, any finite number but 0; below 0 it means "less like this".
            Weights count relative to each other: 1 and 1 is balanced, 2 and 2 the same.
    """

    kind: str
    value: Any
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no part."""
        if self.kind not in SIDES:
            raise ValueError(f"there is no kind of part {self.kind!r}; choose from {list(SIDES)}")
        if not real("a part's weight", self.weight, "give a number that is not 0"):
            raise ValueError("a part's weight is 0; give a number that is not 0")
        if self.kind == "text" and (not isinstance(self.value, str) or not self.value.strip()):
            raise ValueError("a part's text is empty; write a few words or leave the part out")

    @property
    def side(self) -> str:
        """The side of the gap on which the part lies: text or picture."""
        return SIDES[self.kind]


def parts_of(text: str) -> list[Part]:
    """Return a text as parts: what follows "not", "but not" or "without" is what to be less like.

    Models read past such words: "a dog but not a drawing" is near to drawings of dogs.
    """
    wanted, *unwanted = _NOT.split(text.strip())
    if not wanted:
        return [Part("text", text)]
    return [Part("text", wanted), *(Part("text", words, -LESS) for words in unwanted)]


def checked(parts: Sequence[Part]) -> list[Part]:
    """Return parts as a list, or raise when they ask for nothing."""
    parts = list(parts)
    if not parts:
        raise ValueError("the query has no parts; give some words, a picture or an item")
    if all(part.weight < 0 for part in parts):
        raise ValueError(
            "every part says what the results should be less like; add one that says what they "
            "should be like"
        )
    return parts


@dataclass(frozen=True, eq=False)
class ModalityGap:
    """Where pictures and texts lie, and how a gallery's pictures spread; it never changes.

    A part's vector v (unit, of side s) becomes ``(v - mean_s) / spread``, where spread is the
    standard deviation, over the gallery's pictures x, of the score ``x . (v - mean_s)``, that is
    ``sqrt(u' C u)`` with u = v - mean_s and C the pictures' covariance. So a part of weight 1
    moves the scores by one standard deviation whatever it is, and 1 : 1 is balanced. The weighted
    sum is brought to ``radius`` (the pictures' usual distance from their mean), the pictures' mean
    is added back, and the result has length 1: it is a direction among the pictures, and its
    cosine with a picture lies in [-1, 1].
    """

    means: dict[str, np.ndarray]  # by side, float64, (d,)
    covariance: np.ndarray  # of the pictures, float64, (d, d)
    radius: float
    note: str = ""  # what a person should know about where it is from

    @classmethod
    def of(
        cls,
        images: np.ndarray,
        captions: np.ndarray,
        encode_texts: Callable[[Sequence[str]], np.ndarray] | None = None,
    ) -> "ModalityGap":
        """Return the gap of a gallery's unit vectors; of more than 20,000, evenly spaced ones.

        Args:
            images: the pictures', float32, (n, d).
            captions: the captions', float32, (m, d); none of them needs encode_texts.
            encode_texts: encodes ten general texts that stand in for captions.
        """
        images, note = evenly(images, MOST_ROWS), ""
        if not len(captions):
            if encode_texts is None:
                raise ValueError("there are no captions to take the mean of texts from")
            captions = encode_texts(STAND_INS)
            note = "the gallery has no captions, so ten general texts say where texts lie"
        pictures = images.mean(axis=0, dtype=np.float64)
        texts = evenly(captions, MOST_ROWS).mean(axis=0, dtype=np.float64)
        centred = images - pictures
        covariance = centred.T @ centred / len(centred)
        radius = float(np.sqrt(np.trace(covariance)))
        return cls({"text": texts, "picture": pictures}, covariance, radius, note)

    def freed(self, vectors: np.ndarray, side: str) -> np.ndarray:
        """Return vectors without their side's mean, at a spread of scores of 1, shape as given.

        Args:
            vectors: unit rows, (q, d).
            side: text or picture.
        """
        off = vectors - self.means[side]
        return off / np.maximum(self.spread(off), SMALLEST)[:, None]

    def spread(self, vectors: np.ndarray) -> np.ndarray:
        """Return the standard deviation of the pictures' scores with each row, float64, (q,)."""
        variance = np.einsum("qd,de,qe->q", vectors, self.covariance, vectors)
        return np.sqrt(np.maximum(variance, 0))

    def compose(self, parts: Sequence[tuple[np.ndarray, str, float]]) -> np.ndarray:
        """Return composed unit vectors, float32, (q, d).

        Args:
            parts: vectors (q, d), their side, and their weight.

        Raises:
            ValueError: the parts of a query cancel each other.
        """
        total = sum(weight * self.freed(vectors, side) for vectors, side, weight in parts)
        length = np.linalg.norm(total, axis=1, keepdims=True)
        largest = max(abs(weight) for _, _, weight in parts)
        if (length <= SMALLEST * largest).any():
            raise ValueError("the parts of the query cancel each other; change a weight or a part")
        return _unit(self.radius * total / length + self.means["picture"])


def raw_sum(parts: Sequence[tuple[np.ndarray, str, float]]) -> np.ndarray:
    """Return the plain weighted sums of unit vectors at length 1, gap and all; to compare with."""
    return _unit(sum(weight * vectors.astype(np.float64) for vectors, _, weight in parts))


def evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """Return rows, or at most so many of them, evenly spaced."""
    return rows[:: max(1, -(-len(rows) // most))]


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (length > SMALLEST).all():
        raise ValueError("the parts of the query cancel each other; change a weight or a part")
    return (vectors / length).astype(np.float32)


class Composer:
    """Makes the vectors of composed queries over one gallery; threads may share it."""

    def __init__(
        self,
        embeddings: Embeddings,
        rows: np.ndarray,
        encode_texts: Callable[[Sequence[str]], np.ndarray],
    ) -> None:
        """Keep what the gap is learnt from when the first query needs it.

        Args:
            embeddings: of the gallery, or of more.
            rows: which of its pictures are the gallery's, int64, (n,).
            encode_texts: the same model's texts -> unit vectors.
        """
        self._embeddings, self._rows, self._encode_texts = embeddings, rows, encode_texts
        self._lock = threading.Lock()
        self._gap: ModalityGap | None = None

    @property
    def gap(self) -> ModalityGap:
        """The gallery's gap, worked out now if it was not needed before."""
        with self._lock:
            if self._gap is None:
                of, rows = self._embeddings, self._rows
                texts = np.flatnonzero(of.owners_among(rows) >= 0)
                images, texts = (evenly(numbers, MOST_ROWS) for numbers in (rows, texts))
                self._gap = ModalityGap.of(
                    of.images[images], of.captions[texts], self._encode_texts
                )
            return self._gap

    def vector(self, parts: Sequence[Part], vectors: Sequence[np.ndarray]) -> np.ndarray:
        """Return the unit vector of a query, float32, (d,); a single part's is its own.

        Args:
            parts: from `checked`.
            vectors: of each part, (d,).
        """
        if len(parts) == 1:
            return vectors[0]
        each = [
            (vector[None], part.side, part.weight)
            for part, vector in zip(parts, vectors, strict=True)
        ]
        return self.gap.compose(each)[0]
