"""Both losses; tuning any checkpoint."""

from sigscope.tuning.finetune import fine_tune
from sigscope.tuning.lesson import embed_tuned, some_of, tune_each, with_new_heads
from sigscope.tuning.losses import contrastive_loss, sigmoid_loss, softmax_loss
from sigscope.tuning.recipes import ADAPTERS, HEADS, PRESETS, R3, R4, SIGLIT, Recipe

__all__ = [
    "ADAPTERS",
    "HEADS",
    "PRESETS",
    "R3",
    "R4",
    "SIGLIT",
    "Recipe",
    "contrastive_loss",
    "embed_tuned",
    "fine_tune",
    "sigmoid_loss",
    "softmax_loss",
    "some_of",
    "tune_each",
    "with_new_heads",
]
