"""The two contrastive losses in blocks of rows: their memory grows with the batch, not its square.

The table of n x n scores is never whole: a block of it is made, adds to the loss and to the
gradients, and is forgotten. As the loss is one number, its gradients are known once it is, and
backward only multiplies them. Values and gradients are those of `tuning.losses` to rounding.
Second derivatives are not offered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid

AT_ONCE = 65_536  # right pairs whose scores are worked out together


def sigmoid_in_blocks(
    images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, right: Tensor, block: int = 256
) -> Tensor:
    """Return `losses.sigmoid_loss` with block x n scores held at once instead of n x n.

    Args:
        images: unit vectors, shape (n, d).
        texts: unit vectors, shape (n, d).
        scale: t, a scalar.
        bias: b, a scalar.
        right: int64, shape (p, 2): which picture and text belong together, ordered by picture.
        block: rows at once.
    """
    return _Sigmoid.apply(images, texts, scale, bias, right, block)


def softmax_in_blocks(
    images: Tensor, texts: Tensor, scale: Tensor, right: Tensor, block: int = 256
) -> Tensor:
    """Return `losses.softmax_loss` with block x n scores held at once; see `sigmoid_in_blocks`.

    The table is made twice: log-sum-exps of rows and columns first, gradients then.
    """
    return _Softmax.apply(images, texts, scale, right, block)


class _Sigmoid(Function):
    """L = (1/n) sum_ij -log sigmoid(z_ij l_ij); dL/dl_ij = -z_ij sigmoid(-z_ij l_ij) / n."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, t: Tensor, b: Tensor, right: Tensor, block: int
    ) -> Tensor:
        total, by_t, by_b = x.new_zeros(()), x.new_zeros(()), x.new_zeros(())
        by_x, by_y = torch.empty_like(x), torch.zeros_like(y)
        for rows, places in _blocks(len(x), right, block):
            cosines = x[rows] @ y.T
            logits = t * cosines + b
            logits[places] *= -1  # now -z l
            total -= logsigmoid(-logits).sum()
            slope = logits.sigmoid_()
            slope[places] *= -1
            by_t += (slope * cosines).sum()
            by_b += slope.sum()
            by_x[rows] = slope @ y
            by_y += slope.T @ x[rows]
        ctx.save_for_backward(*(part / len(x) for part in (t * by_x, t * by_y, by_t, by_b)))
        return total / len(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        return *(grad * part for part in ctx.saved_tensors), None, None


class _Softmax(Function):
    """L = (1/2n) sum of log-sum-exp over a row less that over its right answers, both ways."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, t: Tensor, right: Tensor, block: int) -> Tensor:
        n = len(x)
        rows_all, columns_all = x.new_empty(n), x.new_full((n,), -torch.inf)
        for rows, _ in _blocks(n, right, block):
            logits = t * (x[rows] @ y.T)
            rows_all[rows] = logits.logsumexp(1)
            columns_all = torch.logaddexp(columns_all, logits.logsumexp(0))
        picture, text = right.unbind(1)
        scores = t * _cosines(x, y, picture, text)
        rows_right = _logsumexp_by(scores, picture, n)
        columns_right = _logsumexp_by(scores, text, n)
        taken = (scores - rows_right[picture]).exp() + (scores - columns_right[text]).exp()
        by_t, by_x, by_y = x.new_zeros(()), torch.empty_like(x), torch.zeros_like(y)
        done = 0
        for rows, places in _blocks(n, right, block):
            cosines = x[rows] @ y.T
            logits = t * cosines
            slope = (logits - rows_all[rows, None]).exp_() + (logits - columns_all).exp_()
            slope[places] -= taken[done : (done := done + len(places[0]))]
            by_t += (slope * cosines).sum()
            by_x[rows] = slope @ y
            by_y += slope.T @ x[rows]
        ctx.save_for_backward(*(part / (2 * n) for part in (t * by_x, t * by_y, by_t)))
        return ((rows_all - rows_right).mean() + (columns_all - columns_right).mean()) / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        return *(grad * part for part in ctx.saved_tensors), None, None


def _blocks(n: int, right: Tensor, block: int) -> Iterator[tuple[slice, tuple[Tensor, Tensor]]]:
    """Yield each block's rows, and where its right pairs stand in it."""
    starts = list(range(0, n, block))
    bounds = torch.searchsorted(
        right[:, 0].contiguous(), torch.tensor([*starts, n], device=right.device)
    ).tolist()
    for number, start in enumerate(starts):
        picture, text = right[bounds[number] : bounds[number + 1]].unbind(1)
        yield slice(start, min(start + block, n)), (picture - start, text)


def _cosines(x: Tensor, y: Tensor, picture: Tensor, text: Tensor) -> Tensor:
    """Return the inner products of chosen pairs, a few thousand at a time."""
    parts = zip(picture.split(AT_ONCE), text.split(AT_ONCE), strict=True)
    return torch.cat([(x[rows] * y[columns]).sum(1) for rows, columns in parts])


def _logsumexp_by(scores: Tensor, member: Tensor, n: int) -> Tensor:
    """Return the log-sum-exp of the scores of each of n members, each of which has one or more."""
    most = scores.new_full((n,), -torch.inf).scatter_reduce(0, member, scores, "amax")
    sums = scores.new_zeros(n).index_add_(0, member, (scores - most[member]).exp())
    return most + sums.log()
