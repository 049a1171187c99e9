"""Readers of random weights, against the library's own path, one pair at a time."""

import numpy as np
import pytest
import torch
import transformers
from reader_checkpoints import MAKERS

from sigscope.models import readers, readings, shortcuts
from sigscope.models.hub import ModelError
from sigscope.models.readers import Reader
from sigscope.models.readings import Readings

TEXT = "two dogs on a red sofa"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    home, made = tmp_path_factory.mktemp("readers"), {}

    def make(name):
        return made[name] if name in made else made.setdefault(name, MAKERS[name](home / name))

    return make


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_each_pair_is_judged_as_the_library_judges_it(folder, name):
    processor, network, head = readers.CLASSES[name]
    prepare = getattr(transformers, processor).from_pretrained(folder(name), backend="pil")
    model = getattr(transformers, network).from_pretrained(folder(name)).eval()
    exact = []
    for picture in shortcuts.pictures():
        inputs = prepare(images=picture, text=TEXT, return_tensors="pt")
        with torch.inference_mode():
            out = model(**inputs, **{head: True})
        logits = out[0] if name == "blip" else out.logits_per_image
        exact.append(float(torch.softmax(logits, dim=1)[0, 1]))
    found = Reader(folder(name), device="cpu").probabilities(TEXT, shortcuts.pictures())
    np.testing.assert_allclose(found, exact, atol=1e-4)
    assert len(set(found.round(4))) == len(found), "the picture matters"


def test_the_text_matters_and_how_many_are_read_at_once_does_not(folder, monkeypatch):
    reader = Reader(folder("blip"), device="cpu")
    first = reader.probabilities(TEXT, shortcuts.pictures())
    assert abs(first - reader.probabilities("a map", shortcuts.pictures())).max() > 1e-3
    monkeypatch.setattr(readers, "BATCH", 1)
    np.testing.assert_allclose(reader.probabilities(TEXT, shortcuts.pictures()), first, atol=1e-5)
    assert reader.probabilities(TEXT, []).shape == (0,)


def test_answers_outlive_the_process_up_to_a_number(tmp_path, monkeypatch):
    monkeypatch.setattr(readings, "KEPT", 2)
    Readings(tmp_path / "a.sqlite").keep(["a", "b", "c"], [0.1, 0.2, 0.3])
    assert Readings(tmp_path / "a.sqlite").known(["c", "a", "b", "d"]) == [0.3, None, 0.2, None]
    assert Readings(tmp_path / "other.sqlite").known(["a", "c"]) == [None, None]


def test_a_broken_file_of_answers_is_begun_anew_and_where_none_can_be_they_are_still_had(tmp_path):
    for broken in (b"<html>" * 500, b"SQLite format 3\0" + b"\xff" * 5000):
        (tmp_path / "a.sqlite").write_bytes(broken)
        Readings(tmp_path / "a.sqlite").keep(["a"], [0.5])
        assert Readings(tmp_path / "a.sqlite").known(["a"]) == [0.5]
    (tmp_path / "no folder").write_text("")
    nowhere = Readings(tmp_path / "no folder" / "a.sqlite")
    nowhere.keep(["a"], [0.5])
    assert nowhere.known(["a"]) == [0.5]


def test_what_is_no_reader_is_refused_in_a_sentence(checkpoint, tmp_path):
    with pytest.raises(ModelError, match="a re-ranker must be a blip or a blip-2"):
        Reader(checkpoint("siglip"))
    with pytest.raises(ModelError, match="there is no re-ranker in"):
        Reader(tmp_path / "nowhere")


def test_a_blip_without_its_head_is_refused(folder, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folder("blip"), tmp_path / "copy")
    kept = {k: w for k, w in load_file(copy / "model.safetensors").items() if "itm_head" not in k}
    save_file(kept, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="the first itm_head.bias; give a checkpoint that"):
        Reader(copy, device="cpu")
