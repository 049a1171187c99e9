"""Which pictures and texts of a batch belong together: the rule of `evaluate`, in a batch.

Right for a caption are its own picture, every picture with an equal caption (ignoring case, any of
its captions), and marked duplicates of these. None of them may be taught as wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd


class Matches:
    """Knows for every caption of a training set which pictures it is right for."""

    def __init__(self, items: pd.DataFrame) -> None:
        """Read the items' ``captions`` and ``duplicate_of``; pictures are numbered by their row."""
        kept = items["duplicate_of"].where(items["duplicate_of"] != "", items["id"])
        self._key = pd.factorize(kept)[0]
        self._keys_of: dict[str, set[int]] = defaultdict(set)
        for key, captions in zip(self._key, items["captions"], strict=True):
            for caption in captions:
                self._keys_of[caption.casefold()].add(int(key))

    def right(self, rows: np.ndarray, captions: Sequence[str]) -> np.ndarray:
        """Return which picture and text of a batch belong together, int64, shape (p, 2).

        Args:
            rows: the picture of each of n pairs, shape (n,); one may come more than once.
            captions: the caption of each, as the items have it.

        Returns:
            Numbers below n of a picture and a text, ordered by picture; every (i, i) is among them.
        """
        places = defaultdict(list)
        for place, key in enumerate(self._key[rows]):
            places[int(key)].append(place)
        pairs = {
            (picture, text)
            for text, caption in enumerate(captions)
            for key in self._keys_of[caption.casefold()]
            for picture in places.get(key, ())
        }
        return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
