"""A gallery of sixty pictures in three classes, with made-up vectors, and an encoder of names."""

from pathlib import Path

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.gallery.gallery import Gallery

CLASSES = ("cat", "dog", "tree")
IDENTITY = {"model": "made up", "weights": "0"}


def unit(x) -> np.ndarray:
    x = np.asarray(x, np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def small_gallery(n: int = 60) -> Gallery:
    """Item i is of class i % 3; two of three are train, the rest test; each has two captions."""
    classes = [CLASSES[i % 3] for i in range(n)]
    items = pd.DataFrame(
        {
            "id": [f"{i:02}" for i in range(n)],
            "path": [f"{i:02}.png" for i in range(n)],
            "captions": [[f"{name} {i}", f"the {name} no {i}"] for i, name in enumerate(classes)],
            "caption": [f"{name} {i}" for i, name in enumerate(classes)],
            "category": classes,
            "split": ["test" if i // 3 % 3 == 0 else "train" for i in range(n)],
            "duplicate_of": "",
        }
    )
    return Gallery("small", Path("."), items, pd.DataFrame(columns=["path", "reason"]))


def small_embeddings(gallery: Gallery, noise: float = 1.0, seed: int = 0) -> Embeddings:
    """Pictures lie about the axis of their class, captions about their picture."""
    rng = np.random.default_rng(seed)
    n = len(gallery)
    axes = np.eye(12)[[CLASSES.index(name) for name in gallery.items["category"]]]
    images = unit(axes + 0.3 * rng.normal(size=(n, 12)))
    captions = unit(np.repeat(images, 2, axis=0) + 0.2 * noise * rng.normal(size=(2 * n, 12)))
    return Embeddings(
        folder=Path("small-embeddings"),
        ids=gallery.items["id"].to_numpy(object),
        images=images,
        caption_ids=np.repeat(gallery.items["id"].to_numpy(object), 2),
        caption_texts=np.array(sum(gallery.items["captions"], []), dtype=object),
        captions=captions,
        manifest={
            "encoder": IDENTITY,
            "gallery": {"name": gallery.name, "fingerprint": gallery.fingerprint},
        },
        failed=pd.DataFrame(columns=["id", "path", "reason"]),
    )


class NameEncoder:
    """A text is the axis of the class it names; one that names none points nowhere near any."""

    def __init__(self, weights: str = "0"):
        self.identity = {**IDENTITY, "weights": weights}

    def encode_texts(self, texts):
        return np.stack([np.eye(12, dtype=np.float32)[self._axis(text)] for text in texts])

    @staticmethod
    def _axis(text):
        return next((i for i, name in enumerate(CLASSES) if name in text), 11)
