"""No number that is none gets past the doors, whoever hands it in; the error is a sentence."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sigscope.ann.budget import IndexBudget
from sigscope.arguments import real, whole
from sigscope.downloads.run import Effort
from sigscope.evaluation import metrics
from sigscope.evaluation.rankings import from_lists
from sigscope.images.read import open_picture
from sigscope.indexes.exact import exact_neighbours, nearest, neighbour_recall
from sigscope.indexes.index import VectorIndex
from sigscope.rerank.text_bias import text_penalty
from sigscope.search.compose import Part

NO_NUMBERS = ["3", "", None, True, False, [3], {"k": 3}, (1, 2), b"3", object(), 3j, Decimal(3)]
NO_NUMBERS += [math.nan, math.inf, -math.inf, np.float32("nan"), np.array([1, 2]), np.bool_(True)]
FRACTIONS = [1.5, 3.0, np.float64(2), Fraction(1, 2), "nan"]
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.integers(),
    st.floats(),
    st.lists(st.integers(), max_size=3),
    st.sampled_from([np.int8(3), np.uint64(2**63), np.float16("inf"), 10**400, -(10**400)]),
)


@settings(deadline=None)
@given(anything, st.integers(-5, 5), st.integers(6, 20))
def test_a_whole_number_is_an_int_within_its_bounds_or_refused(value, least, most):
    try:
        found = whole("k", value, "give another", least=least, most=most)
    except ValueError as reason:
        assert str(reason).startswith("k is ") and str(reason).endswith("; give another")
        assert len(str(reason)) < 120
        is_int = isinstance(value, int | np.integer) and not isinstance(value, bool)
        assert not (is_int and least <= value <= most)
    else:
        assert type(found) is int and found == value and least <= found <= most


@settings(deadline=None)
@given(anything)
def test_a_number_is_a_finite_float_within_its_bounds_or_refused(value):
    try:
        found = real("x", value, "give another", above=0, most=1)
    except ValueError as reason:
        assert str(reason).endswith("; give another")
    else:
        assert type(found) is float and 0 < found <= 1 and not isinstance(value, bool)


@pytest.fixture(scope="module")
def unit():
    rows = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def doors(unit):
    """Functions of one whole number, as a user calls them."""
    ids = [str(row) for row in range(40)]
    flat, ivf, pq = (VectorIndex.build(name, unit, ids) for name in ("flat", "ivf", "hnsw"))
    rankings = from_lists(np.arange(6).reshape(2, 3), [np.array([0]), np.array([5])], 6)
    found = {
        "index.search": lambda k: flat.search(unit[:2], k),
        "ivf effort": lambda k: ivf.search(unit[:2], 3, effort=k),
        "hnsw effort": lambda k: pq.search(unit[:2], 3, effort=k),
        "nearest": lambda k: nearest(unit, unit[:2], k),
        "exact_neighbours": lambda k: exact_neighbours(unit, unit[:2], k),
        "chance_hit_rate": lambda k: metrics.chance_hit_rate(np.array([1]), 10, k),
        "open_picture": lambda k: open_picture(Image.new("RGB", (4, 4)), max_side=k),
        "Effort": lambda k: Effort(workers=k),
    }
    at_k = ("hit_at_k", "recall_at_k", "precision_at_k", "reciprocal_rank", "ndcg_at_k")
    for name in (*at_k, "average_precision"):
        found[name] = lambda k, name=name: getattr(metrics, name)(rankings, k)
    return found


DOORS = ("index.search", "ivf effort", "hnsw effort", "nearest", "exact_neighbours", "Effort")
DOORS += ("chance_hit_rate", "open_picture", "hit_at_k", "recall_at_k", "precision_at_k")
OPTIONAL = ("open_picture", "ivf effort", "hnsw effort", "reciprocal_rank")  # None is their default
OPTIONAL += ("ndcg_at_k", "average_precision")


@pytest.mark.parametrize("door", [*DOORS, *OPTIONAL[3:]])
def test_each_door_takes_whole_numbers_and_nothing_else(doors, door):
    doors[door](1)
    doors[door](np.int64(2))
    for value in (*NO_NUMBERS, *FRACTIONS, 0, -1, -(2**70)):
        if value is None and door in OPTIONAL:
            continue
        with pytest.raises(ValueError, match=" is "):
            doors[door](value)


@settings(max_examples=100, deadline=None)
@given(anything)
def test_a_search_gives_as_many_rows_as_were_asked_for_or_a_sentence(doors, value):
    try:
        scores, rows = doors["index.search"](value)
    except ValueError as reason:
        assert str(reason).startswith("k is ")
    else:
        assert rows.shape == scores.shape == (2, min(int(value), 40))


@pytest.mark.parametrize("value", [v for v in (*NO_NUMBERS, "nan") if v is not None])
@pytest.mark.parametrize(
    "ask",
    [
        lambda x: Part("text", "a cat", x),
        lambda x: text_penalty(np.zeros(3), x),
        lambda x: IndexBudget(recall=x, memory=None, latency=None),
        lambda x: IndexBudget(recall=0.9, memory=x, latency=None),
    ],
)
def test_weights_and_shares_are_finite_numbers(ask, value):
    with pytest.raises(ValueError, match=" is "):
        ask(value)


def test_the_share_of_no_neighbours_is_refused():
    for shape in ((0, 5), (5, 0), (0, 0)):
        empty = np.empty(shape, np.int64)
        with pytest.raises(ValueError, match="holds no neighbour"):
            neighbour_recall(empty, empty)


def test_a_right_answer_given_twice_is_refused():
    with pytest.raises(ValueError, match="same right answer twice"):
        from_lists(np.array([[0, 1]]), [np.array([1, 1])], 3)
