"""What `siglit-mini` learns from: the gallery's train split, and the classifier's rows."""

from collections.abc import Sequence

import numpy as np
import torch
from picture_views import view
from PIL import Image
from tqdm import tqdm
from transformers import VisionTextDualEncoderModel, VisionTextDualEncoderProcessor

from sigscope.finetune import Pairs
from sigscope.gallery import Gallery

BATCH = 32
PROMPTS = [
    "{}",
    "a {}",
    "the {}",
    "a photo of a {}",
    "a photo of the {}",
    "The photo of {}",
    "a picture of a {}",
    "a photograph of a {}",
    "a drawing of a {}",
]
CEILING = 6.0  # of ReLU6, the last thing the tower does before its mean


def features_of(
    model: VisionTextDualEncoderModel,
    processor: VisionTextDualEncoderProcessor,
    pictures: Sequence[Image.Image],
) -> np.ndarray:
    """Return the locked tower's pooled features, float32, shape (n, 1280)."""
    with torch.inference_mode():
        pixels = processor.image_processor(list(pictures), return_tensors="pt").pixel_values
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return model.vision_model(pixel_values=pixels).pooler_output.numpy()


def plain_features(model, processor, gallery: Gallery) -> np.ndarray:
    """Return one feature row per item of the gallery, float32, shape (n, 1280)."""
    ids = gallery.items["id"].tolist()
    rows = [
        features_of(model, processor, [gallery.picture(id) for id in ids[i : i + BATCH]])
        for i in tqdm(range(0, len(ids), BATCH), desc="pictures as they are")
    ]
    return np.concatenate(rows)


def view_features(model, processor, gallery: Gallery, views: int, seed: int = 0) -> np.ndarray:
    """Return features of random views of each item, float16, shape (n, views, 1280)."""
    rng = np.random.default_rng(seed)
    rows = []
    for id in tqdm(gallery.items["id"], desc=f"{views} views of each"):
        picture = gallery.picture(id)
        rows.append(features_of(model, processor, [view(picture, rng) for _ in range(views)]))
    return np.stack(rows).astype(np.float16)


def gallery_pairs(train: Gallery, plain: np.ndarray, views: np.ndarray) -> Pairs:
    """Return the train split as pairs: every view with the item's captions, twins as one group."""
    features = np.concatenate([plain[:, None].astype(np.float16), views], axis=1)
    twin = train.items["duplicate_of"].where(train.items["duplicate_of"] != "", train.items["id"])
    _, groups = np.unique(twin, return_inverse=True)
    captioned = train.items["captions"].map(len).to_numpy() > 0
    texts = [list(texts) for texts in train.items["captions"]]
    rows = np.flatnonzero(captioned)
    return Pairs(features[rows], [texts[row] for row in rows], groups[rows])


def class_pairs(
    classes: Sequence[Sequence[str]],
    rows: np.ndarray,
    grounds: np.ndarray,
    views: int,
    seed: int = 0,
) -> Pairs:
    """Return the classifier's classes as pairs of made-up features and prompted names.

    A picture of class c has features that its row w_c answers strongly. So a made-up one is the
    features of some gallery picture, faded, plus a random amount of w_c, kept within ReLU6's range.

    Args:
        classes: the names of each class, the plainest first.
        rows: the classifier's weights, float32, shape (classes, 1280).
        grounds: features of gallery pictures, float32, shape (n, 1280).
        views: how many made-up pictures of each class.
        seed: of the amounts and grounds.
    """
    rng = np.random.default_rng(seed)
    directions = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    shape = (len(rows), views)
    ground = grounds[rng.integers(len(grounds), size=shape)]
    faded = ground * rng.uniform(0.3, 1.0, size=(*shape, 1))
    amount = rng.uniform(3.0, 10.0, size=(*shape, 1))
    features = np.clip(faded + amount * directions[:, None], 0, CEILING).astype(np.float16)
    texts = [[prompt.format(name) for name in names[:3] for prompt in PROMPTS] for names in classes]
    return Pairs(features, texts, np.arange(len(rows)))
