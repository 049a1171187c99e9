import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from sigscope.ann.difficulty import k_occurrence
from sigscope.rerank import hubs


def found_lists():
    """Three queries over four rows; row 2 is in every list and row 3 in none."""
    return np.array([[2, 0], [2, 1], [2, -1]])


def test_summary_states_what_was_never_found_and_who_takes_the_places():
    counts = k_occurrence(found_lists(), 4)
    summary = hubs.hub_summary(counts, queries=3, k=2)
    assert (summary["never_found"], summary["largest"]) == (0.25, 3)
    assert summary["top_share"] == pytest.approx(3 / 5)
    assert summary["chance_never_found"] == pytest.approx(0.5**3)


def test_chance_in_the_summary_is_that_of_the_binomial():
    summary = hubs.hub_summary(np.ones(200, int), queries=50, k=10)
    chance = binom(50, 10 / 200)
    assert summary["chance_skewness"] == pytest.approx(float(chance.stats("s")))
    assert summary["chance_never_found"] == pytest.approx(chance.pmf(0))


def test_occurrence_table_tells_rows_and_how_many_have_at_least_that_many():
    table = hubs.occurrence_table(np.array([1, 1, 3, 0]))
    expected = {"occurrence": [0, 1, 3], "rows": [1, 2, 1], "at_least": [1.0, 0.75, 0.25]}
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected))


def test_hub_gallery_lists_the_largest_first_and_keeps_the_order_of_equals():
    table = hubs.hub_gallery(np.array([1, 1, 3, 0]), ["a", "b", "c", "d"], queries=3, top=3)
    assert table["id"].tolist() == ["c", "a", "b"]
    assert table["share"].tolist() == [1.0, 1 / 3, 1 / 3]
