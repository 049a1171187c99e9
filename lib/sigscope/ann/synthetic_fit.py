"""The fit of a synthetic gallery, whose vectors are near each other as a real model's are.

A Gaussian with a gallery's covariance will not do: its neighbours lie too far, in too many
dimensions. The world made here is a tree that grows out of the real vectors. A made picture is a
leaf of it. It starts at a random real picture, pulled a little to that one's neighbours so that
the cloud does not swell, and makes one move for each level of an endless binary tree. Leaves below
one node share its move. A move is a step between two real neighbours near by, or between one and
its caption, as long as the real picture's distance to its nearest, times
``2 ** (-1 / dimension)`` for each level; ``dimension`` says how the real neighbours get nearer as
the real gallery grows. So twice as many leaves have neighbours at ``2 ** (-1 / dimension)`` times
the distance, for thousands and for millions. A made caption starts at the real caption, pulled
alike, and makes a part of the moves of its picture; it leads to no picture that is searched.

It is a smoothed bootstrap along the local directions, as in manifold Parzen windows (Vincent &
Bengio 2003), shrunk as by Silverman & Young (1987), with a branching random walk for its kernel.
Pictures and queries are independent draws of leaves from one world, which ``fit`` sets for good.

What differs from real vectors (siglit-mini, 3,905 pictures, 384 dimensions;
``difficulty.compare`` measures it anew): at equal n median cosines at ranks 1, 10 and 100 are
within 0.05 and the modality gap within 5 %, but the intrinsic dimension comes out up to a quarter
low, hubness up to a quarter high, and their nearest cosines spread more widely. (A Gaussian with
the pictures' covariance: 0.85 becomes 0.65, and the dimension 3.5 times as high.) A world fitted
to an eighth of the pictures and grown to all of them stays within 0.04 too, its intrinsic
dimension up to an eighth high. Nothing real is known beyond the gallery's own size: that
neighbours go on to get nearer at the same rate, and that captions stay as hard as they are, is
assumed. No new subject ever appears; each made picture is near a real one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sigscope.ann.difficulty import (
    K_DIMENSION,
    RANKS,
    chords,
    intrinsic_dimension,
    modality_gap,
)
from sigscope.ann.synthetic import PICTURES, TEXT_QUERIES, SyntheticGallery, pulled, unit
from sigscope.indexes.exact import nearest

__all__ = ["SyntheticGallery", "fit", "from_folder", "growth_dimension"]

K = 16  # neighbours that a picture is pulled to, and that moves are taken from
FEWEST, MOST = 400, 8192  # real pictures that a world grows out of
READ = 65_536  # rows of a folder that are read
SAME = 1e-3  # a picture nearer than this to another is a copy of it
LENGTH_OFF = 0.01  # how far the length of a row may be from 1
PARTS = (8, 4, 2, 1)  # the real gallery's growth is read from an eighth, a quarter, a half and all
JUDGES = 1500  # queries that a fit is judged by
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
GAP_COUNTS = 1.0  # a gap that is 0.01 off weighs as much as cosines 0.01 off
ASIDE = (0.0, 0.2, 0.4, 0.6)  # shares of moves to or from captions that a fit tries
GROWN = 4  # times n, where it looks how they do


def fit(images: np.ndarray, texts: np.ndarray, rng: np.random.Generator) -> SyntheticGallery:
    """Return the world that grows out of real embeddings; a few seconds for some thousand.

    ``dimension`` is the slope of log distance to the nearest neighbour against log n, over random
    parts of the real pictures. ``pull`` and ``spread`` make as many pictures as there are real
    ones have the real quantiles of cosines at ranks 1, 10 and 100; ``text_pull`` and
    ``text_spread`` do so for captions, whose own picture is left out, and keep the modality gap.
    ``aside`` keeps the intrinsic dimension around captions, at 4 n pictures, what it is at n:
    among the real ones it hardly changes with n.

    Args:
        images: unit rows, float32, (n, d), n at least 400. Copies count once, and of more than
            8,192 a random 8,192 are used.
        texts: the caption of each, unit rows, float32, (n, d).
        rng: sets the world.
    """
    _check(images, texts)
    images, texts = _chosen(images, texts, rng)
    cosines, neighbours = nearest(images, images, K, own=np.arange(len(images)))
    world = SyntheticGallery(
        images=images,
        texts=texts,
        neighbours=neighbours,
        distances=chords(cosines).astype(np.float32),
        seed=int(rng.integers(2**63)),
        dimension=growth_dimension(images, rng),
    )
    world = _fit_captions(_fit_pictures(world, rng), rng)
    return _fit_captions(_fit_pictures(_fit_aside(world, rng), rng), rng)


def from_folder(path: str | Path, *, most: int = READ) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures and captions in a folder of embeddings: two (n, d), float32 unit rows.

    Args:
        path: has ``img_emb/*.npy`` and ``text_emb/*.npy`` in the same order, as in our stores and
            clip-retrieval's. Pairs with a row of zeros (in ours: no caption) are left out.
        most: of more rows than this, evenly spread ones are read.
    """
    images, texts = (_mapped(Path(path) / part) for part in ("img_emb", "text_emb"))
    shapes = [[part.shape for part in parts] for parts in (images, texts)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"the files in {path}/img_emb and in text_emb are not equally long or wide, so they "
            "are no pairs; embed both with one model"
        )
    every = max(1, -(-sum(len(part) for part in images) // most))
    images, texts = (_every(parts, every) for parts in (images, texts))
    usable = images.any(axis=1) & texts.any(axis=1)
    return unit(images[usable]), unit(texts[usable])


def growth_dimension(images: np.ndarray, rng: np.random.Generator) -> float:
    """Return D such that the nearest neighbour's distance falls as ``n ** (-1 / D)``, in [2, 64].

    A straight line through the median log distances of an eighth, a quarter, half and all rows.
    """
    sizes, medians = [], []
    for part in PARTS:
        rows = images[rng.permutation(len(images))[: len(images) // part]]
        cosines, _ = nearest(rows, rows[:JUDGES], 1, own=np.arange(len(rows))[:JUDGES])
        sizes.append(np.log(len(rows)))
        medians.append(np.log(np.median(chords(cosines))))
    slope = np.polyfit(sizes, medians, 1)[0]
    return float(np.clip(-1 / min(slope, -1e-9), 2, 64))


def _fit_pictures(world: SyntheticGallery, rng: np.random.Generator) -> SyntheticGallery:
    """Return world with the pull and spread that make its pictures' neighbours like real ones'."""
    n = len(world.images)
    me = np.arange(n)[:JUDGES]
    goal = _quantiles(world.images, world.images[:JUDGES], me)
    roots, leaves = world.leaves(n, rng, PICTURES)
    starts, pulls, moved = _parts(world, world.images, roots, leaves)

    def off(values: np.ndarray) -> float:
        made = unit(starts + values[0] * pulls + values[1] * moved)
        return _rms(_quantiles(made, made[:JUDGES], me) - goal)

    pull, spread = _least(off, (world.pull, world.spread), ((0, 0.9), (0.05, 2)))
    return replace(world, pull=pull, spread=spread)


def _fit_captions(world: SyntheticGallery, rng: np.random.Generator) -> SyntheticGallery:
    """Return world with the two numbers that put its captions as far off as real ones are."""
    n = len(world.images)
    own = np.arange(n)[:JUDGES]
    goal = _quantiles(world.images, world.texts[own], own)
    gap = modality_gap(world.images, world.texts)
    pictures = world.pictures(n, rng)
    roots, leaves = world.leaves(n, rng, TEXT_QUERIES)
    starts, pulls, moved = _parts(world, world.texts, roots, leaves)

    def off(values: np.ndarray) -> float:
        made = unit(starts + values[0] * pulls + values[1] * world.spread * moved)
        far = _rms(_quantiles(pictures, made[own], None) - goal)
        return far + GAP_COUNTS * abs(modality_gap(pictures, made) - gap)

    pull, spread = _least(off, (world.text_pull, world.text_spread), ((0, 0.9), (0, 1.5)))
    return replace(world, text_pull=pull, text_spread=spread)


def _fit_aside(world: SyntheticGallery, rng: np.random.Generator) -> SyntheticGallery:
    """Return world with the share of moves aside that keeps captions as far off as n grows.

    Without them captions keep their distance to the cloud while pictures crowd together, and the
    dimension around them rises.
    """
    n, seed = len(world.images), int(rng.integers(2**63))
    own = np.arange(n)[:JUDGES]
    goal = _dimension_around(world.images, world.texts[own], own)
    found = []
    for share in ASIDE:
        tried, alike = replace(world, aside=share), np.random.default_rng(seed)
        pictures = tried.pictures(GROWN * n, alike)
        found.append(_dimension_around(pictures, tried.queries("text", len(own), alike)))
    falling = np.minimum.accumulate(found)
    return replace(world, aside=float(np.interp(-goal, -falling, ASIDE)))


def _dimension_around(xb: np.ndarray, xq: np.ndarray, own: np.ndarray | None = None) -> float:
    return intrinsic_dimension(nearest(xb, xq, K_DIMENSION, own=own)[0])


def _parts(
    world: SyntheticGallery, x: np.ndarray, roots: np.ndarray, leaves: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where leaves start among the rows of x, the pull on them, and their moves, each 1."""
    starts = x[roots]
    moved = world.moved(world.rows, roots, leaves)
    return starts, pulled(x, world, 1.0)[roots] - starts, moved


def _least(
    off: Callable[[np.ndarray], float], start: Sequence[float], bounds: Sequence[tuple]
) -> list[float]:
    """Return the numbers within bounds where off is least, from start (Nelder & Mead 1965)."""
    from scipy.optimize import minimize

    around = [start, *(_nudged(start, bounds, place) for place in range(len(start)))]
    how = {"maxfev": 30, "xatol": 0.01, "fatol": 1e-4, "initial_simplex": around}
    best = minimize(off, start, method="Nelder-Mead", bounds=bounds, options=how).x
    return [float(value) for value in best]


def _nudged(start: Sequence[float], bounds: Sequence[tuple], place: int) -> list[float]:
    low, high = bounds[place]
    moved = start[place] + (0.1 if start[place] + 0.1 <= high else -0.1)
    return [moved if i == place else value for i, value in enumerate(start)]


def _quantiles(xb: np.ndarray, xq: np.ndarray, own: np.ndarray | None) -> np.ndarray:
    cosines, _ = nearest(xb, xq, max(RANKS), own=own)
    return np.quantile(cosines[:, np.array(RANKS) - 1], QUANTILES, axis=0)


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))


def _chosen(
    images: np.ndarray, texts: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in random order, at most MOST, none of them a copy of one before it."""
    order = rng.permutation(len(images))[:MOST]
    images, texts = images[order], texts[order]
    cosines, rows = nearest(images, images, K, own=np.arange(len(images)))
    earlier = (chords(cosines) < SAME) & (rows < np.arange(len(images))[:, None])
    alone = ~earlier.any(axis=1)
    if alone.sum() < FEWEST:
        raise ValueError(f"{alone.sum()} different pictures are too few to fit; give {FEWEST}")
    return np.ascontiguousarray(images[alone]), np.ascontiguousarray(texts[alone])


def _check(images: np.ndarray, texts: np.ndarray) -> None:
    for x, what in ((images, "images"), (texts, "texts")):
        if not (isinstance(x, np.ndarray) and x.dtype == np.float32 and x.ndim == 2):
            raise ValueError(f"{what} must be a float32 array of shape (n, d)")
        if not (np.abs(np.linalg.norm(x, axis=1) - 1) < LENGTH_OFF).all():
            raise ValueError(f"{what} has rows that are not of length 1; divide them by theirs")
    if images.shape != texts.shape:
        raise ValueError(f"images {images.shape} and texts {texts.shape} are not pairs")
    if len(images) < FEWEST:
        raise ValueError(f"{len(images)} pictures are too few to fit; give {FEWEST}")


def _mapped(folder: Path) -> list[np.ndarray]:
    files = sorted(folder.glob("*.npy"), key=lambda file: (len(file.stem), file.stem))
    if not files:
        raise FileNotFoundError(f"{folder} holds no .npy files; give a folder of embeddings")
    return [np.load(file, mmap_mode="r", allow_pickle=False) for file in files]


def _every(parts: list[np.ndarray], step: int) -> np.ndarray:
    """Return every step-th row of parts below each other, float32."""
    starts = np.cumsum([0] + [len(part) for part in parts[:-1]])
    kept = [part[-start % step :: step] for part, start in zip(parts, starts, strict=True)]
    return np.concatenate([np.asarray(rows, dtype=np.float32) for rows in kept])
