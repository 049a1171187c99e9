"""The parts of a run: what belongs together, what is drawn, what is kept, how fast it learns."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from toy import ToyEncoder, write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.gallery.gallery import Gallery
from sigscope.models.hub import ModelError
from sigscope.tuning import features, validation
from sigscope.tuning.data import TrainingSet, picture_view, with_words_left_out
from sigscope.tuning.loop import rate
from sigscope.tuning.network import Towers
from sigscope.tuning.recipes import Recipe
from sigscope.tuning.setup import Precision, Temperature


@pytest.fixture
def gallery(tmp_path):
    return load_gallery(write_gallery(tmp_path / "gallery", 24, size=16))


def rows_of(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "captions", "duplicate_of"]).assign(split="train")


def test_equal_captions_the_same_picture_and_duplicates_belong_together():
    items = rows_of(
        ("a", ["a cat", "Tom"], ""),
        ("b", ["a dog", "A Cat"], ""),  # also called a cat
        ("c", ["a tree"], ""),
        ("d", ["an oak"], "c"),  # marked as c's duplicate
        ("e", ["the sea"], ""),
    )
    rows = np.array([0, 1, 2, 3, 4, 0])
    texts = ["a cat", "a dog", "a tree", "an oak", "the sea", "Tom"]
    right = TrainingSet(Gallery("toy", Path(), items, []), "train").right(rows, texts)
    expected = {(n, n) for n in range(6)}
    expected |= {(0, 5), (5, 0)}  # the same picture twice, with both of its captions
    expected |= {(1, 0)}  # b is right for "a cat"; a is not right for "a dog"
    expected |= {(2, 3), (3, 2)}
    assert set(map(tuple, right)) == expected
    assert (np.diff(right[:, 0]) >= 0).all()


def test_matches_are_those_of_the_evaluation(gallery):
    from sigscope.gallery.twins import right_pictures, twins

    items = gallery.items.assign(duplicate_of="")
    items.loc[9, "duplicate_of"] = items["id"][2]
    gallery = Gallery(gallery.name, gallery.root, items.assign(split="train"), gallery.problems)
    ids = items["id"].to_numpy(object)
    texts = [captions[row % 2] for row, captions in enumerate(items["captions"])]
    owners = np.repeat(ids, items["captions"].map(len))
    every = [text for captions in items["captions"] for text in captions]
    by_rule = right_pictures(every, owners, ids, twins(gallery, ids))
    expected = {
        (int(picture), text) for text in range(24) for picture in by_rule[2 * text + text % 2]
    }
    assert set(map(tuple, TrainingSet(gallery, "train").right(np.arange(24), texts))) == expected


def test_an_epoch_shows_every_caption_once_or_every_picture_once(gallery):
    pairs = TrainingSet(gallery, "train")
    shown = pairs.epoch(Recipe(every_caption=True), 0).batch(0, 99)
    assert sorted(shown.captions) == sorted(sum(pairs.items["captions"], []))
    shown = pairs.epoch(Recipe(), 0).batch(0, 99)
    assert sorted(shown.rows) == list(range(len(pairs)))
    drawn = zip(shown.rows, shown.captions, strict=True)
    assert all(text in pairs.items["captions"][row] for row, text in drawn)


def test_epochs_differ_from_each_other_and_repeat_by_seed(gallery):
    pairs = TrainingSet(gallery, "train")
    orders = [
        pairs.epoch(Recipe(seed=seed), epoch).rows.tolist()
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert orders[0] == pairs.epoch(Recipe(), 0).rows.tolist()


def test_a_crop_keeps_its_share_and_a_mirrored_picture_is_the_mirror():
    picture = Image.fromarray(np.random.default_rng(0).integers(256, size=(60, 80, 3), dtype="u1"))
    rng = np.random.default_rng(0)
    views = [picture_view(picture, rng, flip=0.0, crop=0.5) for _ in range(50)]
    shares = [view.width * view.height / 4800 for view in views]
    assert 0.45 < min(shares) < 0.6 and 0.9 < max(shares) <= 1
    mirrored = np.asarray(picture_view(picture, rng, flip=1.0, crop=1.0))
    np.testing.assert_array_equal(mirrored, np.asarray(picture)[:, ::-1])
    assert picture_view(picture, rng, flip=0.0, crop=1.0) == picture


def test_words_are_left_out_by_their_share_and_one_stays():
    text, rng = " ".join(str(n) for n in range(1000)), np.random.default_rng(0)
    left = with_words_left_out(text, rng, 0.3).split()
    assert 650 < len(left) < 750 and left == sorted(left, key=int)
    assert {with_words_left_out("a b", rng, 1.0) for _ in range(20)} == {"a", "b"}
    assert with_words_left_out("alone", rng, 1.0) == "alone"


def test_temperature_starts_as_the_papers_say_or_as_the_checkpoint_does(checkpoint):
    own = Towers.load(checkpoint("siglip"), "cpu").network
    started = Temperature(own, Recipe())
    assert torch.equal(started.log_scale, own.logit_scale.squeeze())
    assert torch.equal(started.bias, own.logit_bias.squeeze())
    clip = Towers.load(checkpoint("clip"), "cpu").network
    started = Temperature(clip, Recipe())
    assert started.log_scale.item() == pytest.approx(math.log(10)) and started.bias.item() == -10
    assert Temperature(own, Recipe(loss="softmax")).scale.item() == pytest.approx(1 / 0.07)
    given = Temperature(own, Recipe(scale=3.0, bias=-1.0))
    assert (given.scale.item(), given.bias.item()) == (pytest.approx(3), -1)
    with pytest.raises(ValueError, match="above 0"):
        Temperature(own, Recipe(scale=0.0))


def test_the_softmax_temperature_is_held_at_100_and_the_other_is_not(checkpoint):
    network = Towers.load(checkpoint("clip"), "cpu").network
    for loss, expected in (("softmax", 100.0), ("sigmoid", 500.0)):
        temperature = Temperature(network, Recipe(loss=loss, scale=500.0))
        temperature.keep_in_range()
        assert temperature.scale.item() == pytest.approx(expected)


def test_a_constant_rate_rises_and_stays():
    rates = [rate(step, 100, 0.1, "constant") for step in range(100)]
    assert rates[4] == 0.5 and set(rates[9:]) == {1.0}
    assert [rate(step, 10, 0.0, "constant") for step in range(10)] == [1.0] * 10


def test_adapters_add_nothing_at_first_and_the_merged_network_answers_alike(checkpoint):
    pytest.importorskip("peft")
    towers = Towers.load(checkpoint("siglip"), "cpu")
    before = towers.text_features(["a red square"])
    towers.open_up(Recipe(image="adapters", text="adapters", rank=2))
    assert torch.equal(towers.text_features(["a red square"]), before)
    names = set(towers.trainable())
    assert names and all("lora_" in name for name in names)
    assert not any("head.attention" in name for name in names)
    for weight in towers.trainable().values():
        torch.nn.init.normal_(weight, std=0.1)
    adapted = towers.text_features(["a red square"])
    plain = towers.merged()
    assert not any("lora_" in name for name in plain.state_dict())
    torch.testing.assert_close(towers.text_features(["a red square"]), adapted)
    assert not torch.allclose(adapted, before, atol=1e-3)


def test_only_the_last_layers_learn_where_that_is_asked_for(checkpoint):
    towers = Towers.load(checkpoint("dual"), "cpu")
    towers.open_up(Recipe(layers=1))
    names = set(towers.trainable())
    assert any("layer.1." in name for name in names)
    assert not any("layer.0." in name or "embeddings" in name for name in names)
    assert "text_projection.weight" in names and "text_model.pooler.dense.weight" in names


@pytest.mark.parametrize("family", ["siglip", "clip", "dual", "convolutional"])
def test_features_through_their_head_are_the_encoders_vectors(
    family, checkpoint, gallery, tmp_path
):
    from sigscope.models.encoder import Encoder

    towers = Towers.load(checkpoint(family), "cpu")
    encoder = Encoder.load(checkpoint(family), device="cpu", dtype="float32")
    seen = features.image_features(towers, gallery, folder=tmp_path)[:, 0]
    read = features.text_features(towers, ["a red square", "b"], folder=tmp_path)
    with torch.no_grad():
        images = towers.vectors("image", torch.from_numpy(seen)).numpy()
        texts = towers.vectors("text", torch.from_numpy(read)).numpy()
    pictures = [gallery.picture(id) for id in gallery.items["id"]]
    np.testing.assert_allclose(images, encoder.encode_pictures(pictures), atol=1e-4)
    np.testing.assert_allclose(texts, encoder.encode_texts(["a red square", "b"]), atol=1e-4)


def test_features_are_kept_by_weights_and_content(checkpoint, gallery, tmp_path, monkeypatch):
    towers = Towers.load(checkpoint("clip"), "cpu")
    first = features.image_features(towers, gallery, folder=tmp_path)
    asked = []
    monkeypatch.setattr(
        Towers, "locked_image_features", lambda self: lambda pictures: asked.append(len(pictures))
    )
    np.testing.assert_array_equal(features.image_features(towers, gallery, folder=tmp_path), first)
    assert not asked
    towers.head("image").weight.data += 1  # no part of the tower
    features.image_features(towers, gallery, folder=tmp_path)
    assert not asked
    next(towers.tower("image").parameters()).data += 1
    with pytest.raises(AttributeError):
        features.image_features(towers, gallery, folder=tmp_path)
    assert asked == [24]


def test_validation_knows_which_text_is_whose(gallery, monkeypatch):
    """Texts are read in the order of their lengths, and still answer for themselves."""
    toy = ToyEncoder()

    class ToyTowers:
        device, training = "cpu", staticmethod(lambda on: None)
        opened = staticmethod(Image.open)
        prepare = staticmethod(toy.preprocess)
        text_features = staticmethod(lambda texts: torch.from_numpy(toy.encode_texts(texts)))
        image_features = staticmethod(lambda batch: torch.from_numpy(toy.encode_batch(batch)))
        vectors = staticmethod(lambda side, features: features)

    monkeypatch.setattr(validation, "K", 3)
    validate = validation.Validation(gallery, "val", "gallery")
    lengths = [len(text) for text in validate.texts]
    assert lengths != sorted(lengths)
    assert validate(ToyTowers()) == 1
    kept = validation.Validation(gallery, "val", "gallery")
    kept.keep_texts(toy.encode_texts(kept.texts))
    assert kept(ToyTowers()) == 1


def test_float16_is_refused_where_it_cannot_be_trained_in():
    with pytest.raises(ModelError, match="choose bfloat16 or float32"):
        Precision("float16", "cpu")
    with Precision("bfloat16", "cpu").autocast():
        assert (torch.eye(2) @ torch.eye(2)).dtype == torch.bfloat16
    assert Precision("auto", "cpu").name in ("bfloat16", "float32")
