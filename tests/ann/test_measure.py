from dataclasses import dataclass, replace
from time import sleep
from types import SimpleNamespace

import faiss
import numpy as np
import pandas as pd
import pytest
from toy import unit

from sigscope.ann.measure import (
    IndexRun,
    as_table,
    least_seconds,
    measure,
    pareto,
    sweep,
    threads_set,
)
from sigscope.indexes.specs import INDEXES

RUN = IndexRun("a", 1, "text", 10, 0.5, 1.0, 2.0, 100.0, 3.0, 64.0, 0.0, 1, 100, 8, 20)


class Half:
    """An exact index that forgets the rows from ``effort`` on; it records how it was asked."""

    name, build_s, rerank_bytes_per_vector = "half", 0.25, 0.0
    spec, efforts = SimpleNamespace(knob="seen"), (50, 100)

    def __init__(self, xb):
        self.xb, self.d, self.bytes_per_vector, self.asked = xb, xb.shape[1], 4.0 * xb.shape[1], []

    def __len__(self):
        return len(self.xb)

    def search(self, xq, k, *, rows=None, effort=None):
        self.asked.append((len(xq), k, effort, faiss.omp_get_max_threads()))
        scores = xq @ self.xb[:effort].T
        found = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, found, 1), found


@dataclass(frozen=True)
class Halves:
    name: str = "half"
    trouble: str = ""

    def build(self, xb, ids):
        if self.trouble:
            raise RuntimeError(self.trouble)
        return Half(xb)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return unit(rng.normal(size=(100, 8))), unit(rng.normal(size=(20, 8)))


@pytest.fixture(scope="module")
def exact(vectors):
    return np.argsort(-(vectors[1] @ vectors[0].T), axis=1, kind="stable")


def test_a_run_says_what_was_asked_and_what_was_found(vectors, exact):
    run = measure(Half(vectors[0]), vectors[1], exact, 10, kind="text", effort=50)
    assert run.neighbour_recall == pytest.approx((exact[:, :10] < 50).mean())
    assert (run.index, run.effort, run.kind, run.k) == ("half", 50, "text", 10)
    assert (run.n, run.d, run.queries, run.threads) == (100, 8, 20, 1)
    assert (run.build_s, run.bytes_per_vector, run.note) == (0.25, 32.0, "")
    assert 0 < run.ms_median <= run.ms_p95 and run.queries_per_s > 0


def test_the_median_is_of_single_queries_and_the_threads_are_set_for_all(vectors, exact):
    index, before = Half(vectors[0]), faiss.omp_get_max_threads()
    measure(index, vectors[1], exact, 10, kind="text", threads=1, singles=7)
    sizes = [size for size, *_ in index.asked]
    assert (sizes.count(1) - 3) % 7 == 0 and sizes.count(1) > 3  # warm-up, and whole passes
    assert sizes.count(20) >= 1 and sizes[0] == 10
    assert {threads for *_, threads in index.asked} == {1}
    assert faiss.omp_get_max_threads() == before


def test_a_busy_moment_in_one_pass_does_not_count():
    asked = []

    def ask(query):
        asked.append(query)
        sleep(0.06 if len(asked) <= 3 else 0.0)

    assert least_seconds(ask, ["a", "b", "c"]).max() < 0.05
    assert asked[:6] == ["a", "b", "c"] * 2


def test_threads_are_put_back_after_an_error():
    before = faiss.omp_get_max_threads()
    with pytest.raises(KeyError), threads_set(before + 1):
        assert faiss.omp_get_max_threads() == before + 1
        raise KeyError
    assert faiss.omp_get_max_threads() == before
    with pytest.raises(ValueError, match="threads is 0"), threads_set(0):
        pass


def test_k_beyond_the_rows_means_all_of_them(vectors, exact):
    run = measure(Half(vectors[0]), vectors[1], exact, 1000, kind="text")
    assert run.k == 100 and run.neighbour_recall == 1


def test_measuring_refuses_too_few_exact_neighbours_and_no_queries(vectors, exact):
    with pytest.raises(ValueError, match="does not hold 10 neighbours of 20 queries"):
        measure(Half(vectors[0]), vectors[1], exact[:, :9], 10, kind="text")
    with pytest.raises(ValueError, match="no text queries"):
        measure(Half(vectors[0]), vectors[1][:0], exact[:0], 10, kind="text")


def test_a_sweep_measures_every_value_for_every_kind(vectors):
    xb, xq = vectors
    runs = sweep([Halves()], xb, list(range(100)), {"text": xq, "image": xb[:5]}, 5)
    assert [(r.effort, r.kind) for r in runs] == [
        (50, "text"), (50, "image"), (100, "text"), (100, "image")
    ]  # fmt: skip
    assert [r.neighbour_recall for r in runs[2:]] == [1.0, 1.0] and runs[0].neighbour_recall < 1


def test_what_cannot_be_built_has_a_row_that_says_why(vectors):
    xb, xq = vectors
    queries = {"text": xq, "image": xb[:5]}
    entries = [Halves("bad", "it would not train"), Halves()]
    table = as_table(sweep(entries, xb, list(range(100)), queries, 5))
    bad = table[table["index"] == "bad"]
    assert bad["note"].tolist() == 2 * ["it would not train"] and len(table) == 6
    assert bad[["neighbour_recall", "ms_median", "build_s"]].isna().all(axis=None)


def test_a_wrong_name_stops_a_sweep_before_it_begins(vectors):
    with pytest.raises(ValueError, match="no index called 'flatt'; choose from"):
        sweep(["flatt"], vectors[0], list(range(100)), {"text": vectors[1]}, 5)


def test_flat_finds_every_exact_neighbour(vectors):
    (run,) = sweep(["flat"], vectors[0], [str(i) for i in range(100)], {"text": vectors[1]}, 10)
    assert run.neighbour_recall == 1 and run.bytes_per_vector >= 4 * 8
    assert "flat" in INDEXES and run.index == "flat" and run.effort is None


def test_the_table_keeps_the_order_of_the_indexes_and_rises_in_effort():
    runs = [replace(RUN, index=i, effort=e) for i, e in (("z", 9), ("z", 1), ("a", None))]
    table = as_table(runs)
    assert table["index"].tolist() == ["z", "z", "a"]
    assert table["effort"].tolist()[:2] == [1, 9] and table["effort"].isna().tolist()[2]
    assert as_table([]).columns.tolist() == table.columns.tolist()


def test_the_front_holds_what_nothing_beats_in_each_kind():
    table = pd.DataFrame(
        [
            ("text", 0.9, 1.0),  # front
            ("text", 0.8, 1.0),  # beaten: as fast, finds less
            ("text", 0.5, 0.5),  # front: the fastest
            ("image", 0.1, 9.0),  # front: alone of its kind
            ("text", 0.9, 1.0),  # front: the same as the first
            ("text", np.nan, np.nan),  # no numbers
        ],
        columns=["kind", "neighbour_recall", "ms_median"],
    )
    assert pareto(table)["front"].tolist() == [True, False, True, True, True, False]
    assert "front" not in table


def test_a_third_measure_widens_the_front():
    runs = [RUN, replace(RUN, neighbour_recall=0.4, ms_median=2.0, bytes_per_vector=8.0)]
    table = as_table(runs)
    assert pareto(table)["front"].tolist() == [True, False]
    by = ["neighbour_recall", "ms_median", "bytes_per_vector"]
    assert pareto(table, by)["front"].tolist() == [True, True]
    with pytest.raises(ValueError, match="cannot compare by"):
        pareto(table, ["index"])
