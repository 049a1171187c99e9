import numpy as np
import pandas as pd
import pytest

from sigscope.evaluation.model_selection import decided
from sigscope.evaluation.rankings import judge_lists

CLUSTERS = np.arange(40)


def ranking(places):
    """A ranking of 20 rows per query in which the one right row stands at the given place."""
    found = np.tile(np.arange(1, 20), (len(places), 1))
    for row, place in zip(found, places, strict=True):
        row[place - 1] = 0
    return judge_lists(found, [np.array([0])] * len(places), 40)


def settings(count):
    return pd.DataFrame({"weight": range(count)})


def test_the_table_has_hit_rates_their_mean_and_the_gain_over_the_first():
    table = decided(settings(2), [ranking([1, 15]), ranking([5, 6])], np.array([0, 1]))
    rates = table[["hit rate@1", "hit rate@5", "hit rate@10", "mean", "gain"]].to_numpy()
    np.testing.assert_allclose(rates[0], [0.5, 0.5, 0.5, 0.5, 0])
    np.testing.assert_allclose(rates[1], [0, 0.5, 1, 0.5, 0], atol=1e-12)


def test_a_setting_that_is_surely_better_is_chosen():
    better = ranking([1] * 20 + [15] * 20)
    table = decided(settings(3), [ranking([15] * 40), better, better], CLUSTERS)
    assert table["chosen"].tolist() == [False, True, False]  # of equals the earlier


def test_a_setting_that_may_be_no_better_is_not_chosen():
    lucky = ranking([1] * 11 + [15] * 10 + [7] * 19)
    table = decided(settings(2), [ranking([15] * 10 + [1] * 10 + [7] * 20), lucky], CLUSTERS)
    assert table["mean"].iloc[1] > table["mean"].iloc[0]
    assert table["chosen"].tolist() == [True, False]


def test_queries_of_one_picture_count_as_one():
    before, after = ranking([15] * 40), ranking([1] * 20 + [15] * 20)
    table = decided(settings(2), [before, after], np.repeat([0, 1], 20))
    assert (table["low"].iloc[1], table["chosen"].iloc[0]) == (0, True)


def test_queries_without_a_right_answer_are_left_out():
    found = np.array([[0, 1], [0, 1]])
    one = judge_lists(found, [np.array([0]), np.array([], int)], 40)
    table = decided(settings(1), [one], np.array([0, 1]))
    assert table["hit rate@1"].tolist() == [1]


def test_settings_and_rankings_must_match():
    with pytest.raises(ValueError, match="2 settings and 1 rankings"):
        decided(settings(2), [ranking([1])], np.array([0]))
