"""What a run left is compared with what it wrote, before anything goes on from it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigscope.models.encoder import Encoder
from sigscope.models.hub import ModelError
from sigscope.tuning import features
from sigscope.tuning.checkpoint import Tuned, load_state, save_state
from sigscope.tuning.finetune import fine_tune
from sigscope.tuning.recipes import Recipe

SHORT = Recipe(epochs=1, batch_size=8, micro_batch=8, lr=1e-3)


@pytest.fixture
def tuned(checkpoint, gallery, tmp_path):
    return fine_tune(checkpoint("siglip"), gallery, SHORT, tmp_path / "tuned")


def flip(path, byte):
    data = bytearray(path.read_bytes())
    data[byte] ^= 1
    path.write_bytes(data)


def test_a_finished_run_whose_weights_are_gone_is_run_again(tuned, checkpoint, gallery):
    before = (tuned.folder / "model.safetensors").read_bytes()
    (tuned.folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="weights of a finished run are gone"):
        Tuned.load(tuned.folder)
    again = fine_tune(checkpoint("siglip"), gallery, SHORT, tuned.folder)
    assert (again.folder / "model.safetensors").read_bytes() == before
    assert Tuned.load(again.folder).record["weights"] == tuned.record["weights"]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer_config.json", "config.json"])
def test_a_finished_run_with_a_flipped_bit_is_refused(name, tuned, checkpoint, gallery):
    flip(tuned.folder / name, -3)
    with pytest.raises(ModelError):
        Tuned.load(tuned.folder)
    with pytest.raises(ModelError):
        fine_tune(checkpoint("siglip"), gallery, SHORT, tuned.folder)
    with pytest.raises(ModelError):
        Encoder.load(tuned.folder)


def test_other_weights_with_a_list_of_their_own_are_not_the_runs(tuned, checkpoint, gallery):
    from sigscope.models import record_checksums

    flip(tuned.folder / "model.safetensors", -3)
    record_checksums(tuned.folder)
    with pytest.raises(ModelError, match=r"not those that record\.json tells of"):
        fine_tune(checkpoint("siglip"), gallery, SHORT, tuned.folder)


STATE = {
    "weight": torch.arange(12, dtype=torch.float32).reshape(3, 4),
    "step|weight": torch.tensor(3.0),
    "half": torch.ones(5, dtype=torch.bfloat16),
}
NUMBERS = {"epoch": 2, "losses": [0.5, 0.25], "scaler": {}}


def test_a_state_comes_back_as_it_was(tmp_path):
    save_state(tmp_path / "state.safetensors", STATE, NUMBERS)
    tensors, numbers = load_state(tmp_path / "state.safetensors")
    assert numbers == NUMBERS and all(torch.equal(tensors[name], STATE[name]) for name in STATE)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_no_flipped_bit_of_a_state_is_gone_on_with(tmp_path_factory, byte, bit):
    path = tmp_path_factory.mktemp("state") / "state.safetensors"
    save_state(path, STATE, NUMBERS)
    data = bytearray(path.read_bytes())
    data[byte % len(data)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is not the state of a run"):
        load_state(path)


def test_damaged_features_are_computed_again(tmp_path):
    path, made = tmp_path / "part.npz", []

    def make():
        made.append(1)
        return torch.arange(6.0).reshape(2, 3).numpy()

    expected = features._kept(path, make)
    assert (features._kept(path, make) == expected).all() and len(made) == 1
    for byte in range(path.stat().st_size):
        whole = path.read_bytes()
        flip(path, byte)
        assert (features._kept(path, make) == expected).all(), byte
        path.write_bytes(whole)
