import faiss
import numpy as np
import pytest
from toy import unit

from sigscope.indexes import faiss_backend, training
from sigscope.indexes.backends import NumpyIndex, SklearnIndex
from sigscope.indexes.faiss_backend import METRICS, FaissIndex
from sigscope.indexes.specs import INDEXES

N, D = 600, 16
FAISS = [name for name, spec in INDEXES.items() if spec.backend == "faiss" and not spec.reranks]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return unit(rng.normal(size=(N, D))), unit(rng.normal(size=(20, D)))


@pytest.fixture(scope="module")
def built(vectors):
    return {name: FaissIndex.build(INDEXES[name], vectors[0]) for name in FAISS}


@pytest.mark.parametrize("name", FAISS)
def test_every_layer_has_the_metric_of_the_spec(name, built):
    index = built[name].index
    assert {index.metric_type, training.core(index).metric_type} == {METRICS[INDEXES[name].metric]}


@pytest.mark.parametrize("name", FAISS)
@pytest.mark.parametrize("count", [1, 150, 500])
def test_a_filter_over_many_rows_finds_as_much_as_one_over_few(
    name, count, built, vectors, monkeypatch
):
    among = np.sort(np.random.default_rng(count).choice(N, count, replace=False))
    k = min(10, count)
    few_scores, few = built[name].search_among(vectors[1], k, among)
    monkeypatch.setattr(faiss_backend, "FEW", 0)
    scores, rows = built[name].search_among(vectors[1], k, among)
    assert np.isin(rows, among).all() and (np.diff(scores, axis=1) <= 0).all()
    shared = [len(set(a) & set(b)) / k for a, b in zip(few, rows, strict=True)]
    assert np.mean(shared) > (0.6 if INDEXES[name].knob else 0.97), "only cells and graphs may miss"
    same = np.equal(few, rows)
    np.testing.assert_allclose(scores[same], few_scores[same], atol=0.02)


@pytest.mark.parametrize("name", ["ivf", "ivf-pq-fast", "hnsw"])
def test_a_filter_that_too_few_rows_pass_at_first_is_searched_wholly(
    name, built, vectors, monkeypatch
):
    monkeypatch.setattr(faiss_backend, "FEW", 0)
    among = np.flatnonzero(np.arange(N) % 2)
    _, rows = built[name].search_among(vectors[1], 300, among, 1)
    assert (np.sort(rows, axis=1) == among).all()


@pytest.mark.parametrize("name", FAISS)
def test_what_is_set_on_the_index_never_changes(name, built, vectors):
    before = faiss.serialize_index(built[name].index)
    for how in ((10,), (10, 1), (10, 3)) if INDEXES[name].knob else ((10,),):
        built[name].search(vectors[1], *how)
        built[name].search_among(vectors[1], 10, np.arange(0, N, 2), *how[1:])
    np.testing.assert_array_equal(before, faiss.serialize_index(built[name].index))


def test_plain_faiss_searches_with_the_default_effort(built, vectors):
    for name in ("ivf", "hnsw", "opq"):
        bare = built[name].index.search(vectors[1], 10)[1]
        np.testing.assert_array_equal(built[name].search(vectors[1], 10)[1], bare)


def test_more_results_than_its_effort_do_not_starve_a_graph(built, vectors):
    _, rows = built["hnsw"].search(vectors[1], 300, 16)
    assert rows.min() >= 0


def test_cells_are_trained_on_a_sample_that_is_the_same_every_time(vectors):
    sample = training._sample(vectors[0], 100, 1)
    assert sample.shape == (100, D) and len(np.unique(sample, axis=0)) == 100
    np.testing.assert_array_equal(sample, training._sample(vectors[0], 100, 1))


def test_too_few_rows_to_train_on_are_repeated():
    xb = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(training._sample(xb, 10, 5), xb[[0, 1, 2, 0, 1]])


def test_a_graph_is_built_with_the_effort_that_is_stated(built):
    assert built["hnsw"].index.hnsw.efConstruction == training.BUILD_BEAM


@pytest.mark.parametrize("kind", [NumpyIndex, SklearnIndex])
def test_brute_force_agrees_with_cosines_worked_by_hand(kind):
    xb = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 1]], np.float32)
    index = kind(xb)
    scores, rows = index.search(np.array([[1, 0], [0.6, 0.8]], np.float32), 2)
    np.testing.assert_allclose(scores, [[1, 0.6], [1, 0.8]], atol=1e-6)
    assert rows[:, 0].tolist() == [0, 2] and rows[0, 1] == 2 and rows[1, 1] in (1, 3)
    _, rows = index.search_among(xb[:1], 2, np.array([1, 2]))
    assert rows.tolist() == [[2, 1]]


def test_numpy_cuts_many_queries_into_batches(vectors, monkeypatch):
    index = NumpyIndex(vectors[0])
    expected = index.search(vectors[1], 7)
    monkeypatch.setattr("sigscope.indexes.backends.AT_ONCE", 3 * N)
    for ours, theirs in zip(index.search(vectors[1], 7), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_numpy_puts_the_lower_row_first_among_equals():
    xb = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    assert NumpyIndex(xb).search(xb[:1], 4)[1][0, :3].tolist() == [0, 1, 2]
