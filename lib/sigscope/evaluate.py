"""Caption retrieval, both ways, on a gallery: the protocol of R1 and R4 with its rules written out.

A query is a caption (text to image) or a picture (image to text) of one split; what is searched is
the whole gallery. Right answers to a caption are its own picture, the pictures with an equal
caption (ignoring case), and marked duplicates of these; right answers to a picture are all
captions of its right pictures.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sigscope.embeddings import Embeddings
from sigscope.gallery import Gallery
from sigscope.metrics import (
    bootstrap_interval,
    chance_hit_rate,
    first_right_ranks,
    hit_rate_at_k,
)

DIRECTIONS = ("text to image", "image to text")


def twins(gallery: Gallery, ids: np.ndarray) -> np.ndarray:
    """Return for each id the id that stands for it and its duplicates, shape (n,)."""
    kept = dict(zip(gallery.items["id"], gallery.items["duplicate_of"], strict=True))
    return np.array([kept[name] or name for name in ids])


def right_pictures(
    captions: Sequence[str], owners: np.ndarray, ids: np.ndarray, stands_for: np.ndarray
) -> list[np.ndarray]:
    """Return for each caption the rows of ``ids`` that are right for it.

    Args:
        captions: the texts, length m.
        owners: the id of the picture each belongs to, shape (m,).
        ids: the pictures that are searched, shape (n,).
        stands_for: from `twins`, shape (n,).
    """
    key = dict(zip(ids, stands_for, strict=True))
    rows_of, keys_of = defaultdict(list), defaultdict(set)
    for row, twin in enumerate(stands_for):
        rows_of[twin].append(row)
    for caption, owner in zip(captions, owners, strict=True):
        keys_of[caption.casefold()].add(key[owner])
    return [
        np.array(sorted(row for twin in keys_of[caption.casefold()] for row in rows_of[twin]))
        for caption in captions
    ]


def ranked_captions(gallery: Gallery, embeddings: Embeddings, split: str = "test") -> pd.DataFrame:
    """Return one row per query, both directions, with the place of its first right answer.

    Args:
        gallery: says which picture is in which split and which are duplicates.
        embeddings: of the whole gallery.
        split: whose captions and pictures are the queries.

    Returns:
        Columns direction, id (the query's picture), caption ("" for a picture query), rank
        (from 1), n_right, n (how many were ranked).
    """
    ids, owners = embeddings.ids, embeddings.caption_ids
    stands_for = twins(gallery, ids)
    asked = set(gallery.items.loc[gallery.items["split"] == split, "id"])
    if not asked:
        raise ValueError(f"gallery {gallery.name} has no item in split {split!r}")
    by_caption = right_pictures(embeddings.caption_texts, owners, ids, stands_for)
    texts = np.flatnonzero([owner in asked for owner in owners])
    captions_of = defaultdict(list)
    for number, rows in enumerate(by_caption):
        for row in rows:
            captions_of[row].append(number)
    pictures = np.array([row for row, name in enumerate(ids) if name in asked and captions_of[row]])
    right_of_text = [by_caption[number] for number in texts]
    right_of_picture = [np.array(captions_of[row]) for row in pictures]
    forward = query_table(
        DIRECTIONS[0],
        owners[texts],
        embeddings.caption_texts[texts],
        first_right_ranks(embeddings.captions[texts], embeddings.images, right_of_text),
        right_of_text,
        len(ids),
    )
    back = query_table(
        DIRECTIONS[1],
        ids[pictures],
        [""] * len(pictures),
        first_right_ranks(embeddings.images[pictures], embeddings.captions, right_of_picture),
        right_of_picture,
        len(owners),
    )
    return pd.concat([forward, back], ignore_index=True)


def query_table(
    direction: str,
    ids: np.ndarray,
    captions: Sequence[str],
    ranks: np.ndarray,
    right: Sequence[np.ndarray],
    n: int,
) -> pd.DataFrame:
    """Return the per-query table of one direction; see `ranked_captions` for its columns."""
    return pd.DataFrame(
        {
            "direction": direction,
            "id": ids,
            "caption": captions,
            "rank": ranks,
            "n_right": [len(rows) for rows in right],
            "n": n,
        }
    )


def hit_rates(
    queries: pd.DataFrame, ks: Sequence[int] = (1, 5, 10), *, seed: int = 0
) -> pd.DataFrame:
    """Return one row per direction and k: the hit rate, its 95 % interval, and chance.

    Args:
        queries: a table from `ranked_captions`.
        ks: how far down the list one looks.
        seed: of the bootstrap, which resamples pictures.

    Returns:
        Columns direction, k, hit_rate, low, high, chance, queries, pictures, searched.
    """
    records = []
    for direction, rows in queries.groupby("direction", sort=False):
        for k in ks:
            hits = (rows["rank"] <= k).to_numpy()
            low, high = bootstrap_interval(hits, rows["id"], np.random.default_rng(seed))
            records.append(
                {
                    "direction": direction,
                    "k": k,
                    "hit_rate": hit_rate_at_k(rows["rank"].to_numpy(), k),
                    "low": low,
                    "high": high,
                    "chance": chance_hit_rate(rows["n_right"].to_numpy(), rows["n"].iloc[0], k),
                    "queries": len(rows),
                    "pictures": rows["id"].nunique(),
                    "searched": int(rows["n"].iloc[0]),
                }
            )
    return pd.DataFrame(records)
