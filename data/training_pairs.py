"""What `siglit-mini` learns from: the gallery's train split, and the classifier's rows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from pairs import Pairs, Teacher
from picture_views import view
from PIL import Image
from tqdm import tqdm
from transformers import VisionTextDualEncoderModel, VisionTextDualEncoderProcessor

from sigscope.files import atomic_write, sha256
from sigscope.gallery.gallery import Gallery
from sigscope.models.shortcuts import folded, pictures, prepare_with

VIEWS = 3  # random ones of each picture that is learnt from
WIDTH = 1280
BATCH = 4  # pictures at once: what a CPU's caches hold
PROMPTS = [
    "{}",
    "a {}",
    "a photo of a {}",
    "a photo of the {}",
    "The photo of {}",
    "a picture of a {}",
]
MADE_UP = 12  # features of each class
CEILING = 6.0  # of ReLU6, the last thing the tower does before its mean


class LockedTower:
    """The image tower of a dual encoder, ready to embed many pictures quickly on a CPU."""

    def __init__(
        self, model: VisionTextDualEncoderModel, processor: VisionTextDualEncoderProcessor
    ):
        """Fold the batch norms away; the model itself is left as it is."""
        self.prepare = prepare_with(processor.image_processor)
        self.network = folded(model, self.prepare(pictures()))

    def __call__(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Return the pooled features of pictures, float32, shape (n, 1280)."""
        with torch.inference_mode():
            parts = [
                self.network.vision_model(**self.prepare(pictures[i : i + BATCH])).pooler_output
                for i in range(0, len(pictures), BATCH)
            ]
        return torch.cat(parts).numpy()


def features_of(tower: LockedTower, gallery: Gallery, views: int, folder: Path) -> np.ndarray:
    """Return features of each item and of random views of it, float16, (n, 1 + views, 1280).

    View 0 is the picture as it is. What is random comes from the file's own bytes, and each file's
    features are kept in folder, so a picture is embedded once however the gallery changes.
    """
    rows = []
    for id in tqdm(gallery.items["id"], desc=f"{len(gallery)} pictures, {views} views of each"):
        digest = sha256(gallery.file(id))
        path = folder / f"{digest}-{views}.npy"
        if not path.exists():
            picture, rng = gallery.picture(id), np.random.default_rng(int(digest[:16], 16))
            seen = tower([picture, *(view(picture, rng) for _ in range(views))])
            with atomic_write(path) as part, part.open("wb") as file:
                np.save(file, seen.astype(np.float16))
        rows.append(np.load(path))
    return np.stack(rows)


def plain_features(tower: LockedTower, gallery: Gallery, folder: Path) -> np.ndarray:
    """Return the features of each item as it is, float32, shape (n, 1280)."""
    plain = np.empty((len(gallery), WIDTH), dtype=np.float32)
    learnt = (gallery.items["split"] == "train").to_numpy()
    for rows, views in ((learnt, VIEWS), (~learnt, 0)):
        part = replace(gallery, items=gallery.items[rows])
        plain[rows] = features_of(tower, part, views, folder)[:, 0]
    return plain


def gallery_pairs(train: Gallery, features: np.ndarray) -> Pairs:
    """Return the train split as pairs: every view with the item's captions, twins as one group."""
    twin = train.items["duplicate_of"].where(train.items["duplicate_of"] != "", train.items["id"])
    _, groups = np.unique(twin, return_inverse=True)
    texts = train.items["captions"].tolist()
    rows = np.flatnonzero([len(captions) > 0 for captions in texts])
    return Pairs(features[rows], [list(texts[row]) for row in rows], groups[rows])


def class_teacher(
    classes: Sequence[Sequence[str]], weights: np.ndarray, bias: np.ndarray, views: np.ndarray
) -> Teacher:
    """Return the ImageNet classifier as a teacher of the words for what it sees.

    It is asked about the views of the gallery's pictures, and about made-up features: those of a
    gallery picture, faded, plus a random amount of one class's row, kept within ReLU6's range.

    Args:
        classes: the names of each class, the plainest first.
        weights: the classifier's rows, float32, shape (classes, 1280).
        bias: float32, shape (classes,).
        views: features of gallery pictures, float16, shape (n, views, 1280).
    """
    rng = np.random.default_rng(0)
    directions = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    shape = (len(weights), MADE_UP)
    ground = views[rng.integers(len(views), size=shape), 0].astype(np.float32)
    faded = ground * rng.uniform(0.2, 1.0, size=(*shape, 1))
    made_up = faded + rng.uniform(2.0, 9.0, size=(*shape, 1)) * directions[:, None]
    features = np.concatenate(
        [views.reshape(-1, WIDTH), np.clip(made_up, 0, CEILING).reshape(-1, WIDTH)]
    )
    names = [
        [prompt.format(name) for name in listed[:3] for prompt in PROMPTS] for listed in classes
    ]
    return Teacher(weights, bias, names, features.astype(np.float16))
