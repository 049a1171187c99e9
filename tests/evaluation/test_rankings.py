"""Where right answers stand: hand-worked ties, and a slow twin that sorts."""

import numpy as np
import pytest

from sigscope.evaluation.rankings import from_lists, rank_relevant, shuffled

XB = np.array([[1.0, 0.0], [0.8, 0.6], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], dtype=np.float32)
EAST = XB[:1]
CORNERS = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], dtype=np.float32)


def rows(*lists):
    return [np.array(one, dtype=np.int64) for one in lists]


def by_sorting(scores, right, grades, without):
    """Places by one honest sort a query: score falling, then grade rising (0 for wrong)."""
    places = []
    for q, row in enumerate(scores):
        grade = dict(zip(right[q].tolist(), grades[q].tolist(), strict=True))
        left = [i for i in range(len(row)) if i not in without[q]]
        order = sorted(left, key=lambda i: (-row[i], grade.get(i, 0)))
        places.append([place for place, i in enumerate(order, 1) if i in grade])
    return places


@pytest.mark.parametrize(
    ("right", "places"),
    [([0], [1]), ([1], [3]), ([1, 2], [2, 3]), ([0, 1, 4], [1, 3, 5]), ([2, 3], [3, 4])],
)
def test_of_equal_scores_the_wrong_stand_first(right, places):
    assert rank_relevant(EAST, XB, rows(right)).places.tolist() == places


def test_of_equal_scores_the_lower_grade_stands_first():
    ranked = rank_relevant(EAST, XB, rows([1, 2]), grades=[np.array([3.0, 1.0])])
    assert ranked.places.tolist() == [2, 3] and ranked.grades.tolist() == [1, 3]
    assert ranked.ideal.tolist() == [3, 1]


def test_one_score_for_everything_puts_every_right_answer_last():
    xb = np.ones((6, 2), np.float32)
    assert rank_relevant(xb[:1], xb, rows([0, 1])).places.tolist() == [5, 6]


@pytest.mark.parametrize("chunk_bytes", [1, 4 * 30 * 7, 2**20])
def test_places_agree_with_sorting_whatever_the_chunk(chunk_bytes, monkeypatch):
    monkeypatch.setattr("sigscope.evaluation.rankings.CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(0)
    xq, xb = (rng.integers(-2, 3, size=(n, 3)).astype(np.float32) for n in (50, 30))  # many ties
    drawn = [rng.permutation(30) for _ in xq]
    right, without = [d[: rng.integers(0, 9)] for d in drawn], [d[20:22] for d in drawn]
    grades = [rng.integers(1, 4, len(r)).astype(float) for r in right]
    ranked = rank_relevant(xq, xb, right, grades=grades, without=without)
    slow = by_sorting(xq @ xb.T, right, grades, without)
    assert ranked.places.tolist() == sum(slow, [])
    assert ranked.query.tolist() == [q for q, places in enumerate(slow) for _ in places]


def test_rows_left_out_do_not_count():
    assert rank_relevant(EAST, XB, rows([1]), without=rows([0, 2])).places.tolist() == [1]
    with pytest.raises(ValueError, match="query 0 has a right answer among the rows"):
        rank_relevant(EAST, XB, rows([1]), without=rows([1]))


def test_lists_count_what_they_hold_and_know_what_they_miss():
    ranked = from_lists(np.array([[4, 2, -1], [0, 1, 3]]), rows([2, 3], []), 5)
    assert ranked.places.tolist() == [2] and ranked.n_right.tolist() == [2, 0]
    assert ranked.first.tolist() == [2, np.inf]


def test_ties_in_a_list_count_against_the_search_when_scores_are_given():
    found, scores = np.array([[1, 0, 2]]), np.array([[0.9, 0.9, 0.1]])
    assert from_lists(found, rows([1]), 3).places.tolist() == [1]
    assert from_lists(found, rows([1]), 3, scores=scores).places.tolist() == [2]


def test_a_whole_list_is_judged_as_the_ranking_it_came_from():
    rng = np.random.default_rng(1)
    xq, xb = rng.normal(size=(20, 4)), rng.normal(size=(25, 4))
    right = [rng.choice(25, 3, replace=False) for _ in xq]
    order = np.argsort(-(xq @ xb.T), axis=1)
    assert (from_lists(order, right, 25).places == rank_relevant(xq, xb, right).places).all()


@pytest.mark.parametrize("right", [[0], [0, 1], [0, 1, 3]])
def test_random_orders_place_right_answers_evenly_and_each_once(right):
    ranked = rank_relevant(EAST.repeat(4000, axis=0), XB, rows(right) * 4000)
    mixed = shuffled(ranked, np.random.default_rng(0))
    share = np.bincount(mixed.places)[1:] / mixed.places.size
    assert share == pytest.approx(np.full(5, 1 / 5), abs=0.02)
    assert (np.diff(mixed.places.reshape(4000, -1), axis=1) > 0).all()


@pytest.mark.parametrize(
    ("right", "sentence"),
    [
        ([[0], [1]], "1 queries need 1 lists"),
        ([[5]], "run from 5 to 5; there are 5"),
        ([[-1]], "run from -1 to -1"),
        ([[2, 2]], "the same right answer twice"),
    ],
)
def test_right_answers_that_cannot_be_are_refused(right, sentence):
    with pytest.raises(ValueError, match=sentence):
        rank_relevant(EAST, XB, rows(*right))


def test_lists_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="the same row twice"):
        from_lists(np.array([[1, 1]]), rows([0]), 5)
    with pytest.raises(ValueError, match="there are 5 rows"):
        from_lists(np.array([[1, 5]]), rows([0]), 5)
    with pytest.raises(ValueError, match="one grade above 0"):
        from_lists(np.array([[1, 2]]), rows([1]), 5, grades=[np.array([0.0])])


@pytest.mark.parametrize(
    ("right", "rank"), [([0], 1), ([1], 2), ([3], 4), ([1, 3], 2), ([0, 1], 1)]
)
def test_the_first_place_is_that_of_the_best_right_answer(right, rank):
    assert rank_relevant(EAST, CORNERS, [np.array(right)]).first.tolist() == [rank]


def test_a_tie_counts_against_the_model():
    tied = np.concatenate([CORNERS, CORNERS])
    assert rank_relevant(EAST, tied, [np.array([0])]).first.tolist() == [2]
    assert rank_relevant(EAST, tied, [np.array([0, 4])]).first.tolist() == [1]
