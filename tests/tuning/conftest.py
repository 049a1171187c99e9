"""What tests of fine-tuning share: a small gallery, and features kept apart from the cache."""

import pytest
from toy import write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.tuning import features


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return load_gallery(write_gallery(tmp_path_factory.mktemp("tune") / "gallery", 24, size=16))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(features, "FOLDER", tmp_path_factory.getbasetemp() / "features")
