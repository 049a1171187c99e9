"""A gallery's embeddings by a tuned model, by way of the cache of locked towers.

A tower that tuning left as it was gives what it gave before, so of many tuned models that share one
only the heads are computed anew: seconds where `embeddings.embed_gallery` takes minutes. The
vectors are the same to rounding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from sigscope.embeddings.load import Embeddings
from sigscope.gallery.gallery import Gallery
from sigscope.models import checkpoints
from sigscope.tuning.features import image_features, text_features
from sigscope.tuning.network import Towers


def embed_tuned(
    gallery: Gallery, model: str | Path | None, *, device: str = "auto", progress: bool = False
) -> Embeddings:
    """Return a gallery's embeddings by a checkpoint, in memory; nothing but features is stored.

    Args:
        gallery: what to embed.
        model: what `Encoder.load` takes, such as the folder of a `Tuned`.
        device: see `Encoder.load`. Vectors are computed in float32.
        progress: show bars on stderr.

    Returns:
        Embeddings that `evaluate` takes; their manifest names the gallery and the model.
    """
    towers = Towers.load(model, device)
    seen = image_features(towers, gallery, progress=progress)[:, 0]
    good = np.isfinite(seen).all(axis=1) & (seen.shape[1] > 0)
    kept, lost = gallery.items[good], gallery.items[~good]
    owners = np.repeat(kept["id"].to_numpy(object), kept["captions"].map(len))
    texts = [text for captions in kept["captions"] for text in captions]
    distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    read = text_features(towers, list(distinct), progress=progress)
    captions = _vectors(towers, "text", read)[[distinct[text] for text in texts]]
    return Embeddings(
        folder=towers.folder,
        ids=kept["id"].to_numpy(object),
        images=_vectors(towers, "image", seen[good]),
        caption_ids=owners,
        caption_texts=np.array(texts, dtype=object),
        captions=captions,
        manifest={
            "encoder": identity(towers),
            "gallery": {"name": gallery.name, "fingerprint": gallery.fingerprint},
        },
        failed=pd.DataFrame(
            {"id": lost["id"], "path": lost["path"], "reason": "it cannot be read"}
        ),
    )


def identity(towers: Towers) -> dict:
    """Return what `Encoder.identity` says of the same checkpoint."""
    head, config = towers.head("image"), towers.network.config
    dimension = config.projection_dim if head is not None else config.text_config.projection_size
    return {
        "model": towers.folder.name,
        "weights": checkpoints.weights_sha256(towers.folder),
        "preprocessing": {
            "pictures": checkpoints.picture_rules(towers.folder),
            "texts": dict(towers.rules),
        },
        "dimension": dimension,
    }


def _vectors(towers: Towers, side: str, features: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        parts = torch.from_numpy(features).to(towers.device).split(4096)
        return torch.cat([towers.vectors(side, part) for part in parts]).cpu().numpy()
