"""Agreement: how close a network in a short number format stays to itself in float32.

Measured as the smallest cosine between the two, over a few drawn pictures and plain texts, once
for a checkpoint on a machine: what was measured is kept in the cache.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from sigscope import cache, files, paths
from sigscope.models import checkpoints
from sigscope.models.hub import ModelError
from sigscope.models.towers import PARTS, processor

Measure = Callable[[Path, tuple[str, ...], str, str], float]  # of folder, towers, device, dtype

LEAST = 0.999
TEXTS = (
    "a red bicycle leaning against a wall",
    "two dogs",
    "An old map of the world, drawn by hand, with ships and sea monsters.",
    "42",
)


def pictures() -> list[Image.Image]:
    """Return four RGB pictures of unlike kinds: a ramp, a chequerboard, noise, a disc on white."""
    y, x = np.mgrid[:96, :128]
    ramp = np.stack([2 * x, 2 * y, 255 - 2 * x], axis=-1)
    board = np.where(((x // 16 + y // 16) % 2)[..., None], (250, 220, 40), (20, 40, 120))
    noise = np.random.default_rng(0).integers(256, size=(96, 128, 3))
    disc = np.where(
        ((x - 64) ** 2 + (y - 48) ** 2 < 900)[..., None], (200, 30, 30), (255, 255, 255)
    )
    return [Image.fromarray(kind.astype(np.uint8)) for kind in (ramp, board, noise, disc)]


def least_cosine(ours: np.ndarray, exact: np.ndarray) -> float:
    """Return the smallest cosine between the rows of two arrays of unit vectors, shape (n, d)."""
    return float((ours * exact).sum(axis=1).min())


def home() -> Path:
    """Return where the cosines that were measured are kept, a small file for each."""
    return paths.CACHE / "agreement"


def settled(
    folder: Path, towers: tuple[str, ...], device: str, dtype: str, measure: Measure
) -> tuple[str, str]:
    """Return the number format to load a checkpoint in, and what a person should know of it.

    The format is dtype, or float32 where either tower strays in dtype, so that it is the same
    whichever towers are loaded. Only where the other one is broken are those to load asked alone.

    Raises:
        ModelError: A tower to load is broken.
    """
    if dtype == "float32":
        return dtype, ""
    both = tuple(PARTS)
    try:
        cosine = _remembered(folder, both, device, dtype, measure)
    except ModelError:
        if towers == both:
            raise
        cosine = _remembered(folder, towers, device, dtype, measure)
    if cosine >= LEAST:
        return dtype, ""
    return "float32", f"; {dtype} was given up, as its cosine to float32 is only {cosine:.4f}"


def _remembered(
    folder: Path, towers: tuple[str, ...], device: str, dtype: str, measure: Measure
) -> float:
    """Return the cosine that was measured for such a checkpoint and machine, or measure it now.

    A file that is broken, or cannot be written, only means that it is measured again.
    """
    import torch

    what = {
        "weights": checkpoints.weights_sha256(folder),
        "towers": list(towers),
        "dtype": dtype,
        "device": device,
        "processor": processor(device),
        "torch": torch.__version__,
    }
    file = home() / f"{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]}.json"
    cosine = _kept(file, what)
    if cosine is None:
        cosine = measure(folder, towers, device, dtype)
        with suppress(OSError):
            files.write_json(file, {"cosine": cosine, "of": what})
    else:
        cache.mark_used(file)
    return cosine


def _kept(file: Path, what: dict) -> float | None:
    with suppress(OSError, ValueError, TypeError, LookupError):
        kept = files.read_json(file)
        if kept["of"] == what and -1 <= kept["cosine"] <= 1.001:
            return float(kept["cosine"])
    return None
