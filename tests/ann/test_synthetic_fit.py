"""A curved surface of few dimensions in many, with captions off it, stands for real embeddings.

The shipped embeddings are fitted by the slow test alone, for they may be made anew.
"""

from dataclasses import replace

import numpy as np
import pytest

from sigscope import paths
from sigscope.ann import synthetic, synthetic_fit
from sigscope.ann.difficulty import Vectors, chords, compare
from sigscope.ann.synthetic import LEVELS
from sigscope.indexes.exact import nearest

N = 700


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def surface(n, d=32, seed=0):
    """Return n pictures on a surface of 6 dimensions, denser in places, and a caption of each."""
    rng, shape = np.random.default_rng(seed), np.random.default_rng(99)
    latent = rng.normal(size=(n, 6)) * (0.3 + rng.gamma(2, 0.3, size=(n, 1)))
    waves = latent @ shape.normal(size=(6, d)) + shape.uniform(0, 6, size=d)
    images = unit(np.cos(waves) + 0.3)
    return images, unit(images + 0.08 * rng.normal(size=(n, d)) + 0.3 * shape.normal(size=d) / 3)


@pytest.fixture(scope="module")
def real():
    images, texts = surface(N)
    return Vectors(images, texts, np.arange(N))


@pytest.fixture(scope="module")
def world(real):
    return synthetic_fit.fit(real.images, real.texts, np.random.default_rng(0))


@pytest.fixture(scope="module")
def made(world):
    rng = np.random.default_rng(1)
    return Vectors(world.pictures(N, rng), world.queries("text", N, rng))


def rng(seed=5):
    return np.random.default_rng(seed)


def values(table, statistic, column="made"):
    return table[table["statistic"].str.contains(statistic)][column].to_numpy()


def test_made_neighbours_are_as_near_as_real_ones(real, made):
    table = compare(real, made)
    near = values(table, "median cosine") - values(table, "median cosine", "real")
    np.testing.assert_allclose(near, 0, atol=0.03)
    np.testing.assert_allclose(values(table, "dimension", "made / real"), 1, atol=0.25)
    np.testing.assert_allclose(values(table, "gap", "made / real"), 1, atol=0.05)


def test_made_hubs_are_of_the_same_order_as_real_ones(real, made):
    ratio = values(compare(real, made), "hubness", "made / real")
    assert (ratio > 1 / 3).all() and (ratio < 3).all()


def test_a_gaussian_with_the_same_covariance_is_far_from_real(real):
    mean, covariance = real.images.mean(axis=0), np.cov(real.images.T)
    images = unit(rng().multivariate_normal(mean, covariance, size=N))
    table = compare(real, Vectors(images, real.texts))
    assert values(table, "dimension", "made / real")[0] > 1.3
    assert abs(values(table, "rank 1$", "made / real")[0] - 1) > 0.02


def test_neighbours_near_at_the_rate_at_which_the_real_ones_do(world):
    pictures = world.pictures(16 * N, rng())
    first = {}
    for n in (N, 16 * N):
        cosines, _ = nearest(pictures[:n], pictures[:300], 1, own=np.arange(300))
        first[n] = np.median(chords(cosines))
    dimension = np.log(16) / np.log(first[N] / first[16 * N])
    assert dimension == pytest.approx(world.dimension, rel=0.35)


def test_growth_foreseen_from_a_quarter_comes_true():
    images, texts = surface(1700)
    part = synthetic_fit.fit(images[:425], texts[:425], rng())
    foreseen = Vectors(part.pictures(1700, rng(1)), part.queries("text", 1700, rng(2)))
    table = compare(Vectors(images, texts, np.arange(1700)), foreseen)
    near = values(table, "median cosine") - values(table, "median cosine", "real")
    np.testing.assert_allclose(near, 0, atol=0.06)


def test_image_queries_are_drawn_as_the_pictures_are(world, made):
    queries = world.queries("image", N, rng(1))
    theirs, _ = nearest(made.images, queries, 10)
    own, _ = nearest(made.images, made.images, 10, own=np.arange(N))
    np.testing.assert_allclose(np.median(theirs, 0), np.median(own, 0), atol=0.03)


def test_equal_generators_do_not_make_queries_that_are_pictures(world):
    pictures, queries = world.pictures(500, rng()), world.queries("image", 500, rng())
    assert (queries @ pictures.T).max() < 1 - 1e-6


@pytest.mark.parametrize("d", [None, 48])
def test_the_chunks_do_not_change_a_world(world, d):
    whole, parts = world.pictures(300, rng(), d), world.pictures(300, rng(), d, chunk=7)
    np.testing.assert_array_equal(whole, parts)


def test_the_same_seed_makes_the_same_world_and_another_another(real, world):
    again, other = synthetic_fit.fit(real.images, real.texts, rng(0)), replace(world, seed=3)
    np.testing.assert_array_equal(again.pictures(50, rng()), world.pictures(50, rng()))
    assert not np.array_equal(other.pictures(50, rng()), world.pictures(50, rng()))


def test_fewer_pictures_are_the_first_of_more(world):
    np.testing.assert_array_equal(world.pictures(40, rng()), world.pictures(90, rng())[:40])
    few, more = (world.queries("text", n, rng()) for n in (40, 90))
    np.testing.assert_array_equal(few, more[:40])


def test_pictures_are_written_where_they_are_told(world, tmp_path):
    out = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (100, 32))
    world.pictures(100, rng(), out=out).flush()
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), world.pictures(100, rng()))
    with pytest.raises(ValueError, match="it must be float32"):
        world.pictures(100, rng(), out=np.empty((100, 32)))


@pytest.mark.parametrize("d", [8, 32, 80])
def test_vectors_are_unit_float32_of_the_width_asked_for(world, d):
    for x in (world.pictures(30, rng(), d), world.queries("text", 30, rng(), d)):
        assert x.shape == (30, d) and x.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-5)


def test_a_wider_world_keeps_the_cosines_and_spreads_over_all_directions(world):
    narrow, wide = world.pictures(200, rng()), world.pictures(200, rng(), 80)
    assert np.corrcoef((narrow @ narrow.T).ravel(), (wide @ wide.T).ravel())[0, 1] > 0.99
    assert wide.std(axis=0).min() > 0.2 * wide.std(axis=0).max()


def test_pictures_and_captions_of_a_wider_world_are_turned_alike(world):
    before = world.pictures(100, rng()) @ world.queries("text", 50, rng()).T
    after = world.pictures(100, rng(), 80) @ world.queries("text", 50, rng(), 80).T
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.98
    np.testing.assert_allclose(before.mean(), after.mean(), atol=0.02)


def test_leaves_move_together_for_as_long_as_their_numbers_agree(world):
    def leaf(number):
        known = {"dimension": 8, "aside": 0.3, "seed": 7}
        rows, one = world.rows, np.array([number], np.uint64)
        return replace(world, **known).moved(rows, np.array([3]), one)

    apart = [np.linalg.norm(leaf(0) - leaf(2**bit)) for bit in (0, 4, LEVELS - 1)]
    assert apart[0] > apart[1] > apart[2] > 0
    np.testing.assert_array_equal(leaf(9), leaf(9))


def test_moves_add_up_to_the_distance_of_the_nearest_neighbour(world):
    roots, leaves = world.leaves(2000, rng(), synthetic.PICTURES)
    moved = world.moved(world.rows, roots, leaves)
    squared = (moved**2).sum(axis=1) / world.distances[roots, 0] ** 2
    assert squared.mean() == pytest.approx(1, rel=0.15)


def test_growth_dimension_of_a_flat_piece_is_its_dimension():
    flat = rng().uniform(-0.2, 0.2, size=(3000, 3))
    x = unit(np.hstack([np.ones((3000, 1)), flat]))
    assert synthetic_fit.growth_dimension(x, rng()) == pytest.approx(3, rel=0.2)


def test_copies_of_a_picture_count_once(real):
    images, texts = (np.vstack([x[:420], x[:50]]) for x in (real.images, real.texts))
    assert len(synthetic_fit.fit(images, texts, rng()).images) == 420


def write_folder(folder, images, texts):
    for name, x in (("img_emb", images), ("text_emb", texts)):
        (folder / name).mkdir(parents=True)
        for number, part in enumerate(np.array_split(x, 11)):
            np.save(folder / name / f"{name}_{number}.npy", part.astype(np.float16))
    return folder


def test_a_folder_of_embeddings_is_read_in_the_order_of_its_numbers(tmp_path, real):
    texts = real.texts[:110].copy()
    texts[5] = 0  # a picture with no caption
    images, found = synthetic_fit.from_folder(write_folder(tmp_path, real.images[:110], texts))
    kept = np.arange(110) != 5
    np.testing.assert_allclose(images, real.images[:110][kept], atol=2e-3)
    np.testing.assert_allclose(found, texts[kept], atol=2e-3)


def test_of_a_large_folder_evenly_spread_rows_are_read(tmp_path, real):
    folder = write_folder(tmp_path, real.images[:110], real.texts[:110])
    images, _ = synthetic_fit.from_folder(folder, most=37)
    np.testing.assert_allclose(images, real.images[:110:3], atol=2e-3)


def test_the_shipped_folder_can_be_read():
    folder = next(paths.SHIPPED.glob("gallery-*"))
    images, texts = synthetic_fit.from_folder(folder)
    assert images.shape == texts.shape and len(images) > 1000


def test_what_cannot_be_fitted_is_refused_with_a_sentence(real, tmp_path):
    images, texts = real.images, real.texts
    for wrong, words in (
        ((images[:100], texts[:100]), "too few"),
        ((images, texts[:-1]), "not pairs"),
        ((images.astype(float), texts), "float32"),
        ((2 * images, texts), "length 1"),
        ((np.tile(images[:30], (20, 1)), np.tile(texts[:30], (20, 1))), "different pictures"),
    ):
        with pytest.raises(ValueError, match=words):
            synthetic_fit.fit(*wrong, rng())
    with pytest.raises(FileNotFoundError, match="no .npy files"):
        synthetic_fit.from_folder(tmp_path)


def test_wrong_questions_are_answered_with_what_to_ask(world):
    with pytest.raises(ValueError, match='"image" or "text"'):
        world.queries("audio", 3, rng())
    with pytest.raises(ValueError, match="at least one row"):
        world.pictures(0, rng())
    with pytest.raises(ValueError, match="at least 2"):
        world.pictures(3, rng(), 1)


@pytest.mark.slow
def test_the_shipped_gallery_has_a_likeness():
    folder = next(paths.SHIPPED.glob("gallery-*"))
    images, texts = synthetic_fit.from_folder(folder)
    n = len(images)
    world = synthetic_fit.fit(images, texts, rng(0))
    made = Vectors(world.pictures(n, rng(1)), world.queries("text", n, rng(2)))
    table = compare(Vectors(images, texts, np.arange(n)), made)
    near = values(table, "median cosine") - values(table, "median cosine", "real")
    np.testing.assert_allclose(near, 0, atol=0.03)
    np.testing.assert_allclose(values(table, "dimension", "made / real"), 1, atol=0.2)
    np.testing.assert_allclose(values(table, "gap", "made / real"), 1, atol=0.05)
    np.testing.assert_allclose(np.log2(values(table, "hubness", "made / real")), 0, atol=1.3)
