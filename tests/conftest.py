"""Fixtures that several test files share."""

import os
import sys
from pathlib import Path
from unittest import mock

import pytest

BROWSER = {"driver", "page", "port"}  # fixtures of tests/explorer
sys.path.insert(0, str(Path(__file__).with_name("support")))


def pytest_collection_modifyitems(items):
    """What asks for a browser is slow, and tried twice more where a busy machine fails it."""
    for item in items:
        if BROWSER & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="session", autouse=True)
def _inventories_elsewhere(tmp_path_factory):
    """Folders that tests make leave nothing in the cache."""
    from sigscope import paths
    from sigscope.gallery import inventory

    cache, folder = paths.CACHE, tmp_path_factory.mktemp("inventories")
    with pytest.MonkeyPatch.context() as patch:
        own = lambda: folder if cache == paths.CACHE else paths.CACHE / "inventories"  # noqa: E731
        patch.setattr(inventory, "home", own)
        yield


@pytest.fixture(scope="session", autouse=True)
def _agreement_elsewhere(tmp_path_factory):
    """Nor do checkpoints that tests make."""
    from sigscope.models import shortcuts

    folder = tmp_path_factory.mktemp("agreement")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shortcuts, "home", lambda: folder)
        yield


@pytest.fixture(autouse=True)
def _environment_put_back():
    """A command sets variables for what it starts, and make hands its own flags on.

    Nothing is compiled but where a test asks for it, whether OpenVINO is installed or not.
    """
    with mock.patch.dict(os.environ, SIGSCOPE_COMPILE="0"):
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
            os.environ.pop(name, None)
        yield


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A function from a name in checkpoints.MAKERS to a folder, which no test may change.

    Networks this small are quickest on one thread, most of all on a busy machine.
    """
    import torch
    from checkpoints import MAKERS

    torch.set_num_threads(1)
    folder, made = tmp_path_factory.mktemp("checkpoints"), {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = MAKERS[name](folder / name)
        return made[name]

    return make


@pytest.fixture(params=["float32", "bfloat16"])
def dtype(request, monkeypatch):
    """What a machine chooses: a test that asks for it runs in both, on any machine."""
    monkeypatch.setenv("SIGSCOPE_DTYPE", request.param)
    return request.param
