"""The zoo of models: what README says of it, and what it says of this machine."""

import pytest

from sigscope import paths
from sigscope.models.zoo import ZOO, known_models, learnt_from, note_pace

SHARES = ("coco_text", "coco_image", "flickr_text", "flickr_image")


def line(row):
    """Return the row of README's table for a model."""
    size = f"{row.megabytes:,.0f}" if row.megabytes else ""
    shares = ["" if getattr(row, n) is None else f"{getattr(row, n):.3f}"[1:] for n in SHARES]
    cells = [row.setting, row.dimension, size, row.languages, row.licence, *shares]
    return "| " + " | ".join(map(str, [*cells, row.extra])) + " |"


@pytest.mark.parametrize("row", ZOO, ids=lambda row: row.setting)
def test_readme_has_the_row_of_each_model(row):
    assert line(row) in (paths.ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_published_recalls_are_shares_and_each_is_of_a_model_once():
    assert len({row.setting for row in ZOO}) == len(ZOO)
    table = known_models()[list(SHARES)]
    assert ((table > 0) & (table < 1) | table.isna()).all(axis=None)
    by_name = {row.setting: row for row in ZOO}
    clip = by_name["openai/clip-vit-base-patch32"]
    siglip = by_name["google/siglip-base-patch16-224"]
    assert siglip.coco_text > clip.coco_text and siglip.flickr_image > clip.flickr_image


def test_the_shipped_model_is_known_to_be_here_with_its_size_on_disk():
    table = known_models().set_index("setting")
    assert table.loc["siglit-mini", "here"] and 50 < table.loc["siglit-mini", "megabytes"] < 60


def test_pictures_a_second_are_those_of_the_last_job_here(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    clip = "openai/clip-vit-base-patch32"
    note_pace(clip, 400, 100.0)
    note_pace(clip, 3, 100.0)  # too few to say something
    pace = known_models().set_index("setting")["pictures_per_s"]
    assert pace[clip] == 4 and pace.drop(clip).isna().all()


def test_a_benchmark_that_a_model_learnt_from_is_named():
    assert learnt_from("siglit-mini", "Flickr8k") == "flickr8k"
    assert learnt_from("someone/blip-itm-base-coco", "COCO val2017") == "coco"
    assert not learnt_from("google/siglip-base-patch16-224", "Flickr8k")
    assert not learnt_from("siglit-mini", "COCO")
