"""Sampling: of very many pictures some are laid out, and all others placed among these.

UMAP takes minutes for a hundred thousand points, and nobody can look at a million. So the map of
more than `MOST` pictures is one of `SAMPLE` of them, drawn by its seed. Every other picture is put
where a query with its vector would be (`maps.placing`), block by block; only its place is kept.
"""

import numpy as np

from sigscope.embeddings.load import Embeddings, as_objects
from sigscope.indexes.exact import BLOCK, nearest
from sigscope.maps.placing import K, geometric_median, strengths
from sigscope.maps.telling import Tell

MOST = 50_000  # pictures that are laid out, every one
SAMPLE = 20_000
CHECKED = 1_000  # of the sample, placed by the others to see how well that works


def is_sampled(embeddings: Embeddings) -> bool:
    """Return whether the map of these is one of a sample."""
    return len(embeddings) > MOST


def placed_note(n: int) -> str:
    """Return the sentence on what such a map of n pictures shows."""
    return (
        f"{SAMPLE:,} of {n:,} pictures are drawn and were laid out; every other has its place by "
        "its nearest among these."
    )


def sample(embeddings: Embeddings, seed: int) -> tuple[Embeddings, np.ndarray]:
    """Return some of the pictures with their captions, in memory, and their rows, rising."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(embeddings), min(SAMPLE, len(embeddings)), replace=False))
    captions = np.flatnonzero(embeddings.owners_among(rows) >= 0)
    few = Embeddings(
        folder=embeddings.folder,
        ids=as_objects(list(embeddings.ids[rows])),
        images=embeddings.images[rows],
        caption_ids=as_objects(list(embeddings.caption_ids[captions])),
        caption_texts=as_objects(list(embeddings.caption_texts[captions])),
        captions=embeddings.captions[captions],
        manifest=embeddings.manifest,
        failed=embeddings.failed,
    )
    return few, rows


def picture_places(
    images: np.ndarray, rows: np.ndarray, known: np.ndarray, places: np.ndarray, tell: Tell
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the place of every picture, and how far placing is off.

    Args:
        images: unit rows, (n, d), or what gives them block by block.
        rows: of those that were laid out, int64, (s,).
        known: their unit rows, float32, (s, d).
        places: where these are, (s, 2) or (s, 3).
        tell: is told how far it is.

    Returns:
        float32, (n, 2) or (n, 3); and as a share of the map's diagonal the median distance between
        where pictures of the sample were laid out and where the others would put them
        (``placed_off``), and where chance would (``placed_off_chance``).
    """
    found = np.empty((len(images), places.shape[1]), np.float32)
    for start in range(0, len(images), BLOCK):
        tell(start / len(images), "placing the others")
        block = np.ascontiguousarray(images[start : start + BLOCK], np.float32)
        found[start : start + len(block)] = _placed(known, places, block)
    found[rows] = places
    rng = np.random.default_rng(0)
    own = np.sort(rng.choice(len(rows), min(CHECKED, len(rows)), replace=False))
    off = np.linalg.norm(_placed(known, places, known[own], own) - places[own], axis=1)
    chance = np.linalg.norm(rng.permutation(places)[own] - places[own], axis=1)
    size = np.linalg.norm(np.ptp(places.astype(np.float64), axis=0)) or 1.0
    parts = {"placed_off": off, "placed_off_chance": chance}
    return found, {name: float(np.median(each) / size) for name, each in parts.items()}


def _placed(
    known: np.ndarray, places: np.ndarray, xq: np.ndarray, own: np.ndarray | None = None
) -> np.ndarray:
    cosines, near = nearest(known, xq, min(K, len(known) - 1), own=own)
    return geometric_median(places[near], strengths(cosines))
