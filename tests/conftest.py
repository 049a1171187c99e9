"""Fixtures that several test files share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


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
