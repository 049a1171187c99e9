"""Locked-image tuning: a text tower is trained against pictures that were embedded once.

The recipe is SigLiT (Zhai et al. 2023, section 3.3, after LiT): the image tower stays as it is, so
its pooled features are computed once and cached; what is trained is the text tower and the linear
layer that takes the image features into the shared space.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from sigscope.losses import sigmoid_loss, softmax_loss

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase, VisionTextDualEncoderModel


@dataclass(frozen=True)
class Pairs:
    """Pictures, as features of the locked tower, and the texts that belong to them.

    Attributes:
        features: float16, shape (n, views, width): several augmented views of each picture.
        texts: for each picture its texts; one is drawn at random each epoch.
        groups: int, shape (n,): pictures of one group are right answers to each other's texts
            (near-duplicates, the same class), never negatives.
    """

    features: np.ndarray
    texts: list[list[str]]
    groups: np.ndarray

    def __post_init__(self):
        """Refuse tables of different lengths."""
        if not len(self.features) == len(self.texts) == len(self.groups):
            raise ValueError(
                f"pairs need one row each: {len(self.features)} pictures, "
                f"{len(self.texts)} lists of texts, {len(self.groups)} groups"
            )

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.features)

    def __add__(self, other: Pairs) -> Pairs:
        """Return both sets as one; their groups stay apart."""
        shift = self.groups.max() + 1 - other.groups.min()
        return Pairs(
            np.concatenate([self.features, other.features]),
            self.texts + other.texts,
            np.concatenate([self.groups, other.groups + shift]),
        )


@dataclass(frozen=True)
class Recipe:
    """What a training run depends on, besides its data.

    ``scale`` and ``bias`` are the starting t and b of the loss (the SigLIP paper's values);
    ``feature_dropout`` is the share of image features hidden at each step. A ``text_lr`` of 0 locks
    the text tower: only the two projections learn, on cached features, a hundred times faster.
    """

    loss: str = "sigmoid"
    epochs: int = 30
    batch_size: int = 256
    text_lr: float = 5e-5
    head_lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    feature_dropout: float = 0.5
    scale: float = 10.0
    bias: float = -10.0
    max_tokens: int = 32
    freeze_words: bool = True
    seed: int = 0


@dataclass
class Run:
    """What happened in a training run: one record an epoch, and the best weights."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    score: float = -math.inf


def batches(pairs: Pairs, size: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield every pair once: features (b, width) float32, one text each, groups (b,)."""
    order = rng.permutation(len(pairs))
    for start in range(0, len(order) - size + 1, size) if len(order) > size else [0]:
        rows = order[start : start + size]
        views = rng.integers(pairs.features.shape[1], size=len(rows))
        texts = [pairs.texts[row][rng.integers(len(pairs.texts[row]))] for row in rows]
        yield pairs.features[rows, views].astype(np.float32), texts, pairs.groups[rows]


def belong_together(groups: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Return bool (n, n): True where picture i and text j are of one group or share their text."""
    _, words = np.unique([text.casefold() for text in texts], return_inverse=True)
    return (groups[:, None] == groups) | (words[:, None] == words)


def pooled_texts(
    model: VisionTextDualEncoderModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_tokens: int,
) -> Tensor:
    """Return the text tower's pooled output before its projection, with gradient, (n, width)."""
    tokens = tokenizer(
        list(texts), padding=True, truncation=True, max_length=max_tokens, return_tensors="pt"
    ).to(model.device)
    return model.text_model(**tokens).pooler_output


class Writer:
    """Turns texts into unit vectors; where the tower is locked, each text is read only once."""

    def __init__(
        self,
        model: VisionTextDualEncoderModel,
        tokenizer: PreTrainedTokenizerBase,
        recipe: Recipe,
        texts: Sequence[str],
    ):
        """Read all ``texts`` now if the recipe locks the text tower (``text_lr`` is 0)."""
        self.model, self.tokenizer, self.recipe = model, tokenizer, recipe
        self.rows: dict[str, int] = {}
        if recipe.text_lr == 0:
            self.rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
            self.pooled = self.read_once(list(self.rows))

    def read_once(self, texts: Sequence[str], size: int = 256) -> Tensor:
        """Return the pooled outputs of texts without gradient, shape (n, width)."""
        import torch

        with torch.no_grad():
            parts = [
                pooled_texts(
                    self.model, self.tokenizer, texts[i : i + size], self.recipe.max_tokens
                )
                for i in range(0, len(texts), size)
            ]
        return torch.cat(parts)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return unit vectors of the texts, with their gradient, shape (n, d)."""
        from torch.nn.functional import normalize

        if self.rows:
            pooled = self.pooled[[self.rows[text] for text in texts]]
        else:
            pooled = pooled_texts(self.model, self.tokenizer, texts, self.recipe.max_tokens)
        return normalize(self.model.text_projection(pooled), dim=-1)


def learning_rate(step: int, steps: int, warmup: float) -> float:
    """Return the share of the full rate at a step: a linear rise, then half a cosine to 0."""
    rise = max(1, int(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def trainable(model: VisionTextDualEncoderModel, recipe: Recipe) -> list[dict]:
    """Return the optimiser's groups: both heads at ``head_lr``, the text tower at ``text_lr``."""
    model.requires_grad_(False)
    model.text_model.requires_grad_(recipe.text_lr > 0)
    if recipe.freeze_words:
        model.text_model.embeddings.word_embeddings.requires_grad_(False)
    heads = [model.visual_projection.weight, model.text_projection.weight]
    for weight in heads:
        weight.requires_grad_(True)
    tower = [weight for weight in model.text_model.parameters() if weight.requires_grad]
    groups = [{"params": heads, "lr": recipe.head_lr}, {"params": tower, "lr": recipe.text_lr}]
    return groups if tower else groups[:1]


def train(
    model: VisionTextDualEncoderModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Pairs,
    recipe: Recipe,
    validate: Callable[[], float],
    *,
    progress: Callable[[dict[str, float]], None] = lambda record: None,
) -> Run:
    """Train the text tower and both projections in place, and leave the best epoch's weights in.

    Args:
        model: a dual encoder whose image tower is locked.
        tokenizer: the text tower's.
        pairs: the training pairs, as features of that image tower.
        recipe: loss, rates, sizes, seed.
        validate: a score of the model as it is now, higher is better; called after each epoch.
        progress: called with each epoch's record.

    Returns:
        The run: one record an epoch (loss, score, seconds, scale, bias).
    """
    import torch

    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    log_scale = torch.nn.Parameter(torch.tensor(math.log(recipe.scale)))
    bias = torch.nn.Parameter(torch.tensor(recipe.bias))
    groups = trainable(model, recipe)
    groups.append({"params": [log_scale, bias], "lr": recipe.head_lr, "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, betas=(0.9, 0.98))
    steps = recipe.epochs * max(1, len(pairs) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: learning_rate(step, steps, recipe.warmup)
    )
    write = Writer(model, tokenizer, recipe, [text for texts in pairs.texts for text in texts])
    run = Run()
    for epoch in range(1, recipe.epochs + 1):
        start, losses = perf_counter(), []
        model.text_model.train(recipe.text_lr > 0)
        for features, texts, together in batches(pairs, recipe.batch_size, rng):
            loss = batch_loss(
                model, write, recipe, features, texts, together, log_scale.exp(), bias
            )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(groups[-2]["params"], 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        model.eval()
        record = {
            "epoch": epoch,
            "loss": float(np.mean(losses)),
            "score": validate(),
            "scale": log_scale.exp().item(),
            "bias": bias.item(),
            "seconds": perf_counter() - start,
        }
        run.epochs.append(record)
        progress(record)
        if record["score"] > run.score:
            run.score = record["score"]
            run.best = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(run.best)
    return run


def batch_loss(
    model: VisionTextDualEncoderModel,
    write: Writer,
    recipe: Recipe,
    features: np.ndarray,
    texts: Sequence[str],
    groups: np.ndarray,
    scale: Tensor,
    bias: Tensor,
) -> Tensor:
    """Return the recipe's loss on one batch, with its gradient."""
    import torch
    from torch.nn.functional import dropout, normalize

    seen = dropout(torch.from_numpy(features).to(model.device), recipe.feature_dropout)
    images = normalize(model.visual_projection(seen), dim=-1)
    written = write(texts)
    same = torch.from_numpy(belong_together(groups, texts)).to(model.device)
    if recipe.loss == "softmax":
        return softmax_loss(images, written, scale, same)
    return sigmoid_loss(images, written, scale, bias, same)
