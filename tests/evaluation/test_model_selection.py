import numpy as np
import pandas as pd
import pytest
from toy_tasks import a_task

from sigscope.evaluation.model_selection import choose
from sigscope.evaluation.rankings import from_lists
from sigscope.rerank.hubness import CSLS, Unchanged, setting_of

CLUSTERS = np.arange(40)


def ranking(places):
    """A ranking of 20 rows per query in which the one right row stands at the given place."""
    found = np.tile(np.arange(1, 20), (len(places), 1))
    for row, place in zip(found, places, strict=True):
        row[place - 1] = 0
    return from_lists(found, [np.array([0])] * len(places), 40)


def decided(ranked, clusters):
    """What is chosen among weights that rank like this, in order."""
    settings = pd.DataFrame({"weight": range(len(ranked))})
    return choose(settings, ranked.__getitem__, clusters)


def test_the_table_has_hit_rates_their_mean_and_the_gain_over_the_first():
    table = decided([ranking([1, 15]), ranking([5, 6])], np.array([0, 1]))
    rates = table[["hit rate@1", "hit rate@5", "hit rate@10", "mean", "gain"]].to_numpy()
    np.testing.assert_allclose(rates[0], [0.5, 0.5, 0.5, 0.5, 0])
    np.testing.assert_allclose(rates[1], [0, 0.5, 1, 0.5, 0], atol=1e-12)


def test_a_setting_that_is_surely_better_is_chosen():
    better = ranking([1] * 20 + [15] * 20)
    table = decided([ranking([15] * 40), better, better], CLUSTERS)
    assert table["chosen"].tolist() == [False, True, False]  # of equals the earlier


def test_a_setting_that_may_be_no_better_is_not_chosen():
    lucky = ranking([1] * 11 + [15] * 10 + [7] * 19)
    table = decided([ranking([15] * 10 + [1] * 10 + [7] * 20), lucky], CLUSTERS)
    assert table["mean"].iloc[1] > table["mean"].iloc[0]
    assert table["chosen"].tolist() == [True, False]


def test_queries_of_one_picture_count_as_one():
    before, after = ranking([15] * 40), ranking([1] * 20 + [15] * 20)
    table = decided([before, after], np.repeat([0, 1], 20))
    assert (table["low"].iloc[1], table["chosen"].iloc[0]) == (0, True)


def test_queries_without_a_right_answer_are_left_out():
    found = np.array([[0, 1], [0, 1]])
    one = from_lists(found, [np.array([0]), np.array([], int)], 40)
    table = decided([one], np.array([0, 1]))
    assert table["hit rate@1"].tolist() == [1]


def test_nothing_to_choose_from_is_refused():
    with pytest.raises(ValueError, match="no settings to choose from"):
        decided([], np.array([0]))


def hubby_tasks():
    """Three rows that are right for queries near them, and a fourth that is near everything."""
    rng = np.random.default_rng(0)
    xb = np.eye(4, dtype=np.float32)[:3]
    xb = np.vstack([xb, [0.55, 0.55, 0.55, 0.3]]).astype(np.float32)
    xb /= np.linalg.norm(xb, axis=1, keepdims=True)
    tasks = []
    for split in ("train", "val"):
        task = a_task(rng, 30, 4, right=[np.array([i % 3]) for i in range(30)])
        xq = np.eye(4, dtype=np.float32)[np.arange(30) % 3] + 0.9
        xq += rng.normal(scale=0.2, size=xq.shape)
        xq = (xq / np.linalg.norm(xq, axis=1, keepdims=True)).astype(np.float32)
        tasks.append(type(task)(**{**vars(task), "xq": xq, "xb": xb, "about": {"split": split}}))
    return tasks


def chosen(reductions, rows=None):
    """What is chosen among reductions on the val split, ranking some rows or all."""
    bank, val = hubby_tasks()
    rows = np.arange(len(val.xb)) if rows is None else rows
    fits = [reduction.fit(bank.xq, val.xb, bank.right).among(rows) for reduction in reductions]
    settings = pd.DataFrame({"setting": map(setting_of, reductions)})
    task = val.among(rows)
    return choose(settings, lambda row: task.corrected(fits[row]).rankings(), task.ids)


def test_choosing_does_not_count_rows_that_are_not_ranked():
    right = np.unique(np.concatenate(hubby_tasks()[1].right))
    table, with_hubs = chosen([Unchanged(), CSLS(5, 1.0)], right), chosen([Unchanged()])
    assert table["hit rate@1"].iat[0] > with_hubs["hit rate@1"].iat[0]


def test_choosing_takes_the_best_mean_and_shows_what_it_decided_from():
    table = chosen([Unchanged(), CSLS(5, 1.0)])
    assert table["chosen"].tolist() == [False, True]
    assert table["hit rate@1"].tolist() == [0.0, pytest.approx(1.0)]
    assert table["setting"].tolist() == ["", "k 5, weight 1"]


def test_choosing_keeps_what_is_unchanged_when_nothing_is_better():
    table = chosen([Unchanged(), CSLS(5, 0.0)])
    assert table["chosen"].tolist() == [True, False]
    assert table["mean"].nunique() == 1
