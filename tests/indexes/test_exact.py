import faiss
import numpy as np
import pytest
from toy import unit

from sigscope.indexes import exact
from sigscope.indexes.exact import exact_neighbours, nearest


def cloud(n, d, seed):
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


@pytest.mark.parametrize("block, at_once", [(1, 1), (7, 3), (100, 20), (10_000, 10_000)])
@pytest.mark.parametrize("k", [1, 10, 100, 1000])
def test_exact_neighbours_are_those_of_a_full_sort(k, block, at_once, monkeypatch):
    monkeypatch.setattr(exact, "BLOCK", block)
    monkeypatch.setattr(exact, "AT_ONCE", at_once)
    xb, xq = cloud(200, 8, 0), cloud(25, 8, 1)
    expected = np.argsort(-(xq @ xb.T), axis=1, kind="stable")
    np.testing.assert_array_equal(exact_neighbours(xb, xq, k), expected[:, :k])


@pytest.mark.parametrize("block", [4, 7, 250, 1000])
@pytest.mark.parametrize("queries", [1, 30])
def test_of_equal_scores_the_lower_row_comes_first(block, queries, monkeypatch):
    monkeypatch.setattr(exact, "BLOCK", block)
    xb = np.tile(np.eye(2, dtype=np.float32), (300, 1))  # rows 0, 2, 4 ... are the query's
    found = exact_neighbours(xb, np.repeat(xb[:1], queries, axis=0), 5)
    assert (found == [0, 2, 4, 6, 8]).all() and found.dtype == np.int64


def test_a_tie_at_the_last_place_goes_to_the_lowest_row_that_has_it():
    xb = unit(np.array([[1, 1], [0, 1], [1, 1], [1, 0], [1, 1], [1, 1]]))
    for k in range(1, 7):
        expected = [3, 0, 2, 4, 5, 1][:k]
        assert exact_neighbours(xb, xb[3:4], k).tolist() == [expected]


def test_rows_may_be_a_memory_map_of_float16(tmp_path):
    xb, xq = cloud(300, 8, 0).astype(np.float16), cloud(20, 8, 1)
    np.save(tmp_path / "x.npy", xb)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    expected = np.argsort(-(xq @ xb.astype(np.float32).T), axis=1, kind="stable")[:, :9]
    np.testing.assert_array_equal(exact_neighbours(mapped, xq, 9), expected)


def test_exact_neighbours_agree_with_faiss_over_many_blocks(monkeypatch):
    monkeypatch.setattr(exact, "BLOCK", 600)
    xb, xq = cloud(3000, 16, 1), cloud(30, 16, 2)
    _, found = faiss.knn(xq, xb, 10, metric=faiss.METRIC_INNER_PRODUCT)
    np.testing.assert_array_equal(exact_neighbours(xb, xq, 10), found)


def test_exact_neighbours_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="k is 0"):
        exact_neighbours(cloud(4, 3, 0), cloud(2, 3, 1), 0)
    with pytest.raises(ValueError, match="the same d"):
        exact_neighbours(cloud(4, 3, 0), cloud(2, 2, 1), 3)


def test_no_queries_have_no_neighbours():
    assert exact_neighbours(cloud(4, 3, 0), np.empty((0, 3), np.float32), 9).shape == (0, 4)


def test_nearest_is_what_sorting_all_cosines_finds():
    xb, xq = cloud(50, 6, 0), cloud(7, 6, 1)
    cosines, rows = nearest(xb, xq, 5)
    by_hand = np.argsort(-(xq @ xb.T), axis=1)[:, :5]
    np.testing.assert_array_equal(rows, by_hand)
    np.testing.assert_allclose(cosines, np.take_along_axis(xq @ xb.T, by_hand, 1), rtol=1e-5)


def test_a_query_never_finds_its_own_row_even_among_copies():
    xb = unit(np.array([[1, 0], [1, 0], [1, 0], [0, 1.0]]))
    _, rows = nearest(xb, xb, 3, own=np.arange(4))
    assert [sorted(found) for found in rows] == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


def test_leaving_out_a_row_that_is_not_near_leaves_the_others():
    xb = unit(np.array([[1, 0], [1, 0.1], [1, 0.2], [-1, 0]]))
    _, rows = nearest(xb, xb[:1], 2, own=np.array([3]))
    assert rows.tolist() == [[0, 1]]


def test_more_neighbours_than_rows_is_refused():
    with pytest.raises(ValueError, match="from 1 to 3"):
        nearest(cloud(4, 3, 0), cloud(4, 3, 0), 4, own=np.arange(4))
