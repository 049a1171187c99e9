"""How much of what the machine's matrix products allow a SigLIP-B/16-224 reaches; ``make bench``.

The checkpoint has SigLIP's shape and random weights: speed does not hang on what they are. What a
tower can reach at most is taken to be the time of its linear layers alone, as bare products of the
same shapes, in the number format that the encoder chose.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bench_core import one_by_one
from marks import Mark, timed
from PIL import Image
from torch.nn.functional import linear

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from checkpoints import siglip

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.models.encoder import Encoder

BASE = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
BATCHES = (8, 16, 32)
PICTURES, LOOPED, ROUNDS = 96, 8, 3
AMX, PLAIN = 0.55, 0.85  # of the linear layers' speed, with fast bfloat16 and without


def draw(folder: Path, n: int) -> None:
    """Write n JPEGs of 640 x 480, each another."""
    for number in range(n):
        values = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(values).resize((640, 480), 3).save(folder / f"{number:03}.jpg", quality=88)


def products(tower: torch.nn.Module, rows: int, dtype: torch.dtype) -> Callable[[], None]:
    """Return the linear layers of a tower alone, each as a product with so many rows."""
    layers = [part.weight for part in tower.modules() if isinstance(part, torch.nn.Linear)]
    given = {weight.shape[1]: torch.rand(rows, weight.shape[1], dtype=dtype) for weight in layers}

    def work() -> None:
        with torch.inference_mode():
            for weight in layers:
                linear(given[weight.shape[1]], weight)

    return work


def pictures(encoder: Encoder, folder: Path, n: int) -> list[Mark]:
    """Compare files to vectors with the tower alone, its products alone, and the reports' loop."""
    gallery, tower = load_gallery(folder), encoder._network.vision_model
    tokens = encoder._network.config.vision_config
    tokens = (tokens.image_size // tokens.patch_size) ** 2
    files = [gallery.file(id) for id in gallery.items["id"][:LOOPED]]
    loop = one_by_one(encoder.folder)
    ready = encoder.preprocess([gallery.picture(id) for id in gallery.items["id"][:32]])
    encoder._computed.pace.settle(ready)  # what a job of minutes does by itself
    dtype = encoder._network.dtype
    bare = {size: products(tower, size * tokens, dtype) for size in BATCHES}
    rates: dict[str, list[float]] = {"ours": [], "tower": [], "limit": [], "loop": []}
    for turn in range(ROUNDS + 1):
        with tempfile.TemporaryDirectory() as store:
            ours = n / timed(lambda store=store: embed_gallery(gallery, encoder, store))
        tower_s = timed(lambda: encoder.encode_batch(ready))
        limit = max(size / timed(work) for size, work in bare.items())
        loop_s = timed(lambda: loop(files))
        if turn:
            for name, rate in zip(rates, (ours, 32 / tower_s, limit, LOOPED / loop_s), strict=True):
                rates[name].append(rate)
    ours, tower_rate, limit, theirs = (statistics.median(rates[name]) for name in rates)
    share = AMX if encoder.dtype == "bfloat16" else PLAIN
    what = f"SigLIP-B/16-224, {encoder.dtype}"
    unit = "pictures/s"
    return [
        Mark(f"{what}, files to vectors on disk", ours, unit, limit=limit, peer=theirs),
        Mark("  over the reports' loop, one by one", ours / theirs, "x", 6.0, at_least=True),
        Mark("  of the linear layers alone", ours / limit, "", share, at_least=True),
        Mark("  of the tower alone, 32 pictures", ours / tower_rate, "", 0.9, at_least=True),
    ]


def texts(encoder: Encoder) -> list[Mark]:
    """Compare a text query with the products of the text tower."""
    tokens = encoder.rules["max_length"]
    bare = products(encoder._network.text_model, tokens, encoder._network.dtype)
    ours, limit = [], []
    if encoder._alone:
        encoder._alone.settle("a red bus")
    for turn in range(30):
        limit.append(1e3 * timed(bare))
        ours.append(1e3 * timed(lambda turn=turn: encoder.encode_texts([f"a red bus {turn}"])))
    ours_ms, limit_ms = statistics.median(ours[5:]), statistics.median(limit[5:])
    return [
        Mark("SigLIP-B text query", ours_ms, "ms", limit=limit_ms),
        Mark("  over its linear layers alone", ours_ms / limit_ms, "x", 1.3),
    ]


def marks(quick: bool = False) -> list[Mark]:
    """Return what was measured on a checkpoint made for it, of 800 MB for a while."""
    n = PICTURES // 3 if quick else PICTURES
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "pictures")
        folder.mkdir()
        draw(folder, n)
        encoder = Encoder.load(siglip(Path(place, "siglip-b"), BASE, side=224, patch=16))
        return pictures(encoder, folder, n) + texts(encoder)
