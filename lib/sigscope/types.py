"""Types: what an encoder and a search index must have to be used here, whoever wrote them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image


class EncoderLike(Protocol):
    """What turns texts and pictures into unit vectors; ``models.encoder.Encoder`` is one.

    Whoever only asks with words needs ``encode_texts``, ``identity`` and ``dimension`` alone.
    """

    @property
    def model(self) -> str:
        """What it is called."""

    @property
    def dimension(self) -> int:
        """The dimensions of its vectors, d."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its vectors depend on, as JSON: equal ones have equal vectors."""

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return one unit vector per text, float32, shape (n, d)."""

    def encode_pictures(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Return one unit vector per RGB picture, float32, shape (n, d)."""

    def preprocess(self, pictures: Sequence[Image.Image]) -> Any:
        """Return RGB pictures as what ``encode_batch`` takes; threads may call it at once."""

    def encode_batch(self, batch: Any) -> np.ndarray:
        """Return one unit vector, float32, shape (n, d), per picture of what was preprocessed."""


class SearchIndex(Protocol):
    """What searches n unit rows: Faiss, numpy or scikit-learn behind the same methods.

    Scores are cosines, best first; a slot that stays empty holds row -1 and -inf.
    """

    index: Any  # the thing itself

    def search(
        self, xq: np.ndarray, k: int, effort: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return scores, float32, and rows, int64, of the k best for each query, both (q, k)."""

    def search_among(
        self, xq: np.ndarray, k: int, rows: np.ndarray, effort: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the same of some rows alone, which are rising int64 numbers."""

    def write(self, sink: Any) -> None:
        """Write the index to what has a method ``write`` for bytes."""
