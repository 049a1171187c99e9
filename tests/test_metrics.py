"""Metrics against hand-worked cases."""

from math import comb

import numpy as np
import pytest

from sigscope.metrics import (
    bootstrap_interval,
    chance_hit_rate,
    first_right_ranks,
    hit_rate_at_k,
    neighbour_recall,
)

XB = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], dtype=np.float32)
EAST = XB[:1]


def test_neighbour_recall_counts_shared_rows_and_ignores_order():
    exact = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    found = np.array([[4, 3, 9, -1], [5, 6, 7, 8]])
    assert neighbour_recall(found, exact) == pytest.approx(6 / 8)


def test_neighbour_recall_refuses_another_k():
    with pytest.raises(ValueError, match="same queries and k"):
        neighbour_recall(np.zeros((2, 3)), np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("right", "rank"), [([0], 1), ([1], 2), ([3], 4), ([1, 3], 2), ([0, 1], 1)]
)
def test_rank_is_the_place_of_the_best_right_answer(right, rank):
    assert first_right_ranks(EAST, XB, [np.array(right)]).tolist() == [rank]


def test_a_tie_counts_against_the_model():
    tied = np.concatenate([XB, XB])
    assert first_right_ranks(EAST, tied, [np.array([0])]).tolist() == [2]
    assert first_right_ranks(EAST, tied, [np.array([0, 4])]).tolist() == [1]


def test_chunks_do_not_change_ranks():
    rng = np.random.default_rng(0)
    xq, xb = rng.normal(size=(50, 8)), rng.normal(size=(200, 8))
    right = [rng.choice(200, size=3, replace=False) for _ in range(50)]
    whole, small = (first_right_ranks(xq, xb, right, chunk=c) for c in (1000, 7))
    np.testing.assert_array_equal(whole, small)


def test_a_query_without_a_right_answer_is_refused():
    with pytest.raises(ValueError, match="query 0 has no right answer"):
        first_right_ranks(EAST, XB, [np.array([], dtype=int)])


def test_hit_rate_counts_ranks_up_to_k():
    assert hit_rate_at_k(np.array([1, 3, 10, 11]), 10) == 3 / 4


def test_chance_is_one_minus_the_odds_of_drawing_only_wrong_ones():
    by_hand = 1 - comb(10 - 2, 3) / comb(10, 3)
    assert chance_hit_rate(np.array([2]), 10, 3) == pytest.approx(by_hand)
    assert chance_hit_rate(np.array([1, 1]), 10, 3) == pytest.approx(3 / 10)
    assert chance_hit_rate(np.array([1]), 10, 99) == 1


def test_chance_agrees_with_shuffling():
    rng = np.random.default_rng(0)
    best = [rng.permutation(20)[:3].min() + 1 for _ in range(20_000)]
    assert chance_hit_rate(np.array([3]), 20, 5) == pytest.approx(hit_rate_at_k(best, 5), abs=0.01)


def test_interval_widens_when_captions_of_a_picture_agree():
    rng = np.random.default_rng(0)
    hits = np.repeat(rng.random(100) < 0.5, 5)
    pictures = np.repeat(np.arange(100), 5)
    low, high = bootstrap_interval(hits, pictures, np.random.default_rng(0))
    low_each, high_each = bootstrap_interval(hits, np.arange(500), np.random.default_rng(0))
    assert low < hits.mean() < high
    assert (high - low) / (high_each - low_each) == pytest.approx(5**0.5, rel=0.15)


def test_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(600):
        hits = rng.random(150) < 0.3
        low, high = bootstrap_interval(hits, np.arange(150), rng, draws=400)
        held += low <= 0.3 <= high
    assert 0.93 <= held / 600 <= 0.97
