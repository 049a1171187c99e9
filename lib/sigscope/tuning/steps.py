"""One step: the gradients of a whole batch, however few of its pairs fit through a tower at once.

Adding up the gradients of small batches is another loss, as each pair then has fewer negatives. So
a large batch goes through twice (GradCache: Gao et al. 2021, "Scaling Deep Contrastive Learning
Batch Size under Memory Limited Setup"): without gradient, to know all vectors and from them the
loss and its gradient by each vector; then part by part with gradient, into which each part's share
is fed. The result is the big batch's to rounding, dropout included: the second pass draws as the
first did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from sigscope.tuning.data import Batch
from sigscope.tuning.sides import Side


def backward(
    sides: tuple[Side, Side],
    batch: Batch,
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

    def __init__(self, side: Side, batch: Batch, size: int, seed: int) -> None:
        self.side, self.batch, self.seed = side, batch, seed
        self.parts = side.parts(batch, size)
        at_once = len(self.parts) == 1 and side.learns
        self.made: Tensor | None = None
        if at_once:
            with seeded(seed):
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
            with seeded(self.seed + 2 * number):
                made = self.side.vectors(self.batch, places)
            made.backward(grads[start : start + len(places)])
            start += len(places)

    def _without_gradient(self, number: int) -> Tensor:
        with torch.no_grad(), seeded(self.seed + 2 * number):
            return self.side.vectors(self.batch, self.parts[number])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let torch draw by seed inside, and as before outside."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
