"""Recall against bytes: what is lost when only the first numbers of each vector are kept.

Models that learnt it (Matryoshka representation learning, Kusupati et al. 2022, as EmbeddingGemma 2
and Qwen3-VL-Embedding) put what matters most first; of others every cut costs alike.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from sigscope.arguments import whole
from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.evaluate import compare, evaluate, summary
from sigscope.gallery.gallery import Gallery

BYTES = 4  # of a number, as float32


def by_dimension(
    gallery: Gallery,
    embeddings: Embeddings,
    dimensions: Sequence[int] | None = None,
    *,
    split: str = "test",
    measures: Sequence[str] = ("hit rate@1", "hit rate@10"),
    seed: int = 0,
) -> pd.DataFrame:
    """Return how well a split is answered with the first d numbers of each vector, at length 1.

    Args:
        gallery: what the embeddings are of.
        embeddings: of the whole gallery.
        dimensions: each d; None means all of them, and halves of that down to 16.
        split: whose captions and pictures are the queries.
        measures: as for `evaluate`.
        seed: of bootstraps and permutation tests.

    Returns:
        Columns dimension, bytes (of a vector), direction, measure, value, low, high (95 %), behind
        (what all numbers have more, query by query), behind_low, behind_high, p.
    """
    full = embeddings.dimension
    chosen = [full // 2**n for n in range(20) if full // 2**n >= 16] or [full]
    for d in dimensions or ():
        whole("a dimension", d, f"give 1 to {full}", most=full)
    all_of_it, tables = evaluate(gallery, embeddings, split, measures), []
    for d in dimensions or chosen:
        cut = replace(
            embeddings, images=_cut(embeddings.images, d), captions=_cut(embeddings.captions, d)
        )
        result = evaluate(gallery, cut, split, measures)
        table = summary(result, seed=seed)[["direction", "measure", "value", "low", "high"]]
        paired = compare(result, all_of_it, seed=seed)[["difference", "low", "high", "p"]]
        table[["behind", "behind_low", "behind_high", "p"]] = paired.to_numpy()
        table.insert(0, "dimension", d)
        table.insert(1, "bytes", d * BYTES)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _cut(vectors: np.ndarray, d: int) -> np.ndarray:
    first = vectors[:, :d]
    return first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), np.finfo("f4").tiny)
