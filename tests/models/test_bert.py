"""A dual encoder's BERT in NumPy answers as torch does, and leaves every other tower alone."""

import json
import shutil

import numpy as np
import pytest

from sigscope import paths
from sigscope.models.bert import BertText
from sigscope.models.encoder import Encoder

TEXTS = ["a red bus", "Äpfel, café & Un chat noir", "zxqwv", "very " * 90 + "long", "two\nlines"]


@pytest.fixture(params=["dual", "convolutional", "siglit-mini"])
def folder(request, checkpoint):
    return paths.MINI if request.param == "siglit-mini" else checkpoint(request.param)


def test_it_answers_as_the_whole_encoder(folder):
    exact = Encoder.load(folder, towers=("text",), dtype="float32")
    ours = BertText.load(folder)
    assert np.abs(ours.encode_texts(TEXTS) - exact.encode_texts(TEXTS)).max() < 2e-6
    assert ours.identity == exact.identity
    assert [ours.knows(text) for text in TEXTS] == [exact.knows(text) for text in TEXTS]
    assert ours.encode_texts([]).shape == (0, exact.dimension)


def test_a_text_by_itself_is_encoded_by_it_as_among_others(folder, monkeypatch):
    whole, alone, encode = Encoder.load(folder, dtype="float32"), [], BertText.features
    monkeypatch.setattr(BertText, "features", lambda s, text: alone.append(text) or encode(s, text))
    among = whole.encode_texts(TEXTS)
    assert not alone
    assert np.abs(np.concatenate([whole.encode_texts([t]) for t in TEXTS]) - among).max() < 2e-6
    assert alone == TEXTS


@pytest.mark.parametrize("name", ["siglip", "clip"])
def test_towers_of_other_families_are_left_to_torch(name, checkpoint):
    assert BertText.load(checkpoint(name)) is None


@pytest.mark.parametrize(
    ("file", "part", "changed"),
    [
        ("config.json", "text_config", {"hidden_act": "relu"}),
        ("config.json", "text_config", {"model_type": "roberta"}),
        ("config.json", "text_config", {"position_embedding_type": "relative_key"}),
        ("tokenizer_config.json", None, {"do_lower_case": False}),
    ],
)
def test_a_bert_that_is_another_is_left_to_torch(file, part, changed, checkpoint, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(checkpoint("dual"), copy)
    settings = json.loads((copy / file).read_text())
    (settings[part] if part else settings).update(changed)
    (copy / file).write_text(json.dumps(settings))
    assert BertText.load(copy) is None


def test_a_blank_text_is_refused_by_its_position(checkpoint):
    with pytest.raises(ValueError, match="position 1"):
        BertText.load(checkpoint("dual")).encode_texts(["a", " "])
