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


@pytest.fixture(scope="module")
def tune(checkpoint, folder):
    """A function that tunes into a folder in a process of its own, killed after so many steps.

    It returns the exit code.
    """
    places = [checkpoint("dual"), folder / "gallery", folder / "cache"]
    command = [sys.executable, SCRIPT, *map(str, places)]
    how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **how) as script:

        def tune(into, after=NEVER, save_every_s=0.0):
            script.stdin.write(f"{after} {save_every_s} {folder / into}\n")
            return int(script.stdout.readline())

        yield tune


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs to kill are forked")
@pytest.mark.parametrize(("after", "save_every_s"), [(1, 0), (3, 1e9)])
def test_killed_within_an_epoch_it_ends_with_the_same_bits(after, save_every_s, tune, folder):
    assert tune("undisturbed") == 0
    into = f"killed-{after}"
    assert tune(into, after, save_every_s) == -signal.SIGKILL
    assert (folder / into / "run" / "state.safetensors").exists()
    assert not (folder / into / "record.json").exists()
    assert tune(into) == 0
    resumed, undisturbed = (Tuned.load(folder / name) for name in (into, "undisturbed"))
    losses = [list(one.curve["loss"][1:]) for one in (resumed, undisturbed)]
    assert losses[0] == losses[1]
    weights = [sha256(one.folder / "model.safetensors") for one in (resumed, undisturbed)]
    assert weights[0] == weights[1]
    assert undisturbed.record["best_epoch"] == 2, "else what is compared is an earlier epoch"
