"""Weights against text, keywords and re-ranking, beside embedding search on one task."""

import numpy as np
import pandas as pd
import pytest
from toy_tasks import TEXTS, a_task, asking, stored

from sigscope.evaluation.model_selection import choose
from sigscope.evaluation.systems import own_captions, systems, text_in_top, without_text
from sigscope.rerank.fusion import StoredCaptions


def test_an_equal_caption_is_left_out_whosever_it_is_and_whatever_its_case():
    task = asking(["a zebra", "a baby sheep"], [[1, 2], [0]])
    assert [n.tolist() for n in own_captions(task, stored(), "equal")] == [[2, 4], [0]]


def test_a_caption_made_from_the_query_is_left_out_too():
    task = asking(["a baby sheep", TEXTS[1], "the pear"], [[0], [0], [3]])
    found = [n.tolist() for n in own_captions(task, stored(), "contained")]
    assert found == [[0, 1], [0, 1], [3]]


def test_captions_of_wrong_pictures_are_kept_though_they_share_words():
    task = asking(["a zebra with a green pear"], [[0]])
    assert own_captions(task, stored(), "contained")[0].tolist() == []


def test_words_are_compared_whole():
    task = asking(["ear"], [[3]])
    assert own_captions(task, stored(), "contained")[0].tolist() == []


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="choose from equal, contained"):
        own_captions(asking(["a"], [[0]]), stored(), "none")


def found_for(task):
    scores = task.xq @ task.xb.T
    order = np.argsort(-scores, axis=1)
    return np.take_along_axis(scores, order, axis=1), order


def test_systems_are_ranked_on_the_same_queries_and_own_captions_do_not_help():
    task, captions = asking(["a baby sheep", "a zebra"], [[0], [1, 2]]), stored()
    cheating = systems(task, captions, found_for(task), 1.0, left_out=[[], []])
    fair = systems(task, captions, found_for(task), 1.0, left_out=own_captions(task, captions))
    assert {len(ranked) for ranked in fair.values()} == {2}
    assert cheating["keywords"].first.tolist() == [1, 1]
    assert np.isinf(fair["keywords"].first).all()
    np.testing.assert_array_equal(fair["embedding"].first, task.rankings().first)


@pytest.mark.parametrize(("weights", "chosen"), [((0.0, 1.0), 1.0), ((0.0, 0.0), 0.0)])
def test_the_caption_weight_is_chosen_by_what_is_found_first(weights, chosen):
    task, captions = asking(["a baby sheep", "a zebra"], [[0], [1]]), stored()
    vectors = captions.vectors.copy()
    vectors[[0, 2]] = task.xq
    helpful = StoredCaptions(captions.texts, captions.rows, 5, vectors)
    scores = np.array([[0.5, 0.4, 0.3]] * 2, np.float32)
    found = scores, np.array([[3, 2, 0], [3, 2, 1]])

    def rank(row):
        return systems(task, helpful, found, weights[row], left_out=[[], []])["re-ranked"]

    table = choose(pd.DataFrame({"weight": weights}), rank, task.ids)
    assert table.loc[table["chosen"], "weight"].tolist() == [chosen]
    assert table["hit rate@1"].tolist() == [0, chosen]


def text_beside_picture(texts):
    """Row 0 is all text and always nearest; row i + 1 is right for query i."""
    n = len(texts)
    xb = np.eye(n + 1, dtype=np.float32)
    xq = 0.5 * xb[1:] + 0.6 * xb[0]
    xq = (xq / np.linalg.norm(xq, axis=1, keepdims=True)).astype(np.float32)
    task = a_task(np.random.default_rng(0), n, n + 1, right=[np.array([i + 1]) for i in range(n)])
    return type(task)(**{**vars(task), "xq": xq, "xb": xb, "texts": np.array(texts, object)})


def test_only_queries_that_do_not_ask_for_text_are_changed():
    task = text_beside_picture(["a cat", "a sign"])
    scores = np.array([1, 0, 0], np.float32)
    weighted = without_text(task, scores, 0.3)
    change = weighted.xq @ weighted.xb.T - task.xq @ task.xb.T
    np.testing.assert_allclose(change, [[-0.3, 0, 0], [0, 0, 0]], atol=1e-6)


def weighed(task, scores, weights):
    """What is chosen among weights against text."""
    settings = pd.DataFrame({"weight": weights})
    return choose(
        settings, lambda row: without_text(task, scores, weights[row]).rankings(), task.ids
    )


def test_the_weight_that_finds_most_is_chosen():
    task = text_beside_picture(["a cat", "a dog"])
    scores = np.array([1, 0, 0], np.float32)
    table = weighed(task, scores, (0.0, 0.01, 0.5, 0.6))
    assert table.loc[table["chosen"], "weight"].tolist() == [0.5]
    assert table["hit rate@1"].tolist() == [0, 0, 1, 1]


def test_the_weight_is_0_when_nothing_helps():
    task = text_beside_picture(["a cat", "a dog"])
    table = weighed(task, np.zeros(3, np.float32), (0.0, 0.3))
    assert table["chosen"].tolist() == [True, False]


def test_text_in_the_first_results_is_their_mean_score():
    task = text_beside_picture(["a cat", "a dog"])
    scores = np.array([1, 0.5, 0], np.float32)
    assert text_in_top(task, scores, 1) == 1.0  # row 0 is nearest both
    assert text_in_top(task, scores, 2) == pytest.approx((1 + 0.5 + 1 + 0) / 4)
