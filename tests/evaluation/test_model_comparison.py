"""Two models beside each other: what is better, by how much, at what cost, and for which query."""

from dataclasses import replace

import numpy as np
import pytest
from small_gallery import NameEncoder, small_embeddings, small_gallery, unit

from sigscope.evaluation.model_comparison import (
    FIRST,
    _linear_cka,
    _shared_neighbours,
    compare_models,
)
from sigscope.search.searcher import Searcher


class Named(NameEncoder):
    """An encoder of another name."""

    def __init__(self, model):
        self.identity = {"model": model, "weights": model}


def searcher(model, noise):
    gallery = small_gallery()
    held = small_embeddings(gallery, noise=noise)
    manifest = held.manifest | {"encoder": {"model": model, "weights": model}}
    return Searcher(gallery, replace(held, manifest=manifest), Named(model))


@pytest.fixture(scope="module")
def both():
    return compare_models([searcher("good", 0.5), searcher("bad", 8.0)])


def test_both_directions_have_paired_intervals_to_the_first_model(both):
    scores = both.scores.set_index(["model", "direction", "measure"])
    assert len(scores) == 2 * 2 * 3
    for direction in ("text to image", "image to text"):
        row = scores.loc[("bad", direction, "hit rate@1")]
        good = scores.loc[("good", direction, "hit rate@1")]
        assert row["better"] == pytest.approx(row["value"] - good["value"])
        assert row["better_low"] <= row["better"] <= row["better_high"] < 0
        assert np.isnan(good["better"])


def test_what_it_costs_is_measured(both):
    costs = both.costs.set_index("model")
    assert (costs["dimension"] == 12).all() and costs["bytes_per_vector"].between(48, 50).all()
    assert (costs[["encode_ms", "search_ms"]] > 0).all(axis=None)


def test_each_query_won_is_answered_by_this_model_and_by_no_other(both):
    won = both.wins("good")
    assert len(won) and (won["rank"] <= FIRST).all() and (won["best_other"] > FIRST).all()
    queries = both.results["bad"].queries.query("caption != ''").set_index("caption")["rank"]
    assert (queries.loc[won["caption"]].to_numpy() == won["best_other"].to_numpy()).all()


def test_one_picture_space_under_two_names_is_as_alike_as_can_be(both):
    row = both.likeness.iloc[0]
    assert (row["model"], row["other"]) == ("good", "bad")
    assert row["cka"] == pytest.approx(1) and row["neighbours"] == 1


def test_a_rotation_changes_no_likeness_and_chance_is_near_nothing():
    rng = np.random.default_rng(0)
    x, other = unit(rng.normal(size=(300, 8))), unit(rng.normal(size=(300, 8)))
    turned = x @ np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    assert _linear_cka(x, turned) == pytest.approx(1, abs=1e-5) and _linear_cka(x, other) < 0.1
    assert _shared_neighbours(x, turned) > 0.99 and _shared_neighbours(x, other) < 0.1


def test_linear_cka_is_that_of_its_definition():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 5))
    centre = np.eye(20) - 1 / 20
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    hsic = np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))
    assert _linear_cka(x, y) == pytest.approx(hsic)


@pytest.mark.parametrize("names", [["good"], ["good", "good"]])
def test_fewer_than_two_models_do_not_compare(names):
    with pytest.raises(ValueError, match="two or more models of different names"):
        compare_models([searcher(name, 1.0) for name in names])


def test_a_benchmark_that_a_model_learnt_from_is_warned_of():
    gallery = replace(small_gallery(), name="flickr8k")
    held = small_embeddings(gallery)
    made = [
        Searcher(gallery, replace(held, manifest=held.manifest | {"encoder": e.identity}), e)
        for e in (Named("siglit-mini"), Named("other"))
    ]
    (warning,) = compare_models(made).warnings
    assert warning.startswith("siglit-mini learnt from flickr8k")


@pytest.mark.filterwarnings("error")
def test_one_picture_alone_is_not_likened():
    one = np.ones((1, 4), np.float32) / 2
    assert np.isnan(_linear_cka(one, one)) and np.isnan(_shared_neighbours(one, one))
