import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, skew

from sigscope.rerank import hubs


def found_lists():
    """Three queries over four rows; row 2 is in every list and row 3 in none."""
    return np.array([[2, 0], [2, 1], [2, -1]])


def test_k_occurrence_counts_lists_and_skips_empty_slots():
    assert hubs.k_occurrence(found_lists(), 4).tolist() == [1, 1, 3, 0]


def test_k_occurrence_agrees_with_looking_into_every_list(seed=3):
    found = np.random.default_rng(seed).integers(-1, 50, size=(40, 6))
    slowly = [sum(list(row).count(x) for row in found) for x in range(50)]
    assert hubs.k_occurrence(found, 50).tolist() == slowly


def test_k_occurrence_refuses_rows_that_were_not_searched():
    with pytest.raises(ValueError, match="row 2 was found among 2 rows"):
        hubs.k_occurrence(found_lists(), 2)


def test_skewness_is_the_population_form_worked_by_hand():
    # 0 0 0 4: mean 1, off -1 -1 -1 3; E[off^3] = 24 / 4 = 6, sd^2 = 12 / 4 = 3
    assert hubs.skewness(np.array([0, 0, 0, 4])) == pytest.approx(6 / 3**1.5)


def test_skewness_agrees_with_scipy_without_its_bias_correction():
    counts = np.random.default_rng(0).poisson(3, size=500)
    assert hubs.skewness(counts) == pytest.approx(skew(counts, bias=True))


def test_equal_counts_have_no_skewness():
    assert hubs.skewness(np.full(7, 3)) == 0


def test_summary_states_what_was_never_found_and_who_takes_the_places():
    counts = hubs.k_occurrence(found_lists(), 4)
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
