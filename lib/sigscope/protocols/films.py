"""Text to film: does a sentence find its film, whose moments have one score together?

The score of a film is that of its mean vector (**mean**), or of its best moment (**max**). What is
searched is what the gallery holds: in papers on MSR-VTT and MSVD the test split alone.
"""

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.metrics import chance_hit_rate
from sigscope.evaluation.tasks import check_and_describe, items_of
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.protocols.published import Row, beside, depends

KS = (1, 5, 10)
AT_ONCE = 2**26  # scores


def film_recall(
    gallery: Gallery, embeddings: Embeddings, *, split: str = "test", seed: int = 0
) -> pd.DataFrame:
    """Return R@1, 5 and 10 of text to film, by mean and by max, and how far max is above mean.

    Args:
        gallery: of films (`datasets.videos`), all of which are searched.
        embeddings: of its moments.
        split: whose captions are the queries, each once a film; its own film alone is right.
        seed: of the bootstrap, which draws films.

    Returns:
        The columns of an `Outcome`'s table, and pooling, k and chance.

    Raises:
        GalleryError: it is no gallery of films.
        ValueError: the split has no captions.
    """
    if "video" not in gallery.items:
        raise GalleryError(f"{gallery.name} holds no films; give videos:, msrvtt: or msvd:/folder.")
    about = check_and_describe(gallery, embeddings, split)
    film_of = gallery.items.set_index("id")["video"]
    owners = embeddings.caption_ids
    asked = pd.DataFrame({"film": film_of[owners].to_numpy(), "text": embeddings.caption_texts})
    chosen = np.isin(owners, list(items_of(gallery, split))) & ~asked.duplicated()
    if not chosen.any():
        raise ValueError(f"split {split!r} of gallery {gallery.name} has no caption to ask with")
    own, clusters = asked["film"][chosen], asked["film"][chosen].reset_index(drop=True)
    films, member = np.unique(film_of[embeddings.ids].to_numpy(), return_inverse=True)
    ranks = _ranks(
        embeddings.captions[chosen], embeddings.images, member, np.searchsorted(films, own)
    )
    about = about | {"searched": len(embeddings)}
    what = depends(about, f"{len(films):,} films", f"{len(own):,} sentences")
    rows, n_right = [], np.ones(len(own), np.int64)
    for k in KS:
        hits = {pooling: pd.Series(rank <= k, dtype=float) for pooling, rank in ranks.items()}
        chance = chance_hit_rate(n_right, len(films), k)
        for pooling, values in hits.items():
            key = {"pooling": pooling, "k": k, "chance": chance}
            name = f"R@{k}, text to film, {pooling}"
            rows.append(Row.mean(name, what, values, clusters, seed=seed, **key))
        key = {"pooling": "max less mean", "k": k, "chance": 0.0}
        apart = hits["max"] - hits["mean"]
        rows.append(Row.mean(f"R@{k}, max less mean", what, apart, clusters, seed=seed, **key))
    return beside(rows)


def _ranks(
    xq: np.ndarray, xb: np.ndarray, member: np.ndarray, right: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the place of each query's film, from 1 and last among ties, by each pooling.

    Args:
        xq: unit queries, float32, (q, d).
        xb: unit vectors of moments, float32, (n, d).
        member: the film of each moment, from 0, int64, (n,).
        right: the film of each query, int64, (q,).
    """
    order = np.argsort(member, kind="stable")
    moments, starts = xb[order], np.flatnonzero(np.diff(member[order], prepend=-1))
    mean = np.add.reduceat(moments, starts)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    step, places = max(1, AT_ONCE // len(xb)), {"mean": [], "max": []}
    for first in range(0, len(xq), step):
        some, own = xq[first : first + step], right[first : first + step, None]
        best = np.maximum.reduceat(some @ moments.T, starts, axis=1)
        for pooling, scores in (("mean", some @ mean.T), ("max", best)):
            at_least = scores >= np.take_along_axis(scores, own, 1)
            places[pooling].append(at_least.sum(axis=1))
    return {pooling: np.concatenate(parts) for pooling, parts in places.items()}
