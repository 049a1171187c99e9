"""The network that is tuned: any family's two towers, each followed by a linear layer or by none.

A tower's *features* are what it says before that linear layer, its *head*: the projections of CLIP
and of dual encoders, and the last layer of SigLIP's text tower. SigLIP's image tower has none.
Batch norms keep their running statistics, so what a picture gives never depends on its batch.
Adapters are low-rank additions to a tower's linear layers (LoRA, Hu et al. 2021), by peft: they
alone learn, and are added into the tower's weights when the run is over.
"""

from __future__ import annotations

import copy
import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sigscope.images.read import open_picture
from sigscope.models import checkpoints, shortcuts
from sigscope.models.families import FAMILIES, READERS, text_rules
from sigscope.models.hub import ModelError
from sigscope.models.towers import (
    PARTS,
    choose_device,
    has_convolutions,
    load_config,
    load_network,
    load_processor,
    load_tokenizer,
)
from sigscope.tuning.recipes import Recipe

SIDES = ("image", "text")
FEW = 4  # pictures at once in a locked convolutional tower on a CPU core: what its caches hold


@dataclass(eq=False)
class Towers:
    """A checkpoint's network in float32, with what prepares its texts and pictures."""

    folder: Path
    family: str
    device: str
    rules: Mapping
    network: Any
    tokenizer: Any
    prepare: Any
    adapted: Any = None  # the same network, as peft sees it
    learning: set[str] = field(default_factory=set)  # sides whose towers learn

    @classmethod
    def load(cls, model: str | Path | None, device: str = "auto") -> Towers:
        """Return the towers of what `sigscope.models.encoder.Encoder.load` would load.

        Raises:
            ModelError: The model cannot be had or is broken; the sentence says what to do.
        """
        sides = tuple(PARTS)
        folder = checkpoints.locate(checkpoints.named(model), sides)
        family = checkpoints.check(folder, sides)
        if family in READERS:
            raise ModelError(
                f"{folder} is a {FAMILIES[family].label} checkpoint, and fine-tuning takes models "
                "in the format of transformers; give such a one"
            )
        device, config = choose_device(device), load_config(folder)
        network = load_network(folder, FAMILIES[family], config, sides)
        prepare = shortcuts.prepare_with(load_processor(folder, config))
        rules = text_rules(FAMILIES[family], config)
        tokenizer = load_tokenizer(folder, config)
        return cls(folder, family, device, rules, network.to(device), tokenizer, prepare)

    def tower(self, side: str) -> Any:
        """Return the tower of a side as a torch module, head included in SigLIP's."""
        return getattr(self.network, PARTS[side][0])

    def head(self, side: str) -> Any | None:
        """Return the linear layer after a tower's features, or None where there is none."""
        own = getattr(self.network, PARTS[side][1], None)
        return own if own is not None or side == "image" else self.tower("text").head

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Return texts as the text tower takes them, on its device; long ones are cut."""
        rules = self.rules
        written = [text.lower() for text in texts] if rules["lower_case"] else list(texts)
        tokens = self.tokenizer(
            written,
            padding=rules["padding"],
            padding_side=rules["padding_side"],
            truncation=True,
            max_length=rules["max_length"],
            return_attention_mask=True,
            return_tensors="pt",
        )
        return {name: tokens[name].to(self.device) for name in rules["inputs"]}

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Return the text tower's features, shape (n, width), with gradient where it learns."""
        output = self.tower("text")(**self.tokens(texts))
        return output.last_hidden_state[:, -1] if self._pools_last else output.pooler_output

    def image_features(self, batch: Mapping) -> Tensor:
        """Return the image tower's features of prepared pictures, shape (n, width)."""
        inputs = {name: tensor.to(self.device) for name, tensor in batch.items()}
        if self._convolves:
            pixels = inputs["pixel_values"]
            inputs["pixel_values"] = pixels.contiguous(memory_format=torch.channels_last)
        return self.tower("image")(**inputs).pooler_output

    def vectors(self, side: str, features: Tensor) -> Tensor:
        """Return unit vectors of features, float32, shape (n, d)."""
        head = self.head(side)
        raw = features.float() if head is None else head(features.float())
        return torch.nn.functional.normalize(raw, dim=-1)

    @cached_property
    def _convolves(self) -> bool:
        return has_convolutions(self.network)

    @property
    def _pools_last(self) -> bool:
        """Whether the text tower holds its head itself and reads it at the last position."""
        return getattr(self.network, PARTS["text"][1], None) is None

    def opened(self, file: Path) -> Image.Image:
        """Return a picture as the encoder opens it: large JPEGs no finer than the tower looks."""
        return open_picture(file, max_side=self._side)

    @cached_property
    def _side(self) -> int | None:
        size = (checkpoints.picture_rules(self.folder) or {}).get("size") or {}
        sides = [size.get(name) for name in ("height", "width", "shortest_edge")]
        return max((side for side in sides if isinstance(side, int)), default=None)

    def key(self, side: str) -> str:
        """Return a SHA-256 of all that a tower's features depend on: its weights and its rules."""
        digest = hashlib.sha256()
        rules = checkpoints.picture_rules(self.folder) if side == "image" else dict(self.rules)
        digest.update(json.dumps([self.family, side, rules], sort_keys=True).encode())
        for name, weight in sorted(self.tower(side).state_dict().items()):
            if not name.startswith("head.") or side == "image":
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(weight.cpu().numpy()).data)
        return digest.hexdigest()

    def open_up(self, recipe: Recipe) -> None:
        """Let learn what the recipe says and nothing else."""
        self.network.requires_grad_(False)
        self.learning = {side for side in SIDES if recipe.way(side) != "locked"}
        adapted = [side for side in SIDES if recipe.way(side) == "adapters"]
        if adapted:
            self.adapted = _with_adapters(self, adapted, recipe)
        for side in SIDES:
            if recipe.way(side) == "trained":
                _open(self.tower(side), recipe.layers)
            head = self.head(side)
            if head is not None and not (side in adapted and self._pools_last):
                head.requires_grad_(recipe.heads or recipe.way(side) == "trained")
        if not recipe.words:
            for words in _word_vectors(self.tower("text")):
                words.requires_grad_(False)

    def merged(self) -> Any:
        """Return the plain network, adapters added into its weights."""
        return self.adapted.merge_and_unload(safe_merge=True) if self.adapted else self.network

    def trainable(self) -> dict[str, Tensor]:
        """Return the weights that learn, by name."""
        named = self.network.named_parameters()
        return {name: weight for name, weight in named if weight.requires_grad}

    def is_head(self, name: str) -> bool:
        """Return whether the weight of that name is a head's."""
        heads = ("visual_projection", "text_projection", "text_model.head")
        return name.startswith(heads) and "lora_" not in name

    def training(self, on: bool) -> None:
        """Switch dropout on in the towers that learn, or off everywhere."""
        self.network.eval()
        for side in self.learning if on else ():
            self.tower(side).train()
            for part in self.tower(side).modules():
                if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
                    part.eval()

    def locked_image_features(self) -> Any:
        """Return a function from RGB pictures to features, float32 (n, width), the fastest here."""
        if self.device != "cpu" or not self._convolves:
            return self._plain_features
        twin = shortcuts.folded(copy.deepcopy(self.network), self.prepare(shortcuts.pictures()))
        pool = shortcuts.abreast()

        def part(batch: Mapping) -> np.ndarray:
            pixels = batch["pixel_values"].contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                return twin.vision_model(pixel_values=pixels).pooler_output.numpy()

        def features(pictures: Sequence[Image.Image]) -> np.ndarray:
            parts = self.prepare(pictures)["pixel_values"].split(FEW)
            return np.concatenate(list(pool.map(part, [{"pixel_values": p} for p in parts])))

        return features

    def _plain_features(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            return self.image_features(self.prepare(pictures)).float().cpu().numpy()


def _open(tower: Any, layers: int | None) -> None:
    """Let a tower learn, or only its last layers and what comes after them."""
    tower.requires_grad_(True)
    if layers is None:
        return
    lists = [part for part in tower.modules() if isinstance(part, torch.nn.ModuleList)]
    stack = list(max(lists, key=len))
    last = {id(weight) for part in stack[-layers:] for weight in part.parameters()}
    inside = [weight for part in stack for weight in part.parameters()]
    before = [weight for name, weight in tower.named_parameters() if "embeddings" in name]
    for weight in [*inside, *before]:
        weight.requires_grad_(id(weight) in last)


def _word_vectors(tower: Any) -> list[Any]:
    """Return the text tower's table of token vectors; positions are no tokens."""
    tables = [part for part in tower.modules() if isinstance(part, torch.nn.Embedding)]
    return [max(tables, key=lambda table: table.num_embeddings)] if tables else []


def _with_adapters(towers: Any, sides: Sequence[str], recipe: Recipe) -> Any:
    """Put adapters into the network's own layers and return it as peft sees it.

    At first they add nothing. What they start from depends on the recipe's seed alone.

    Raises:
        ModelError: peft is not installed, or a tower has no linear layers to adapt.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ModelError(
            'adapters need peft; install it with pip install -e ".[tune]", or set image and text '
            'to "locked" or "trained"'
        ) from error
    names = [name for side in sides for name in _linear_layers(towers, side)]
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.adapter_dropout,
        target_modules=names,
        bias="none",
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
        torch.manual_seed(recipe.seed)
        return get_peft_model(towers.network, config)


def _linear_layers(towers: Any, side: str) -> list[str]:
    """Return the full names of a tower's linear layers.

    Those inside torch's own attention are left out, as it reads their weights without calling them.
    """
    tower = towers.tower(side)
    prefix = next(name for name, part in towers.network.named_modules() if part is tower)
    closed = [n for n, p in tower.named_modules() if isinstance(p, torch.nn.MultiheadAttention)]
    names = [
        f"{prefix}.{name}"
        for name, part in tower.named_modules()
        if isinstance(part, torch.nn.Linear)
        and not any(name.startswith(f"{one}.") for one in closed)
    ]
    if not names:
        raise ModelError(
            f"the {side} tower of {towers.folder.name} has no linear layers to adapt; lock it or "
            "train it"
        )
    return names
