"""Named rows: of very many pictures with a word of the query, those that can be found by it."""

from collections.abc import Callable

import numpy as np

NEARLY = 1e-5  # of a score, which rounding may take off
Found = Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]]


def worth_scoring(
    named: np.ndarray, lift: np.ndarray, k: int, found: Found, best: float, by: str
) -> np.ndarray:
    """Return those of some rows that can be among the k best, rising.

    The k that words lift most are scored. What words lift so little that with the best cosine of
    all it would score less than each of these cannot be among the k best.

    Args:
        named: rows that have words, rising.
        lift: what words add to the score of each row, (n,).
        k: how many are wanted.
        found: returns the k best cosines among some rows, and these rows.
        best: no cosine is above it.
        by: "both", or "words" where the lift alone counts.
    """
    if named.size <= k:
        return named
    highest = named[np.argpartition(-lift[named], k - 1)[:k]]
    floor = lift[highest].min()
    if by == "both":
        scores, rows = found(k, np.sort(highest))
        if len(rows) < k:  # some are left out of every search
            return named
        floor = (scores + lift[rows]).min() - best
    return named[lift[named] >= floor - NEARLY]
