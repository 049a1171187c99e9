"""A run: epoch after epoch, each scored, the best kept; it may be killed at any moment.

After each epoch, and within one as often as is asked for, all that the rest depends on is written
down. Gone on with from there, on the CPU with as many threads, it ends with the same bits as a run
that was left alone.

Adding up the gradients of small batches is another loss, as each pair then has fewer negatives. So
a batch too large for a tower goes through it twice (GradCache: Gao et al. 2021, "Scaling Deep
Contrastive Learning Batch Size under Memory Limited Setup"): without gradient, to know all vectors
and from them the loss and its gradient by each vector; then part by part with gradient, into which
each part's share is fed. The result is the big batch's to rounding, dropout included: the second
pass draws as the first did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sigscope.images.prefetch import prefetch
from sigscope.progress import progress_bar
from sigscope.tuning import checkpoint
from sigscope.tuning.data import PairBatch
from sigscope.tuning.losses import contrastive_loss
from sigscope.tuning.setup import Setup
from sigscope.tuning.sides import LivePictures, Side

DENSE = 512  # pairs up to which the table of scores is held whole


class TuningRun:
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
        path = self.folder / checkpoint.STATE
        if not path.exists():
            return
        tensors, numbers = checkpoint.load_state(path)
        named = self.setup.learning()
        checkpoint.into_weights(named, tensors)
        checkpoint.into_optimiser(self.setup.optimiser, named, tensors)
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

        def load(step: int) -> PairBatch:
            return images.load(epoch.batch(step, recipe.batch_size), recipe.micro_batch)

        return prefetch(load, steps, 1)

    def _learn(self, batch: PairBatch) -> float:
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
            checkpoint.save_state(self._best(self.epoch), self.setup.learning(), {})
        self._save()
        for old in self.folder.glob("best-*.safetensors"):
            if old != self._best(self.best_epoch):
                old.unlink()

    def _save(self) -> None:
        named = self.setup.learning()
        tensors = {**named, **checkpoint.of_optimiser(self.setup.optimiser, named)}
        self.seconds = monotonic() - self.started
        numbers = {
            name: getattr(self, name)
            for name in ("epoch", "step", "best_epoch", "losses", "curve", "seconds")
        }
        scaler = self.setup.precision.scaler.state_dict()
        checkpoint.save_state(
            self.folder / checkpoint.STATE, tensors, {**numbers, "scaler": scaler}
        )
        self.saved = monotonic()

    def _leave_the_best(self) -> None:
        tensors, _ = checkpoint.load_state(self._best(self.best_epoch))
        checkpoint.into_weights(self.setup.learning(), tensors)
        self.setup.towers.training(False)

    def _best(self, epoch: int) -> Path:
        return self.folder / f"best-{epoch}.safetensors"


def _seed(*parts: int) -> int:
    """Return a number that other parts hardly share, below 2^62."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(2))


def rate(step: int, steps: int, warmup: float, schedule: str = "cosine") -> float:
    """Return the share of the full rate at a step: a linear rise, then half a cosine to 0.

    With the schedule "constant" it stays up after its rise.
    """
    rise = max(1, int(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def backward(
    sides: tuple[Side, Side],
    batch: PairBatch,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    micro_batch: int,
    seed: int,
) -> Tensor:
    """Add the gradients of a batch's loss to all weights that learn, and return the loss.

    Args:
        sides: of pictures and of texts.
        batch: the pairs.
        loss: of unit vectors of pictures and texts, float32, both (n, d); a scalar, with gradient
            to them and to what else it depends on. A factor in it is in all gradients.
        micro_batch: pairs that go through a tower at once.
        seed: of dropout at this step.
    """
    passed = [_Passed(side, batch, micro_batch, seed + number) for number, side in enumerate(sides)]
    value = loss(*(one.vectors for one in passed))
    value.backward()
    for one in passed:
        one.backward()
    return value.detach()


class _Passed:
    """A side's vectors of a batch, cut off from what made them until their gradient is known."""

    def __init__(self, side: Side, batch: PairBatch, size: int, seed: int) -> None:
        self.side, self.batch, self.seed = side, batch, seed
        self.parts = side.parts(batch, size)
        at_once = len(self.parts) == 1 and side.learns
        self.made: Tensor | None = None
        if at_once:
            with _seeded(seed):
                self.made = side.vectors(batch, self.parts[0])
            rows = [self.made.detach()]
        else:
            rows = [self._without_gradient(number) for number in range(len(self.parts))]
        self.places = torch.from_numpy(np.concatenate(self.parts)).to(rows[0].device)
        vectors = torch.empty_like(torch.cat(rows))
        vectors[self.places] = torch.cat(rows)
        self.vectors = vectors.requires_grad_(side.learns)

    def backward(self) -> None:
        """Feed the gradient of each vector into what made it."""
        if not self.side.learns:
            return
        grads = self.vectors.grad[self.places]  # in the order of the parts
        if self.made is not None:
            self.made.backward(grads)
            return
        start = 0
        for number, places in enumerate(self.parts):
            with _seeded(self.seed + 2 * number):
                made = self.side.vectors(self.batch, places)
            made.backward(grads[start : start + len(places)])
            start += len(places)

    def _without_gradient(self, number: int) -> Tensor:
        with torch.no_grad(), _seeded(self.seed + 2 * number):
            return self.side.vectors(self.batch, self.parts[number])


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let torch draw by seed inside, and as before outside."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
