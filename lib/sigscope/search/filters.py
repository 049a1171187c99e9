"""Filters: what the results of a search are chosen from."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
import pandas as pd

from sigscope.rerank.corrections import Correction
from sigscope.search.targets import Target

Choice = str | Sequence[str] | None  # one value, several, or all of them
BELOW_ALL = 4.0  # taken off a cosine, it puts a picture below every other, whatever else is


class Filters(TypedDict, total=False):
    """What results are chosen from; each may be left out, and None leaves nothing out."""

    category: Choice  # only these
    split: Choice  # only these
    max_text: float | None  # only pictures whose text score (`text_heavy`) is at most this


def text_limit(text_scores: np.ndarray, max_text: float) -> Correction:
    """Return the correction that puts pictures with a higher text score than max_text last.

    `allowed` then takes them out of the results. An index need not know of it.

    Args:
        text_scores: in [0, 1], shape (n,).
        max_text: in [0, 1].
    """
    _check(max_text)
    return Correction(np.where(text_scores > max_text, BELOW_ALL, 0).astype(np.float32))


def allowed(table: pd.DataFrame, k: int, without: Sequence[str] = ()) -> pd.DataFrame:
    """Return the first k results that `text_limit` left and that are not to be left out."""
    kept = (table["score"].to_numpy() > -BELOW_ALL / 2) & ~table["id"].isin(list(without))
    table = table[kept].head(k).reset_index(drop=True)
    return table.assign(rank=np.arange(1, len(table) + 1))


def mask(
    target: Target,
    text_scores: Callable[[], np.ndarray],
    *,
    without: Sequence[str] = (),
    category: Choice = None,
    split: Choice = None,
    max_text: float | None = None,
) -> np.ndarray | None:
    """Return which rows of a target may be found, (n,); None: all of them.

    Args:
        target: the pictures.
        text_scores: returns those of all rows of the embeddings.
        without: ids that are left out.
        category: only these.
        split: only these.
        max_text: in [0, 1].
    """
    chosen = {"category": category, "split": split}
    parts = [target.labels[name].rows_with(name, v) for name, v in chosen.items() if v is not None]
    if without:
        parts.append(~np.isin(target.index.ids, list(without)))
    if max_text is not None:
        _check(max_text)
        parts.append(text_scores()[target.rows] <= max_text)
    return np.logical_and.reduce(parts) if parts else None


def _check(max_text: float) -> None:
    if not 0 <= max_text <= 1:
        raise ValueError(f"max_text is {max_text}; a text score lies from 0 to 1")
