import numpy as np
import pytest
from toy import unit
from tqdm import tqdm

from sigscope.ann.budget import IndexBudget
from sigscope.ann.trials import _sample_size, try_on_sample
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES


@pytest.mark.parametrize(
    "n, size",
    [(300, 300), (9_000, 9_000), (30_000, 10_000), (200_000, 25_000), (1_000_000, 50_000)],
)
def test_the_sample_is_an_eighth_of_the_rows_within_bounds(n, size):
    assert _sample_size(n) == size


def tried(n, memory, monkeypatch):
    monkeypatch.setattr("sigscope.ann.trials.LEAST", 800)
    rng = np.random.default_rng(0)
    xb, xq = unit(rng.normal(size=(n, 16))), {"text": unit(rng.normal(size=(30, 16)))}
    entries = {name: INDEXES[name] for name in ("flat", "ivfpq", "hnsw")}
    budget = IndexBudget(0.2, memory, None)
    trials = try_on_sample(entries, xb, xq, 5, budget, rng, tqdm(disable=True))
    return xb, {trial.index: trial for trial in trials}


def test_time_is_forecast_by_how_each_kind_searches(monkeypatch):
    _, trials = tried(6400, None, monkeypatch)
    grown = {name: trial.forecast_ms / trial.ms_median for name, trial in trials.items()}
    expected = {"flat": 8, "ivfpq": 8**0.7, "hnsw": 8**0.7}
    assert grown == pytest.approx(expected) and {t.rows for t in trials.values()} == {800}


def test_bytes_are_forecast_for_all_rows_where_memory_counts(monkeypatch):
    xb, trials = tried(6400, 30.0, monkeypatch)
    sample = VectorIndex.build("ivfpq", xb[:800], range(800)).bytes_per_vector
    whole = VectorIndex.build("ivfpq", xb, range(6400)).bytes_per_vector
    assert sample > 1.5 * whole and trials["ivfpq"].bytes_per_vector == pytest.approx(
        whole, rel=0.2
    )
