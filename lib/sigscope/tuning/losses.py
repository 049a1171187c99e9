"""The two contrastive losses over a batch of picture and text vectors, behind one function.

Symbols, for a batch of n pairs: ``images`` X and ``texts`` Y are unit vectors, shape (n, d);
t > 0 is the scale (the inverse temperature) and b the bias; z_ij is +1 where picture i and text j
belong together and -1 elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

START: dict[str, tuple[float, float]] = {  # t and b before training, as the papers set them
    "sigmoid": (10.0, -10.0),  # Zhai et al. 2023: t' = log 10 and b = -10
    "softmax": (1 / 0.07, 0.0),  # Radford et al. 2021
}
MOST_SCALE = 100.0  # of the softmax loss (Radford et al. 2021, section 2.5)


def contrastive_loss(
    kind: str,
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    bias: Tensor,
    right: Tensor | None = None,
    *,
    block: int | None = None,
) -> Tensor:
    """Return the loss of a batch by its name.

    Args:
        kind: "sigmoid" or "softmax" (which takes no notice of the bias).
        images: unit vectors, float32 or float64, shape (n, d).
        texts: unit vectors, same shape.
        scale: t, a positive scalar.
        bias: b, a scalar.
        right: int64, shape (p, 2): the numbers of each picture and text that belong together,
            ordered by picture, among them every (i, i); None means these alone.
        block: rows of the n x n scores held at once, for a large batch; None holds them all. The
            result is the same to rounding.

    Raises:
        ValueError: there is no such loss, or as many pictures as texts are not given.
    """
    if kind not in START:
        raise ValueError(f"there is no loss {kind!r}; choose from {', '.join(START)}")
    if images.shape != texts.shape:
        raise ValueError(
            f"pictures {tuple(images.shape)} and texts {tuple(texts.shape)} must come in pairs"
        )
    if block is None:
        same = None if right is None else _table(right, len(images))
        if kind == "sigmoid":
            return sigmoid_loss(images, texts, scale, bias, same)
        return softmax_loss(images, texts, scale, same)
    from sigscope.tuning.blocks import sigmoid_in_blocks, softmax_in_blocks

    if right is None:
        right = _diagonal(len(images), images.device)
    if kind == "sigmoid":
        return sigmoid_in_blocks(images, texts, scale, bias, right, block)
    return softmax_in_blocks(images, texts, scale, right, block)


def sigmoid_loss(
    images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, same: Tensor | None = None
) -> Tensor:
    """Return SigLIP's loss: -(1/n) sum_ij log sigmoid(z_ij (t x_i . y_j + b)).

    Every pair of the batch is one yes-or-no question, so a text may belong to several pictures.
    Source: Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training", equation in
    section 3.2 and algorithm 1; there t starts at 10 and b at -10.

    Args:
        images: unit vectors, float32, shape (n, d).
        texts: unit vectors, float32, shape (n, d).
        scale: t, a positive scalar.
        bias: b, a scalar.
        same: bool, shape (n, n): True where picture i and text j belong together; without it,
            pair i is right for i alone.

    Returns:
        A scalar >= 0.
    """
    import torch
    from torch.nn.functional import logsigmoid

    if same is None:
        same = torch.eye(len(images), dtype=torch.bool, device=images.device)
    logits = scale * images @ texts.T + bias
    return -logsigmoid(torch.where(same, logits, -logits)).sum() / len(images)


def softmax_loss(
    images: Tensor, texts: Tensor, scale: Tensor, same: Tensor | None = None
) -> Tensor:
    """Return CLIP's loss: the mean of both directions' cross-entropy over the batch.

    (1/2n) sum_i [-log p(text i | picture i) - log p(picture i | text i)], where p is the softmax
    of t x_i . y_j over the batch. With several right answers in a row, their shares are added.
    Source: Radford et al. 2021, "Learning Transferable Visual Models", figure 3; R3 uses it.

    Args:
        images: unit vectors, float32, shape (n, d).
        texts: unit vectors, float32, shape (n, d).
        scale: t, a positive scalar.
        same: bool, shape (n, n), as in `sigmoid_loss`; its diagonal must be True.

    Returns:
        A scalar >= 0.
    """
    import torch

    if same is None:
        same = torch.eye(len(images), dtype=torch.bool, device=images.device)
    logits = scale * images @ texts.T
    right = logits.masked_fill(~same, float("-inf"))
    by_picture = logits.logsumexp(1) - right.logsumexp(1)
    by_text = logits.logsumexp(0) - right.logsumexp(0)
    return (by_picture.mean() + by_text.mean()) / 2


def _diagonal(n: int, device: object) -> Tensor:
    import torch

    return torch.arange(n, device=device)[:, None].expand(n, 2)


def _table(right: Tensor, n: int) -> Tensor:
    import torch

    same = torch.zeros((n, n), dtype=torch.bool, device=right.device)
    same[right[:, 0], right[:, 1]] = True
    return same
