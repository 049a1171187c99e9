import numpy as np
import pytest

from sigscope.maps import faithfulness as faith


def on_a_circle(degrees):
    turn = np.radians(np.asarray(degrees, float))
    return np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)


def on_a_line(*x):
    return np.stack([x, np.zeros(len(x))], axis=1).astype(np.float32)


ANGLES = (0, 10, 30, 70, 150)
SWAPPED = on_a_line(0, 150, 30, 70, 10)  # points 1 and 4 have changed places


@pytest.fixture(scope="module")
def cloud():
    x = np.random.default_rng(0).normal(size=(120, 8)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_a_map_that_keeps_every_order_is_perfect():
    found = faith.judge_map(
        on_a_circle(ANGLES), on_a_line(*ANGLES), k=1, rng=np.random.default_rng(0)
    )
    assert (found.trustworthiness, found.continuity, found.neighbours_kept) == (1, 1, 1)


def test_trust_counts_how_far_the_neighbours_on_the_map_are_strangers():
    found = faith.point_scores(on_a_circle(ANGLES), SWAPPED, k=1)
    # nearest on the map: 0-4, 1-3, 2-4, 3-2, 4-0, with vector ranks 4, 3, 4, 1, 4; worst is 3
    np.testing.assert_allclose(found["trust"], [0, 1 - 2 / 3, 0, 1, 0])


def test_continuity_counts_how_far_the_true_neighbours_were_torn_apart():
    found = faith.point_scores(on_a_circle(ANGLES), SWAPPED, k=1)
    # nearest by vector: 0-1, 1-0, 2-1, 3-2, 4-3, with map ranks 4, 4, 4, 1, 3
    np.testing.assert_allclose(found["continuity"], [0, 0, 0, 1, 1 - 2 / 3])
    np.testing.assert_allclose(found["kept"], [0, 0, 0, 1, 0])


def test_trustworthiness_is_that_of_scikit_learn(cloud):
    from sklearn.manifold import trustworthiness

    places = np.random.default_rng(1).normal(size=(120, 2)).astype(np.float32)
    found = faith.judge_map(cloud, places, k=7, rng=np.random.default_rng(0))
    theirs = trustworthiness(cloud, places, n_neighbors=7, metric="cosine")
    assert found.trustworthiness == pytest.approx(theirs, abs=1e-6)
    swapped = trustworthiness(places, cloud, n_neighbors=7)  # unit rows: the order of cosines
    assert found.continuity == pytest.approx(swapped, abs=1e-6)


def test_a_random_map_has_a_half_and_keeps_as_many_neighbours_as_chance(cloud):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(1500, 8)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    found = faith.judge_map(x, rng.normal(size=(1500, 2)), rng=rng)
    assert found.trustworthiness == pytest.approx(0.5, abs=0.02)
    assert found.continuity == pytest.approx(0.5, abs=0.02)
    assert found.neighbours_kept == pytest.approx(15 / 1499, abs=0.005)
    assert found.chance_neighbours_kept == 15 / 1499


def test_copies_of_one_picture_are_not_held_against_a_map():
    vectors = np.repeat(on_a_circle([0, 90]), 10, axis=0)
    places = np.repeat(on_a_line(0, 5), 10, axis=0)
    found = faith.point_scores(vectors, places, k=3)
    assert (found[["trust", "continuity", "kept"]] == 1).all(axis=None)


def test_a_sample_is_judged_among_all_points(cloud):
    places = cloud[:, :2]
    rows = np.array([3, 40, 99])
    some = faith.point_scores(cloud, places, k=5, rows=rows)
    every = faith.point_scores(cloud, places, k=5)
    np.testing.assert_allclose(some, every.iloc[rows])


def test_many_points_are_judged_in_blocks_with_the_same_result(cloud, monkeypatch):
    whole = faith.point_scores(cloud, cloud[:, :3], k=5)
    monkeypatch.setattr(faith, "BLOCK", 1000)  # 8 rows at once
    np.testing.assert_allclose(faith.point_scores(cloud, cloud[:, :3], k=5), whole)


def test_beyond_the_limit_a_sample_is_drawn_and_stated(cloud):
    rows = faith.sampled(120, np.random.default_rng(0), at_most=30)
    assert len(set(rows)) == 30 and (np.diff(rows) > 0).all()
    points = faith.point_scores(cloud, cloud[:, :2], k=5, rows=rows)
    found = faith.summary(points, 120, 5)
    assert (found.judged, found.n) == (30, 120)
    assert "30 sampled of 120 points" in found.sentence()


@pytest.mark.parametrize("k", [0, 60])
def test_more_neighbours_than_half_the_points_are_refused(cloud, k):
    with pytest.raises(ValueError, match="below 60"):
        faith.point_scores(cloud, cloud[:, :2], k=k)


def test_places_of_other_points_are_refused(cloud):
    with pytest.raises(ValueError, match="120 vectors and 119 places"):
        faith.point_scores(cloud, cloud[1:, :2])


def test_the_share_of_neighbours_of_another_kind_stands_beside_chance():
    kinds = np.array(["picture", "picture", "caption", "caption"])
    near = np.array([[1], [2], [3], [2]])  # only point 1 has a neighbour of another kind
    found = faith.other_kind_share(near, kinds)
    # by chance 2 of the 3 others are of another kind
    assert found == pytest.approx({"other_kind_share": 1 / 4, "chance_other_kind_share": 2 / 3})
