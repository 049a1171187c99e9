"""Teach a text tower's pooler to say what the mean of its tokens says.

MiniLM was trained to be read by the mean of its token vectors; a dual encoder reads the pooler,
which looks at the first token alone. So the tower is its own teacher: on made-up phrases of words
from its vocabulary and of ImageNet class names, the pooled and projected vector learns to equal the
mean vector, and to keep the similarities between the phrases of a batch.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import normalize
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, VisionTextDualEncoderModel

FRAMES = [
    "{}",
    "a {}",
    "a photo of a {}",
    "a drawing of a {}",
    "The photo of {}",
    "{} on a white ground",
    "a picture of the {}",
    "a drawing of {}: {}, {}",
    "{}, {}",
    "{} and {}",
    "a {} {}",
    "the {} of a {}",
    "a {} with a {}",
    "{} in the {}",
]
PHRASES = 40_000
BATCH = 64
STEPS = 900
CLASS_SHARE = 0.3
MAX_TOKENS = 32
SIMILARITY_WEIGHT = 5.0


def made_up_phrases(
    words: Sequence[str], classes: Sequence[Sequence[str]], rng: np.random.Generator
) -> list[str]:
    """Return short phrases: frames filled with one to three random words, or a class name."""

    def filling() -> str:
        if rng.random() < CLASS_SHARE:
            names = classes[rng.integers(len(classes))]
            return names[rng.integers(len(names))]
        return " ".join(words[i] for i in rng.integers(len(words), size=rng.integers(1, 4)))

    def phrase() -> str:
        frame = FRAMES[rng.integers(len(FRAMES))]
        return frame.format(*[filling() for _ in range(frame.count("{}"))])

    return [phrase() for _ in range(PHRASES)]


def mean_of_tokens(tower: torch.nn.Module, tokens: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the unit mean of the tower's token vectors, padding left out, shape (n, width)."""
    with torch.no_grad():
        hidden = tower(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    return normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


def teach_pooler(
    model: VisionTextDualEncoderModel,
    tokenizer: PreTrainedTokenizerBase,
    classes: Sequence[Sequence[str]],
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> float:
    """Train the pooler, the layers below it and the text projection in place.

    Returns:
        The mean cosine between the pooled and the mean vectors over the last batch.
    """
    rng = np.random.default_rng(seed)
    words = [
        w for w in sorted(tokenizer.get_vocab()) if w.isalpha() and w.isascii() and len(w) >= 3
    ]
    phrases = made_up_phrases(words, classes, rng)
    teacher = copy.deepcopy(model.text_model)
    optimiser, schedule = optimisation(model, steps)
    for _ in (bar := tqdm(range(steps), desc="teaching the pooler")):
        batch = [phrases[i] for i in rng.integers(len(phrases), size=BATCH)]
        tokens = tokenizer(
            batch, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        target = mean_of_tokens(teacher, tokens)
        pooled = normalize(model.get_text_features(**tokens).pooler_output, dim=-1)
        agreement = (pooled * target).sum(1).mean()
        similarities = ((pooled @ pooled.T - target @ target.T) ** 2).mean()
        loss = (1 - agreement) + SIMILARITY_WEIGHT * similarities
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([w for w in model.parameters() if w.requires_grad], 1.0)
        optimiser.step()
        schedule.step()
        bar.set_postfix(cosine=f"{agreement.item():.3f}")
    return agreement.item()


def optimisation(model: VisionTextDualEncoderModel, steps: int) -> tuple:
    """Return optimiser and schedule: pooler and projection fast, layers slow, words not at all."""
    torch.nn.init.eye_(model.text_projection.weight)
    model.requires_grad_(False)
    model.text_model.requires_grad_(True)
    model.text_model.embeddings.word_embeddings.requires_grad_(False)
    model.text_projection.requires_grad_(True)
    tower = model.text_model.named_parameters()
    layers = [w for name, w in tower if w.requires_grad and "pooler" not in name]
    head = [*model.text_model.pooler.parameters(), model.text_projection.weight]
    optimiser = torch.optim.AdamW(
        [{"params": head, "lr": 1e-3}, {"params": layers, "lr": 1e-4}], weight_decay=0
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [1e-3, 1e-4], total_steps=steps, pct_start=0.1
    )
    return optimiser, schedule
