from dataclasses import dataclass
from time import sleep
from types import SimpleNamespace

import numpy as np
import pytest
from toy import unit

from sigscope.ann.recommend import recommend
from sigscope.indexes.exact import exact_neighbours, neighbour_recall

pytestmark = pytest.mark.slow

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
    one = Firsts("one", (25, 50, 100), 0.001)
    found = recommend(vectors, queries, recall=0.6, k=5, among=[one])
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
