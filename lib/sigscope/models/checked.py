"""What every tower checks of what it is given and of what it answers, whatever computes it."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from sigscope.models import checkpoints
from sigscope.models.hub import ModelError


def identity_of(tower: Any) -> dict:
    """Return what the vectors of a checkpoint depend on, whatever computes them."""
    return {
        "model": tower.model,
        "weights": checkpoints.weights_sha256(tower.folder),
        "preprocessing": {
            "pictures": checkpoints.picture_rules(tower.folder),
            "texts": dict(tower.rules),
        },
        "dimension": tower.dimension,
    }


def knows_any(text: str, pieces_of: Callable[[str], list[str]], unknown: str) -> bool:
    """Return whether a vocabulary has any word of a text whole, or in pieces of three letters."""
    words = re.findall(r"[^\W\d_]{3,}", text)
    each = ((word, pieces_of(word)) for word in words)
    return not words or any(len(w) >= 3 * len(p) and unknown not in p for w, p in each)


def checked_texts(texts: Sequence[str]) -> list[str]:
    """Return texts as a list that any tokenizer takes; a blank one is an error."""
    if isinstance(texts, str):
        raise ValueError("encode_texts takes a list of texts; write [text] for a single one")
    for position, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"the text at position {position} is empty; leave it out or write one")
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]


def checked_pictures(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Return pictures as a list; what is no picture is an error."""
    if isinstance(pictures, Image.Image):
        raise ValueError("pictures are taken as a list; write [picture] for a single one")
    for position, picture in enumerate(pictures):
        if not isinstance(picture, Image.Image):
            kind = type(picture).__name__
            raise ValueError(f"the picture at position {position} is a {kind}; open it with Pillow")
    return list(pictures)


def to_unit(vectors: np.ndarray, model: str) -> np.ndarray:
    """Return vectors, shape (n, d), at length 1; a row without a direction is an error."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
    if bad.size:
        raise ModelError(
            f"{model} gave row {bad[0]} of {len(vectors)} a vector of zeros or of no numbers; "
            "its weights are not those of a trained model"
        )
    return vectors / norms
