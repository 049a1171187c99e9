import numpy as np
import pytest
from scipy.stats import skew

from sigscope.ann import difficulty
from sigscope.ann.difficulty import Vectors, by_size, chords, compare, describe
from sigscope.indexes.exact import nearest


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def cloud(n, d, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


@pytest.fixture(scope="module")
def vectors():
    images = cloud(400, 24)
    noise = np.random.default_rng(1).normal(size=images.shape)
    return Vectors(images, unit(images + 0.3 * noise + 0.2), np.arange(400))


def test_a_chord_is_the_distance_between_two_unit_vectors():
    np.testing.assert_allclose(chords(np.array([0.0, -1.0, 0.5])), [np.sqrt(2), 2, 1])
    assert chords(np.array([1.0000001])) == difficulty.SHORTEST


def test_dimension_of_distances_worked_by_hand():
    distances = np.array([[1, 2, 4], [1, 1, 2]]) / 10
    inverses = [(np.log(4) + np.log(2)) / 2, (np.log(2) + np.log(2)) / 2]
    found = difficulty.intrinsic_dimension(1 - distances**2 / 2)
    assert found == pytest.approx(1 / np.mean(inverses))


@pytest.mark.parametrize("m", [2, 5])
def test_a_flat_piece_of_m_dimensions_has_dimension_m(m):
    flat = np.random.default_rng(0).uniform(-0.2, 0.2, size=(4000, m))
    x = unit(np.hstack([np.ones((4000, 1)), flat, np.zeros((4000, 10))]))
    cosines, _ = nearest(x.astype(np.float32), x[:500], 20, own=np.arange(500))
    assert difficulty.intrinsic_dimension(cosines) == pytest.approx(m, rel=0.12)


LISTS = np.array([[2, 0], [2, 1], [2, -1]])  # row 2 is in every list and row 3 in none


def test_k_occurrence_counts_lists_and_skips_empty_slots():
    assert difficulty.k_occurrence(LISTS, 4).tolist() == [1, 1, 3, 0]


def test_k_occurrence_agrees_with_looking_into_every_list(seed=3):
    found = np.random.default_rng(seed).integers(-1, 50, size=(40, 6))
    slowly = [sum(list(row).count(x) for row in found) for x in range(50)]
    assert difficulty.k_occurrence(found, 50).tolist() == slowly


def test_k_occurrence_refuses_rows_that_were_not_searched():
    with pytest.raises(ValueError, match="row 2 was found among 2 rows"):
        difficulty.k_occurrence(LISTS, 2)


def test_skewness_is_the_population_form_worked_by_hand():
    # 0 0 0 4: mean 1, off -1 -1 -1 3; E[off^3] = 24 / 4 = 6, sd^2 = 12 / 4 = 3
    assert difficulty.skewness(np.array([0, 0, 0, 4])) == pytest.approx(6 / 3**1.5)


def test_skewness_agrees_with_scipy_without_its_bias_correction():
    counts = np.random.default_rng(0).poisson(3, size=500)
    assert difficulty.skewness(counts) == pytest.approx(skew(counts, bias=True))


def test_equal_counts_have_no_skewness():
    assert difficulty.skewness(np.full(7, 3)) == 0


def test_hubness_is_the_skewness_of_the_counts():
    rows = np.array([[0, 1], [0, 2], [0, 1]])  # row 0 three times, 1 twice, 2 once, 3 never
    off = np.array([3, 2, 1, 0]) - 1.5
    assert difficulty.skewness(difficulty.k_occurrence(rows, 4)) == pytest.approx(
        (off**3).mean() / off.std() ** 3
    )
    one_hub = np.array([[0], [0], [0], [1]])
    assert difficulty.skewness(difficulty.k_occurrence(one_hub, 4)) > 0.8
    assert difficulty.skewness(difficulty.k_occurrence(np.array([[0], [1]]), 2)) == 0


def test_gap_and_mean_length_worked_by_hand():
    images, texts = np.array([[1, 0], [0, 1.0]]), np.array([[1, 0], [1, 0.0]])
    assert difficulty.modality_gap(images, texts) == pytest.approx(np.hypot(0.5, 0.5))
    assert difficulty._mean_resultant_length(images) == pytest.approx(np.hypot(0.5, 0.5))
    assert difficulty._mean_resultant_length(texts) == 1


def test_contrast_is_mean_distance_over_nearest_distance():
    xb, xq = unit(np.array([[1, 0], [0, 1], [-1, 0.0]])), unit(np.array([[0.6, 0.8]]))
    distances = np.linalg.norm(xb - xq, axis=1)
    found = difficulty._relative_contrast(xb, xq, np.array([0.8]))
    assert found == pytest.approx(distances.mean() / distances.min(), rel=1e-5)


def test_a_description_agrees_with_the_plain_way(vectors):
    table = describe(vectors).set_index(["query", "statistic"])["value"]
    cosines = vectors.images @ vectors.images.T
    np.fill_diagonal(cosines, -2)
    tenth = np.sort(cosines, axis=1)[:, -10]
    assert table["image", "median cosine at rank 10"] == pytest.approx(np.median(tenth), abs=1e-5)
    assert table["", "modality gap"] > 0.1


def test_captions_leave_out_their_own_picture(vectors):
    with_own = Vectors(vectors.images, vectors.texts)
    key = ("text", "median cosine at rank 1")
    without, within = (
        describe(v).set_index(["query", "statistic"])["value"][key] for v in (vectors, with_own)
    )
    assert without < within


def test_the_same_vectors_compare_as_equal(vectors):
    np.testing.assert_allclose(compare(vectors, vectors)["made / real"], 1)


def test_unequal_numbers_are_not_compared(vectors):
    fewer = Vectors(vectors.images[:300], vectors.texts[:300])
    with pytest.raises(ValueError, match="compare equal numbers"):
        compare(vectors, fewer)


def test_neighbours_get_nearer_with_more_pictures(vectors):
    table = by_size("real", vectors, [120, 400], queries=100)
    image = table.query("query == 'image' and rank == 10").set_index("n")
    assert image.loc[400, "cosine"] > image.loc[120, "cosine"]
    assert (table["low"] <= table["cosine"]).all() and (table["cosine"] <= table["high"]).all()
    alone = nearest(vectors.images[:120], vectors.images[:100], 10, own=np.arange(100))[0][:, 9]
    assert image.loc[120, "cosine"] == pytest.approx(np.median(alone))
