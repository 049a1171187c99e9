from dataclasses import replace

import numpy as np
import pytest
from small_maps import few_embeddings

from sigscope import paths
from sigscope.maps import background, projection
from sigscope.maps.map import MapSettings


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setattr(background, "_makings", {})


@pytest.fixture
def few():
    return few_embeddings()


def test_another_process_makes_the_map_and_everybody_sees_it(few):
    making = background.start_map(few)
    assert background.start_map(few) is making
    making.wait(600)
    assert (making.state, making.share, making.reason) == ("ready", 1.0, "")
    np.testing.assert_array_equal(making.map.places, projection.make_map(few).places)
    assert "too few for UMAP" in making.map.settings["note"]


def test_nothing_is_left_in_the_temporary_folder(few, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(background.tempfile, "tempdir", str(tmp_path / "temporary"))
    assert background.start_map(few).wait(600).state == "ready"
    assert not list((tmp_path / "temporary").iterdir())


def test_a_map_in_the_cache_is_ready_at_once(few, monkeypatch):
    kept = projection.open_map(few)
    monkeypatch.setattr(background, "_run", lambda *_: pytest.fail("made again"))
    making = background.start_map(few)
    assert making.state == "ready"
    np.testing.assert_array_equal(making.map.places, kept.places)


def test_another_map_is_another_making(few, monkeypatch):
    monkeypatch.setattr(background, "_run", lambda *_: "")
    first = background.start_map(few)
    assert background.start_map(few, MapSettings(dims=3)) is not first


def test_a_failure_is_told_in_its_own_words_and_tried_again_only_when_asked(few):
    broken = replace(few, caption_texts=few.caption_texts[:3])
    making = background.start_map(broken).wait(600)
    assert making.state == "failed" and making.map is None
    assert making.reason.startswith("The map could not be made: ") and "zip()" in making.reason
    assert background.start_map(broken) is making
    again = background.start_map(broken, again=True)
    assert again is not making
    again.wait(600)


def test_what_the_process_says_is_its_progress_and_other_lines_are_passed_over():
    making = background.Making()
    background._heard(making, "0.250 laying out\n")
    background._heard(making, "a library's own words\n")
    assert (making.share, making.doing) == (0.25, "laying out")


def test_a_job_gives_back_the_embeddings_and_the_settings(few, tmp_path):
    settings = MapSettings(("picture", "caption"), 3, seed=5)
    background.write_job(tmp_path, few, settings)
    found, asked = background.read_job(tmp_path)
    assert asked == settings
    for name in ("ids", "images", "caption_ids", "caption_texts", "captions"):
        np.testing.assert_array_equal(getattr(found, name), getattr(few, name))
    assert projection.settings_record(found, asked) == projection.settings_record(few, settings)
