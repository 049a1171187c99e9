"""A large batch in small parts: loss and gradients of the batch at once, in less memory."""

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.tuning.data import TrainingSet
from sigscope.tuning.loop import _seeded, backward
from sigscope.tuning.losses import contrastive_loss
from sigscope.tuning.network import Towers
from sigscope.tuning.recipes import Recipe
from sigscope.tuning.sides import LivePictures, LiveTexts, LockedSide

RECIPE = Recipe(
    image="trained", text="trained", words=True, every_caption=True, batch_size=13, micro_batch=4
)


@pytest.fixture
def gallery(tmp_path):
    return load_gallery(write_gallery(tmp_path / "gallery", 24, size=16))


def sides_of(folder, gallery):
    towers = Towers.load(folder, "cpu")
    towers.open_up(RECIPE)
    pairs = TrainingSet(gallery, "train")
    pictures = LivePictures(towers, RECIPE, nullcontext, gallery, pairs)
    batch = pairs.epoch(RECIPE, 0).batch(0, RECIPE.batch_size)
    return towers, (pictures, LiveTexts(towers, RECIPE, nullcontext)), batch


def gradients(towers, sides, batch, micro_batch, kind="sigmoid", training=False):
    towers.training(training)
    towers.network.zero_grad()
    right = torch.from_numpy(batch.right)
    t, b = torch.tensor(5.0), torch.tensor(-2.0)

    def loss(x, y):
        return contrastive_loss(kind, x, y, t, b, right)

    value = backward(sides, batch, loss, micro_batch=micro_batch, seed=3)
    grads = {name: w.grad.clone() for name, w in towers.trainable().items() if w.grad is not None}
    return value, grads


def by_autograd(towers, sides, batch, kind):
    """Return the loss and gradients of the whole batch, in its own order, by plain autograd."""
    towers.network.zero_grad()
    pixels = sides[0].prepared(batch, np.arange(len(batch)))
    x = towers.vectors("image", towers.image_features(pixels))
    y = towers.vectors("text", towers.text_features(batch.captions))
    t, b = torch.tensor(5.0), torch.tensor(-2.0)
    loss = contrastive_loss(kind, x, y, t, b, torch.from_numpy(batch.right))
    loss.backward()
    named = towers.trainable().items()
    return loss.detach(), {name: w.grad.clone() for name, w in named if w.grad is not None}


@pytest.mark.parametrize("micro_batch", [4, 13])
@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
@pytest.mark.parametrize("family", ["siglip", "clip", "dual"])
def test_gradients_in_parts_are_those_of_the_whole_batch(
    family, kind, micro_batch, checkpoint, gallery
):
    towers, sides, batch = sides_of(checkpoint(family), gallery)
    towers.training(False)
    loss, expected = by_autograd(towers, sides, batch, kind)
    value, grads = gradients(towers, sides, batch, micro_batch, kind)
    torch.testing.assert_close(value, loss)
    assert grads.keys() == expected.keys() and len(grads) > 20
    for name, grad in expected.items():
        torch.testing.assert_close(grads[name], grad, rtol=1e-3, atol=1e-5)


def test_adding_up_small_batches_would_be_another_loss(checkpoint, gallery):
    """What plain accumulation does, and why a batch goes through twice instead."""
    towers, sides, batch = sides_of(checkpoint("clip"), gallery)
    whole, _ = gradients(towers, sides, batch, 13, "softmax")
    few = TrainingSet(gallery, "train").epoch(RECIPE, 0)
    parts = [gradients(towers, sides, few.batch(n, 4), 4, "softmax")[0] for n in range(3)]
    assert whole > 1.2 * sum(parts) / 3


def test_dropout_is_the_same_in_both_passes(checkpoint, gallery):
    towers, sides, batch = sides_of(checkpoint("dual"), gallery)
    without, _ = gradients(towers, sides, batch, 4)
    value, grads = gradients(towers, sides, batch, 4, training=True)
    towers.network.zero_grad()
    vectors = []
    for number, side in enumerate(sides):  # once, with gradient, drawing as `backward` says
        rows = [None] * len(batch)
        for part, places in enumerate(side.parts(batch, 4)):
            with _seeded(3 + number + 2 * part):
                made = side.vectors(batch, places)
            for place, row in zip(places, made, strict=True):
                rows[place] = row
        vectors.append(torch.stack(rows))
    t, b = torch.tensor(5.0), torch.tensor(-2.0)
    loss = contrastive_loss("sigmoid", *vectors, t, b, torch.from_numpy(batch.right))
    loss.backward()
    torch.testing.assert_close(value, loss.detach())
    assert value != without, "there is no dropout to compare"
    for name, grad in grads.items():
        torch.testing.assert_close(grad, towers.trainable()[name].grad, rtol=1e-3, atol=1e-5)


def test_pictures_kept_in_memory_and_opened_twice_are_the_same(checkpoint, gallery):
    towers, sides, batch = sides_of(checkpoint("clip"), gallery)
    opened_twice = gradients(towers, sides, batch, 4)[0]
    sides[0].load(batch, 4)
    assert len(batch.pixels) == 4
    assert gradients(towers, sides, batch, 4)[0] == opened_twice


def test_a_locked_side_without_a_head_gets_no_gradient(checkpoint, gallery):
    towers = Towers.load(checkpoint("siglip"), "cpu")
    towers.open_up(RECIPE.but(image="locked"))
    pairs = TrainingSet(gallery, "train")
    batch = pairs.epoch(RECIPE, 0).batch(0, 8)
    features = np.random.default_rng(0).normal(size=(len(pairs), 1, 32)).astype(np.float32)
    sides = LockedSide(towers, "image", RECIPE, features), LiveTexts(towers, RECIPE, nullcontext)
    assert not sides[0].learns
    _, grads = gradients(towers, sides, batch, 4)
    assert grads and all(name.startswith("text_model") for name in grads)


CLEAR = Path("/proc/self/clear_refs")
MEASURE = """
import json, sys
from contextlib import nullcontext
import numpy as np, pandas as pd, torch
torch.set_num_threads(1)
from sigscope.tuning.losses import contrastive_loss
from sigscope.tuning.network import Towers
from sigscope.tuning.recipes import Recipe
from sigscope.tuning.sides import LiveTexts, LockedSide
from sigscope.tuning.loop import backward
from sigscope.tuning.data import PairBatch
towers = Towers.load(sys.argv[1], "cpu")
recipe = Recipe(batch_size=4096)
towers.open_up(recipe)
rng = np.random.default_rng(0)
features = rng.normal(size=(4096, 1, 32)).astype(np.float32)
sides = LockedSide(towers, "image", recipe, features), LiveTexts(towers, recipe, nullcontext)
words = "cat dog red sofa map ships sea bicycle green house park sky".split()
texts = [" ".join(rng.choice(words, 8)) for _ in range(4096)]
t, b = torch.tensor(10.), torch.tensor(-10.)
def held(what):
    with open("/proc/self/status") as file:
        return next(int(row.split()[1]) for row in file if row.startswith(what)) / 1024
def start():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    return held("VmRSS")
def grown(n, micro_batch, block):
    before = start()
    rows = np.arange(n)
    right = torch.from_numpy(np.stack([rows, rows], 1))
    batch = PairBatch(rows, texts[:n], right, np.zeros((n, 2), np.uint32), np.zeros(n, np.int64))
    def loss(x, y):
        return contrastive_loss("sigmoid", x, y, t, b, right, block=block)
    backward(sides, batch, loss, micro_batch=micro_batch, seed=0)
    return held("VmHWM") - before
grown(256, 64, 64)
print(json.dumps([grown(4096, 64, 256), grown(4096, 4096, None)]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not CLEAR.exists(), reason="only Linux lets a peak be measured anew")
def test_a_batch_of_4096_trains_in_the_memory_of_a_small_one(checkpoint):
    command = [sys.executable, "-c", MEASURE, str(checkpoint("dual"))]
    here = Path(__file__).parents[1] / "support"
    out = subprocess.run(command, capture_output=True, text=True, cwd=here)
    in_parts, at_once = json.loads(out.stdout)
    assert in_parts < 60 < 300 < at_once
