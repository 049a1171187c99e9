"""Evidence: the few numbers by which `search.match` tells whether anything matches a query.

They are the mean cosine of its five best pictures, the middle and the spread of its cosines over
the gallery, and the mean cosine of its five nearest captions.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import rows_of
from sigscope.gallery.twins import twins
from sigscope.search.compose import Composer, evenly

BEST = 5
MOST_ROWS = 50_000  # pictures, and captions, that evidence is taken from: evenly spaced ones
MIDDLE = 4096  # of them for the middle and the spread
ASKED = 300  # items of the gallery that are asked to learn from
FEWEST = 40
CELLS = 4_000_000  # scores held at once


@dataclass(frozen=True, eq=False)
class MatchEvidence:
    """What evidence is taken from: unit rows of n pictures and m captions, and their labels."""

    ids: np.ndarray  # (n,)
    images: np.ndarray  # float32, (n, d)
    captions: np.ndarray  # float32, (m, d)
    owners: np.ndarray  # (m,) which picture each caption is of, a row of images
    wordings: np.ndarray  # (m,) captions of one number read the same
    groups: np.ndarray  # (n,) what is left out together, such as its category; numbers
    twins: np.ndarray  # (n,) pictures of one number are the same
    asked: np.ndarray  # rows of images to learn from, at most ASKED; each has a caption
    step: int = 1  # they are every so-manyth of the pictures searched

    @classmethod
    def of(cls, gallery: Gallery, of: Embeddings, rows: np.ndarray) -> "MatchEvidence":
        """Return it for the pictures in these rows of the embeddings.

        What is left out together is a category. Items to learn from are of split val, or of any
        where fewer than 40 of val have a caption.
        """
        step = max(1, -(-len(rows) // MOST_ROWS))
        sampled = rows[::step]
        ids = of.ids[sampled]
        place = of.owners_among(sampled)
        texts = evenly(np.flatnonzero(place >= 0), MOST_ROWS)
        whole = len(ids) == len(of) and isinstance(of.images, np.ndarray)
        items = gallery.items[["category", "split"]].iloc[rows_of(ids, gallery.items["id"].array)]
        captioned = np.unique(place[texts])
        held_out = captioned[items["split"].to_numpy()[captioned] == "val"]
        asked = held_out if len(held_out) >= FEWEST else captioned
        spaced = np.linspace(0, len(asked) - 1, min(ASKED, len(asked))).round().astype(int)
        return cls(
            ids=ids,
            images=of.images if whole else of.images[sampled],
            captions=of.captions[texts],
            owners=place[texts],
            wordings=pd.factorize(np.array([t.casefold() for t in of.caption_texts[texts]]))[0],
            groups=pd.factorize(items["category"])[0],
            twins=pd.factorize(twins(gallery, ids))[0],
            asked=asked[spaced],
            step=step,
        )

    def evidence(
        self, xq: np.ndarray, pictures: np.ndarray | None, captions: np.ndarray | None
    ) -> np.ndarray:
        """Return the evidence for queries: best, middle, spread and captions, float64, (q, 4).

        Args:
            xq: unit rows, (q, d).
            pictures: mask of those that may be found, (q, n) or None for all.
            captions: the same, (q, m).
        """
        scores = xq @ self.images.T
        some = scores[:, :: max(1, -(-scores.shape[1] // MIDDLE))]
        middle = np.median(some, axis=1)
        spread = 1.4826 * np.median(np.abs(some - middle[:, None]), axis=1)
        near = xq @ self.captions.T
        parts = _best(scores, pictures), middle, spread, _best(near, captions)
        return np.stack(parts, axis=1).astype(np.float64)


def with_and_without(
    shown: MatchEvidence,
    rows: np.ndarray,
    kind: str,
    composer: Composer,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the evidence for items as queries, as they are and with nothing to find, (q, 4) each.

    A text is its item's first caption, a composed query its picture and that caption, 1 : 1. Its
    item and twins are left out where the query has their picture, and their captions always, like
    all that read the same as the query. For "nothing to find", the item's whole group is left out
    of both.

    Args:
        shown: pictures and captions.
        rows: the items, rows of ``shown.images``; each has a caption.
        kind: text, picture or composed.
        composer: makes the composed queries.
        groups: what is left out together, (n,); None is ``shown.groups``.
    """
    groups = shown.groups if groups is None else groups
    first = dict(zip(shown.owners[::-1], range(len(shown.owners))[::-1], strict=True))
    titles = np.array([first[row] for row in rows])
    texts = shown.captions[titles]
    images = shown.images[rows]
    xq = texts if kind == "text" else images
    if kind == "composed":
        xq = composer.gap.compose([(images, "picture", 1.0), (texts, "text", 1.0)])
    there, nothing = [], []
    step = max(1, CELLS // (len(shown.images) + len(shown.owners)))
    for start in range(0, len(rows), step):
        some, asked = rows[start : start + step], xq[start : start + step]
        others = shown.twins[None] != shown.twins[some][:, None]
        pictures = None if kind == "text" else others
        reads = np.ones((1, 1), bool)
        if kind != "picture":
            own = shown.wordings[titles[start : start + step]]
            reads = shown.wordings[None] != own[:, None]
        there.append(shown.evidence(asked, pictures, others[:, shown.owners] & reads))
        unlike = others & (groups[None] != groups[some][:, None])
        nothing.append(shown.evidence(asked, unlike, unlike[:, shown.owners] & reads))
    return np.vstack(there), np.vstack(nothing)


def _best(scores: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    """Return the mean of each row's five best scores among those kept; -1 where none is, (q,)."""
    if kept is not None:
        scores = np.where(kept, scores, -np.inf)
    k = min(BEST, scores.shape[1])
    if not k:
        return np.full(len(scores), -1.0)
    top = np.partition(scores, scores.shape[1] - k, axis=1)[:, -k:]
    there = np.isfinite(top)
    sums = np.where(there, top, 0).sum(axis=1)
    return np.where(there.any(axis=1), sums / np.maximum(there.sum(axis=1), 1), -1.0)
