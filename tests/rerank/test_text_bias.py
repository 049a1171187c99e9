import numpy as np
import pandas as pd
import pytest

from sigscope.rerank import text_bias
from sigscope.rerank.text_bias import asks_for_text


@pytest.mark.parametrize(
    "query",
    [
        "stop sign",
        "Road signs",
        "the lowercase letter f",
        "a box with a LABEL on it",
        "EAN 13 bar code",
        "licence plate",
        "a wall that says hello",
        "Chinese character meaning luck",
        "the number 7",
    ],
)
def test_queries_that_name_writing_ask_for_text(query):
    assert asks_for_text(query)


@pytest.mark.parametrize(
    "query",
    ["a baby sheep", "cartoon character", "a designer lamp", "assign", "passenger numbering", ""],
)
def test_queries_that_do_not_name_writing_do_not(query):
    assert not asks_for_text(query)


def two_prompts(texts):
    """Text prompts point along x, other prompts along y, both partly along z."""
    is_text = [text in text_bias.TEXT_PROMPTS for text in texts]
    return np.array([[0.8, 0, 0.6] if yes else [0, 0.8, 0.6] for yes in is_text], np.float32)


def test_the_zero_shot_score_orders_pictures_by_text_less_what_prompts_share():
    images = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0.6, 0, 0.8]], np.float32)
    scores = text_bias.zero_shot_text_scores(images, two_prompts)
    assert np.argsort(-scores).tolist() == [0, 3, 1, 2]
    assert (scores.dtype, scores.min(), scores.max()) == (np.float32, 0, 1)


def test_the_unit_range_clips_one_percent_at_each_end():
    values = text_bias.to_unit_range(np.arange(101.0))
    np.testing.assert_allclose(values[[0, 1, 50, 99, 100]], [0, 0, 0.5, 1, 1], atol=1e-6)


def test_equal_values_do_not_stand_out():
    assert text_bias.to_unit_range(np.full(5, 0.3)).tolist() == [0] * 5


def test_areas_are_joined_by_id_and_a_missing_picture_has_none():
    table = pd.DataFrame({"id": ["b", "a"], "found": [0.9, 0.8], "read": [0.5, 0.25]})
    assert text_bias.joined(table, ["a", "c", "b"]).tolist() == [0.25, 0, 0.5]


def test_the_penalty_is_the_weight_times_the_text_score():
    correction = text_bias.text_penalty(np.array([0.0, 0.5, 1.0]), 0.2)
    lowered = correction.apply(np.array([[0.3, 0.3, 0.3]]))
    np.testing.assert_allclose(lowered, [[0.3, 0.2, 0.1]], rtol=1e-6)


@pytest.mark.parametrize(
    ("scores", "weight", "sentence"),
    [([0.5], -0.1, "must be 0 or more"), ([1.5], 0.1, "lie in"), ([np.nan], 0.1, "lie in")],
)
def test_a_penalty_out_of_range_is_refused(scores, weight, sentence):
    with pytest.raises(ValueError, match=sentence):
        text_bias.text_penalty(np.array(scores), weight)
