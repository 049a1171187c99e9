"""The text tower of a dual encoder with a BERT, in NumPy: what encodes a text by itself.

That takes half of what torch takes for one text, and a command that asks once need not import torch
and transformers, which takes longer than all the rest of its search. The vectors are torch's up to
float32's last digits.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from sigscope.models import checkpoints
from sigscope.models.checked import checked_texts, identity_of, knows_any, to_unit
from sigscope.models.families import FAMILIES, text_rules
from sigscope.models.towers import kept_dimension

FAMILY = "dual"
PLAIN = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
}
SIZES = {  # as transformers has them where a config does not say
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 512,
    "layer_norm_eps": 1e-12,
}
TOKENIZER = "tokenizer.json"
OF_TEXTS = ("text_model.", "text_projection.weight")  # names in a checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class BertText:
    """A BERT (Devlin et al. 2019) and its projection; it answers words alone."""

    model: str
    dimension: int
    folder: Path
    rules: Mapping  # how texts are written
    _config: Mapping
    _weights: Mapping[str, np.ndarray]
    _tokenizer: Any

    @classmethod
    def load(cls, model: str | Path | None = None) -> "BertText | None":
        """Return the text tower of a checkpoint, or None where it is not such a BERT.

        Raises:
            ModelError: The model cannot be had or is broken.
        """
        given = checkpoints.named(model)
        folder = checkpoints.locate(given, ("text",))
        if checkpoints.check(folder, ("text",)) != FAMILY:
            return None
        return cls.of(folder, checkpoints.called(given), partial(_stored, folder))

    @classmethod
    def of(
        cls, folder: Path, model: str, weights: Callable[[], Mapping[str, Any]]
    ) -> "BertText | None":
        """Return the text tower of a dual encoder, or None where it is not such a BERT.

        Args:
            folder: of its config and tokenizer.
            model: what it is called.
            weights: returns its tensors, NumPy's or torch's, by their names in the checkpoint.
        """
        config = json.loads((folder / "config.json").read_bytes())
        text = PLAIN | SIZES | config.get("text_config", {"model_type": ""})
        if not _is_plain(folder, text):
            return None
        from tokenizers import Tokenizer

        positions = SimpleNamespace(max_position_embeddings=text["max_position_embeddings"])
        rules = text_rules(FAMILIES[FAMILY], SimpleNamespace(text_config=positions))
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        tokenizer.no_padding()
        tokenizer.enable_truncation(rules["max_length"])
        return cls(
            model=model,
            dimension=kept_dimension(config["projection_dim"]),
            folder=folder,
            rules=rules,
            _config=text,
            _weights=_text_weights(weights()),
            _tokenizer=tokenizer,
        )

    @cached_property
    def identity(self) -> dict:
        """What vectors depend on: the same as the whole encoder's."""
        return identity_of(self)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return one unit vector per text, float32, shape (n, d); each is read by itself.

        Raises:
            ValueError: A text is blank or is not a text; the sentence names its position.
        """
        rows = [self.features(text) for text in checked_texts(texts)]
        vectors = np.array(rows, np.float32).reshape(len(rows), self.dimension)
        return to_unit(vectors, self.model)

    def knows(self, text: str) -> bool:
        """Return whether the vocabulary has any word of a text, as ``Encoder.knows``."""
        pieces = lambda word: self._tokenizer.encode(word, add_special_tokens=False).tokens  # noqa: E731
        return knows_any(text, pieces, self._tokenizer.model.unk_token)

    def features(self, text: str) -> np.ndarray:
        """Return the projected pooler's answer, float32, shape (d,), not normalised."""
        ids = self._tokenizer.encode(text).ids
        table = "embeddings.{}_embeddings.weight".format
        states = self._weights[table("word")][ids].astype(np.float32)
        states += (
            self._weights[table("position")][: len(ids)] + self._weights[table("token_type")][0]
        )
        states = self._normalised(states, "embeddings.LayerNorm")
        for layer in range(self._config["num_hidden_layers"]):
            states = self._layer(states, f"encoder.layer.{layer}.")
        pooled = np.tanh(self._linear(states[0], "pooler.dense"))
        return (self._weights["projection"] @ pooled)[: self.dimension]

    def _layer(self, states: np.ndarray, name: str) -> np.ndarray:
        """Return what one layer makes of the states of t tokens, float32, shape (t, d)."""
        heads = self._config["num_attention_heads"]
        query, key, value = (
            self._linear(states, f"{name}attention.self.{part}")
            .reshape(len(states), heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scale = np.float32(query.shape[-1]) ** -0.5
        scores = scale * query @ key.transpose(0, 2, 1)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        attended = (weights @ value).transpose(1, 0, 2).reshape(states.shape)
        out = f"{name}attention.output."
        states = states + self._linear(attended, f"{out}dense")
        states = self._normalised(states, f"{out}LayerNorm")
        inner = self._linear(states, f"{name}intermediate.dense")
        inner = inner * (_erf(inner * np.float32(0.5**0.5)) + 1) / 2  # GELU
        states = states + self._linear(inner, f"{name}output.dense")
        return self._normalised(states, f"{name}output.LayerNorm")

    def _linear(self, states: np.ndarray, name: str) -> np.ndarray:
        product = self._weights[f"{name}.weight"] @ states.T  # so, BLAS reads the weights quicker
        return product.T + self._weights[f"{name}.bias"]

    def _normalised(self, states: np.ndarray, name: str) -> np.ndarray:
        states = states - states.mean(axis=-1, keepdims=True)
        variance = np.square(states).mean(axis=-1, keepdims=True)
        states /= np.sqrt(variance + np.float32(self._config["layer_norm_eps"]))
        return states * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _erf(values: np.ndarray) -> np.ndarray:
    """Return the error function to 1.5e-7: Abramowitz and Stegun 1964, formula 7.1.26.

    scipy has it exactly, and takes longer to import than a text to encode.
    """
    t = 1 / (1 + np.float32(0.3275911) * np.abs(values))
    terms = np.float32([1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0.0])
    return np.sign(values) * (1 - np.polyval(terms, t) * np.exp(-np.square(values)))


def _is_plain(folder: Path, text: Mapping) -> bool:
    """Return whether a text config is of a BERT as published, with a tokenizer of its own."""
    if {**text, **PLAIN} != text or not (folder / TOKENIZER).is_file():
        return False
    tokenizer = json.loads((folder / TOKENIZER).read_bytes())
    told = json.loads((folder / "tokenizer_config.json").read_bytes())
    rules = tokenizer.get("normalizer") or {}
    return (
        rules.get("type") == "BertNormalizer"
        and rules.get("lowercase") == told.get("do_lower_case", True)
        and rules.get("strip_accents") == told.get("strip_accents")
    )


def _stored(folder: Path) -> dict[str, np.ndarray]:
    """Return all tensors of a checkpoint's text tower."""
    from safetensors import safe_open

    found = {}
    for path in checkpoints.weight_files(folder):
        with safe_open(path, framework="np") as weights:
            wanted = [name for name in weights.keys() if name.startswith(OF_TEXTS)]  # noqa: SIM118
            found |= {name: weights.get_tensor(name) for name in wanted}
    return found


def _text_weights(tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the tower's tensors by their names in BERT, float32 but for the table of words."""
    tower, projection = OF_TEXTS
    found = {n.removeprefix(tower): np.asarray(tensors[n]) for n in tensors if n.startswith(tower)}
    found["projection"] = np.asarray(tensors[projection])
    table = "embeddings.word_embeddings.weight"
    return {
        name: value if name == table else value.astype(np.float32, copy=False)
        for name, value in found.items()
    }
