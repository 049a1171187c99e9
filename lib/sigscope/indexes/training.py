"""Training of Faiss indexes: on a seeded sample, quietly, the same on every run.

How much k-means does is stated here, because at a million rows it is most of the build: cells are
trained on TRAINED_PER_CELL rows each, codes on CODE_ROWS rows. Faiss warns below 39 rows a centroid
and stops below one. Cells follow n and are never so many; the 256 (or 16) centroids of a code are
trained on what there is, and where that is fewer than centroids, on the rows repeated.
"""

import faiss
import numpy as np

from sigscope.indexes.specs import CODE_WORDS, ROWS_PER_CELL
from sigscope.progress import Progress, progress_bar

SEED = 1234
CELL_STEPS = 10  # of k-means over cells
TRAINED_PER_CELL = 40  # rows
CODE_STEPS, CODE_ROWS = 15, 16_384  # of k-means over each sub-vector
ROTATIONS, FIRST_STEPS, NEXT_STEPS = 16, 10, 1  # of OPQ, and of k-means before each
BUILD_BEAM = 80  # efConstruction: how many rows a graph looks at to link a new one
NO_WARNING = 1  # rows a centroid


def base(index: faiss.Index) -> faiss.Index:
    """Return what proposes candidates where they are re-ranked, and otherwise the index itself."""
    return faiss.downcast_index(index.base_index if isinstance(index, faiss.IndexRefine) else index)


def core(index: faiss.Index) -> faiss.Index:
    """Return what searches first, behind the steps that pad or rotate vectors."""
    index = base(index)
    return (
        faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index
    )


def train(index: faiss.Index, xb: np.ndarray) -> None:
    """Train index for the rows xb, float32 (n, d); nothing is added to it.

    Only k-means is given a sample. Scalar quantisers need the largest and the smallest values.
    """
    if isinstance(index, faiss.IndexRefine):
        train(base(index), xb)
        index.refine_index.train(xb[:1])  # float32 and float16 have nothing to learn
        index.is_trained = True
        return
    inner = core(index)
    if isinstance(inner, faiss.IndexHNSW):
        inner.hnsw.efConstruction = BUILD_BEAM
        index.train(xb)
        return
    most = _set_clustering(inner)
    codes = getattr(inner, "pq", None)
    if codes is None:
        index.train(xb)
        return
    rotation = _rotation(index)
    sample = _sample(xb, most, codes.ksub if rotation is None else CODE_WORDS)
    if rotation is None:
        index.train(sample)
        return
    rotation.niter, rotation.max_train_points = ROTATIONS, CODE_ROWS
    rotation.niter_pq_0, rotation.niter_pq = FIRST_STEPS, NEXT_STEPS
    trial = faiss.ProductQuantizer(codes.d, codes.M, codes.nbits)  # without it OPQ assumes 8 bits
    _set(trial.cp, CODE_STEPS, CODE_ROWS // codes.ksub)
    rotation.pq = trial
    index.train(sample)
    rotation.pq = None


def train_cells(index: faiss.IndexIVF, sample: np.ndarray, progress: Progress) -> None:
    """Train an inverted file as `train` does, on rows drawn already, with a bar over the steps.

    Args:
        index: of codes that need no training of their own beyond what Faiss gives them.
        sample: float32, (rows, d).
        progress: as `progress_bar` takes it.
    """
    _set_clustering(index)
    steps, index.cp.niter = index.cp.niter, 1
    clustering = faiss.Clustering(index.d, index.nlist, index.cp)
    with progress_bar(steps, f"Training on {len(sample):,} rows", " steps", progress) as bar:
        for _ in range(steps):  # each goes on from the centroids of the one before
            index.quantizer.reset()
            clustering.train(sample, index.quantizer)
            bar.update()
    index.cp.niter = steps
    index.train(sample)  # the cells stand, so this trains what else there is


def drawn(n: int, most: int) -> np.ndarray:
    """Return the numbers of at most so many of n rows, drawn by SEED, rising, int64."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(SEED).choice(n, most, replace=False))


def _set_clustering(inner: faiss.Index) -> int:
    """Set how k-means is done, and return the most rows that it is to see."""
    most = CODE_ROWS
    if isinstance(inner, faiss.IndexIVF):
        _set(inner.cp, CELL_STEPS, TRAINED_PER_CELL)
        most = max(most, TRAINED_PER_CELL * inner.nlist)
    if hasattr(inner, "pq"):
        _set(inner.pq.cp, CODE_STEPS, max(ROWS_PER_CELL, CODE_ROWS // inner.pq.ksub))
    return most


def _set(how: faiss.ClusteringParameters, steps: int, rows_per_centroid: int) -> None:
    how.niter, how.seed = steps, SEED
    how.min_points_per_centroid, how.max_points_per_centroid = NO_WARNING, rows_per_centroid


def _rotation(index: faiss.Index) -> faiss.OPQMatrix | None:
    """Return the step of index that is trained together with its codes, if there is one."""
    if not isinstance(index, faiss.IndexPreTransform):
        return None
    steps = map(faiss.downcast_VectorTransform, map(index.chain.at, range(index.chain.size())))
    return next((step for step in steps if isinstance(step, faiss.OPQMatrix)), None)


def _sample(xb: np.ndarray, most: int, least: int) -> np.ndarray:
    """Return rows of xb: at most so many, drawn by SEED, at least so many, by repeating them."""
    if len(xb) > most:
        return xb[drawn(len(xb), most)]
    return xb if len(xb) >= least else np.resize(xb, (least, xb.shape[1]))
