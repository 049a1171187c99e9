import numpy as np
import pytest
from toy import unit
from vector_folders import Blind, random_folder

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings import vector_folder
from sigscope.embeddings.embed import open_embeddings
from sigscope.gallery import rows
from sigscope.maps import projection, sampling
from sigscope.maps.background import read_job, write_job
from sigscope.maps.map import KINDS, MapSettings
from sigscope.maps.placing import place
from sigscope.maps.projection import make_map, open_map, quick_map, stored_map

N, D, SAMPLE = 900, 8, 60


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("sampled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGSCOPE_VECTORS", "disk")
        patch.setattr(paths, "CACHE", home / "cache")
        patch.setattr(rows, "MANY", 5)
        patch.setattr(sampling, "MOST", 100)
        patch.setattr(sampling, "SAMPLE", SAMPLE)
        patch.setattr(sampling, "BLOCK", 70)
        patch.setattr(vector_folder, "ALIKE", -2)
        yield home


@pytest.fixture(scope="module")
def gallery(home):
    return load_gallery(f"vectors:{random_folder(home / 'vectors', N, D)}")


@pytest.fixture(scope="module")
def embeddings(gallery):
    return open_embeddings(gallery, Blind(D))


@pytest.fixture(scope="module")
def whole(embeddings):
    return open_map(embeddings)


def test_a_sample_is_laid_out_and_every_picture_has_a_place(whole, embeddings, gallery):
    assert len(whole) == len(whole.rows) == SAMPLE and whole.placed.shape == (N, 2)
    np.testing.assert_array_equal(whole.placed[whole.rows], whole.places)
    assert list(whole.ids) == list(embeddings.ids[whole.rows])
    assert np.isfinite(whole.placed).all()
    assert whole.settings["note"].startswith(f"{SAMPLE} of {N} pictures are drawn and were laid")
    table = whole.table(gallery.items)
    assert len(table) == SAMPLE
    known = gallery.items.set_index("id")["caption"]
    assert table["caption"].tolist() == known[table["id"]].tolist()


def test_a_picture_lies_where_a_query_with_its_vector_is_put(whole, embeddings):
    others = np.setdiff1d(np.arange(N), whole.rows)[::97]
    for row in others:
        put = place(whole, embeddings.images, embeddings.images[int(row)])
        np.testing.assert_allclose(put.place, whole.placed[row], atol=1e-4)


def test_placing_is_judged_on_the_sample(whole):
    assert 0 < whole.scores["placed_off"] < whole.scores["placed_off_chance"]
    assert whole.faithfulness.n == SAMPLE


def test_what_is_found_is_added_at_its_place(whole, gallery):
    rows = np.array([whole.rows[3], *np.setdiff1d(np.arange(N), whole.rows)[:2]])
    more = whole.including(rows, gallery.items["id"].array[rows])
    assert len(more) == SAMPLE + 2
    np.testing.assert_array_equal(more.places[-2:], whole.placed[rows[1:]])
    table = more.table(gallery.items)
    assert table["id"].tolist()[-2:] == list(gallery.items["id"].array[rows[1:]])
    assert set(table["cluster"].tail(2)) <= {"(unclustered)", ""}


def test_captions_of_the_sample_are_points_as_well(embeddings):
    both = make_map(embeddings, MapSettings(KINDS))
    assert (both.kinds == "picture").sum() == (both.kinds == "caption").sum() == SAMPLE
    assert list(both.ids[:SAMPLE]) == list(both.ids[SAMPLE:]) and both.placed.shape == (N, 2)


def test_the_map_is_kept_and_found_again(whole, embeddings, gallery, monkeypatch):
    monkeypatch.setattr(projection, "make_map", None)
    again = stored_map(open_embeddings(gallery, Blind(D)))
    np.testing.assert_array_equal(again.placed, whole.placed)
    np.testing.assert_array_equal(again.rows, whole.rows)


def test_a_quick_map_is_one_of_the_same_sample(whole, embeddings):
    quick = quick_map(embeddings)
    np.testing.assert_array_equal(quick.rows, whole.rows)
    assert quick.placed is None and quick.settings["method"] == "PCA"
    assert place(quick, embeddings.images, embeddings.images[5]).weights.sum() == pytest.approx(1)


def test_another_process_is_told_where_the_vectors_are_and_gets_none(embeddings, tmp_path):
    write_job(tmp_path, embeddings, MapSettings())
    size = sum(file.stat().st_size for file in tmp_path.iterdir() if file.suffix == ".npy")
    assert size < N * D * 2
    other, settings = read_job(tmp_path)
    assert projection.settings_record(other, settings) == projection.settings_record(
        embeddings, settings
    )
    np.testing.assert_array_equal(other.images[:9], embeddings.images[:9])
    assert list(other.caption_texts[:5]) == list(embeddings.caption_texts[:5])


def test_no_vector_of_all_pictures_is_held(embeddings, monkeypatch):
    asked = []

    def counted(self, which):
        found = type(self)._unit(self.raw(which if not isinstance(which, int) else [which]))
        asked.append(len(found))
        return found

    monkeypatch.setattr(type(embeddings.images), "__getitem__", counted)
    make_map(embeddings)
    assert max(asked) <= 70 and sum(asked) >= N


def test_few_pictures_are_laid_out_every_one(embeddings):
    few = sampling.sample(embeddings, 0)[0]
    assert not sampling.is_sampled(few)
    assert make_map(few).rows is None
    assert unit(few.images).shape == (SAMPLE, D)
