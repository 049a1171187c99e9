"""Recipes compared in minutes: what is taken from a gallery, forgotten by a model, kept of runs."""

import numpy as np
import pytest
import torch
from small_gallery import small_gallery
from toy import write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.models.encoder import Encoder
from sigscope.tuning import features
from sigscope.tuning.lesson import some_of, tune_each, with_new_heads
from sigscope.tuning.network import Towers
from sigscope.tuning.recipes import HEADS


def test_so_many_of_each_split_are_taken_and_rare_ones_first():
    gallery = small_gallery()
    rare = gallery.items["id"][gallery.items["split"] == "train"].iloc[[3, 8]]
    gallery.items["kind"] = np.where(gallery.items["id"].isin(rare), "photo", "drawing")
    some = some_of(gallery, {"train": 5}, keep=("kind", "photo"))
    own = some.items[some.items["split"] == "train"]
    assert len(own) == 5 and set(rare) <= set(own["id"]) and own["id"].is_unique
    assert (some.items["split"].iloc[:5] == "train").all()
    tests = [g.items["id"][g.items["split"] == "test"].tolist() for g in (gallery, some)]
    assert tests[0] == tests[1] and some.fingerprint != gallery.fingerprint
    again, other = (some_of(gallery, {"train": 5}, keep=("kind", "photo"), seed=n) for n in (0, 1))
    assert again.fingerprint == some.fingerprint != other.fingerprint
    with pytest.raises(ValueError, match="not 1000"):
        some_of(gallery, {"train": 1000}, keep=("kind", "photo"))


@pytest.mark.parametrize(("family", "sides"), [("dual", ["image", "text"]), ("siglip", ["text"])])
def test_new_heads_forget_what_joins_the_towers_and_nothing_else(
    family, sides, checkpoint, tmp_path
):
    source = checkpoint(family)
    folder = with_new_heads(source, tmp_path)
    old, new = Towers.load(source, "cpu"), Towers.load(folder, "cpu")
    heads = [weight for side in sides for weight in old.head(side).parameters()]
    before, after = dict(old.network.named_parameters()), dict(new.network.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {n for n, w in before.items() if any(w is head for head in heads)}
    assert Encoder.load(folder, dtype="float32").encode_texts(["a cat"]).shape[0] == 1
    assert [old.key(side) == new.key(side) for side in ("image", "text")] == [True, True]


def test_new_heads_are_the_same_each_time_and_made_once(checkpoint, tmp_path):
    first = with_new_heads(checkpoint("dual"), tmp_path / "a")
    made = (first / "model.safetensors").stat().st_mtime_ns
    assert with_new_heads(checkpoint("dual"), tmp_path / "a") == first
    assert (first / "model.safetensors").stat().st_mtime_ns == made
    second = with_new_heads(checkpoint("dual"), tmp_path / "b")
    assert (second / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()
    assert with_new_heads(checkpoint("dual"), tmp_path / "a", seed=1) != first


def test_each_recipe_has_a_run_of_its_own_that_is_made_once(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "FOLDER", tmp_path / "cache")
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 40, size=16))
    recipe = HEADS.but(epochs=1, batch_size=4)
    recipes = {"one": recipe, "other": recipe.but(loss="softmax")}
    runs = tune_each(checkpoint("dual"), gallery, recipes, tmp_path / "tuned")
    assert list(runs) == ["one", "other"] and runs["one"].folder != runs["other"].folder
    again = tune_each(checkpoint("dual"), gallery, {"same": recipe}, tmp_path / "tuned")
    assert again["same"].record == runs["one"].record
    tune_each(checkpoint("dual"), gallery, {"new": recipe.but(epochs=2)}, tmp_path / "tuned")
    assert len(list((tmp_path / "tuned").glob("*/record.json"))) == 3
