"""Hubness reduction, learnt from a bank of queries: each ends as a `Correction`.

The bank are queries of the kind that will be asked, never those of the test: the captions of the
train split when captions are asked for pictures, its pictures when pictures are asked for captions.
Below, S(b, x) is the cosine of bank query b and row x, and m the number of bank queries.

A bank query's own right answers are left out of the fit. Being found by one's own caption is no
sign of a hub; and only rows of the train split have a caption in the bank, so with it their offsets
are larger for that reason alone, and a test whose right answers all are in the test split gains
from that what no user would. Leaving them out lessens this and does not end it: captions of the
train split are near to other pictures of train as well. So look at the test split's rows alone too
(`Task.among`); notebook 7 does, and finds no gain there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from sigscope.indexes.exact import cosines_float64
from sigscope.rerank.corrections import CELLS, Correction

Right = Sequence[np.ndarray]  # for each query, the rows that are right answers to it


class HubnessReduction(Protocol):
    """One setting of a reduction."""

    def fit(self, bank: np.ndarray, xb: np.ndarray, right: Right | None = None) -> Correction:
        """Return the correction of the rows of xb, its offsets centred to a mean of 0.

        Centring changes no order and leaves corrected scores where cosines are.

        Args:
            bank: unit queries, float32, shape (m, d).
            xb: unit rows that are searched, float32, shape (n, d).
            right: for each bank query the rows to leave out as right; None leaves out none, which
                suits a log of queries to which no row belongs.

        Raises:
            ValueError: the bank is empty, or too small for the setting.
        """


@dataclass(frozen=True)
class Unchanged:
    """No reduction: the score stays the cosine. What the others have to beat."""

    def fit(self, bank: np.ndarray, xb: np.ndarray, right: Right | None = None) -> Correction:
        """Return offsets of 0."""
        return Correction(np.zeros(len(xb), np.float32))


@dataclass(frozen=True)
class InvertedSoftmax:
    """Inverted softmax (Smith et al. 2017, "Offline bilingual word vectors", section 2.3).

    A softmax over queries instead of over answers, exp(S(q, x) / T) / sum_b exp(S(b, x) / T). Its
    logarithm times T ranks alike: offset(x) = T log((1 / m) sum_b exp(S(b, x) / T)).

    Attributes:
        temperature: T > 0 in units of cosine (the paper's 1 / beta). A large T subtracts the mean
            over the bank, a small one the largest cosine.
    """

    temperature: float = 0.05

    def __post_init__(self) -> None:
        """Refuse a temperature that is not above 0."""
        if not self.temperature > 0:
            raise ValueError(f"the temperature is {self.temperature}; it must be above 0")

    def fit(self, bank: np.ndarray, xb: np.ndarray, right: Right | None = None) -> Correction:
        """Return the correction; see `HubnessReduction`."""
        return Correction(_per_row(bank, xb, right, self._soft_maximum))

    def _soft_maximum(self, scores: np.ndarray) -> np.ndarray:
        top = scores.max(axis=0)
        terms = np.exp((scores - top) / self.temperature)
        there = np.count_nonzero(np.isfinite(scores), axis=0)
        return top + self.temperature * np.log(terms.sum(axis=0, dtype=np.float64) / there)


@dataclass(frozen=True)
class QueryBankNorm:
    """QB-Norm (Bogolin et al. 2022, "Cross modal retrieval with querybank normalisation", 3.3).

    The inverted softmax, but only for queries whose nearest row is in the activation set
    A = {x: x is among the k best rows of some bank query}: the "dynamic inverted softmax".

    Attributes:
        temperature: T of the inverted softmax, in units of cosine.
        k: how many rows a bank query activates; 1 in the paper.
    """

    temperature: float = 0.05
    k: int = 1

    def fit(self, bank: np.ndarray, xb: np.ndarray, right: Right | None = None) -> Correction:
        """Return the correction and its activation set; see `HubnessReduction`."""
        offsets = InvertedSoftmax(self.temperature).fit(bank, xb, right).offsets
        active, k = np.zeros(len(xb), bool), min(self.k, len(xb))
        step = max(1, CELLS // len(xb))
        for start in range(0, len(bank), step):
            own = None if right is None else right[start : start + step]
            scores = _without(cosines_float64(bank[start : start + step], xb), own)
            active[np.argpartition(-scores, k - 1, axis=1)[:, :k]] = True
        return Correction(offsets, active)


@dataclass(frozen=True)
class CSLS:
    """Cross-domain similarity local scaling (Conneau et al. 2018, "Word translation …", 2.3).

    CSLS(q, x) = 2 cos(q, x) - r(q) - r(x), where r is the mean cosine to the k nearest of the
    other side. r(q) changes no order; the rest, halved, is the corrected score with
    offset(x) = weight * (the mean of the k largest S(b, x)).

    Attributes:
        k: how many bank queries count as near; 10 in the paper.
        weight: 0.5 is CSLS; other weights are our generalisation.
    """

    k: int = 10
    weight: float = 0.5

    def fit(self, bank: np.ndarray, xb: np.ndarray, right: Right | None = None) -> Correction:
        """Return the correction; see `HubnessReduction`."""
        if not 1 <= self.k <= len(bank):
            raise ValueError(
                f"CSLS asks for {self.k} of {len(bank)} bank queries; enlarge the bank"
            )
        return Correction(_per_row(bank, xb, right, self._nearness))

    def _nearness(self, scores: np.ndarray) -> np.ndarray:
        largest = np.partition(scores, len(scores) - self.k, axis=0)[-self.k :]
        if np.isneginf(largest).any():
            raise ValueError(f"a row has under {self.k} bank queries not its own; enlarge the bank")
        return self.weight * largest.mean(axis=0, dtype=np.float64)


TEMPERATURES = (0.01, 0.02, 0.05, 0.1, 0.2)
HUBNESS_REDUCTIONS: dict[
    str, tuple[HubnessReduction, ...]
] = {  # the settings among which `choose` looks
    "unchanged": (Unchanged(),),
    "inverted softmax": tuple(InvertedSoftmax(t) for t in TEMPERATURES),
    "QB-Norm": tuple(QueryBankNorm(t) for t in TEMPERATURES),
    "CSLS": tuple(CSLS(k, w) for k in (1, 10, 50) for w in (0.25, 0.5, 0.75)),
}


def name_of(reduction: HubnessReduction) -> str:
    """Return what ``HUBNESS_REDUCTIONS`` calls this kind, or else the name of its class."""
    names = {type(settings[0]): name for name, settings in HUBNESS_REDUCTIONS.items()}
    return names.get(type(reduction), type(reduction).__name__)


def setting_of(reduction: HubnessReduction) -> str:
    """Return the numbers of a reduction in words: "k 10, weight 0.5"."""
    return ", ".join(f"{name} {value:g}" for name, value in asdict(reduction).items())


def _per_row(
    bank: np.ndarray,
    xb: np.ndarray,
    right: Right | None,
    statistic: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return a statistic over the bank of S(b, x) for each row x, centred, float32, shape (n,)."""
    parts = [statistic(scores) for scores in _bank_scores(bank, xb, right)]
    offsets = np.concatenate(parts)
    return (offsets - offsets.mean()).astype(np.float32)


def _bank_scores(bank: np.ndarray, xb: np.ndarray, right: Right | None) -> Iterator[np.ndarray]:
    """Yield S(b, x) for some rows of xb at a time, shape (m, rows); a right pair is -inf."""
    if not len(bank):
        raise ValueError("the bank has no queries; give those of the train split")
    if right is not None and len(right) != len(bank):
        raise ValueError(f"{len(bank)} bank queries need as many lists of rows, not {len(right)}")
    query, row = _pairs(right)
    step = max(1, CELLS // len(bank))
    for start in range(0, len(xb), step):
        scores = cosines_float64(bank, xb[start : start + step])
        here = (row >= start) & (row < start + step)
        scores[query[here], row[here] - start] = -np.inf
        if np.isneginf(scores.max(axis=0)).any():
            raise ValueError("a row is right for every bank query; enlarge the bank")
        yield scores


def _without(scores: np.ndarray, right: Right | None) -> np.ndarray:
    scores[_pairs(right)] = -np.inf
    return scores


def _pairs(right: Right | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the query and the row of each right pair, int64, both (pairs,)."""
    right = [] if right is None else right
    queries = np.repeat(np.arange(len(right)), [len(rows) for rows in right]).astype(np.int64)
    return queries, np.concatenate([np.empty(0, np.int64), *right]).astype(np.int64)
