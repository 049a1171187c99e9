"""open_clip's checkpoints against open_clip itself: run by `make test-extras`, which has it."""

import json
import shutil

import numpy as np
import pytest
import torch
import torchvision_anyway  # noqa: F401
from references import assert_answers_as

from sigscope.models import hub, shortcuts
from sigscope.models.cached import cached_models
from sigscope.models.encoder import Encoder
from sigscope.models.hub import ModelError

pytest.importorskip("open_clip", reason='needs the extra "openclip": make test-extras has it')
from openclip_checkpoints import MAKERS, XLM  # noqa: E402

TEXTS = ["two dogs", "A Red Sofa, and the sea!", "children play football " * 30, "x"]
NAMES = sorted(MAKERS)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function from a name to the folder of a checkpoint, and what open_clip made of it."""
    torch.set_num_threads(1)
    home, known = tmp_path_factory.mktemp("openclip"), {}

    def make(name):
        if name not in known:
            known[name] = home / name, *MAKERS[name](home / name)
        return known[name]

    return make


@pytest.fixture(autouse=True)
def _xlm_is_in_the_cache(made, monkeypatch):
    folder = made("multilingual")[0].parent / "xlm"
    monkeypatch.setattr(hub, "cached_snapshot", {XLM: folder}.get)


@pytest.fixture
def exact(made):
    return lambda name, **choice: Encoder.load(made(name)[0], dtype="float32", **choice)


def theirs(network, tokens=None, pictures=None):
    with torch.inference_mode():
        if tokens is not None:
            return network.encode_text(tokens, normalize=True).numpy()
        return network.encode_image(torch.stack(pictures), normalize=True).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_those_of_open_clip(made, exact, name):
    _, network, tokenizer, prepare = made(name)
    encoder, pictures = exact(name), shortcuts.pictures()
    texts = theirs(network, tokens=tokenizer(TEXTS))
    shown = theirs(network, pictures=[prepare(picture) for picture in pictures])
    assert_answers_as(encoder, TEXTS, texts, shown)
    assert encoder.family == "openclip"


@pytest.mark.parametrize("name", NAMES)
def test_one_tower_alone_gives_the_same_and_has_no_weights_of_the_other(made, exact, name):
    both, text, image = exact(name), exact(name, towers="text"), exact(name, towers="image")
    pictures = shortcuts.pictures()
    np.testing.assert_allclose(text.encode_texts(TEXTS), both.encode_texts(TEXTS), atol=1e-6)
    np.testing.assert_allclose(
        image.encode_pictures(pictures), both.encode_pictures(pictures), atol=1e-6
    )
    counts = [sum(w.numel() for w in one._network.parameters()) for one in (text, image, both)]
    assert counts[0] + counts[1] <= counts[2] * 1.1 and min(counts) > 0


def test_another_padding_would_give_another_vector(made, exact):
    _, network, tokenizer, _ = made("siglip")
    short = theirs(network, tokens=tokenizer(["two dogs"], context_length=12))
    assert (exact("siglip").encode_texts(["two dogs"]) * short).sum() < 0.999
    assert exact("siglip").rules["max_length"] == 24


@pytest.mark.parametrize(("name", "same"), [("clip", 1), ("siglip", 1), ("multilingual", 0)])
def test_capitals_count_where_the_checkpoint_s_own_tokenizer_keeps_them(exact, name, same):
    upper, lower = exact(name, towers="text").encode_texts(["A RED SOFA", "a red sofa"])
    assert (upper @ lower > 0.99999) == bool(same)


def test_words_that_it_knows(exact):
    encoder = exact("clip", towers="text")
    assert encoder.knows("MOUNTAINS") and not encoder.knows("qzxvj wqkzj")


def test_what_vectors_depend_on_is_in_the_identity(made, exact, tmp_path):
    folder = shutil.copytree(made("siglip")[0], tmp_path / "siglip")
    first = exact("siglip").identity["preprocessing"]
    assert first["texts"]["tokenizer_kwargs"] == {"clean": "canonicalize"}
    assert first["pictures"]["resize_mode"] == "squash" and first["pictures"]["image_size"] == 160
    settings = json.loads((folder / "open_clip_config.json").read_text())
    settings["preprocess_cfg"]["resize_mode"] = "longest"
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    second = Encoder.load(folder, dtype="float32")
    assert second.identity["preprocessing"] != first
    other = second.encode_pictures(shortcuts.pictures())
    assert (other * exact("siglip").encode_pictures(shortcuts.pictures())).sum(axis=1).min() < 0.999


def test_a_short_number_format_stays_close(made, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_DTYPE", "bfloat16")
    encoder = Encoder.load(made("clip")[0])
    assert encoder.dtype == "bfloat16" or "was given up" in encoder.note


def test_a_missing_tensor_is_not_made_up(made, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(made("clip")[0], tmp_path / "clip")
    weights = load_file(folder / "open_clip_model.safetensors")
    del weights["ln_final.weight"]
    save_file(weights, folder / "open_clip_model.safetensors")
    with pytest.raises(ModelError, match="the weights in .* cannot be read.*ln_final.weight"):
        Encoder.load(folder)


def test_a_text_tower_that_is_neither_here_nor_to_be_had_is_named(made, monkeypatch):
    monkeypatch.setattr(hub, "cached_snapshot", lambda name: None)
    monkeypatch.setattr(hub, "_ask", lambda name: "the model hub cannot be reached")
    with pytest.raises(ModelError, match=f"{XLM} is not in this machine's model cache"):
        Encoder.load(made("multilingual")[0])


def test_the_list_of_models_tells_its_family_and_size(made, monkeypatch):
    from sigscope.models import cached

    monkeypatch.setattr(cached, "_folders", lambda: [("laion/tiny", made("clip")[0])])
    row = cached_models().iloc[0]
    assert (row["family"], row["dimension"], row["why_not"]) == ("open_clip", 24, "")
