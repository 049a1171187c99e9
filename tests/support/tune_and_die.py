"""Tunes and kills itself: `python tune_and_die.py MODEL GALLERY INTO CACHE STEPS SAVE`.

It dies by SIGKILL when STEPS steps are done; SAVE is the seconds between two states within an
epoch. What it tunes with is ``RECIPE``.
"""

import os
import signal
import sys
import time
from pathlib import Path

from sigscope.datasets.load import load_gallery
from sigscope.tuning import features
from sigscope.tuning.finetune import fine_tune
from sigscope.tuning.loop import TuningRun
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


def main(model, gallery, into, cache, steps, save_every_s):
    import torch

    torch.set_num_threads(1)
    features.FOLDER = Path(cache)
    Validation.__call__ = rising
    learn, done = TuningRun._learn, 0

    def learn_or_die(self, batch):
        nonlocal done
        if done == int(steps):
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        return learn(self, batch)

    TuningRun._learn = learn_or_die
    fine_tune(model, load_gallery(gallery), RECIPE, into, save_every_s=float(save_every_s))


if __name__ == "__main__":
    main(*sys.argv[1:])
