"""A run that is killed within an epoch ends with the same bits as one that was left alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from toy import write_gallery

from sigscope.files import sha256
from sigscope.tuning.checkpoint import Tuned

SCRIPT = Path(__file__).parents[1] / "support" / "tune_and_die.py"
NEVER = 10**9  # steps


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A gallery, a cache, and what a run makes of them that is left alone."""
    folder = tmp_path_factory.mktemp("kill")
    write_gallery(folder / "gallery", 24, size=16)
    return folder


def tune(checkpoint, folder, into, after=NEVER, save_every_s=0.0) -> int:
    """Tune in a process of its own, on one thread, killed after so many steps; its exit status."""
    places = [checkpoint("dual"), folder / "gallery", folder / into, folder / "cache"]
    command = [sys.executable, SCRIPT, *places, after, save_every_s]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([str(part) for part in command], env=environment).returncode


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nobody is killed so here")
@pytest.mark.parametrize(("after", "save_every_s"), [(1, 0), (3, 1e9)])
def test_killed_within_an_epoch_it_ends_with_the_same_bits(after, save_every_s, checkpoint, folder):
    assert tune(checkpoint, folder, "undisturbed") == 0
    into = f"killed-{after}"
    assert tune(checkpoint, folder, into, after, save_every_s) == -signal.SIGKILL
    assert (folder / into / "run" / "state.safetensors").exists()
    assert not (folder / into / "record.json").exists()
    assert tune(checkpoint, folder, into) == 0
    resumed, undisturbed = (Tuned.load(folder / name) for name in (into, "undisturbed"))
    losses = [list(one.curve["loss"][1:]) for one in (resumed, undisturbed)]
    assert losses[0] == losses[1]
    weights = [sha256(one.folder / "model.safetensors") for one in (resumed, undisturbed)]
    assert weights[0] == weights[1]
    assert undisturbed.record["best_epoch"] == 2, "else what is compared is an earlier epoch"
