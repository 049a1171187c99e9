"""Intervals and paired tests: hand-worked cases, and simulations of what they promise."""

import numpy as np
import pytest
from scipy.stats import norm

from sigscope.evaluation.intervals import (
    _sign_flip_test,
    bootstrap_interval,
    interval,
    paired_difference,
    wilson_interval,
)


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


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_interval_of_clustered_captions_holds_the_truth_as_often_as_it_says(level):
    rng = np.random.default_rng(1)
    pictures, held = np.repeat(np.arange(120), rng.integers(1, 6, size=120)), 0
    for _ in range(500):
        ease = rng.beta(1, 2, size=120)  # of each picture, shared by its captions: mean 1/3
        hits = rng.random(pictures.size) < ease[pictures]
        low, high = bootstrap_interval(hits, pictures, rng, draws=300, level=level)
        held += low <= 1 / 3 <= high
    assert held / 500 == pytest.approx(level, abs=0.04)


def by_resampling(values, clusters, rng, draws=2000):
    """The interval as it was written out here before scipy drew it."""
    member = np.unique(clusters, return_inverse=True)[1]
    sums, counts = np.bincount(member, weights=values), np.bincount(member)
    drawn = rng.integers(0, len(sums), size=(draws, len(sums)))
    return np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])


def test_the_interval_is_what_it_was_before_scipy_drew_it():
    rng = np.random.default_rng(3)
    values, pictures = rng.random(400), rng.integers(0, 150, size=400)
    found = bootstrap_interval(values, pictures, np.random.default_rng(0))
    before = by_resampling(values, pictures, np.random.default_rng(0))
    assert found == pytest.approx(tuple(before), abs=1e-15)


def test_one_picture_leaves_no_width():
    assert bootstrap_interval([0.0, 1.0], [7, 7], np.random.default_rng(0)) == (0.5, 0.5)


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (3, 50), (6, 50), (50, 50), (1, 1)])
def test_wilsons_formula_is_what_it_was_before_scipy_worked_it_out(hits, trials):
    z, share = norm.ppf(0.975), hits / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) * z / (1 + z**2 / trials)
    before = max(centre - half, 0.0), min(centre + half, 1.0)
    assert wilson_interval(hits, trials) == pytest.approx(before, abs=1e-15)


def test_pictures_with_more_captions_count_for_more():
    pictures = np.repeat([0, 1], [1, 9])
    rng = np.random.default_rng(0)
    assert bootstrap_interval(np.full(10, 0.5), pictures, rng) == (0.5, 0.5)
    one_of_ten = bootstrap_interval(pictures == 0, pictures, rng, level=0.4)
    assert one_of_ten == pytest.approx((0.1, 0.1)), "half of the draws have both pictures"


def test_memory_bound_does_not_change_the_draws(monkeypatch):
    values, pictures = np.random.default_rng(0).random(300), np.arange(300) // 3
    whole = bootstrap_interval(values, pictures, np.random.default_rng(0))
    monkeypatch.setattr("sigscope.evaluation.intervals.DRAWN_BYTES", 32 * 100 * 7)
    again = bootstrap_interval(values, pictures, np.random.default_rng(0))
    assert again == pytest.approx(whole, rel=1e-12), "sums may be added up in another order"


def test_all_misses_still_leave_room_for_some():
    low, high = interval(np.zeros(50), np.arange(50), np.random.default_rng(0))
    assert low == 0 and high == pytest.approx(1.96**2 / (50 + 1.96**2), abs=1e-3)
    few = interval(np.ones(50), np.arange(50) // 10, np.random.default_rng(0))
    assert few[0] == pytest.approx(5 / (5 + 1.96**2), abs=1e-3), "five pictures, not fifty"


def test_wilson_is_brown_cai_and_dasguptas_example_and_symmetric():
    assert wilson_interval(15, 50) == pytest.approx((0.1910, 0.4375), abs=1e-4)
    low, high = wilson_interval(4, 10)
    assert wilson_interval(6, 10) == pytest.approx((1 - high, 1 - low))


def test_sign_flips_are_counted_exactly_when_few():
    assert _sign_flip_test(np.ones(3), np.arange(3), np.random.default_rng(0)) == 2 / 8
    assert _sign_flip_test(np.array([2, 1, -1.0]), np.arange(3), np.random.default_rng(0)) == 6 / 8
    assert _sign_flip_test(np.zeros(9), np.arange(9), np.random.default_rng(0)) == 1


def test_captions_of_one_picture_flip_together():
    agreeing, pictures = np.ones(20), np.repeat(np.arange(4), 5)
    assert _sign_flip_test(agreeing, pictures, np.random.default_rng(0)) == 2 / 2**4


def test_paired_p_is_even_where_two_systems_are_alike_and_its_interval_holds():
    rng = np.random.default_rng(2)
    pictures, ps, held = np.repeat(np.arange(40), 3), [], 0
    for _ in range(300):
        first, second = (rng.normal(size=40)[pictures] + rng.normal(size=120) for _ in range(2))
        found = paired_difference(first, second, pictures, rng, draws=200)
        ps.append(found.p)
        held += found.low <= 0 <= found.high
    assert np.mean(np.array(ps) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(ps) < 0.5) == pytest.approx(0.5, abs=0.09)
    assert held / 300 == pytest.approx(0.95, abs=0.04)


def test_pairing_sees_what_two_intervals_cannot():
    rng = np.random.default_rng(0)
    first = rng.random(400)
    second = first + 0.02 + 0.01 * rng.normal(size=400)
    found = paired_difference(first, second, np.arange(400), rng)
    assert found.difference == pytest.approx(0.02, abs=0.002) and found.p < 0.001
    assert 0.015 < found.low < found.high < 0.025
    assert bootstrap_interval(second, np.arange(400), rng)[0] < first.mean()


@pytest.mark.parametrize(
    ("values", "clusters", "sentence"),
    [
        ([1.0, np.nan], [0, 1], "1 of 2 values are nan"),
        ([], [], "there are no values"),
        ([1.0], [0, 1], "give one for each"),
    ],
)
def test_values_that_cannot_be_are_refused(values, clusters, sentence):
    with pytest.raises(ValueError, match=sentence):
        bootstrap_interval(values, clusters, np.random.default_rng(0))
