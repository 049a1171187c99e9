"""SigLIP worked out from its tensors with plain torch operations: the slow, obvious twin."""

import re
import string
from pathlib import Path

import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

HEADS, EPS, END = 4, 1e-6, 1  # END is </s>, which also pads


class SiglipByHand:
    """The vectors of a SigLIP checkpoint, as the paper and the tensors define them."""

    def __init__(self, folder: Path):
        self.w = load_file(folder / "model.safetensors")
        self.words = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))

    def text(self, text: str, length: int = 64) -> np.ndarray:
        """Return the unit vector of a text that is padded to length tokens."""
        plain = text.lower().translate(str.maketrans("", "", string.punctuation))
        ids = self.words.encode(re.sub(r"\s+", " ", plain).strip())[: length - 1] + [END]
        ids = torch.tensor(ids + [END] * (length - len(ids)))
        w, e = self.w, "text_model.embeddings"
        x = w[f"{e}.token_embedding.weight"][ids] + w[f"{e}.position_embedding.weight"][:length]
        x = self._norm(self._layers(x, "text_model"), "text_model.final_layer_norm")
        return self._unit(self._linear(x[-1], "text_model.head"))

    def picture(self, picture: Image.Image) -> np.ndarray:
        """Return the unit vector of an RGB picture: 32 x 32 pixels, patches of 8 x 8."""
        pixels = np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC), dtype=np.float32)
        x = torch.from_numpy(pixels / 127.5 - 1).reshape(4, 8, 4, 8, 3).permute(0, 2, 4, 1, 3)
        w, e = self.w, "vision_model.embeddings"
        kernel = w[f"{e}.patch_embedding.weight"].flatten(1)
        x = x.reshape(16, 192) @ kernel.T + w[f"{e}.patch_embedding.bias"]
        x = self._layers(x + w[f"{e}.position_embedding.weight"], "vision_model")
        x = self._norm(x, "vision_model.post_layernorm")
        return self._unit(self._probe(x, "vision_model.head"))

    def _layers(self, x: torch.Tensor, tower: str) -> torch.Tensor:
        for layer in (f"{tower}.encoder.layers.{number}" for number in range(2)):
            y = self._norm(x, f"{layer}.layer_norm1")
            q, k, v = (self._linear(y, f"{layer}.self_attn.{name}_proj") for name in "qkv")
            x = x + self._linear(self._attend(q, k, v), f"{layer}.self_attn.out_proj")
            x = x + self._mlp(self._norm(x, f"{layer}.layer_norm2"), f"{layer}.mlp")
        return x

    def _probe(self, x: torch.Tensor, head: str) -> torch.Tensor:
        """One learned query attends to all patches; then a residual MLP."""
        weights = self.w[f"{head}.attention.in_proj_weight"].chunk(3)
        biases = self.w[f"{head}.attention.in_proj_bias"].chunk(3)
        inputs = (self.w[f"{head}.probe"][0], x, x)
        q, k, v = (i @ w.T + b for i, w, b in zip(inputs, weights, biases, strict=True))
        y = self._linear(self._attend(q, k, v), f"{head}.attention.out_proj")[0]
        return y + self._mlp(self._norm(y, f"{head}.layernorm"), f"{head}.mlp")

    def _attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        heads = zip(*(x.chunk(HEADS, dim=-1) for x in (q, k, v)), strict=True)
        mixed = [((q @ k.T) / k.shape[-1] ** 0.5).softmax(dim=-1) @ v for q, k, v in heads]
        return torch.cat(mixed, dim=-1)

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ self.w[f"{name}.weight"].T + self.w[f"{name}.bias"]

    def _mlp(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return self._linear(
            F.gelu(self._linear(x, f"{name}.fc1"), approximate="tanh"), f"{name}.fc2"
        )

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        spread = (centred.square().mean(dim=-1, keepdim=True) + EPS).sqrt()
        return centred / spread * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    @staticmethod
    def _unit(x: torch.Tensor) -> np.ndarray:
        return (x / x.square().sum().sqrt()).numpy()
