import numpy as np
import pytest
from toy_tasks import a_task, unit

from sigscope.indexes.index import VectorIndex
from sigscope.rerank.corrections import Correction, search_corrected


def some_correction(rng, n, *, gated):
    active = rng.random(n) < 0.5 if gated else None
    return Correction(rng.normal(scale=0.3, size=n).astype(np.float32), active)


def test_the_offset_is_subtracted_where_the_nearest_row_is_active():
    correction = Correction(np.array([0.5, 0.1], np.float32), np.array([True, False]))
    scores = np.array([[0.9, 0.8], [0.2, 0.3]])
    np.testing.assert_allclose(correction.apply(scores), [[0.4, 0.7], [0.2, 0.3]], rtol=1e-6)


def test_gates_given_by_hand_overrule_the_active_rows():
    correction = Correction(np.array([0.5, 0.1], np.float32), np.array([True, False]))
    scores = np.array([[0.9, 0.8], [0.2, 0.3]])
    given = correction.apply(scores, gates=np.array([0, 1]))
    np.testing.assert_allclose(given, [[0.9, 0.8], [-0.3, 0.2]], rtol=1e-6)


@pytest.mark.parametrize("gated", [False, True])
def test_fetched_rows_are_corrected_like_the_whole_matrix(gated):
    rng = np.random.default_rng(1)
    scores, correction = rng.normal(size=(6, 9)), some_correction(rng, 9, gated=gated)
    rows = np.argsort(-scores, axis=1)[:, :4]
    fetched = correction.apply(np.take_along_axis(scores, rows, axis=1), rows)
    whole = np.take_along_axis(correction.apply(scores), rows, axis=1)
    np.testing.assert_array_equal(fetched, whole)


def test_scores_of_unnamed_rows_are_refused():
    with pytest.raises(ValueError, match="say with rows="):
        Correction(np.zeros(3, np.float32)).apply(np.zeros((1, 2)))


@pytest.mark.parametrize("gated", [False, True])
def test_one_more_dimension_has_the_effect_of_the_correction(gated):
    rng = np.random.default_rng(2)
    task, correction = a_task(rng), some_correction(rng, 12, gated=gated)
    longer = task.corrected(correction)
    expected = correction.apply(task.xq @ task.xb.T)
    np.testing.assert_allclose(longer.xq @ longer.xb.T, expected, atol=1e-6)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("fetch", [1, 7, 500])
def test_a_corrected_search_finds_what_correcting_everything_finds(gated, fetch):
    rng = np.random.default_rng(4)
    xq, xb = unit(rng, 6), unit(rng, 300)
    both = [some_correction(rng, 300, gated=gated), some_correction(rng, 300, gated=False)]
    index = VectorIndex.build("flat", xb, [str(i) for i in range(300)])
    scores, rows = search_corrected(index.search, xq, 10, both, fetch=fetch)
    cosines = xq @ xb.T
    slowly = both[0].apply(cosines) - both[1].offsets
    np.testing.assert_array_equal(rows, np.argsort(-slowly, axis=1)[:, :10])
    np.testing.assert_allclose(scores, -np.sort(-slowly, axis=1)[:, :10], atol=1e-6)


def test_a_corrected_search_without_corrections_is_the_search():
    rng = np.random.default_rng(5)
    xb = unit(rng, 30)
    index = VectorIndex.build("flat", xb, [str(i) for i in range(30)])
    _, rows = search_corrected(index.search, xb[:4], 3, [])
    np.testing.assert_array_equal(rows, index.search(xb[:4], 3)[1])


def test_empty_slots_stay_last():
    def search(xq, k):
        return np.array([[0.5, 0.4, -np.inf]], np.float32), np.array([[2, 0, -1]])

    correction = Correction(np.array([0, 0, 0.3, -9], np.float32))
    scores, rows = search_corrected(search, np.zeros((1, 2), np.float32), 3, [correction])
    assert rows.tolist() == [[0, 2, -1]]
    assert scores[0, 2] == -np.inf


def test_ranking_some_rows_only_renumbers_the_right_ones():
    rng = np.random.default_rng(6)
    task = a_task(rng, right=[np.array([i, 11]) for i in range(5)])
    narrow = task.among(np.array([11, 3]))
    assert [rows.tolist() for rows in narrow.right] == [[0], [0], [0], [1, 0], [0]]
    np.testing.assert_array_equal(narrow.xb, task.xb[[11, 3]])
    some = some_correction(rng, 12, gated=True)
    np.testing.assert_array_equal(some.among(np.array([11, 3])).offsets, some.offsets[[11, 3]])


def test_ranking_rows_without_a_right_one_is_refused():
    with pytest.raises(ValueError, match="3 queries have no right answer"):
        a_task(np.random.default_rng(7)).among(np.array([0, 1]))
