"""Recipes compared in minutes: fewer pictures, a start from less, many runs, embeddings by heads.

A tower that tuning left as it was gives what it gave before, so of many tuned models that share one
only the heads are computed anew: seconds where `embeddings.embed_gallery` takes minutes. The
vectors are the same to rounding.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.files import atomic_write
from sigscope.gallery.gallery import Gallery
from sigscope.models import checkpoints
from sigscope.models.towers import PARTS
from sigscope.tuning import checkpoint
from sigscope.tuning.checkpoint import Tuned
from sigscope.tuning.features import image_features, text_features
from sigscope.tuning.finetune import fine_tune
from sigscope.tuning.recipes import Recipe

if TYPE_CHECKING:
    from sigscope.tuning.network import Towers


def some_of(
    gallery: Gallery, pictures: Mapping[str, int], *, keep: tuple[str, str], seed: int = 0
) -> Gallery:
    """Return a gallery of so many pictures of each split, one split after the other.

    Args:
        gallery: what to take from.
        pictures: how many of each split; the other splits are kept whole, and come last.
        keep: a column and a value, such as kind and "photo": items that are rare, so that as many
            of them as there is room for are taken first. The others are drawn at random.
        seed: of the draw.

    Raises:
        ValueError: a split has fewer pictures.
    """
    items, rng = gallery.items, np.random.default_rng(seed)
    drawn = []
    for split, n in pictures.items():
        own = items[items["split"] == split]
        if len(own) < n:
            raise ValueError(f"{gallery.name} has {len(own)} pictures in {split!r}, not {n}")
        order = np.lexsort([rng.random(len(own)), own[keep[0]] != keep[1]])
        drawn.append(np.sort(own.index.to_numpy()[order[:n]]))
    drawn.append(items.index[~items["split"].isin(list(pictures))].to_numpy())
    rows = items.loc[np.concatenate(drawn)].reset_index(drop=True)
    part = f"{gallery.part}{json.dumps([dict(pictures), keep, seed])}"
    return replace(gallery, items=rows, part=part)


def with_new_heads(model: str | Path | None, into: str | Path, *, seed: int = 0) -> Path:
    """Save a copy of a checkpoint that has forgotten what joins its towers, and return its folder.

    The linear layers after the towers (see `sigscope.tuning.network`) are drawn anew, as torch
    draws them; the towers stay as they are.

    Args:
        model: what `Encoder.load` takes; it is left as it is.
        into: the folder to make; the same copy, made earlier, is kept.
        seed: of the new weights.
    """
    import torch

    from sigscope.tuning.network import SIDES, Towers

    source = checkpoints.locate(checkpoints.named(model), tuple(PARTS))
    told = json.dumps([checkpoints.weights_sha256(source), seed])
    into = Path(into) / hashlib.sha256(told.encode()).hexdigest()[:8]
    if (into / "made-from.json").is_file():
        return into
    towers = Towers.load(source, "cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for head in filter(None, map(towers.head, SIDES)):
            head.reset_parameters()
    shutil.rmtree(into, ignore_errors=True)
    checkpoint.write_checkpoint(towers.network, source, into)
    with atomic_write(into / "made-from.json") as part:
        part.write_text(told)
    return into


def tune_each(
    model: str | Path | None,
    gallery: Gallery,
    recipes: Mapping[str, Recipe],
    into: str | Path,
    *,
    progress: bool = False,
) -> dict[str, Tuned]:
    """Tune one model by each recipe, or return what an earlier call with the same settings left.

    Args:
        model: where every run starts.
        gallery: what they learn from.
        recipes: by a name each.
        into: each run gets a folder here whose name tells what it depends on, so that other
            settings never meet an earlier run.
        progress: see `fine_tune`.
    """
    source = checkpoints.locate(checkpoints.named(model), tuple(PARTS))
    tuned = {}
    for name, recipe in recipes.items():
        about = checkpoint.about(source, gallery, recipe, "train", "val")
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
        tuned[name] = fine_tune(model, gallery, recipe, Path(into) / digest, progress=progress)
    return tuned


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
    from sigscope.tuning.network import Towers

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
            "encoder": _identity(towers),
            "gallery": {"name": gallery.name, "fingerprint": gallery.fingerprint},
        },
        failed=pd.DataFrame(
            {"id": lost["id"], "path": lost["path"], "reason": "it cannot be read"}
        ),
    )


def _identity(towers: Towers) -> dict:
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
    import torch

    with torch.inference_mode():
        parts = torch.from_numpy(features).to(towers.device).split(4096)
        return torch.cat([towers.vectors(side, part) for part in parts]).cpu().numpy()
