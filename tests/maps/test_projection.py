import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from small_gallery import small_embeddings, small_gallery
from small_maps import GALLERY, few_embeddings, island_map

from sigscope import paths
from sigscope.embeddings import load_embeddings
from sigscope.maps import faithfulness, map, projection, telling
from sigscope.maps.map import MapSettings, StaleMap, read_map, write_map

BOTH = ("picture", "caption")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def embeddings():
    return small_embeddings(small_gallery())


@pytest.fixture(scope="module")
def umap(embeddings):
    """The one map by UMAP that most tests look at; cold, numba takes some 20 s for the first."""
    return projection.make_map(embeddings)


@pytest.fixture
def few():
    return few_embeddings()


@pytest.mark.slow
def test_umap_gives_each_picture_a_place_beside_its_class(umap, embeddings):
    assert umap.places.shape == (60, 2) and umap.places.dtype == np.float32
    assert (umap.ids == embeddings.ids).all() and set(umap.kinds) == {"picture"}
    classes = np.arange(60) % 3
    off = np.linalg.norm(umap.places[:, None] - umap.places[None], axis=2)
    np.fill_diagonal(off, np.inf)
    assert (classes[off.argmin(axis=1)] == classes).mean() > 0.9


@pytest.mark.slow
def test_a_map_is_better_than_chance_and_says_how_it_was_made(umap):
    assert umap.scores["trustworthiness"] > 0.8 and umap.scores["judged"] == 60
    assert umap.trust.mean() == pytest.approx(umap.scores["trustworthiness"], abs=1e-6)
    assert (umap.settings["method"], umap.settings["metric"]) == ("UMAP", "cosine")
    assert umap.settings["versions"]["umap-learn"] and len(umap.settings["vectors"]) == 64


@pytest.mark.slow
def test_the_same_seed_gives_the_same_places(umap, embeddings):
    again = projection.make_map(embeddings)
    np.testing.assert_array_equal(again.places, umap.places)


@pytest.mark.slow
def test_a_map_of_both_kinds_in_a_room_lists_pictures_then_first_captions(embeddings):
    made = projection.make_map(embeddings, MapSettings(BOTH, dims=3))
    assert made.places.shape == (120, 3)
    assert list(made.kinds) == ["picture"] * 60 + ["caption"] * 60
    assert list(made.ids[60:]) == list(embeddings.ids)
    assert set(made.clusters.labels[60:]) == {-1}
    assert 0 <= made.scores["other_kind_share"] <= 1


@pytest.mark.slow
def test_copies_of_a_picture_have_places_too(embeddings):
    images = np.repeat(embeddings.images[:3], 20, axis=0)
    made = projection.make_map(replace(embeddings, images=images))
    assert np.isfinite(made.places).all()
    assert made.scores["trustworthiness"] == 1


@pytest.mark.slow
def test_progress_rises_to_one_and_says_what_is_done(embeddings, monkeypatch):
    monkeypatch.setattr(telling, "TICK_S", 0.001)
    told = []
    projection.make_map(embeddings, tell=lambda share, doing: told.append((share, doing)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1
    assert sum(doing == "laying out" for _, doing in told) > 3


@pytest.mark.parametrize("n", [1, 2, 3, 12, 15])
def test_few_points_are_laid_out_by_principal_components_and_it_is_said(n):
    made = projection.make_map(few_embeddings(n))
    assert made.places.shape == (n, 2) and np.isfinite(made.places).all()
    assert made.settings["method"] == "PCA" and f"{n} points are too few" in made.settings["note"]


@pytest.mark.slow
def test_a_quick_map_is_the_principal_components(embeddings):
    quick = projection.quick_map(embeddings)
    centred = embeddings.images - embeddings.images.mean(axis=0)
    spread = np.linalg.svd(centred, compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(quick.places, axis=0), spread, rtol=1e-4)
    assert quick.settings["method"] == "PCA" and not quick.scores and quick.clusters is None
    judged = faithfulness.judge_map(embeddings.images, quick.places, rng=np.random.default_rng(0))
    assert judged.trustworthiness < projection.make_map(embeddings).scores["trustworthiness"] + 0.1


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_named(embeddings, wrong):
    images = embeddings.images.copy()
    images[7, 3] = wrong
    with pytest.raises(ValueError, match="'07'.*NaN or infinity"):
        projection.quick_map(replace(embeddings, images=images))


@pytest.mark.parametrize(
    "wrong", [{"kinds": ("caption",)}, {"dims": 4}, {"n_neighbors": 1}, {"min_dist": 2.0}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MapSettings(**wrong)


def test_a_map_is_made_once_and_then_loaded(few, monkeypatch):
    made = projection.open_map(few)
    monkeypatch.setattr(projection, "make_map", lambda *_, **__: pytest.fail("made again"))
    again = projection.open_map(few)
    np.testing.assert_array_equal(again.places, made.places)
    assert again.settings == made.settings and again.scores == made.scores
    assert projection.stored_map(few) is not None


@pytest.mark.parametrize("change", [{"dims": 3}, {"seed": 1}, {"min_dist": 0.2}, {"kinds": BOTH}])
def test_other_settings_are_another_map(few, change):
    projection.open_map(few)
    assert projection.stored_map(few, MapSettings(**change)) is None


def test_other_vectors_or_ids_are_another_map(few):
    projection.open_map(few)
    moved = few.images[::-1].copy()
    assert projection.stored_map(replace(few, images=moved)) is None
    renamed = np.array([f"x{i}" for i in few.ids], dtype=object)
    assert projection.stored_map(replace(few, ids=renamed)) is None


def test_two_who_want_a_map_at_once_make_it_once(few, monkeypatch):
    calls, make = [], projection.make_map

    def counted(*args, **named):
        calls.append(1)
        return make(*args, **named)

    monkeypatch.setattr(projection, "make_map", counted)
    threads = [threading.Thread(target=projection.open_map, args=(few,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_a_broken_map_is_made_again(few, cache):
    made = projection.open_map(few)
    (path,) = cache.glob("maps/*/places-*.npy")
    path.write_bytes(path.read_bytes()[:-4])
    assert projection.stored_map(few) is None
    np.testing.assert_array_equal(projection.open_map(few).places, made.places)


def test_a_shipped_map_is_taken_and_a_damaged_one_is_made_anew_in_the_cache(
    few, cache, monkeypatch
):
    shipped = cache / "shipped"
    monkeypatch.setattr(paths, "SHIPPED_MAPS", shipped)
    made = projection.make_map(few)
    folder = shipped / map.settings_key(made.settings)
    write_map(folder, replace(made, places=made.places + 1))
    np.testing.assert_array_equal(projection.open_map(few).places, made.places + 1)
    assert not (cache / "maps").exists()
    (folder / map.RECORD).write_text("{}")
    np.testing.assert_array_equal(projection.open_map(few).places, made.places)
    assert (folder / map.RECORD).read_text() == "{}" and (cache / "maps").is_dir()


@pytest.mark.parametrize("kinds", [BOTH[:1], BOTH])
def test_maps_of_the_shipped_gallery_come_along(kinds):
    """A new pin of UMAP, numba or scikit-learn wants them anew: data/ship_embeddings.py."""
    embeddings = load_embeddings(next(paths.SHIPPED.glob("gallery-*")))
    assert projection.stored_map(embeddings, MapSettings(kinds))
    assert not projection.stored_map(embeddings, MapSettings(kinds, seed=1))


def test_a_written_map_is_read_back_whole(tmp_path):
    made = island_map(dims=3, captions=True)
    write_map(tmp_path / "m", made)
    again = read_map(tmp_path / "m", made.settings)
    for name in ("ids", "kinds", "places", "trust"):
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name))
    assert again.scores == made.scores and again.clusters.names == made.clusters.names
    assert not again.places.flags.writeable


def test_a_map_of_something_else_is_refused(tmp_path):
    write_map(tmp_path, island_map())
    with pytest.raises(StaleMap, match="something else"):
        read_map(tmp_path, {**island_map().settings, "seed": 9})


@pytest.mark.parametrize("harm", ["record", "array", "ids", "nothing there"])
def test_a_map_that_is_not_whole_is_refused_in_a_sentence(tmp_path, harm):
    write_map(tmp_path, island_map())
    record = tmp_path / map.RECORD
    if harm == "ids":
        said = json.loads(record.read_text())
        record.write_text(json.dumps({**said, "ids": said["ids"][:-1]}))
    elif harm == "array":
        (path,) = tmp_path.glob("places-*.npy")
        np.save(path, np.zeros((60, 2), np.float32))
    else:
        record.write_text("{") if harm == "record" else record.unlink()
    with pytest.raises(StaleMap, match=r"make (it|the map) again"):
        read_map(tmp_path)


def test_the_table_has_a_row_per_point_of_the_items_asked_for():
    items = GALLERY.items[GALLERY.items["category"] == "cat"].iloc[::-1]
    table = island_map(captions=True).table(items)
    assert len(table) == 40 and set(table["category"]) == {"cat"}
    assert list(table["kind"].unique()) == ["picture", "caption"]
    one = table[(table["id"] == "03") & (table["kind"] == "picture")].iloc[0]
    assert (one["x"], one["y"]) == pytest.approx((0.03, 0.03))
    assert (one["cluster"], one["caption"]) == ("cats", "cat 3")
