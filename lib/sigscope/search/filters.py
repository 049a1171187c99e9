"""Filters: what the results of a search are chosen from, as one mask over what is searched.

Search and match go by the same mask, and every index is searched among the rows that it leaves.
"""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np

from sigscope.arguments import real
from sigscope.gallery.rows import is_among
from sigscope.search.targets import Target

Choice = str | Sequence[str] | None  # one value, several, or all of them


class Filters(TypedDict, total=False):
    """What results are chosen from; each may be left out, and None leaves nothing out."""

    category: Choice  # only these
    split: Choice  # only these
    ids: Sequence[str] | None  # only these pictures
    max_text: float | None  # at most so much text: `Adjustments.limit_scores`, in [0, 1]


def mask(
    target: Target,
    text_scores: Callable[[], np.ndarray],
    *,
    without: Sequence[str] = (),
    category: Choice = None,
    split: Choice = None,
    ids: Sequence[str] | None = None,
    max_text: float | None = None,
) -> np.ndarray | None:
    """Return which rows of a target may be found, (n,); None: all of them.

    Args:
        target: the pictures, or the captions.
        text_scores: returns those of all rows of the embeddings.
        without: ids that are left out.
        category: only these.
        split: only these.
        ids: only these; those that are not there are passed over.
        max_text: in [0, 1].

    Raises:
        ValueError: nothing has that category or split, or max_text is no text score.
    """
    chosen = {"category": category, "split": split}
    parts = [target.labels[name].rows_with(name, v) for name, v in chosen.items() if v is not None]
    if without:
        parts.append(~is_among(target.index.ids, without))
    if ids is not None:
        parts.append(is_among(target.index.ids, ids))
    if max_text is not None:
        max_text = real("max_text", max_text, "a text score lies from 0 to 1", least=0, most=1)
        parts.append(text_scores()[target.rows] <= max_text)
    return np.logical_and.reduce(parts) if parts else None
