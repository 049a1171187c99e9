"""Tunes and kills itself: `python tune_and_die.py MODEL GALLERY CACHE`, then lines on stdin.

For each line, "STEPS SAVE INTO", it forks a process, so that a run need not import everything
anew, and prints its exit code when it is over. The process dies by SIGKILL when STEPS steps are
done; SAVE is the seconds between two states within an epoch. What it tunes with is ``RECIPE``.
"""

import os
import signal
import sys
import time
import traceback
from pathlib import Path

import torch

from sigscope.datasets.load import load_gallery
from sigscope.tuning import features
from sigscope.tuning.finetune import fine_tune
from sigscope.tuning.loop import TuningRun
from sigscope.tuning.network import Towers
from sigscope.tuning.recipes import Recipe
from sigscope.tuning.validation import Validation

RECIPE = Recipe(
    image="trained",
    text="trained",
    every_caption=True,
    epochs=2,
    batch_size=6,
    micro_batch=4,
    lr=1e-3,
    word_dropout=0.2,
    feature_dropout=0.1,
)


def rising(self, towers):
    """Return a higher score each time, in this process and the next: the last epoch wins."""
    return time.time()


def run(model, gallery, steps, save_every_s, into):
    learn, done = TuningRun._learn, 0

    def learn_or_die(self, batch):
        nonlocal done
        if done == int(steps):
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        return learn(self, batch)

    try:
        os.dup2(2, 1)  # stdout is for exit codes
        TuningRun._learn, Validation.__call__ = learn_or_die, rising
        fine_tune(model, load_gallery(gallery), RECIPE, into, save_every_s=float(save_every_s))
        os._exit(0)
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(1)


def main(model, gallery, cache):
    torch.set_num_threads(1)
    features.FOLDER = Path(cache)
    Towers.load(model, "cpu")  # imports what the runs need
    for line in sys.stdin:
        child = os.fork() or run(model, gallery, *line.rstrip("\n").split(" ", 2))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
