"""open_clip's checkpoints, read by open_clip: its own network, tokenizer and preprocessing.

A text tower of another library, and its tokenizer, are named in open_clip_config.json; where they
are not in the folder itself, their small files come from the hub.
"""

import copy
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from sigscope.models import checkpoints, hub
from sigscope.models.families import Family
from sigscope.models.towers import or_sentence

CONTEXT = 77  # tokens, where a checkpoint does not say how many


class TwoTowers(torch.nn.Module):
    """The network of open_clip, which answers as those of transformers do."""

    def __init__(self, model: torch.nn.Module) -> None:
        """Keep what answers."""
        super().__init__()
        self.model = model

    @property
    def dtype(self) -> torch.dtype:
        """The number format that it computes in."""
        return next(self.parameters()).dtype

    def get_text_features(self, input_ids: torch.Tensor) -> SimpleNamespace:
        """Return the vectors of texts, shape (n, d), not normalised, as pooler_output."""
        return SimpleNamespace(pooler_output=self.model.encode_text(input_ids))

    def get_image_features(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        """Return the vectors of pictures, shape (n, d), not normalised, as pooler_output."""
        return SimpleNamespace(pooler_output=self.model.encode_image(pixel_values))


class OwnTokenizer:
    """A tokenizer of open_clip: it cleans, cuts and pads each text to full length by itself."""

    def __init__(self, theirs: Any) -> None:
        """Keep what splits texts: a HFTokenizer or a SimpleTokenizer of open_clip."""
        self._theirs = theirs

    def __call__(self, texts: Sequence[str], **_: Any) -> dict[str, torch.Tensor]:
        """Return input_ids, shape (n, tokens); what else is asked for is open_clip's to decide."""
        return {"input_ids": self._theirs(list(texts))}

    @cached_property
    def unk_token(self) -> str | None:
        """What stands for a piece that is not in the vocabulary; byte pairs need none."""
        return getattr(getattr(self._theirs, "tokenizer", None), "unk_token", None)

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces of a text, cleaned as it is for the tower."""
        if hasattr(self._theirs, "tokenizer"):
            return self._theirs.tokenizer.tokenize(self._theirs.clean_fn(text))
        return [self._theirs.decoder[piece] for piece in self._theirs.encode(text)]


def load_config(folder: Path) -> SimpleNamespace:
    """Return what open_clip_config.json says, in the words of a config of transformers too."""
    settings = checkpoints.openclip_settings(folder)
    model = settings["model_cfg"]
    text = model["text_cfg"]
    context = text.get("context_length", CONTEXT)
    kept = {key: value for key, value in text.items() if "tokenizer" in key}
    return SimpleNamespace(
        projection_dim=model["embed_dim"],
        text_config=SimpleNamespace(max_position_embeddings=context),
        text_rules={"max_length": context, **kept},
        text=text,
        preprocessing=settings.get("preprocess_cfg", {}) | {"size": _size(model["vision_cfg"])},
    )


def load_tokenizer(folder: Path, config: SimpleNamespace) -> OwnTokenizer:
    """Return the tokenizer that the checkpoint names, or open_clip's own where it names none."""
    tokenizers = _library().tokenizer
    context, name = config.text_rules["max_length"], config.text.get("hf_tokenizer_name")
    options = {"context_length": context} | config.text.get("tokenizer_kwargs", {})
    if not name:
        return OwnTokenizer(tokenizers.SimpleTokenizer(**options))
    source = folder if checkpoints.has_tokenizer(folder) else hub.small_files(name)
    with or_sentence(f"the tokenizer in {source}"):
        mode = config.text.get("tokenizer_mode")
        return OwnTokenizer(tokenizers.HFTokenizer(str(source), tokenizer_mode=mode, **options))


def load_processor(folder: Path, config: SimpleNamespace) -> Any:
    """Return what turns RGB pictures into pixel_values, shape (n, 3, height, width)."""
    transform = _library().transform
    with or_sentence(f"the preprocess_cfg of {folder}"):
        merged = transform.merge_preprocess_dict(transform.PreprocessCfg(), config.preprocessing)
        prepare = transform.image_transform_v2(transform.PreprocessCfg(**merged), is_train=False)
    return lambda pictures, **_: {"pixel_values": torch.stack([prepare(one) for one in pictures])}


def load_network(
    folder: Path, family: Family, config: SimpleNamespace, towers: tuple[str, ...]
) -> TwoTowers:
    """Return the network in float32 on the CPU, without the tower that is not asked for.

    Raises:
        ModelError: The weights do not fit open_clip_config.json, or some are missing.
    """
    library, text = _library(), copy.deepcopy(config.text)
    if name := text.get("hf_model_name"):
        text |= {"hf_model_name": str(hub.small_files(name)), "hf_model_pretrained": False}
    with or_sentence(f"the weights in {folder}"):
        model = library.create_model(f"local-dir:{folder}", text_cfg=text)
    unused = {"image": ["visual"], "text": ["text", "transformer", "token_embedding"]}
    for name in [name for tower in unused if tower not in towers for name in unused[tower]]:
        if hasattr(model, name):
            delattr(model, name)
    return TwoTowers(model).eval().requires_grad_(False)


def _size(vision: dict) -> list[int]:
    size = vision.get("image_size", 224)
    return [size, size] if isinstance(size, int) else list(size)


def _library() -> ModuleType:
    return checkpoints.extra(
        "open_clip", "openclip", "open_clip's checkpoints need open_clip_torch"
    )
