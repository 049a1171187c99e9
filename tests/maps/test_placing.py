import numpy as np
import pytest
from small_maps import EMBEDDINGS, ISLANDS, island_map

from sigscope.maps import placing


def test_strengths_fall_with_distance_and_follow_umap_s_rule():
    cosines = np.array([[0.9, 0.8, 0.7, 0.2]], np.float32)
    weights = placing.strengths(cosines)[0]
    assert (np.diff(weights) < 0).all() and weights.sum() == pytest.approx(1)
    # divided by the first, they are exp(-gap / sigma) and add up to log2(4)
    assert (weights / weights[0]).sum() == pytest.approx(2, abs=1e-5)
    sigma = -0.1 / np.log(weights[1] / weights[0])
    assert weights[3] / weights[0] == pytest.approx(np.exp(-0.7 / sigma), rel=1e-3)


def test_strengths_are_those_of_umap():
    from umap.umap_ import smooth_knn_dist

    cosines = np.sort(np.random.default_rng(0).uniform(size=(5, 16)).astype(np.float32))[:, ::-1]
    distances = np.ascontiguousarray(1 - np.insert(cosines, 0, 1, axis=1), dtype=np.float32)
    sigma, rho = smooth_knn_dist(distances, 16.0, local_connectivity=1.0)  # compiled as UMAP's is
    theirs = np.exp(-np.maximum(1 - cosines - rho[:, None], 0) / sigma[:, None])
    theirs /= theirs.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(placing.strengths(cosines), theirs, atol=1e-4)


@pytest.mark.parametrize("k", [1, 2, 15])
def test_equal_neighbours_have_equal_strength(k):
    np.testing.assert_allclose(placing.strengths(np.full((1, k), 0.5)), np.full((1, k), 1 / k))


def test_the_geometric_median_stays_with_the_most():
    places = np.array([[[0, 0], [0, 0], [0, 0], [100, 0]]])
    weights = np.full((1, 4), 0.25)
    np.testing.assert_allclose(placing.geometric_median(places, weights), [[0, 0]], atol=0.5)


def test_the_geometric_median_of_a_square_is_its_middle():
    places = np.array([[[0, 0], [0, 2], [2, 0], [2, 2]]])
    weights = np.full((1, 4), 0.25)
    np.testing.assert_allclose(placing.geometric_median(places, weights), [[1, 1]], atol=1e-6)


@pytest.mark.parametrize("name, axis", [("cat", 0), ("dog", 1), ("tree", 2)])
def test_a_query_is_placed_on_the_island_of_its_neighbours(name, axis):
    found = placing.place(island_map(), EMBEDDINGS.images, np.eye(12, dtype=np.float32)[axis])
    assert np.linalg.norm(found.place - ISLANDS[name]) < 1.5
    assert len(found.ids) == 15 and all(int(id_) % 3 == axis for id_ in found.ids)
    assert (
        found.trusted and "not to be trusted" not in found.note and "geometric median" in found.note
    )


def test_a_query_whose_neighbours_lie_far_apart_is_not_to_be_trusted():
    wide = island_map()
    wide.places[:] = np.random.default_rng(0).uniform(0, 100, size=(60, 2))
    found = placing.place(wide, EMBEDDINGS.images, np.eye(12, dtype=np.float32)[0])
    assert not found.trusted and found.gathered < 0.5
    assert "not to be trusted" in found.note


def test_a_query_is_placed_in_a_room_and_among_captions():
    both = island_map(dims=3, captions=True)
    first = EMBEDDINGS.captions[::2]
    found = placing.place(both, first, first[1], kind="caption")
    assert found.place.shape == (3,) and (found.place > 99).all()
    assert "captions" in found.how


def test_pictures_placed_by_the_others_land_near_their_places():
    found = placing.placement_error(island_map(), EMBEDDINGS.images, np.random.default_rng(0))
    assert found["median"] < 0.05 < found["chance"]
    assert found["median"] <= found["p90"]


def test_vectors_of_other_points_are_refused():
    with pytest.raises(ValueError, match="60 points of kind picture, not 59"):
        placing.place(island_map(), EMBEDDINGS.images[1:], EMBEDDINGS.images[0])


@pytest.mark.parametrize("query", [np.zeros(3), np.full(12, np.nan)])
def test_a_query_that_does_not_fit_is_refused(query):
    with pytest.raises(ValueError, match="12 finite numbers"):
        placing.place(island_map(), EMBEDDINGS.images, query)


def test_a_picture_is_not_placed_by_itself():
    lonely = island_map()
    lonely.places[0] = 500
    assert (placing._place_pictures(lonely, EMBEDDINGS.images)[0] < 20).all()
