"""Corrections: what is subtracted from a cosine so that some rows come up less often.

    corrected score(q, x) = cosine(q, x) - gate(q) * offset(x),    gate(q) is 0 or 1

One number per row, so an index can serve it (`search_corrected`), and one more dimension of the
vectors has the same effect (`Correction.extend`), so all that ranks by inner product can rank by
it. A corrected score is no cosine; compare such scores within one search only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sigscope.indexes.exact import cosines_float64

CELLS = 8_000_000  # scores held at once


@dataclass(frozen=True, eq=False)
class Correction:
    """The offsets of n rows, and for which queries they are subtracted.

    Attributes:
        offsets: float32, shape (n,), in units of cosine.
        active: mask of rows, shape (n,): gate(q) is 1 where the row nearest q is active. None
            means that it is 1 for every query.
    """

    offsets: np.ndarray
    active: np.ndarray | None = None

    def gates(self, nearest: np.ndarray) -> np.ndarray:
        """Return gate(q), float32 0 or 1, shape (queries,), from each query's nearest row."""
        if self.active is None:
            return np.ones(len(nearest), np.float32)
        return self.active[nearest].astype(np.float32)

    def apply(
        self,
        scores: np.ndarray,
        rows: np.ndarray | None = None,
        *,
        gates: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return corrected scores, float32, in the shape and the order of scores.

        Args:
            scores: cosines, (queries, n), or (queries, fetched) together with rows.
            rows: the row of each score, as an index returns them; None: column j is row j.
            gates: gate(q), shape (queries,); None works it out from the best score of each query.
        """
        scores = np.asarray(scores, dtype=np.float32)
        if rows is None and scores.shape[1] != len(self.offsets):
            raise ValueError(
                f"{scores.shape[1]} columns of scores and {len(self.offsets)} offsets; say with "
                "rows= which row each column is"
            )
        if gates is None:
            best = scores.argmax(axis=1)
            gates = self.gates(best if rows is None else rows[np.arange(len(rows)), best])
        taken = self.offsets if rows is None else self.offsets[rows]
        return scores - np.asarray(gates, np.float32)[:, None] * taken

    def extend(
        self, xq: np.ndarray, xb: np.ndarray, *, gates: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return xq and xb with one more dimension, whose inner product is the corrected score.

        Args:
            xq: queries, float32, shape (queries, d).
            xb: the n rows, float32, shape (n, d).
            gates: as in `apply`.

        Returns:
            float32, shapes (queries, d + 1) and (n, d + 1); these are not unit rows.
        """
        if gates is None:
            always = np.zeros(len(xq), np.int64)
            gates = self.gates(always if self.active is None else _nearest(xq, xb))
        column = np.asarray(gates, np.float32)[:, None]
        return np.hstack([xq, column]), np.hstack([xb, -self.offsets[:, None]])

    def among(self, rows: np.ndarray) -> "Correction":
        """Return the correction of these rows alone, in this order."""
        return Correction(self.offsets[rows], None if self.active is None else self.active[rows])


def search_corrected(
    search: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]],
    xq: np.ndarray,
    k: int,
    corrections: Sequence[Correction],
    *,
    fetch: int = 100,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k best rows by corrected score, using a plain search for candidates.

    Candidates are fetched by cosine and corrected. A row that was not fetched scores at most the
    last fetched cosine minus the smallest offsets; until each query's k-th score reaches that,
    twice as many are fetched. With an exact search the answer is therefore exact.

    Args:
        search: (xq, k) -> cosines, rows, best first, -1 and -inf in empty slots: what
            ``VectorIndex.search`` gives, with its filters bound. The nearest row, on which a gate
            may depend, is then the nearest of those searched.
        xq: unit queries, float32, shape (queries, d).
        k: how many results, >= 1.
        corrections: subtracted one after another; each gate goes by the cosines.
        fetch: candidates fetched at first.

    Returns:
        Corrected scores, float32, and rows, int64, both (queries, at most k), best first.
    """
    if not corrections:
        return search(xq, k)
    n = len(corrections[0].offsets)
    fetch = min(max(fetch, k), n)
    while True:
        cosines, rows = search(xq, fetch)
        if not cosines.shape[1]:
            return cosines, rows
        scores, unseen = cosines, cosines[:, -1]
        for correction in corrections:
            gates = correction.gates(rows[:, 0])
            scores = correction.apply(scores, rows, gates=gates)
            unseen = unseen - gates * correction.offsets.min()
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(scores, order, axis=1)
        if fetch >= n or cosines.shape[1] < fetch or (best[:, -1] >= unseen).all():
            return best, np.take_along_axis(rows, order, axis=1)
        fetch = min(2 * fetch, n)


def _nearest(xq: np.ndarray, xb: np.ndarray) -> np.ndarray:
    """Return the row nearest each query, int64, shape (queries,)."""
    step = max(1, CELLS // len(xb))
    parts = [cosines_float64(xq[i : i + step], xb).argmax(axis=1) for i in range(0, len(xq), step)]
    return np.concatenate([np.empty(0, np.int64), *parts])
