"""Metrics against hand-worked cases, and against ir-measures (trec_eval)."""

from math import comb, log2

import ir_measures
import numpy as np
import pytest

from sigscope.evaluation.metrics import (
    MEASURES,
    average_precision,
    chance_hit_rate,
    cosine_gain_ndcg,
    measured,
    ndcg_at_k,
)
from sigscope.evaluation.rankings import Rankings, from_lists, rank_relevant
from sigscope.indexes.exact import neighbour_recall

XB = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], dtype=np.float32)
EAST = XB[:1]


def test_neighbour_recall_counts_shared_rows_and_ignores_order():
    exact = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    found = np.array([[4, 3, 9, -1], [5, 6, 7, 8]])
    assert neighbour_recall(found, exact) == pytest.approx(6 / 8)


def test_neighbour_recall_refuses_another_k():
    with pytest.raises(ValueError, match="same queries and k"):
        neighbour_recall(np.zeros((2, 3)), np.zeros((2, 4)))


def test_chance_is_one_minus_the_odds_of_drawing_only_wrong_ones():
    by_hand = 1 - comb(10 - 2, 3) / comb(10, 3)
    assert chance_hit_rate(np.array([2]), 10, 3) == pytest.approx(by_hand)
    assert chance_hit_rate(np.array([1, 1]), 10, 3) == pytest.approx(3 / 10)
    assert chance_hit_rate(np.array([1]), 10, 99) == 1


def test_chance_agrees_with_shuffling():
    rng = np.random.default_rng(0)
    best = [rng.permutation(20)[:3].min() + 1 for _ in range(20_000)]
    assert chance_hit_rate(np.array([3]), 20, 5) == pytest.approx(
        np.mean(np.array(best) <= 5), abs=0.01
    )


RANKED = Rankings(  # one query: right at places 1, 3 and 6 of ten, and a fourth that was not found
    places=np.array([1, 3, 6]),
    query=np.zeros(3, np.int64),
    grades=np.ones(3),
    n_right=np.array([4]),
    ideal=np.ones(4),
    n=10,
)


@pytest.mark.parametrize(
    ("measure", "by_hand"),
    [
        ("hit rate@1", 1),
        ("recall@3", 2 / 4),
        ("recall@99", 3 / 4),
        ("precision@5", 2 / 5),
        ("precision@20", 3 / 20),
        ("MRR", 1),
        ("AP", (1 / 1 + 2 / 3 + 3 / 6) / 4),
        ("AP@5", (1 / 1 + 2 / 3) / 4),
        ("AP of best@3", (1 / 1 + 2 / 3) / 3),
        ("AP of found@5", (1 / 1 + 2 / 3) / 2),
        ("AP of found@99", (1 / 1 + 2 / 3 + 3 / 6) / 3),
        ("R-precision", 2 / 4),
        ("NDCG@3", (1 + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / log2(4))),
        ("NDCG@1", 1),
    ],
)
def test_measures_are_the_sums_one_does_by_hand(measure, by_hand):
    assert measured(RANKED, measure) == pytest.approx([by_hand])


def test_reciprocal_rank_and_hits_are_zero_for_what_is_not_found():
    late = from_lists(np.array([[1, 2, 3], [1, 2, -1]]), [np.array([3]), np.array([0])], 4)
    assert measured(late, "MRR").tolist() == [1 / 3, 0]
    assert measured(late, "MRR@2").tolist() == [0, 0]
    assert measured(late, "hit rate@3").tolist() == [1, 0]


def test_graded_ndcg_weighs_grades_by_the_stated_gain():
    grades = [np.array([1.0, 3.0])]
    ranked = from_lists(np.array([[7, 0, 1]]), [np.array([0, 1])], 8, grades=grades)
    steep = (1 / log2(3) + 7 / log2(4)) / (7 + 1 / log2(3))
    flat = (1 / log2(3) + 3 / log2(4)) / (3 + 1 / log2(3))
    assert measured(ranked, "NDCG@3") == pytest.approx([steep])
    assert measured(ranked, "linear NDCG@3") == pytest.approx([flat])


@pytest.mark.parametrize("name", [name for name in MEASURES])
def test_a_query_with_nothing_right_has_no_measure(name):
    ranked = rank_relevant(EAST.repeat(2, axis=0), XB, [np.array([], np.int64), np.array([0])])
    values = measured(ranked, f"{name}@2" if name not in ("MRR", "R-precision") else name)
    assert np.isnan(values[0]) and values[1] > 0


def test_only_found_can_fall_as_k_grows():
    rng = np.random.default_rng(0)
    xq, xb = rng.normal(size=(40, 6)), rng.normal(size=(60, 6))
    ranked = rank_relevant(xq, xb, [rng.choice(60, 5, replace=False) for _ in xq])
    rises = {
        over: np.diff([average_precision(ranked, k, over=over) for k in (5, 10, 20, 50)], axis=0)
        for over in ("right", "best", "found")
    }
    assert (rises["right"] >= 0).all() and (rises["best"] >= 0).all()
    assert (rises["found"] < 0).any()


def test_an_unknown_measure_denominator_or_gain_lists_those_there_are():
    with pytest.raises(ValueError, match=r"no measure 'recal@5'; choose from hit rate"):
        measured(RANKED, "recal@5")
    with pytest.raises(ValueError, match="choose from right, best, found"):
        average_precision(RANKED, over="all")
    with pytest.raises(ValueError, match="choose from exponential, linear"):
        ndcg_at_k(RANKED, gain="cubic")
    with pytest.raises(ValueError, match="k is 0"):
        measured(RANKED, "recall@0")


def test_cosine_gain_ndcg_by_hand():
    gain = 2 ** np.array([0.8, 1, 0.96, 0.6]) - 1  # by the cosine with row 1, kNN's first
    exact, found = np.array([[1, 2, 0]]), np.array([[0, 3, -1]])
    dcg = gain[0] + gain[3] / log2(3)
    ideal = gain[1] + gain[2] / log2(3) + gain[0] / log2(4)
    assert cosine_gain_ndcg(found, exact, XB) == pytest.approx([dcg / ideal])
    assert cosine_gain_ndcg(exact, exact, XB) == pytest.approx([1])


def test_cosine_gain_ndcg_keeps_knns_order_and_so_can_pass_one():
    exact, found = np.array([[0, 3, 1]]), np.array([[0, 1, 3]])
    assert cosine_gain_ndcg(found, exact, XB)[0] > 1


ORACLE = {  # ours: theirs
    "hit rate@5": "Success@5",
    "recall@10": "R@10",
    "precision@5": "P@5",
    "precision@100": "P@100",
    "MRR": "RR",
    "AP": "AP",
    "AP@10": "AP@10",
    "NDCG@10": "nDCG(gains={1:1,2:3,3:7})@10",
    "linear NDCG@10": "nDCG@10",
    "linear NDCG": "nDCG",
    "R-precision": "Rprec",
}


@pytest.fixture(scope="module")
def judged_twice():
    """The same random lists, ranked by us and as ir-measures wants them."""
    rng = np.random.default_rng(0)
    found = np.stack([rng.permutation(40)[:30] for _ in range(60)])
    found[:5, 7:] = -1
    right = [rng.choice(40, rng.integers(1, 12), replace=False) for _ in found]
    grades = [rng.integers(1, 4, len(rows)).astype(float) for rows in right]
    qrels = [
        ir_measures.Qrel(str(q), str(row), int(grade))
        for q, rows in enumerate(right)
        for row, grade in zip(rows, grades[q], strict=True)
    ]
    run = [
        ir_measures.ScoredDoc(str(q), str(row), float(-place))
        for q, rows in enumerate(found)
        for place, row in enumerate(rows[rows >= 0])
    ]
    return from_lists(found, right, 40, grades=grades), qrels, run


@pytest.mark.parametrize("ours", ORACLE)
def test_measures_agree_with_ir_measures_query_by_query(ours, judged_twice):
    ranked, qrels, run = judged_twice
    measure = ir_measures.parse_measure(ORACLE[ours])
    theirs = {int(m.query_id): m.value for m in ir_measures.iter_calc([measure], qrels, run)}
    assert len(theirs) == 60
    np.testing.assert_allclose(measured(ranked, ours), [theirs[q] for q in range(60)], atol=1e-6)
