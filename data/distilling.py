"""Locked-image tuning with a teacher, which made `siglit-mini`: a text tower and two projections.

The recipe is SigLiT (Zhai et al. 2023, section 3.3, after LiT): the image tower stays as it is, so
its pooled features are computed once and cached; what is trained is the text tower and the linear
layers into the shared space. Beside the pairs, a classifier over the same features may teach it
(Hinton et al. 2015). For any other tuning see `sigscope.tuning.finetune`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from pairs import Pairs, Teacher, batches, belong_together

from sigscope.tuning.loop import rate
from sigscope.tuning.losses import sigmoid_loss, softmax_loss

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase, VisionTextDualEncoderModel


@dataclass(frozen=True)
class Recipe:
    """What a training run depends on, besides its data.

    ``scale`` and ``bias`` are the starting t and b of the loss (the SigLIP paper's values);
    ``feature_dropout`` is the share of image features hidden at each step. A ``text_lr`` of 0 locks
    the text tower: only the two projections learn, on cached features, a hundred times faster.
    ``distill`` weighs the answers of a `Teacher` over ``classes`` classes against the pairs.
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
    distill: float = 0.0
    classes: int = 1000
    seed: int = 0


@dataclass
class Run:
    """What happened in a training run: one record an epoch, and the best weights."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    score: float = -math.inf

    def keep_if_best(self, model: VisionTextDualEncoderModel, score: float) -> None:
        """Keep a copy of the model's weights if no earlier score was as high."""
        if score > self.score:
            self.score = score
            self.best = {name: value.clone() for name, value in model.state_dict().items()}


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
    teacher: Teacher | None = None,
    progress: Callable[[dict[str, float]], None] = lambda record: None,
) -> Run:
    """Train the text tower and both projections in place, and leave the best weights in.

    The best are those of the epoch with the highest score, or the ones it began with.

    Args:
        model: a dual encoder whose image tower is locked.
        tokenizer: the text tower's.
        pairs: the training pairs, as features of that image tower.
        recipe: loss, rates, sizes, seed.
        validate: a score of the model as it is now, higher is better; called first, and after
            each epoch.
        teacher: a classifier to agree with, where the recipe's ``distill`` is above 0.
        progress: called with each epoch's record.

    Returns:
        The run: one record an epoch (loss, score, seconds, scale, bias).
    """
    import torch

    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    log_scales = torch.nn.Parameter(torch.full((2,), math.log(recipe.scale)))  # pairs, teacher
    bias = torch.nn.Parameter(torch.tensor(recipe.bias))
    groups = trainable(model, recipe)
    groups.append({"params": [log_scales, bias], "lr": recipe.head_lr, "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, betas=(0.9, 0.98))
    steps = recipe.epochs * max(1, len(pairs) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: rate(step, steps, recipe.warmup)
    )
    texts = [text for texts in pairs.texts for text in texts]
    texts += [name for names in teacher.names for name in names] if teacher else []
    write = Writer(model, tokenizer, recipe, texts)
    run = Run()
    run.keep_if_best(model, validate())
    for epoch in range(1, recipe.epochs + 1):
        start, losses = perf_counter(), []
        model.text_model.train(recipe.text_lr > 0)
        for features, texts, together in batches(pairs, recipe.batch_size, rng):
            scales = log_scales.exp()
            loss = batch_loss(model, write, recipe, features, texts, together, scales[0], bias)
            if teacher and recipe.distill:
                asked = teacher.question(recipe.batch_size // 2, recipe.classes, rng)
                loss = loss + recipe.distill * teacher_loss(model, write, recipe, asked, scales[1])
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
            "scale": log_scales[0].exp().item(),
            "bias": bias.item(),
            "seconds": perf_counter() - start,
        }
        run.epochs.append(record)
        progress(record)
        run.keep_if_best(model, record["score"])
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

    images = project(model, features, recipe.feature_dropout)
    written = write(texts)
    same = torch.from_numpy(belong_together(groups, texts)).to(model.device)
    if recipe.loss == "softmax":
        return softmax_loss(images, written, scale, same)
    return sigmoid_loss(images, written, scale, bias, same)


def teacher_loss(
    model: VisionTextDualEncoderModel,
    write: Writer,
    recipe: Recipe,
    asked: tuple[np.ndarray, list[str], np.ndarray],
    scale: Tensor,
) -> Tensor:
    """Return how far the model's zero-shot answers are from the teacher's, with gradient."""
    import torch

    features, names, logits = asked
    images = project(model, features, recipe.feature_dropout)
    return distillation_loss(images, write(names), scale, torch.from_numpy(logits))


def distillation_loss(
    images: Tensor, classes: Tensor, scale: Tensor, teacher_logits: Tensor
) -> Tensor:
    """Return how far zero-shot answers are from a classifier's: its cross-entropy, in nats.

    -(1/n) sum_i sum_c p_ic log q_ic, where p is the softmax of the teacher's logits and q the
    softmax of t x_i . k_c over the vectors k of the class names.
    Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", at temperature 1.

    Args:
        images: unit vectors, float32, shape (n, d).
        classes: unit vectors of the class names, float32, shape (c, d).
        scale: t, a positive scalar.
        teacher_logits: what the classifier says of the same pictures, shape (n, c).

    Returns:
        A scalar >= the mean entropy of p.
    """
    answers = (scale * images @ classes.T).log_softmax(1)
    return -(teacher_logits.softmax(1) * answers).sum(1).mean()


def project(model: VisionTextDualEncoderModel, features: np.ndarray, hidden: float) -> Tensor:
    """Return unit vectors of image features, a random share of them hidden, shape (n, d)."""
    import torch
    from torch.nn.functional import dropout, normalize

    seen = dropout(torch.from_numpy(features).to(model.device), hidden)
    return normalize(model.visual_projection(seen), dim=-1)
