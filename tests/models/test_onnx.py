"""Towers in ONNX against the torch towers that they were exported from: `make test-extras`."""

import json
import shutil
import warnings

import numpy as np
import pytest
import torch
import torchvision_anyway  # noqa: F401
from transformers import CLIPTokenizer

from sigscope.models import shortcuts
from sigscope.models.encoder import Encoder
from sigscope.models.hub import ModelError

pytest.importorskip("onnxruntime", reason='needs the extra "onnx": make test-extras has it')
pytest.importorskip("open_clip", reason='needs the extra "openclip": make test-extras has it')
from openclip_checkpoints import MAKERS  # noqa: E402

TEXTS = ["two dogs", "A Red  Sofa, and the sea!", "children play football " * 30, "x"]
NAMES = ("clip", "siglip")
OPENAI = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}


def exported(source, folder, parts, batch):
    """Write what Immich's exporter writes of a checkpoint of open_clip."""
    network, tokenizer, _ = parts
    settings = json.loads((source / "open_clip_config.json").read_text())
    for name in ("textual", "visual"):
        (folder / name).mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(settings["model_cfg"]))
    size = network.visual.image_size[0] if hasattr(network.visual, "image_size") else 160
    pictures = {"size": [size, size], "mode": "RGB", "interpolation": "bicubic"}
    pictures |= {"fill_color": 0, "resize_mode": "shortest"} | settings["preprocess_cfg"]
    (folder / "visual" / "preprocess_cfg.json").write_text(json.dumps(pictures))
    for path in source.glob("*token*"):
        shutil.copy(path, folder / "textual")
    if hasattr(tokenizer, "bpe_ranks"):  # open_clip's own: that of openai/clip-vit-base-patch32
        vocab = {OPENAI.get(token, token): n for token, n in tokenizer.encoder.items()}
        own = CLIPTokenizer(vocab=vocab, merges=list(tokenizer.bpe_ranks))
        own.save_pretrained(folder / "textual")
    length = settings["model_cfg"]["text_cfg"]["context_length"]
    tokens = torch.ones(1, length, dtype=torch.int32)
    pixels = torch.randn(1, 3, size, size)
    _export(network, "encode_text", tokens, folder / "textual", "text", batch)
    _export(network, "encode_image", pixels, folder / "visual", "image", batch)
    return folder


def _export(network, method, example, folder, name, batch):
    class Tower(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, given):
            return getattr(self.network, method)(given, normalize=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.mha.set_fastpath_enabled(False)
        torch.onnx.export(
            Tower().eval(),
            (example,),
            str(folder / "model.onnx"),
            input_names=[name],
            output_names=["embedding"],
            opset_version=18,
            dynamo=False,
            dynamic_axes={name: {0: "batch"}} if batch else None,
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function from a name to the folder of a checkpoint in torch, and the same in ONNX."""
    torch.set_num_threads(1)
    home, known = tmp_path_factory.mktemp("onnx"), {}

    def make(name):
        if name not in known:
            parts = MAKERS[name](home / name)
            batch = name == "siglip"
            known[name] = home / name, exported(home / name, home / f"{name}-onnx", parts, batch)
        return known[name]

    return make


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_those_of_the_torch_towers(made, name):
    torch_folder, folder = made(name)
    ours, exact = Encoder.load(folder), Encoder.load(torch_folder, dtype="float32")
    pictures = shortcuts.pictures()
    shown, expected = ours.encode_pictures(pictures, 3), exact.encode_pictures(pictures)
    np.testing.assert_allclose(ours.encode_texts(TEXTS, 3), exact.encode_texts(TEXTS), atol=1e-4)
    assert (shown * expected).sum(axis=1).min() > 0.999, "of pixels that are resized alike"
    np.testing.assert_allclose(ours.encode_pictures(pictures[:1]), shown[:1], atol=1e-5)
    assert (ours.family, ours.dtype, ours.device) == ("onnx", "float32", "cpu")
    assert ours.dimension == exact.dimension and ours.identity != exact.identity


def test_one_tower_alone_gives_the_same(made):
    folder = made("clip")[1]
    text, both = Encoder.load(folder, towers="text"), Encoder.load(folder)
    np.testing.assert_allclose(text.encode_texts(TEXTS), both.encode_texts(TEXTS), atol=1e-6)
    assert text.identity == both.identity and text.knows("MOUNTAINS")
    assert not text.knows("qzxvj wqkzj")


def test_how_pictures_are_made_fit_counts(made, tmp_path):
    folder = shutil.copytree(made("clip")[1], tmp_path / "clip")
    rules = folder / "visual" / "preprocess_cfg.json"
    settings = json.loads(rules.read_text())
    rules.write_text(json.dumps(settings | {"resize_mode": "squash"}))
    other, first = Encoder.load(folder), Encoder.load(made("clip")[1])
    pictures = shortcuts.pictures()
    alike = (other.encode_pictures(pictures) * first.encode_pictures(pictures)).sum(axis=1)
    assert alike.min() < 0.999 and other.identity != first.identity
    rules.write_text(json.dumps(settings | {"resize_mode": "longest"}))
    with pytest.raises(ModelError, match="by longest; only shortest and squash"):
        Encoder.load(folder)


@pytest.mark.parametrize("name", ["textual", "visual"])
def test_half_a_download_is_said_in_a_sentence(made, tmp_path, name):
    folder = shutil.copytree(made("clip")[1], tmp_path / "clip")
    file = folder / name / "model.onnx"
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(ModelError, match=f"the tower .*{name}.* cannot be read"):
        Encoder.load(folder)
    file.unlink()
    with pytest.raises(ModelError, match=f"lacks {name}/model.onnx; download the model again"):
        Encoder.load(folder)
