from types import SimpleNamespace

import numpy as np
import pytest
from toy import unit

from sigscope.ann.budget import IndexBudget, Point, Questions, _climb, tune
from sigscope.indexes.exact import exact_neighbours, neighbour_recall


class Curve:
    """Questions answered from a formula: recall rises with effort and so does time."""

    def __init__(self):
        self.asked = []

    def ask(self, index, effort, margin):
        self.asked.append(effort)
        return Point(effort, min(1.0, effort / 100), effort / 10)


def knob(*efforts):
    return SimpleNamespace(efforts=efforts, bytes_per_vector=64.0)


def test_excess_multiplies_the_factors_by_which_a_budget_is_missed():
    budget = IndexBudget(recall=0.945, memory=100, latency=2)
    assert budget.excess(0.945, 2, 100) == budget.excess(1, 1, 1) == 1
    assert budget.excess(0.945, 3, 100) == pytest.approx(1.5)
    assert budget.excess(0.945, 3, 200) == pytest.approx(3)
    assert budget.excess(0.885, 3, 200) == pytest.approx(3 * (0.115 + 0.005) / (0.055 + 0.005))


def test_a_kept_budget_is_sorted_by_speed_or_by_recall_where_none_is_asked():
    fast, good = (0.95, 1.0, 10), (0.99, 2.0, 10)
    assert IndexBudget(0.9, None, None).key(*fast) < IndexBudget(0.9, None, None).key(*good)
    assert IndexBudget(None, None, 3).key(*good) < IndexBudget(None, None, 3).key(*fast)
    assert IndexBudget(None, None, 1.5).key(*fast) < IndexBudget(None, None, 1.5).key(*good)


@pytest.mark.parametrize(
    "budget, sentence",
    [
        ((None, 100, None), "ask for a recall or a latency"),
        ((1.5, None, None), "recall is 1.5; it is a share"),
        ((0, None, None), "recall is 0;"),
        ((0.9, -1, None), "memory is -1; it must be above 0"),
        ((0.9, None, 0), "latency is 0; it must be above 0"),
    ],
)
def test_what_cannot_be_a_budget_is_refused(budget, sentence):
    with pytest.raises(ValueError, match=sentence):
        IndexBudget(*budget)


def test_climbing_stops_at_the_first_setting_with_recall_enough():
    curve = Curve()
    _climb(knob(16, 32, 64, 128), curve, IndexBudget(0.5, None, None), 0)
    assert curve.asked == [16, 32, 64]


def test_climbing_for_recall_alone_stops_where_time_runs_out():
    curve = Curve()
    _climb(knob(16, 32, 64, 128), curve, IndexBudget(None, None, 2.0), 0)
    assert curve.asked == [16, 32]


def test_tuning_bisects_between_the_values_of_the_knob():
    point = tune(knob(16, 32, 64, 128), Curve(), IndexBudget(0.4, None, None), 0)
    assert 40 <= point.effort <= 42 and point.recall >= 0.4  # 40 finds exactly enough


def test_tuning_for_recall_uses_up_the_time_there_is():
    point = tune(knob(16, 32, 64, 128), Curve(), IndexBudget(None, None, 5.0), 0)
    assert 47 <= point.effort <= 50


def test_tuning_an_index_without_a_knob_asks_once():
    questions = SimpleNamespace(ask=lambda index, effort, margin: Point(effort, 0.5, 1.0))
    assert tune(knob(), questions, IndexBudget(0.9, None, None), 0) == Point(None, 0.5, 1.0)


def test_the_margin_takes_standard_errors_off_the_worst_kind():
    vectors = unit(np.random.default_rng(0).normal(size=(400, 16)))
    rng, half, worst = np.random.default_rng(1), np.arange(200), []
    queries = {kind: unit(rng.normal(size=(40, 16))) for kind in ("text", "image")}
    found = {kind: exact_neighbours(vectors[half], xq, 5) for kind, xq in queries.items()}
    index = SimpleNamespace(
        search=lambda xq, k, effort: (None, exact_neighbours(vectors[half], xq, k))
    )
    questions = Questions.of(vectors, queries, 5)
    for kind, xq in queries.items():
        exact = exact_neighbours(vectors, xq, 5)
        each = [np.isin(f, e).mean() for f, e in zip(found[kind], exact, strict=True)]
        assert np.mean(each) == pytest.approx(neighbour_recall(found[kind], exact)), kind
        worst.append(np.mean(each) - 2 * np.std(each) / np.sqrt(40))
    assert questions.ask(index, 50, 2).recall == pytest.approx(min(worst))
