"""What the locked text tower makes of texts, cached: what goes into the head that is trained."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import normalize
from towers import MAX_TOKENS
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, VisionTextDualEncoderModel

BATCH = 64
CHUNK = 4096


@torch.inference_mode()
def read(
    model: VisionTextDualEncoderModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    folder: Path,
) -> np.ndarray:
    """Return what the last layer's attention writes into the first token, float32, (n, 384).

    It is kept in folder, `CHUNK` texts to a file that is named by them.
    """
    chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
    return np.concatenate(
        [
            _kept(model, tokenizer, chunk, folder)
            for chunk in tqdm(chunks, desc=f"chunks of {CHUNK:,} texts")
        ]
    )


def _kept(model, tokenizer, texts: Sequence[str], folder: Path) -> np.ndarray:
    path = folder / f"texts-{hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:24]}.npy"
    if path.exists():
        return np.load(path)
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    vectors = np.empty((len(texts), model.config.text_config.hidden_size), np.float32)
    for start in range(0, len(texts), BATCH):
        rows = order[start : start + BATCH]
        tokens = tokenizer(
            [texts[row] for row in rows],
            padding=True,
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
        )
        vectors[rows] = mean_of_tokens(model.text_model, tokens).numpy()
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npy")
    np.save(part, vectors)
    part.rename(path)
    return vectors


def mean_of_tokens(tower: torch.nn.Module, tokens: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the first token after the last layer's attention, shape (n, width)."""
    layers, kept = tower.encoder.layer, {}
    hook = layers[-1].attention.register_forward_hook(
        lambda module, inputs, output: kept.update(
            seen=output[0] if isinstance(output, tuple) else output
        )
    )
    tower(**tokens)
    hook.remove()
    return kept["seen"][:, 0]


class TextHead(torch.nn.Module):
    """What comes after that in the dual encoder: its own modules, trained in place."""

    def __init__(self, model: VisionTextDualEncoderModel):
        """Take the modules; the layer in between starts at 0, the pooler as good as linear."""
        super().__init__()
        layer = model.text_model.encoder.layer[-1]
        self.intermediate, self.output = layer.intermediate, layer.output
        self.pooler, self.projection = model.text_model.pooler, model.text_projection
        with torch.no_grad():
            self.output.dense.weight.zero_()
            self.output.dense.bias.zero_()
            torch.nn.init.eye_(self.pooler.dense.weight).mul_(0.5)
            self.pooler.dense.bias.zero_()

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Return unit vectors, shape (n, d), of what `read` gives, shape (n, 384)."""
        hidden = self.output(self.intermediate(seen), seen)
        return normalize(self.projection(self.pooler(hidden[:, None])), dim=-1)
