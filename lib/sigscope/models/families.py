"""Families of two-tower models, and what the text tower of each expects of a text.

A family is a row of ``FAMILIES``; nothing elsewhere asks which family it has. SigLIP reads its
answer at the last position, so its padding is part of the result: always to full length, never
masked.
"""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Family:
    """How one family is loaded, and how its texts were written when it was trained."""

    label: str
    model_type: str  # what config.json calls it
    network: str  # the class in transformers
    padding: str  # "max_length" or "longest"
    max_length: int  # tokens; a checkpoint with fewer positions lowers it
    lower_case: bool  # we do it, as the tokenizer may not
    inputs: tuple[str, ...]  # what the text tower is given


MASKED = ("input_ids", "attention_mask")

FAMILIES: dict[str, Family] = {
    "siglip": Family(
        "SigLIP", "siglip", "SiglipModel", "max_length", 64, lower_case=True, inputs=("input_ids",)
    ),
    "siglip2": Family(
        "SigLIP 2 NaFlex",
        "siglip2",
        "Siglip2Model",
        "max_length",
        64,
        lower_case=True,
        inputs=("input_ids",),
    ),
    "clip": Family("CLIP", "clip", "CLIPModel", "longest", 77, lower_case=False, inputs=MASKED),
    "dual": Family(
        "dual encoder",
        "vision-text-dual-encoder",
        "VisionTextDualEncoderModel",
        "longest",
        64,
        lower_case=False,
        inputs=MASKED,
    ),
    "metaclip2": Family(
        "MetaCLIP 2", "metaclip_2", "MetaClip2Model", "longest", 77, lower_case=False, inputs=MASKED
    ),
    "align": Family("ALIGN", "align", "AlignModel", "longest", 64, lower_case=False, inputs=MASKED),
    "altclip": Family(
        "AltCLIP", "altclip", "AltCLIPModel", "longest", 77, lower_case=False, inputs=MASKED
    ),
    "chinese-clip": Family(
        "Chinese-CLIP",
        "chinese_clip",
        "ChineseCLIPModel",
        "longest",
        52,  # tokens that it was trained with: Yang et al. 2022, "Chinese CLIP"
        lower_case=False,
        inputs=MASKED,
    ),
    "openclip": Family(  # its own tokenizer pads, cuts and lowers case, each checkpoint as it says
        "open_clip", "open_clip", "", "max_length", 77, lower_case=False, inputs=("input_ids",)
    ),
    "sentence-transformers": Family(  # its modules do it all, as each says
        "sentence-transformers",
        "sentence-transformers",
        "",
        "longest",
        0,
        lower_case=False,
        inputs=("features",),
    ),
    "onnx": Family(  # open_clip's towers as exported for Immich
        "ONNX",
        "onnx",
        "",
        "max_length",
        77,
        lower_case=False,
        inputs=("text", *MASKED),
    ),
}
READERS = {
    "onnx": "onnx",
    "openclip": "openclip",
    "sentence-transformers": "sentence_transformers",
}  # modules that read a family; towers reads the others


def reader(family: str) -> ModuleType:
    """Return the module that loads a family's config, tokenizer, processor and network."""
    return import_module(f"sigscope.models.{READERS.get(family, 'towers')}")


def family_of(model_type: str) -> str | None:
    """Return the key in ``FAMILIES`` of config.json's model_type, or None for a stranger."""
    names = (name for name, family in FAMILIES.items() if family.model_type == model_type)
    return next(names, None)


def text_rules(family: Family, config: Any) -> dict:
    """Return the rules for texts as plain JSON values; what the checkpoint itself says goes first.

    A tower that has fewer positions than its family reads fewer tokens.
    """
    return {
        "padding": family.padding,
        "padding_side": "right",
        "max_length": min(family.max_length, config.text_config.max_position_embeddings),
        "lower_case": family.lower_case,
        "inputs": list(family.inputs),
        **getattr(config, "text_rules", {}),
    }
