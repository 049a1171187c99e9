import numpy as np
import pytest
from toy_tasks import unit

from sigscope.rerank import hubness
from sigscope.rerank.hubness import CSLS, InvertedSoftmax, QueryBankNorm

ANGLES = (0.0, 60.0, 90.0)


def rows_at(*degrees):
    angle = np.deg2rad(np.array(degrees))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def some(seed=0, m=40, n=25):
    rng = np.random.default_rng(seed)
    right = [rng.choice(n, size=2, replace=False) for _ in range(m)]
    return unit(rng, m), unit(rng, n), right


def slowly(bank, xb, right, statistic):
    """The statistic of each row over the bank queries to which it is not right, centred."""
    offsets = [
        statistic(np.array([b @ x for b, own in zip(bank, right, strict=True) if row not in own]))
        for row, x in enumerate(xb)
    ]
    return np.array(offsets) - np.mean(offsets)


def test_csls_subtracts_half_the_mean_cosine_of_the_nearest_bank_queries():
    # rows at 0 and 90 degrees, bank at 0, 60, 90: the two nearest cosines are 1, .5 and 1, .866
    offsets = CSLS(k=2).fit(rows_at(*ANGLES), rows_at(0, 90)).offsets
    expected = 0.5 * np.array([(1 + 0.5) / 2, (1 + np.sqrt(0.75)) / 2])
    np.testing.assert_allclose(offsets, expected - expected.mean(), atol=1e-6)


def test_the_inverted_softmax_ranks_like_its_formula():
    bank, xb, _ = some()
    correction = InvertedSoftmax(0.1).fit(bank, xb)
    scores = bank[:5] @ xb.T
    formula = np.exp(scores / 0.1) / np.exp(bank @ xb.T / 0.1).sum(axis=0)
    logs = 0.1 * np.log(formula)
    np.testing.assert_allclose(
        np.ptp(logs - correction.apply(scores), axis=1), 0, atol=1e-5
    )  # they differ by a constant


@pytest.mark.parametrize("cells", [50, 8_000_000])
def test_csls_agrees_with_going_through_the_bank_one_by_one(monkeypatch, cells):
    monkeypatch.setattr(hubness, "CELLS", cells)
    bank, xb, right = some(1)
    expected = slowly(bank, xb, right, lambda s: 0.7 * np.mean(sorted(s)[-3:]))
    np.testing.assert_allclose(CSLS(3, 0.7).fit(bank, xb, right).offsets, expected, atol=1e-6)


@pytest.mark.parametrize("cells", [50, 8_000_000])
def test_inverted_softmax_agrees_with_going_through_the_bank_one_by_one(monkeypatch, cells):
    monkeypatch.setattr(hubness, "CELLS", cells)
    bank, xb, right = some(2)
    expected = slowly(bank, xb, right, lambda s: 0.05 * np.log(np.mean(np.exp(s / 0.05))))
    found = InvertedSoftmax(0.05).fit(bank, xb, right).offsets
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("cells", [50, 8_000_000])
def test_qb_norm_activates_the_rows_that_bank_queries_find(monkeypatch, cells):
    monkeypatch.setattr(hubness, "CELLS", cells)
    bank, xb, right = some(3)
    scores = bank @ xb.T
    for row, own in zip(scores, right, strict=True):
        row[own] = -2
    expected = {int(x) for row in scores for x in np.argsort(-row)[:2]}
    correction = QueryBankNorm(0.05, k=2).fit(bank, xb, right)
    assert set(np.flatnonzero(correction.active)) == expected
    np.testing.assert_array_equal(
        correction.offsets, InvertedSoftmax(0.05).fit(bank, xb, right).offsets
    )


def test_a_row_is_not_a_hub_for_being_found_by_its_own_caption():
    bank, xb = rows_at(0, 90), rows_at(0, 90, 45)
    kept = CSLS(k=1).fit(bank, xb).offsets
    left_out = CSLS(k=1).fit(bank, xb, [np.array([0]), np.array([1])]).offsets
    assert kept[0] > kept[2] and left_out[0] < left_out[2]


def test_a_small_temperature_takes_the_largest_cosine_and_a_large_one_the_mean():
    bank, xb, right = some(4)
    largest, mean = CSLS(1, 1.0).fit(bank, xb, right), slowly(bank, xb, right, np.mean)
    cold, hot = (InvertedSoftmax(t).fit(bank, xb, right).offsets for t in (1e-4, 100))
    np.testing.assert_allclose(cold, largest.offsets, atol=1e-3)
    np.testing.assert_allclose(hot, mean, atol=1e-3)


@pytest.mark.parametrize(
    "reduction", [InvertedSoftmax(0.05), QueryBankNorm(0.05), CSLS(2), CSLS(2, 1.0)]
)
def test_a_hub_is_pushed_down_and_the_right_row_comes_first(reduction):
    # the row at 45 degrees is near all of the bank; the others answer to one direction each
    xb, bank, query = rows_at(0, 90, 45), rows_at(30, 40, 50, 60), rows_at(25, 65)
    assert np.argmax(query @ xb.T, axis=1).tolist() == [2, 2]
    corrected = reduction.fit(bank, xb).apply(query @ xb.T)
    assert np.argmax(corrected, axis=1).tolist() == [0, 1]


def test_qb_norm_leaves_a_query_alone_whose_nearest_row_no_bank_query_finds():
    xb, bank, query = rows_at(0, 90, 45), rows_at(30, 40, 50, 60), rows_at(5, 25)
    corrected = QueryBankNorm(0.05).fit(bank, xb).apply(query @ xb.T)
    np.testing.assert_array_equal(corrected[0], (query @ xb.T)[0])
    assert (corrected[1] != (query @ xb.T)[1]).all()


@pytest.mark.parametrize(
    ("reduction", "bank", "right", "sentence"),
    [
        (CSLS(k=4), rows_at(*ANGLES), None, "CSLS asks for 4 of 3"),
        (CSLS(k=3), rows_at(*ANGLES), [np.array([0])] * 2 + [[]], "under 3 bank queries"),
        (InvertedSoftmax(), rows_at(*ANGLES), [np.array([0])] * 3, "right for every bank query"),
        (InvertedSoftmax(), rows_at(), None, "the bank has no queries"),
        (InvertedSoftmax(), rows_at(*ANGLES), [np.array([0])], "need as many lists"),
    ],
)
def test_a_bank_that_cannot_serve_is_refused_with_a_sentence(reduction, bank, right, sentence):
    with pytest.raises(ValueError, match=sentence):
        reduction.fit(bank, rows_at(0, 90), right)


def test_a_temperature_of_nothing_is_refused():
    with pytest.raises(ValueError, match="must be above 0"):
        InvertedSoftmax(0.0)


def test_every_setting_in_the_table_has_its_name_and_unchanged_is_first():
    assert next(iter(hubness.HUBNESS_REDUCTIONS)) == "unchanged"
    for name, settings in hubness.HUBNESS_REDUCTIONS.items():
        assert {hubness.name_of(setting) for setting in settings} == {name}
