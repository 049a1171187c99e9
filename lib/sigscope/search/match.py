"""Match: does a gallery hold what a query asks for, or are its best results only the least wrong?

A cosine alone does not say: each query has scores of its own. What tells is its evidence: how far
its five best pictures stand out of its own scores over the gallery, and how near its five nearest
captions are. What evidence is worth is learnt from the gallery: captions and pictures of its own
are asked once as they are, and once with all that is like them left out, so that nothing is there
to be found.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sigscope.gallery.walk import count_of
from sigscope.search.compose import Composer
from sigscope.search.evidence import BEST, FEWEST, MatchEvidence, with_and_without

KINDS = ("text", "picture", "composed")
MISSED = 0.05  # share of queries with a match that may be said to have none
MISTAKEN = 0.10  # share of queries without a match that may be said to have a good one
SMALLEST = 1e-6
FEW = 10  # pictures, among which nothing stands out
ROUGHLY_NONE = -0.55  # of what Flickr8k's val shows, 1 % of sentences and 2 % of words lie below
FAR = 0.75  # robust deviations of the best above the second: 3 % of made-up words have as many
SAYS = {
    "good": "What was asked for is here, or something very like it.",
    "weak": "What was asked for may not be here.",
    "none": "What was asked for is probably not here.",
}
SHORT = {"good": "good match", "weak": "weak match", "none": "no good match"}


@dataclass(frozen=True)
class Match:
    """What is said of one query.

    Attributes:
        label: "good"; "weak" (it may be there); or "none".
        chance: share of the queries with nothing to find whose evidence is at least as good, in
            [0, 1]; nan where the gallery cannot be learnt from.
        excess: how far the mean of the five best scores lies above the query's median score, in
            robust standard deviations; without calibration less what chance gives (`excess`).
        sentence: what is said to a person.
        short: the same in a few words.
    """

    label: str
    chance: float
    excess: float
    sentence: str
    short: str

    @property
    def found(self) -> bool:
        """Whether there is anything to show as a match, good or weak."""
        return self.label != "none"

    def named(self, count: int) -> "Match":
        """Return what is said where so many pictures have the words of the query."""
        if not count or self.label == "good":
            return self
        sentence = f"These words are in the captions or names of {count_of(count, 'picture')}."
        return replace(self, label="good", sentence=sentence, short=f"{SHORT['good']} by words")


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the evidence for one kind of query is worth: a logistic regression and its yardsticks.

    ``value`` is the log odds that something is there, among as many queries with as without.
    """

    weights: np.ndarray  # (4,)
    intercept: float
    nothing: np.ndarray  # values of the queries with nothing to find
    none_below: float
    good_from: float

    @classmethod
    def learnt(cls, there: np.ndarray, nothing: np.ndarray) -> "Calibration":
        """Return it from the evidence of queries with and without something to find, (q, 4)."""
        from sklearn.linear_model import LogisticRegression

        both = np.vstack([there, nothing])
        mean, scale = both.mean(axis=0), np.maximum(both.std(axis=0), SMALLEST)
        label = np.repeat([1, 0], [len(there), len(nothing)])
        model = LogisticRegression().fit((both - mean) / scale, label)
        weights = model.coef_[0] / scale
        intercept = float(model.intercept_[0] - weights @ mean)
        values = both @ weights + intercept
        none_below = np.quantile(values[label == 1], MISSED)
        good_from = np.quantile(values[label == 0], 1 - MISTAKEN)
        good_from = max(none_below, good_from)
        return cls(weights, intercept, values[label == 0], float(none_below), float(good_from))

    def value(self, evidence: np.ndarray) -> np.ndarray:
        """Return the log odds for evidence (q, 4), shape (q,)."""
        return evidence @ self.weights + self.intercept

    def match(self, evidence: np.ndarray) -> Match:
        """Return what is said of a query with this evidence, (4,)."""
        value = float(self.value(evidence[None])[0])
        chance = float(np.mean(self.nothing >= value))
        label = "none" if value < self.none_below else "weak"
        label = "good" if value >= self.good_from else label
        sentence = (
            f"{SAYS[label]} Of queries with nothing to find here, {chance:.0%} score at least as "
            "well."
        )
        short = f"{SHORT[label]} ({chance:.0%} of queries with nothing to find score as well)"
        return Match(label, chance, excess(evidence, 0), sentence, short)


class Matcher:
    """Says how well queries match one gallery; learns when first asked; threads may share it."""

    def __init__(self, shown: Callable[[], MatchEvidence], composer: Composer) -> None:
        """Keep what is needed; nothing is computed yet.

        Args:
            shown: returns what evidence is taken from.
            composer: makes the composed queries to learn from.
        """
        self._make_shown, self.composer = shown, composer
        self._shown: MatchEvidence | None = None
        self._learnt: dict[str, Calibration | None] = {}
        self._lock = threading.Lock()

    @property
    def shown(self) -> MatchEvidence:
        """What evidence is taken from, gathered now if it was not needed before."""
        with self._lock:
            if self._shown is None:
                self._shown = self._make_shown()
            return self._shown

    def calibration(self, kind: str) -> Calibration | None:
        """Return what evidence is worth for a kind of query in ``KINDS``; None: it is not known."""
        if kind not in KINDS:
            raise ValueError(f"there is no kind of query {kind!r}; choose from {', '.join(KINDS)}")
        shown = self.shown
        with self._lock:
            if kind not in self._learnt:
                self._learnt[kind] = _learnt(shown, kind, self.composer)
            return self._learnt[kind]

    def judge(self, vector: np.ndarray, kind: str, kept: np.ndarray | None = None) -> Match:
        """Return how well a query matches.

        Args:
            vector: the query's unit vector, (d,).
            kind: text, picture or composed.
            kept: mask of the pictures that may be found, of all that are searched; None: of all.
        """
        calibration, shown = self.calibration(kind), self.shown
        kept = None if kept is None else kept[:: shown.step]
        pictures = None if kept is None else kept[None]
        captions = None if kept is None else kept[shown.owners][None]
        evidence = shown.evidence(vector[None], pictures, captions)[0]
        n = len(shown.images) if kept is None else int(kept.sum())
        unlearnt = calibration is None or 0 < n < FEW
        match = _uncalibrated(evidence, n) if unlearnt else calibration.match(evidence)
        if match.found or not n:
            return match
        scores = (shown.images if kept is None else shown.images[kept]) @ vector
        second, first = np.partition(scores, -2)[-2:]
        if first - second < FAR * evidence[2]:
            return match
        sentence = f"{SAYS['weak']} But one picture stands far above all others."
        return replace(match, label="weak", sentence=sentence, short=SHORT["weak"])


def excess(evidence: np.ndarray, n: int) -> float:
    """Return how far the best five stand above the middle, less what chance would give of n.

    The share of (i - 3/8) / (n + 1/4) is where the i-th best of n normal numbers is expected (Blom
    1958). With n = 0 nothing is taken off.
    """
    from scipy.stats import norm

    best, middle, spread = evidence[:3]
    standing = (best - middle) / max(spread, SMALLEST)
    if not n:
        return float(standing)
    ranks = np.arange(1, min(BEST, n) + 1)
    return float(standing - norm.isf((ranks - 0.375) / (n + 0.25)).mean())


def _uncalibrated(evidence: np.ndarray, n: int) -> Match:
    """Return what can be said where the gallery teaches nothing: only how far the best stand out.

    "good" means a whole robust standard deviation farther than the best five of n numbers from a
    bell curve would, "none" by `ROUGHLY_NONE` less far than they.
    """
    if n < FEW:
        few = f"{count_of(n, 'picture')} {'is' if n == 1 else 'are'}"
        sentence = f"{few} too few to tell whether what was asked for is here."
        return Match("weak", float("nan"), 0.0, sentence, "too few to tell")
    if evidence[2] <= SMALLEST:
        sentence = f"All {n:,} pictures score alike: whether it is here cannot be told."
        return Match("weak", float("nan"), 0.0, sentence, "all alike")
    over = excess(evidence, n)
    label = "good" if over >= 1 else "weak" if over > ROUGHLY_NONE else "none"
    return Match(
        label,
        float("nan"),
        over,
        f"{SAYS[label]} That is a rough guide, as this gallery has too few captions or categories "
        f"to learn from: the best stand {over:+.1f} deviations above chance.",
        f"{SHORT[label]}, roughly",
    )


def _learnt(shown: MatchEvidence, kind: str, composer: Composer) -> Calibration | None:
    """Return the calibration for a kind of query, or None where too little is there to learn."""
    if len(shown.asked) < FEWEST or len(np.unique(shown.groups)) < 2:
        return None
    return Calibration.learnt(*with_and_without(shown, shown.asked, kind, composer))
