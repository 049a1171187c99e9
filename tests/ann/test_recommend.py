from dataclasses import dataclass, replace
from time import sleep
from types import SimpleNamespace

import numpy as np
import pytest
from toy import unit

from sigscope.ann.candidates import candidates
from sigscope.ann.forecast import Budget, Forecast, Point, Questions, Trial, climb, forecast, tune
from sigscope.ann.halving import sample_sizes
from sigscope.ann.measure import exact_neighbours
from sigscope.ann.recommend import recommend
from sigscope.indexes.exact import neighbour_recall
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES, find_spec

FEW = 400


class First:
    """Knows the first ``effort`` hundredths of the rows, and dawdles."""

    build_s, rerank_bytes_per_vector = 0.1, 0.0

    def __init__(self, name, xb, efforts, nap_s, bytes_per_vector):
        self.name, self.xb, self.efforts, self.nap_s = name, xb, efforts, nap_s
        self.spec, self.d = SimpleNamespace(knob="share" if efforts else ""), xb.shape[1]
        self.bytes_per_vector = bytes_per_vector

    def __len__(self):
        return len(self.xb)

    def search(self, xq, k, *, rows=None, effort=None):
        sleep(self.nap_s * (effort or 100) / 100)
        scores = xq @ self.xb[: max(k, len(self.xb) * (effort or 100) // 100)].T
        found = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, found, 1), found


@dataclass(frozen=True)
class Firsts:
    name: str
    efforts: tuple = (25, 50, 100)
    nap_s: float = 0.0
    bytes_per_vector: float = 64.0
    trouble: str = ""

    def build(self, xb, ids):
        if self.trouble:
            raise RuntimeError(self.trouble)
        return First(self.name, xb, self.efforts, self.nap_s, self.bytes_per_vector)


@pytest.fixture(scope="module")
def vectors():
    return unit(np.random.default_rng(0).normal(size=(FEW, 16)))


@pytest.fixture(scope="module")
def queries():
    rng = np.random.default_rng(1)
    return {kind: unit(rng.normal(size=(40, 16))) for kind in ("text", "image")}


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
    budget = Budget(recall=0.945, memory=100, latency=2)
    assert budget.excess(0.945, 2, 100) == budget.excess(1, 1, 1) == 1
    assert budget.excess(0.945, 3, 100) == pytest.approx(1.5)
    assert budget.excess(0.945, 3, 200) == pytest.approx(3)
    assert budget.excess(0.885, 3, 200) == pytest.approx(3 * (0.115 + 0.005) / (0.055 + 0.005))


def test_a_kept_budget_is_sorted_by_speed_or_by_recall_where_none_is_asked():
    fast, good = (0.95, 1.0, 10), (0.99, 2.0, 10)
    assert Budget(0.9, None, None).key(*fast) < Budget(0.9, None, None).key(*good)
    assert Budget(None, None, 3).key(*good) < Budget(None, None, 3).key(*fast)
    assert Budget(None, None, 1.5).key(*fast) < Budget(None, None, 1.5).key(*good)


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
        Budget(*budget)


def test_climbing_stops_at_the_first_setting_with_recall_enough():
    curve = Curve()
    climb(knob(16, 32, 64, 128), curve, Budget(0.5, None, None), 0)
    assert curve.asked == [16, 32, 64]


def test_climbing_for_recall_alone_stops_where_time_runs_out():
    curve = Curve()
    climb(knob(16, 32, 64, 128), curve, Budget(None, None, 2.0), 0)
    assert curve.asked == [16, 32]


def test_tuning_bisects_between_the_values_of_the_knob():
    point = tune(knob(16, 32, 64, 128), Curve(), Budget(0.4, None, None), 0)
    assert 40 <= point.effort <= 42 and point.recall >= 0.4  # 40 finds exactly enough


def test_tuning_for_recall_uses_up_the_time_there_is():
    point = tune(knob(16, 32, 64, 128), Curve(), Budget(None, None, 5.0), 0)
    assert 47 <= point.effort <= 50


def test_tuning_an_index_without_a_knob_asks_once():
    questions = SimpleNamespace(ask=lambda index, effort, margin: Point(effort, 0.5, 1.0))
    assert tune(knob(), questions, Budget(0.9, None, None), 0) == Point(None, 0.5, 1.0)


def test_the_margin_takes_standard_errors_off_the_worst_kind(vectors, queries):
    index = First("half", vectors, (50,), 0, 64.0)
    questions = Questions.of(vectors, queries, 5)
    worst = []
    for kind, xq in queries.items():
        found, exact = index.search(xq, 5, effort=50)[1], exact_neighbours(vectors, xq, 5)
        each = [np.isin(f, e).mean() for f, e in zip(found, exact, strict=True)]
        assert np.mean(each) == pytest.approx(neighbour_recall(found, exact)), kind
        worst.append(np.mean(each) - 2 * np.std(each) / np.sqrt(40))
    assert questions.ask(index, 50, 2).recall == pytest.approx(min(worst))


def trial(rows, *points, bytes_per_vector=64.0):
    points = [Point(i, recall, ms) for i, (recall, ms) in enumerate(points)]
    return Trial("x", rows, points, bytes_per_vector, 0.0, 1.0)


def test_time_between_two_settings_is_interpolated():
    one = trial(100, (0.5, 1.0), (0.9, 4.0))
    middle = 1.005 - np.sqrt(0.505 * 0.105)  # half way, as shares missed + 0.005 are multiplied
    assert one.ms_at(middle) == pytest.approx(2.0)
    assert one.ms_at(0.9) == pytest.approx(4.0) and one.ms_at(0.2) == 1.0
    assert one.ms_at(0.91) == float("inf")


def test_time_is_forecast_as_a_power_of_the_rows_beyond_what_any_call_takes():
    trials = [trial(100, (0.96, 1.5)), trial(400, (0.96, 2.5))]  # 1 and 2 beyond 0.5: a root
    found = forecast(trials, 1600, Budget(0.95, None, None), call_ms=0.5)
    assert found == Forecast("x", 0.95, pytest.approx(0.5 + 4.0), 64.0)


def test_time_never_grows_faster_than_the_rows_nor_falls():
    steep, flat = [(1.0,), (9.0,)], [(2.0,), (1.0,)]
    for (a,), (b,), expected in ((*steep, 36.0), (*flat, 1.0)):
        trials = [trial(100, (0.96, a)), trial(400, (0.96, b))]
        assert forecast(trials, 1600, Budget(0.95, None, None)).ms == pytest.approx(expected)


def test_bytes_are_forecast_along_a_straight_line():
    per_row = [(1000 + 8 * rows) / rows for rows in (100, 400, 10_000)]
    trials = [trial(100, (0.96, 1.0), bytes_per_vector=per_row[0])]
    trials.append(trial(400, (0.96, 1.0), bytes_per_vector=per_row[1]))
    budget = Budget(0.95, None, None)
    assert forecast(trials, 10_000, budget).bytes_per_vector == pytest.approx(per_row[2])


def test_what_was_tried_on_all_rows_is_not_forecast():
    trials = [trial(100, (0.96, 1.0)), trial(400, (0.96, 5.0), bytes_per_vector=9.0)]
    assert forecast(trials, 400, Budget(0.95, None, None)) == Forecast("x", 0.95, 5.0, 9.0)


def test_a_recall_out_of_reach_is_forecast_at_what_was_reached():
    found = forecast([trial(400, (0.5, 1.0), (0.72, 2.0))], 400, Budget(0.95, None, None))
    assert found == Forecast("x", 0.72, 2.0, 64.0)


@pytest.mark.parametrize(
    "n, sizes",
    [
        (300, [300]),
        (4_000, [1_000, 4_000]),
        (30_000, [625, 2_500, 10_000]),
        (200_000, [1_562, 6_250, 25_000]),
        (1_000_000, [3_125, 12_500, 50_000]),
    ],
)
def test_samples_grow_to_an_eighth_of_the_rows(n, sizes):
    assert sample_sizes(n) == sizes


def names(n, d, memory=None):
    return [find_spec(entry)[0] for entry in candidates(n, d, memory)]


def test_candidates_are_names_of_the_registry_and_a_smaller_graph():
    assert set(names(10_000, 64)) - set(INDEXES) == {"hnsw-16"}
    assert len(set(names(10_000, 64))) == len(names(10_000, 64))


@pytest.mark.parametrize("links", [8, 15, 24])
def test_a_graph_is_cut_to_the_memory_there_is(links):
    xb = unit(np.random.default_rng(0).normal(size=(2000, 16)))
    spec = find_spec("hnsw")[1]
    asked = VectorIndex.build(replace(spec, factory=f"HNSW{links}"), xb, range(2000))
    assert f"hnsw-{links}" in names(2000, 16, asked.bytes_per_vector)


def test_codes_are_cut_to_the_memory_there_is():
    xb = unit(np.random.default_rng(0).normal(size=(5000, 64)))
    cut = [entry for entry in candidates(5000, 64, 33) if getattr(entry, "label", "")]
    assert [spec.label for spec in cut] == ["hnsw-16", "ivf-pq4", "ivf-pq4+rerank"]
    built = VectorIndex.build(cut[-1], xb, range(5000))
    assert 30 < built.bytes_per_vector <= 33 and built.rerank_bytes_per_vector == 256
    assert names(5000, 64, 20) == names(5000, 64, 100) == names(5000, 64)


def test_it_recommends_the_quicker_of_two_that_find_everything(vectors, queries):
    found = recommend(vectors, queries, among=[Firsts("slow", (), 0.004), Firsts("quick", ())], k=5)
    assert (found.name, found.effort, found.met) == ("quick", None, True)
    assert len(found.index) == FEW and found.reason.startswith("quick keeps the budget: on 20")
    assert [(run.kind, run.n, run.queries) for run in found.verified] == [
        ("text", FEW, 20),
        ("image", FEW, 20),
    ]
    rows = found.table.set_index(["index", "queries"])
    assert rows.loc[("slow", "tuned on"), "ms_median"] > 4
    assert rows.loc[("quick", "held out"), "note"] == "recommended"


def test_it_turns_the_knob_no_further_than_needed(vectors, queries):
    found = recommend(
        vectors, queries, recall=0.6, k=5, among=[Firsts("one", (25, 50, 100), 0.001)]
    )
    assert found.met and 50 < found.effort < 85  # the rows are alike: a share finds that share


def test_a_budget_nobody_can_meet_gets_the_nearest_miss(vectors, queries):
    candidates = [Firsts("large", (), 0.0, 640.0), Firsts("small", (), 0.0, 160.0)]
    found = recommend(vectors, queries, memory=80, among=candidates, k=5)
    assert (found.name, found.met) == ("small", False)
    assert found.reason.startswith("Nothing keeps the budget; small misses 80 bytes a vector by 80")


def test_the_best_recall_in_the_time_there_is(vectors, queries):
    candidates = [Firsts("half", (50,)), Firsts("all but late", (), 0.006), Firsts("most", (90,))]
    found = recommend(vectors, queries, recall=None, latency=3, among=candidates, k=5)
    assert (found.name, found.effort, found.met) == ("most", 90, True)


def test_a_candidate_that_fails_is_in_the_table_with_its_reason(vectors, queries):
    candidates = [Firsts("broken", trouble="it would not train"), Firsts("fine", ())]
    found = recommend(vectors, queries, among=candidates, k=5)
    notes = found.table.set_index("index")["note"]
    assert found.name == "fine" and notes["broken"] == "failed: it would not train"
    with pytest.raises(ValueError, match="no candidate .*it would not train"):
        recommend(vectors, queries, among=candidates[:1], k=5)


def test_the_queries_it_verifies_with_are_not_those_it_tuned_on(vectors, queries):
    asked = []

    class Listening(Firsts):
        def build(self, xb, ids):
            index = super().build(xb, ids)
            search = index.search
            index.search = lambda xq, k, **how: (asked.append(len(xq)), search(xq, k, **how))[1]
            return index

    found = recommend(vectors, queries["text"], among=[Listening("one", ())], k=5)
    assert found.verified[0].kind == "query" and found.verified[0].queries == 20
    assert set(asked) == {1, 10, 20}


def test_too_few_queries_are_refused(vectors, queries):
    with pytest.raises(ValueError, match="3 text queries are too few"):
        recommend(vectors, {"text": queries["text"][:3]})
    with pytest.raises(ValueError, match="there are no queries"):
        recommend(vectors, {})


def test_the_registry_is_what_it_chooses_from(vectors, queries):
    found = recommend(vectors, queries, memory=40, among=["flat", "sq8"], k=5, recall=0.9)
    assert found.name == "sq8" and found.met and found.index.bytes_per_vector < 40
    _, rows = found.index.search(queries["text"], 5, effort=found.effort)
    assert neighbour_recall(rows, exact_neighbours(vectors, queries["text"], 5)) > 0.9
