"""The ladder: candidates tried on random samples of growing size, fewer on each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from sigscope.ann.forecast import Budget, Forecast, Questions, Trial, climb, forecast
from sigscope.ann.measure import build, name_of, single_ms
from sigscope.indexes.specs import IndexSpec

LARGEST_SAMPLE = 50_000  # rows
SMALLEST_SAMPLE = 512
LITTLE = 10_000  # so few rows are not worth sampling from
SHARE = 8  # above that, the largest sample is 1/8 of the rows
STEP = 4  # from one sample to the next
SAMPLES = 3
KEPT = 4  # candidates that go on to the largest sample
SLACK = 1.2  # a forecast may err by this, times the fourth root of how far it reaches
CAUTION = 1.0  # standard errors taken off a recall


def sample_sizes(n: int) -> list[int]:
    """Return how many rows each sample has, rising; the last may be all n."""
    largest = min(n, max(LITTLE, min(LARGEST_SAMPLE, n // SHARE)))
    sizes = [largest // STEP**step for step in reversed(range(SAMPLES))]
    return [size for size in sizes if size >= min(SMALLEST_SAMPLE, n)]


class Ladder:
    """The samples, and what the candidates did on them."""

    def __init__(
        self,
        vectors: np.ndarray,
        queries: Mapping[str, np.ndarray],
        k: int,
        budget: Budget,
        rng: np.random.Generator,
        bar: tqdm,
    ) -> None:
        """Shuffle the rows; the samples are what comes first, so each holds the one before."""
        self.vectors, self.queries, self.k, self.budget = vectors, queries, k, budget
        self.bar = bar
        self.order = rng.permutation(len(vectors))
        self.entries: dict[str, str | IndexSpec] = {}
        self.trials: dict[str, list[Trial]] = {}
        self.notes: dict[str, str] = {}
        self.call_ms = 0.0

    def climb(self, candidates: Sequence[str | IndexSpec]) -> None:
        """Try the candidates on samples of growing size, fewer each time."""
        self.entries = {name_of(entry): entry for entry in candidates}
        going = list(self.entries)
        sizes = sample_sizes(len(self.vectors))
        for place, size in enumerate(sizes):
            self.bar.set_description(f"{size:,} rows")
            sample = np.ascontiguousarray(self.vectors[np.sort(self.order[:size])])
            questions = Questions.of(sample, self.queries, self.k)
            self.call_ms = self.call_ms or _call_ms(sample, questions)
            for name in going:
                self._try(name, sample, questions)
                self.bar.update()
            if place == len(sizes) - 2:
                going = self._going_on()

    def _try(self, name: str, sample: np.ndarray, questions: Questions) -> None:
        try:
            index = build(self.entries[name], sample, [str(row) for row in range(len(sample))])
            points = climb(index, questions, self.budget, CAUTION)
        except Exception as error:  # it is no candidate; the table says why
            self.notes[name] = f"failed: {error or type(error).__name__}"
            return
        sizes = index.bytes_per_vector, index.rerank_bytes_per_vector, index.build_s
        self.trials.setdefault(name, []).append(Trial(name, len(sample), points, *sizes))

    def _going_on(self) -> list[str]:
        """Return the names worth a larger sample, and note of the others that they were dropped."""
        ranked, going = self.ranked(), []
        for place, one in enumerate(ranked):
            rows = self.trials[one.name][-1].rows
            slow = one.ms > self._slack(rows) * ranked[0].ms and self.budget.recall is not None
            worse = self._key(one)[0] > self._key(ranked[0])[0]
            if place >= KEPT or (place and (slow or worse)):
                self.notes[one.name] = f"dropped at {rows:,} rows"
            else:
                going.append(one.name)
        return going

    def _slack(self, rows: int) -> float:
        """Return how many times quicker than forecast from so many rows an index may turn out."""
        reach = len(self.vectors) / rows
        return 1.0 if reach <= 1 else SLACK * reach**0.25

    def lenient(self, name: str) -> Budget:
        """Return the budget with as much more latency as the forecast of an index may err."""
        if self.budget.latency is None:
            return self.budget
        slack = self._slack(self.trials[name][-1].rows)
        return replace(self.budget, latency=self.budget.latency * slack)

    def _key(self, one: Forecast) -> tuple[float, float, float]:
        return self.lenient(one.name).key(one.recall, one.ms, one.bytes_per_vector)

    def forecast(self, name: str) -> Forecast:
        """Return what one index is expected to do over all rows."""
        trials = self.trials[name]
        return forecast(trials, len(self.vectors), self.lenient(name), self.call_ms)

    def ranked(self) -> list[Forecast]:
        """Return the forecasts of all that did not fail or drop out, best first.

        A latency that is missed by less than a forecast may err counts as kept.
        """
        names = [name for name in self.trials if name not in self.notes]
        return sorted(map(self.forecast, names), key=self._key)


def _call_ms(sample: np.ndarray, questions: Questions) -> float:
    """Return the milliseconds of a search that has next to nothing to do."""
    rows = min(len(sample), 2 * questions.k)
    tiny = build("flat", sample[:rows], [str(row) for row in range(rows)])
    xq = next(iter(questions.queries.values()))
    return float(np.median(single_ms(tiny, xq, questions.k, None)))
