import numpy as np
import pytest
from toy import unit

from sigscope.indexes import reranking
from sigscope.indexes.index import StaleIndex, VectorIndex
from sigscope.indexes.reranking import FullVectors, best_among

N, D = 400, 16


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return unit(rng.normal(size=(N, D))), unit(rng.normal(size=(20, D)))


@pytest.fixture(scope="module")
def ids():
    return [str(row) for row in range(N)]


@pytest.fixture(params=["float32", "float16", "float32.npy", "float16.npy"])
def held(request, vectors, tmp_path):
    """Full vectors in each form they may be given in."""
    kind, _, suffix = request.param.partition(".")
    rows = vectors[0].astype(kind)
    if not suffix:
        return rows
    np.save(tmp_path / "full.npy", rows)
    return tmp_path / "full.npy"


XB = np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0]], np.float32)


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_candidates_are_ranked_by_their_cosine_worked_by_hand(kind):
    found = np.array([[3, 1, 2, -1]])
    scores, rows = FullVectors(XB.astype(kind)).ranked(XB[:1], found, 3)
    assert rows.tolist() == [[2, 1, 3]]  # of rows 3, 1 and 2, whose cosines are -1, 0 and 0.6
    np.testing.assert_allclose(scores, [[0.6, 0, -1]], atol=1e-3)


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_an_empty_slot_stays_empty_and_last(kind):
    scores, rows = FullVectors(XB.astype(kind)).ranked(XB[:1], np.array([[-1, 3, -1]]), 3)
    assert rows.tolist() == [[3, -1, -1]] and np.isneginf(scores).tolist() == [[False, True, True]]


def test_float16_rows_are_widened_as_numpy_does(vectors):
    half = vectors[0].astype(np.float16)
    np.testing.assert_array_equal(FullVectors(half).fetch(np.arange(9)), half[:9].astype("f4"))


@pytest.mark.parametrize("at_once", [1, 7, N])
def test_comparing_every_row_agrees_with_sorting_them(at_once, vectors, monkeypatch):
    monkeypatch.setattr(reranking, "AT_ONCE", at_once)
    (xb, xq), rows = vectors, np.arange(5, 65)
    scores, found = best_among(xb.__getitem__, rows, xq, 10)
    expected = rows[np.argsort(-(xq @ xb[rows].T), axis=1, kind="stable")[:, :10]]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(scores, np.take_along_axis(xq @ xb.T, found, 1), atol=1e-6)


def test_results_carry_the_cosines_of_the_full_vectors(held, vectors, ids):
    xb, xq = vectors
    index = VectorIndex.build("rabitq+rerank", xb, ids, vectors=held)
    scores, rows = index.search(xq, 5, candidates=N)
    np.testing.assert_allclose(scores, np.take_along_axis(xq @ xb.T, rows, 1), atol=1e-3)
    assert index.rerank_bytes_per_vector == D * (2 if "float16" in index.describe() else 4)


def test_a_loaded_index_is_given_its_vectors_again(held, vectors, ids, tmp_path):
    built = VectorIndex.build("ivf-rabitq+rerank", vectors[0], ids)
    built.save(tmp_path / "i")
    loaded = VectorIndex.load(tmp_path / "i", ids=ids, vectors=held)
    (ours, _), (theirs, _) = (index.search(vectors[1], 5) for index in (built, loaded))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("count", [3, 399])
def test_a_filter_is_respected_however_many_rows_it_has(count, vectors, ids, monkeypatch):
    monkeypatch.setattr(reranking, "FEW", 5)
    index = VectorIndex.build("pq-fast+rerank", vectors[0], ids)
    among = np.sort(np.random.default_rng(0).choice(N, count, replace=False))
    _, rows = index.search(vectors[1], 3, rows=among, candidates=20)
    expected = among[np.argsort(-(vectors[1] @ vectors[0][among].T), axis=1)[:, :3]]
    assert (rows == expected).mean() > 0.95


def test_more_candidates_find_more(vectors, ids):
    index = VectorIndex.build("rabitq+rerank", vectors[0], ids)
    exact = np.argsort(-(vectors[1] @ vectors[0].T), axis=1)[:, :5]
    found = [index.search(vectors[1], 5, effort=effort)[1] for effort in (1, 4, 80)]
    shares = [np.mean([len(set(f) & set(e)) for f, e in zip(x, exact, strict=True)]) for x in found]
    assert shares[0] < shares[1] < shares[2] == 5


WRONG = [
    (lambda x: x.astype(np.float64), "float32 or float16, not float64"),
    (lambda x: x[:-1], r"shape \(399, 16\)"),
    (lambda x: x.tolist(), "not list"),
    (lambda x: x[::-1], "not the rows of xb"),
    (lambda x: "missing.npy", "missing.npy is not a .npy file"),
]


@pytest.mark.parametrize("spoil, sentence", WRONG)
def test_wrong_vectors_to_rerank_with_are_refused(spoil, sentence, vectors, ids):
    with pytest.raises(ValueError, match=sentence):
        VectorIndex.build("sq8+rerank", vectors[0], ids, vectors=spoil(vectors[0]))


def test_a_saved_index_refuses_the_vectors_of_another(vectors, ids, tmp_path):
    VectorIndex.build("sq8+rerank", vectors[0], ids).save(tmp_path / "i")
    with pytest.raises(StaleIndex, match="other vectors than those given to re-rank"):
        VectorIndex.load(tmp_path / "i", ids=ids, vectors=vectors[0][::-1])
    with pytest.raises(ValueError, match="re-ranks; give load the vectors"):
        VectorIndex.load(tmp_path / "i", ids=ids)


def test_vectors_for_an_index_that_does_not_rerank_are_refused(vectors, ids):
    with pytest.raises(ValueError, match="'sq8' does not re-rank"):
        VectorIndex.build("sq8", vectors[0], ids, vectors=vectors[0])
