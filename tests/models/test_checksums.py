"""One flipped bit in what vectors are made by is refused, not searched with."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigscope import paths
from sigscope.models import ModelError, checksums, record_checksums
from sigscope.models.checkpoints import check
from sigscope.models.encoder import Encoder

BOTH = ("text", "image")


@pytest.fixture(scope="module")
def whole(checkpoint, tmp_path_factory):
    folder = shutil.copytree(checkpoint("siglip"), tmp_path_factory.mktemp("sums") / "siglip")
    record_checksums(folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "siglip")


def flip(path, bit):
    data = bytearray(path.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    path.write_bytes(data)


def test_a_whole_checkpoint_loads(whole):
    assert Encoder.load(whole, dtype="float32").encode_texts(["a cat"]).shape[0] == 1


def test_the_list_is_sha256sums_own(whole):
    done = subprocess.run(["sha256sum", "-c", checksums.SUMS], cwd=whole, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_the_shipped_checkpoint_is_what_its_list_says():
    listed = checksums._listed(paths.MINI)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= listed.keys()
    check(paths.MINI, BOTH)


def test_every_file_that_vectors_depend_on_is_listed_and_none_that_they_do_not(folder):
    (folder / "training.json").write_text("{}")
    (folder / "README.md").write_text("a card")
    record_checksums(folder)
    there = {path.name for path in folder.iterdir()}
    expected = there - {"training.json", "README.md", checksums.SUMS, "generation_config.json"}
    assert checksums._listed(folder).keys() == expected


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_flipped_bit_is_loaded(whole, tmp_path_factory, data):
    folder = shutil.copytree(whole, tmp_path_factory.mktemp("flipped") / "siglip")
    name = data.draw(st.sampled_from(sorted(checksums._listed(whole))))
    flip(folder / name, data.draw(st.integers(0, 8 * (folder / name).stat().st_size - 1)))
    with pytest.raises(ModelError):
        check(folder, BOTH)


def test_it_is_seen_in_the_process_that_loaded_the_whole_one(folder):
    check(folder, BOTH)
    flip(folder / "model.safetensors", 8 * ((folder / "model.safetensors").stat().st_size - 50))
    with pytest.raises(ModelError, match="it is damaged.*get the model again"):
        Encoder.load(folder)


def test_a_listed_file_that_is_gone_is_told(folder):
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(ModelError, match="lacks tokenizer_config.json"):
        check(folder, BOTH)


@pytest.mark.parametrize("text", ["", "\n", "nonsense", "ab  config.json\n", "<html>"])
def test_a_broken_list_is_told(folder, text):
    (folder / checksums.SUMS).write_text(text)
    with pytest.raises(ModelError, match="no list of checksums"):
        check(folder, BOTH)


def test_a_checkpoint_without_a_list_loads_and_a_renewed_list_counts(folder):
    flip(folder / "config.json", 0)
    (folder / checksums.SUMS).unlink()
    weights = folder / "model.safetensors"
    flip(weights, 8 * (weights.stat().st_size - 50))
    flip(folder / "config.json", 0)
    check(folder, BOTH)
    record_checksums(folder)
    check(folder, BOTH)


def test_a_file_is_hashed_once_while_it_stays(folder, monkeypatch):
    hashed = []
    real = checksums.files.sha256
    monkeypatch.setattr(checksums.files, "sha256", lambda path: hashed.append(path) or real(path))
    for _ in range(3):
        check(folder, BOTH)
    assert len(hashed) == len(set(hashed)) == len(checksums._listed(folder))
