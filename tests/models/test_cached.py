"""The models on this machine: what the hub's cache holds, whole or not."""

import json
import shutil

import huggingface_hub.constants as settings
import pytest

from sigscope.cli.main import main
from sigscope.models import hub
from sigscope.models.cached import cached_models, fetch_model
from sigscope.models.hub import ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A function that puts a folder of files into an empty cache as the hub's own client does."""
    monkeypatch.setattr(settings, "HF_HUB_CACHE", str(tmp_path / "cache"))

    def add(name, files):
        repo = tmp_path / "cache" / f"models--{name.replace('/', '--')}"
        blobs, snapshot = repo / "blobs", repo / "snapshots" / COMMIT
        blobs.mkdir(parents=True)
        snapshot.mkdir(parents=True)
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text(COMMIT)
        for path in files.iterdir():
            shutil.copy(path, blobs / path.name)
            (snapshot / path.name).symlink_to(blobs / path.name)
        return snapshot

    return add


def test_without_downloads_only_the_shipped_model_is_here(cache):
    table = cached_models()
    assert table["model"].tolist() == ["siglit-mini"] and table["why_not"].tolist() == [""]
    assert table["dimension"].tolist() == [384] and 50 < table["megabytes"][0] < 60


def test_each_model_of_the_cache_is_listed_with_what_is_missing(cache, checkpoint):
    cache("them/siglip", checkpoint("siglip"))
    cache("them/metaclip-2", checkpoint("metaclip2"))
    half = cache("them/half", checkpoint("clip"))
    (half / "model.safetensors").unlink()
    table = cached_models().set_index("model")
    assert table.index.tolist() == ["siglit-mini", "them/half", "them/metaclip-2", "them/siglip"]
    assert table.loc["them/siglip", ["family", "dimension"]].tolist() == ["SigLIP", 32]
    assert table.loc["them/metaclip-2", ["family", "dimension"]].tolist() == ["MetaCLIP 2", 24]
    assert table.loc["them/half", "family"] == ""
    assert "has no model.safetensors" in table.loc["them/half", "why_not"]


def test_a_tokenizer_alone_is_no_model(cache, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "tokenizer.json").write_text("{}")
    cache("them/words", tmp_path / "files")
    assert cached_models()["model"].tolist() == ["siglit-mini"]


def test_what_is_in_the_cache_is_not_fetched_again(cache, checkpoint, monkeypatch):
    cache("them/siglip", checkpoint("siglip"))
    monkeypatch.setattr(hub, "download", pytest.fail)
    assert fetch_model("them/siglip").dimension == 32


def test_a_model_that_cannot_be_had_is_a_sentence(cache, monkeypatch):
    monkeypatch.setattr(settings, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="them/siglip is not in this machine's model cache"):
        fetch_model("them/siglip")


def test_the_command_lists_and_says_how_to_choose(cache, checkpoint, capsys):
    cache("them/siglip", checkpoint("siglip"))
    assert main(["models", "--json"]) == 0
    assert [row["model"] for row in json.loads(capsys.readouterr().out)][1:] == ["them/siglip"]
    assert main(["models", "fetch", "them/siglip"]) == 0
    told = capsys.readouterr().out
    assert "SigLIP, 32-d" in told and "SIGSCOPE_MODEL=them/siglip chooses it" in told


def test_the_command_says_why_a_model_cannot_be_had(cache, capsys):
    assert main(["models", "fetch", "./nowhere"]) == 1
    assert "there is no model folder ./nowhere" in capsys.readouterr().err
