"""Stored captions: what pictures are captioned with, and which of it a query may not see."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sigscope.embeddings.load import Embeddings

_WORD = re.compile(r"\w+")
ARTICLES = {"a", "an", "the"}


@dataclass(frozen=True, eq=False)
class StoredCaptions:
    """The captions that pictures are stored with: m texts and unit vectors over n pictures."""

    texts: np.ndarray  # (m,)
    vectors: np.ndarray  # (m, d) float32, unit rows
    rows: np.ndarray  # (m,) int64, the picture of each
    n: int

    @classmethod
    def of(cls, embeddings: Embeddings) -> "StoredCaptions":
        """Return the captions in embeddings; rows count its pictures."""
        row_of = {id: row for row, id in enumerate(embeddings.ids)}
        rows = np.array([row_of[id] for id in embeddings.caption_ids], dtype=np.int64)
        return cls(embeddings.caption_texts, embeddings.captions, rows, len(embeddings))

    @cached_property
    def numbers_of(self) -> list[np.ndarray]:
        """The numbers of the captions of each picture, n arrays."""
        order = np.argsort(self.rows, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.rows, minlength=self.n))[:-1])


def words_of(text: str) -> list[str]:
    """Return the words of a text, runs of letters and digits, case folded."""
    return _WORD.findall(text.casefold())
