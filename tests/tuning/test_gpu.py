"""On a GPU, where there is one: short formats learn, and float32 learns what the CPU does."""

import pytest
import torch
from toy import write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.models.encoder import Encoder
from sigscope.tuning import features
from sigscope.tuning.finetune import fine_tune
from sigscope.tuning.recipes import Recipe

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
RECIPE = Recipe(
    image="trained",
    epochs=4,
    batch_size=8,
    micro_batch=3,
    lr=1e-3,
    loss="softmax",
    flip=0.0,
    crop=1.0,
)


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "FOLDER", tmp_path / "cache")
    return load_gallery(write_gallery(tmp_path / "gallery", 24, size=16))


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("family", ["siglip", "clip", "dual"])
def test_the_loss_falls_in_every_format(family, precision, checkpoint, gallery, tmp_path):
    recipe = RECIPE.but(precision=precision)
    tuned = fine_tune(checkpoint(family), gallery, recipe, tmp_path / "a", device="cuda")
    assert (tuned.record["device"], tuned.record["precision"]) == ("cuda", precision)
    assert tuned.curve["loss"].iloc[-1] < tuned.curve["loss"].iloc[1]
    assert Encoder.load(tuned.folder, device="cuda").encode_texts(["a red square"]).size


def test_in_float32_it_learns_what_the_cpu_learns(checkpoint, gallery, tmp_path):
    curves = [
        fine_tune(checkpoint("clip"), gallery, RECIPE, tmp_path / one, device=one).curve["loss"]
        for one in ("cpu", "cuda")
    ]
    torch.testing.assert_close(*(torch.tensor(c[1:].tolist()) for c in curves), rtol=0.02, atol=0)


@pytest.mark.parametrize("way", ["locked", "adapters"])
def test_locked_and_adapted_towers_work_there_too(way, checkpoint, gallery, tmp_path):
    if way == "adapters":
        pytest.importorskip("peft")
    recipe = RECIPE.but(image=way, text=way, loss="sigmoid", precision="auto")
    tuned = fine_tune(checkpoint("clip"), gallery, recipe, tmp_path / "a", device="cuda")
    assert len(tuned.curve) == 5
