"""What is wrong with a checkpoint is said in one sentence, before or instead of random weights."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from sigscope import paths
from sigscope.models import checkpoints
from sigscope.models.encoder import Encoder
from sigscope.models.hub import ModelError

BOTH = ("text", "image")


@pytest.fixture
def folder(checkpoint, tmp_path):
    return shutil.copytree(checkpoint("siglip"), tmp_path / "siglip")


def refusal(model, **choice):
    with pytest.raises(ModelError) as caught:
        Encoder.load(model, **choice)
    sentence = str(caught.value)
    assert "\n" not in sentence and len(sentence) < 500, sentence
    return sentence


def save(weights, folder):
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("path", ["./absent", "../absent/model", "~/absent", "/absent", "a/b/c"])
def test_a_folder_that_is_not_there(path):
    assert f"there is no model folder {path}; check the path" in refusal(path)


def test_the_shipped_model_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.delenv("SIGSCOPE_MODEL", raising=False)
    monkeypatch.setattr(paths, "MINI", tmp_path / "siglit-mini")
    assert "there is no model folder" in refusal(None)


def test_a_file_for_a_folder(folder):
    assert "is a file; give the folder" in refusal(folder / "config.json")


def test_an_empty_folder(tmp_path):
    assert "has no config.json, so it is not a model folder" in refusal(tmp_path)


def test_a_folder_of_another_kind_of_model(folder):
    (folder / "config.json").write_text('{"model_type": "bert"}')
    assert "holds a model of type bert; sigscope reads siglip, siglip2, clip" in refusal(folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": "siglip", "text_config": 3}'])
def test_a_config_that_is_broken(folder, text):
    (folder / "config.json").write_text(text)
    assert "config.json" in refusal(folder)


def test_weights_that_are_cut_short(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert f"the weights {path} are not whole" in refusal(folder)
    path.write_bytes(b"")
    assert "are not whole" in refusal(folder)


def test_weights_that_are_only_a_pointer(folder):
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid 1")
    assert "are only a Git LFS pointer, not the weights" in refusal(folder)


def test_no_weights_or_a_pickle_for_weights(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "has no model.safetensors; sigscope reads safetensors only" in refusal(folder)


@pytest.mark.usefixtures("dtype")
def test_a_missing_tensor_is_not_made_up(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["text_model.head.weight"]
    save(weights, folder)
    assert "lack 1 of the tensors that its config.json asks for" in refusal(folder)
    assert "text_model.head.weight" in refusal(folder, towers="text")
    assert Encoder.load(folder, towers="image").towers == ("image",)


def test_a_tensor_of_another_shape(folder):
    weights = load_file(folder / "model.safetensors")
    weights["text_model.head.bias"] = torch.zeros(7)
    save(weights, folder)
    assert f"the weights in {folder} cannot be read" in refusal(folder)


@pytest.mark.usefixtures("dtype")
def test_no_tokenizer_matters_to_texts_only(folder):
    (folder / "spiece.model").unlink()
    assert "has no tokenizer; add one of tokenizer.json" in refusal(folder)
    assert Encoder.load(folder, towers="image").towers == ("image",)


@pytest.mark.usefixtures("dtype")
def test_a_tokenizer_that_is_broken(folder):
    (folder / "spiece.model").write_bytes(b"nonsense")
    assert f"the tokenizer in {folder} cannot be read" in refusal(folder)
    assert Encoder.load(folder, towers="image").towers == ("image",)


def test_a_tokenizer_that_pads_on_the_left(folder):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"padding_side": "left"}))
    assert "pads on the left" in refusal(folder)


@pytest.mark.usefixtures("dtype")
def test_no_picture_rules_matter_to_pictures_only(folder):
    (folder / "preprocessor_config.json").unlink()
    assert "says nowhere how pictures are prepared" in refusal(folder)
    assert Encoder.load(folder, towers="text").identity["preprocessing"]["pictures"] is None


@pytest.mark.usefixtures("dtype")
def test_weights_in_several_files(folder, checkpoint):
    network = transformers.AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    network.save_pretrained(folder, max_shard_size="50KB")
    names = [path.name for path in checkpoints.weight_files(folder)]
    assert len(names) > 2
    whole, split = Encoder.load(checkpoint("siglip")), Encoder.load(folder)
    pair = [encoder.encode_texts(["a cat"]) for encoder in (whole, split)]
    np.testing.assert_allclose(*pair, atol=1e-6)
    assert split.identity["weights"] != whole.identity["weights"]
    (folder / names[1]).unlink()
    assert f"lacks {names[1]}; download the model again" in refusal(folder)


def test_the_hash_of_weights_is_that_of_the_file_and_follows_its_changes(folder):
    path = folder / "model.safetensors"
    first = checkpoints.weights_sha256(folder)
    assert first == hashlib.sha256(path.read_bytes()).hexdigest()
    save({"x": torch.zeros(1)}, folder)
    assert checkpoints.weights_sha256(folder) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_checkpoint_is_judged_without_torch(checkpoint):
    code = (
        "import sys; from pathlib import Path; from sigscope.models import checkpoints;"
        "checkpoints.check(Path(sys.argv[1]), ('text', 'image')); print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(checkpoint("siglip"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_of_the_shipped_model_alone_it_is_said_that_it_is_small(monkeypatch):
    monkeypatch.delenv("SIGSCOPE_MODEL", raising=False)
    assert "google/siglip-base-patch16-224 is far better" in checkpoints.small_model_note()
    assert checkpoints.small_model_note(paths.MINI) == checkpoints.small_model_note("siglit-mini")
    monkeypatch.setenv("SIGSCOPE_MODEL", "google/siglip-base-patch16-224")
    assert checkpoints.small_model_note() == ""


@pytest.fixture
def openclip(tmp_path):
    """The files that open_clip writes, of no network."""
    settings = {"model_cfg": {"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}}
    home = tmp_path / "openclip"
    home.mkdir()
    (home / "open_clip_config.json").write_text(json.dumps(settings))
    save_file({"a": torch.zeros(3)}, home / "open_clip_model.safetensors")
    return home


def test_an_extra_that_is_not_installed_is_named(openclip, monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    assert 'install it with pip install -e ".[openclip]"' in refusal(openclip)


def test_a_torchvision_for_another_torch_is_named(openclip, monkeypatch):
    broken = RuntimeError("operator torchvision::nms does not exist")
    monkeypatch.setattr(checkpoints, "import_module", lambda name: (_ for _ in ()).throw(broken))
    assert "install the torchvision that was built for this torch" in refusal(openclip)


def test_what_is_wrong_with_a_folder_of_open_clip_is_said_without_it(openclip):
    weights, settings = openclip / "open_clip_model.safetensors", openclip / "open_clip_config.json"
    weights.write_bytes(weights.read_bytes()[:-4])
    assert "are not whole" in refusal(openclip)
    weights.rename(openclip / "open_clip_pytorch_model.bin")
    assert "has no open_clip_model.safetensors; sigscope reads safetensors" in refusal(openclip)
    for text in ("{", "{}", '{"model_cfg": 3}', '{"model_cfg": {"embed_dim": 8}}'):
        settings.write_text(text)
        assert "open_clip_config.json" in refusal(openclip)


def test_of_both_formats_in_one_folder_that_of_transformers_is_read(openclip, folder):
    for path in openclip.iterdir():
        shutil.copy(path, folder)
    assert checkpoints.check(folder, BOTH) == "siglip"
    (folder / "model.safetensors").unlink()
    assert checkpoints.check(folder, BOTH) == "openclip"


def test_fine_tuning_refuses_a_checkpoint_of_open_clip_in_a_sentence(openclip):
    from sigscope.tuning.network import Towers

    with pytest.raises(ModelError, match="fine-tuning takes models in the format of transformers"):
        Towers.load(openclip)
