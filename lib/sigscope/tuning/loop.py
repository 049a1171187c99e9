"""A run: epoch after epoch, each scored, the best kept; it may be killed at any moment.

After each epoch, and within one as often as is asked for, all that the rest depends on is written
down. Gone on with from there, on the CPU with as many threads, it ends with the same bits as a run
that was left alone.
"""

from __future__ import annotations

import math
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sigscope.images.prefetch import prefetch
from sigscope.progress import progress_bar
from sigscope.tuning import state
from sigscope.tuning.data import Batch
from sigscope.tuning.losses import contrastive_loss
from sigscope.tuning.schedule import rate
from sigscope.tuning.setup import Setup
from sigscope.tuning.sides import LivePictures
from sigscope.tuning.steps import backward

DENSE = 512  # pairs up to which the table of scores is held whole


class Run:
    """One run and where it stands."""

    def __init__(self, setup: Setup, folder: Path, save_every_s: float) -> None:
        """Stand at the beginning."""
        self.setup, self.folder, self.save_every_s = setup, folder, save_every_s
        self.steps = setup.pairs.steps(setup.recipe)
        self.epoch = self.step = self.best_epoch = 0
        self.losses: list[float] = []  # of the epoch so far
        self.curve: list[dict[str, float]] = []
        self.seconds = 0.0
        self.saved = self.started = monotonic()

    @property
    def best_score(self) -> float:
        """The score of the best epoch; 0 is before training."""
        return self.curve[self.best_epoch]["score"] if self.curve else -math.inf

    @property
    def stopped_early(self) -> bool:
        """Whether patience has run out."""
        patience = self.setup.recipe.patience
        return patience is not None and len(self.curve) - 1 - self.best_epoch >= patience

    def resume(self) -> None:
        """Go to where an earlier run in the same folder was when it was last written down."""
        path = self.folder / state.STATE
        if not path.exists():
            return
        tensors, numbers = state.load(path)
        named = self.setup.learning()
        state.into_weights(named, tensors)
        state.into_optimiser(self.setup.optimiser, named, tensors)
        self.setup.precision.scaler.load_state_dict(numbers.pop("scaler"))
        for name, value in numbers.items():
            setattr(self, name, value)

    def go(self, progress: bool = False) -> None:
        """Run to the end and leave the best weights in."""
        recipe = self.setup.recipe
        self.started = monotonic() - self.seconds
        total, done = recipe.epochs * self.steps, self.epoch * self.steps + self.step
        with progress_bar(total, "Tuning", " steps", progress, done=done) as bar:
            if not self.curve:
                self._score({})
            while self.epoch < recipe.epochs and not self.stopped_early:
                self._one_epoch(bar)
        self._leave_the_best()

    def _one_epoch(self, bar: tqdm) -> None:
        begun = monotonic()
        for batch in self._batches():
            self.losses.append(self._learn(batch))
            self.step += 1
            bar.set_postfix(loss=f"{self.losses[-1]:.3f}", val=f"{self.curve[-1]['score']:.3f}")
            bar.update()
            if monotonic() - self.saved >= self.save_every_s:
                self._save()
        self.epoch, self.step = self.epoch + 1, 0
        figures = {
            "loss": float(np.mean(self.losses)),
            "scale": self.setup.temperature.scale.item(),
            "bias": self.setup.temperature.bias.item(),
        }
        self.losses = []
        self._score(figures | {"seconds": monotonic() - begun})

    def _batches(self) -> Any:
        """Yield the rest of the epoch's batches; pictures are opened ahead of them."""
        recipe, images = self.setup.recipe, self.setup.sides[0]
        epoch = self.setup.pairs.epoch(recipe, self.epoch, images.views)
        steps = range(self.step, self.steps)
        if not isinstance(images, LivePictures):
            return (epoch.batch(step, recipe.batch_size) for step in steps)

        def load(step: int) -> Batch:
            return images.load(epoch.batch(step, recipe.batch_size), recipe.micro_batch)

        return prefetch(load, steps, 1)

    def _learn(self, batch: Batch) -> float:
        """Take one step and return its loss."""
        setup, recipe = self.setup, self.setup.recipe
        scaler, optimiser = setup.precision.scaler, setup.optimiser
        right = torch.from_numpy(batch.right).to(setup.towers.device)
        block = recipe.block if len(batch) > DENSE else None

        def loss(images: Tensor, texts: Tensor) -> Tensor:
            t, b = setup.temperature.scale, setup.temperature.bias
            value = contrastive_loss(recipe.loss, images, texts, t, b, right, block=block)
            return scaler.scale(value)

        setup.towers.training(True)
        optimiser.zero_grad()
        seed = _seed(recipe.seed, self.epoch, self.step)
        factor = scaler.get_scale()
        value = backward(setup.sides, batch, loss, micro_batch=recipe.micro_batch, seed=seed)
        value = value.item() / factor
        if not math.isfinite(value):
            raise ArithmeticError(
                f"the loss became {value} in epoch {self.epoch + 1}, step {self.step + 1}; lower "
                "lr, or compute in float32"
            )
        scaler.unscale_(optimiser)
        if recipe.clip:
            torch.nn.utils.clip_grad_norm_(setup.learning().values(), recipe.clip)
        at = self.epoch * self.steps + self.step
        share = rate(at, recipe.epochs * self.steps, recipe.warmup, recipe.schedule)
        for group in optimiser.param_groups:
            group["lr"] = share * group["base_lr"]
        scaler.step(optimiser)
        scaler.update()
        setup.temperature.keep_in_range()
        return value

    def _score(self, figures: dict[str, float]) -> None:
        """Add a row to the curve, keep the weights if they are the best so far, write it down."""
        best = self.best_score
        score = self.setup.validate(self.setup.towers)
        self.curve.append({"epoch": self.epoch, "score": score, **figures})
        if score > best:
            self.best_epoch = self.epoch
            state.save(self._best(self.epoch), self.setup.learning(), {})
        self._save()
        for old in self.folder.glob("best-*.safetensors"):
            if old != self._best(self.best_epoch):
                old.unlink()

    def _save(self) -> None:
        named = self.setup.learning()
        tensors = {**named, **state.of_optimiser(self.setup.optimiser, named)}
        self.seconds = monotonic() - self.started
        numbers = {
            name: getattr(self, name)
            for name in ("epoch", "step", "best_epoch", "losses", "curve", "seconds")
        }
        scaler = self.setup.precision.scaler.state_dict()
        state.save(self.folder / state.STATE, tensors, {**numbers, "scaler": scaler})
        self.saved = monotonic()

    def _leave_the_best(self) -> None:
        tensors, _ = state.load(self._best(self.best_epoch))
        state.into_weights(self.setup.learning(), tensors)
        self.setup.towers.training(False)

    def _best(self, epoch: int) -> Path:
        return self.folder / f"best-{epoch}.safetensors"


def _seed(*parts: int) -> int:
    """Return a number that other parts hardly share, below 2^62."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(2))
