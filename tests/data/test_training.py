"""How `siglit-mini` is trained, on toys: splits, heads, losses, and what the checkpoint gets."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from heads import PictureHead, Recipe, contrast, evaluate, view
from teacher import Ensemble, Joined
from towers import DIMENSION, LITES, ONES, WIDTH, is_latin, mean_layer
from train_siglit_mini import unfold
from training_set import ValidationSet
from training_sources import HELD_OUT, LARGEST, dealt


def test_no_series_is_on_two_sides_and_enough_is_held_out():
    series = pd.Series([f"series {i}" for i in range(40) for _ in range(10 + 6 * i)])
    split = dealt(series)
    assert (split.groupby(series).nunique() == 1).all()
    assert all((split == name).sum() >= least for name, least in HELD_OUT.items())
    assert series[split != "train"].value_counts().max() <= LARGEST


@pytest.mark.parametrize(("number", "side", "blocks"), [(0, 224, []), (2, 260, [4, 7, 15])])
def test_blocks_that_halve_an_odd_side_pad_both_sides_alike(number, side, blocks):
    assert LITES[number].symmetric(side) == blocks


@pytest.mark.parametrize(
    ("word", "kept"),
    [("dog", True), ("##é", True), ("”", True), ("東", False), ("[unused7]", False)],
)
def test_the_vocabulary_keeps_what_english_text_is_written_with(word, kept):
    assert is_latin(word) is kept


def test_the_added_layer_attends_to_the_mean_of_the_tokens():
    config = transformers.BertConfig(
        hidden_size=12, num_attention_heads=3, num_hidden_layers=1, intermediate_size=8
    )
    layer = transformers.BertModel(config).eval().encoder.layer[0]
    mean_layer(layer)
    hidden = torch.randn(1, 7, 12)
    with torch.no_grad():
        seen = layer.attention.self(hidden)[0]
    assert torch.allclose(seen, hidden.mean(1, keepdim=True).expand_as(seen), atol=1e-6)


def test_the_projection_over_features_and_ones_says_what_the_head_says():
    features = np.random.default_rng(0).uniform(0, 3, (40, WIDTH)).astype(np.float16)
    head = PictureHead(features, 0.3).eval()
    torch.nn.init.normal_(head.linear.bias)
    values = torch.from_numpy(features.astype(np.float32))
    with torch.no_grad():
        mapped = torch.cat([values, torch.ones(40, ONES)], 1) @ head.projection().T
        expected = head(values)
    assert torch.allclose(torch.nn.functional.normalize(mapped, dim=1), expected, atol=1e-5)


def test_a_convolution_without_norm_is_written_back_into_one_with_a_norm():
    mine = torch.nn.Conv2d(3, 5, 1)
    theirs, norm = torch.nn.Conv2d(3, 5, 1, bias=False), torch.nn.BatchNorm2d(5, eps=1e-3).eval()
    torch.nn.init.normal_(norm.running_mean)
    pictures = torch.randn(2, 3, 4, 4)
    with torch.no_grad():
        unfold(mine, theirs, norm)
        assert torch.allclose(norm(theirs(pictures)), mine(pictures), atol=1e-6)


def test_pictures_of_one_group_and_equal_texts_are_no_wrong_answers():
    vectors, scale = torch.eye(3), torch.tensor(2.0)
    owner, same = np.arange(3), np.array([7, 7, 8])
    both = contrast(scale, vectors, vectors, owner, np.array([0, 0, 1]), same)
    # rows 0 and 1 have one wrong answer left, row 2 has two
    by_hand = (2 * math.log(1 + math.exp(-2)) + math.log(1 + 2 * math.exp(-2))) / 3
    assert both.item() == pytest.approx(by_hand)


def test_a_view_of_maps_is_a_square_within_them():
    maps, rng = torch.arange(289.0).view(1, 1, 17, 17), np.random.default_rng(0)
    views = [view(maps, rng) for _ in range(30)]
    assert {one.shape for one in views} == {(1, 1, side, side) for side in (13, 15, 17)}
    assert {int(one[0, 0, 0, 1] - one[0, 0, 0, 0]) for one in views} == {1}


def test_a_students_head_begins_near_the_vectors_of_its_teacher():
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 3, (20_000, 30)).astype(np.float16)
    vectors = torch.from_numpy(features.astype(np.float32)) @ torch.randn(30, DIMENSION)
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    head = PictureHead(features, 0.3).eval()
    head.follow(features, vectors)
    with torch.no_grad():
        made = head(torch.from_numpy(features.astype(np.float32)))
    assert (made * vectors).sum(1).min() > 0.95


class Unit(torch.nn.Linear):
    """Linear, to unit vectors."""

    def forward(self, values):
        return torch.nn.functional.normalize(super().forward(values), dim=-1)


class Teacher(torch.nn.Module):
    """A teacher of few numbers, that has learnt nothing."""

    upper = None

    def __init__(self):
        super().__init__()
        self.picture, self.text = Unit(30, DIMENSION), Unit(20, DIMENSION)


@pytest.fixture
def ensemble_and_its_set():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    captions = list(np.arange(200).reshape(100, 2))
    train_set = SimpleNamespace(
        pictures=Joined(rng.standard_normal((100, 30)).astype(np.float16)),
        captions=captions,
        classes=captions[:10],
        texts=SimpleNamespace(seen=torch.randn(200, 20)),
    )
    return Ensemble.of([Teacher() for _ in range(3)], train_set), train_set


def test_a_score_among_teachers_is_the_mean_of_theirs(ensemble_and_its_set):
    ensemble, train_set = ensemble_and_its_set
    pictures, texts = torch.randn(7, 30), torch.randn(9, 20)
    with torch.no_grad():
        theirs = [one.text(texts) @ one.picture(pictures).T for one in ensemble.teachers]
    together = ensemble.text(texts) @ ensemble.picture(pictures).T
    assert torch.allclose(together, sum(theirs) / 3, atol=1e-5)
    seen = torch.from_numpy(train_set.pictures.features.astype(np.float32))
    assert torch.allclose(ensemble.taught, ensemble.picture(seen), atol=1e-6)


def test_one_text_head_learns_to_give_what_several_teachers_give(ensemble_and_its_set):
    ensemble, train_set = ensemble_and_its_set
    before = ensemble.teachers[0].text.weight.clone()
    head, cosine = ensemble.text_head(train_set, Recipe(steps=150, batch=64, text=1e-2))
    unread = torch.randn(50, 20)
    with torch.no_grad():
        alone = (ensemble.teachers[0].text(unread) * ensemble.text(unread)).sum(1).mean()
        found = (head(unread) * ensemble.text(unread)).sum(1).mean()
    assert cosine > 0.98 and alone < 0.8 and found > 0.95
    assert torch.equal(ensemble.teachers[0].text.weight, before)


def test_a_validation_score_is_the_mean_of_hit_rates_both_ways():
    pictures, texts = torch.eye(4)[:2], torch.eye(4)[[0, 1, 0]]  # text 2 is of picture 1
    learner = SimpleNamespace(
        upper=None, eval=lambda: None, picture=lambda rows: rows, text=lambda rows: rows
    )
    val_set = ValidationSet("toy", Joined(pictures.numpy()), np.arange(3), np.array([0, 1, 1]))
    train_set = SimpleNamespace(texts=SimpleNamespace(seen=texts))
    # texts 0 and 1 find theirs first, text 2 second; each picture finds one of its texts first
    assert evaluate(learner, val_set, train_set) == pytest.approx((2 / 3 + 1 + 1 + 1 + 1 + 1) / 6)
