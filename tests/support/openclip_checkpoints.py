"""Small checkpoints of random weights, written by open_clip as it writes those on the hub.

``MAKERS[name](folder)`` writes one and returns what open_clip made: the network, the tokenizer, and
what prepares a picture.
"""

import json
from pathlib import Path

import open_clip
import torch
import transformers
from checkpoints import clip_tokenizer, gemma_tokenizer, scramble, xlm_tokenizer
from open_clip.push_to_hf_hub import save_for_hf
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

VISION = {"image_size": 32, "layers": 2, "width": 32, "head_width": 8, "patch_size": 8}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 2}
LIKE_SIGLIP = {
    "context_length": 24,
    "vocab_size": 400,
    "hf_tokenizer_name": "timm/tiny-SigLIP2",
    "tokenizer_kwargs": {"clean": "canonicalize"},
    "width": 64,
    "heads": 4,
    "layers": 2,
    "no_causal_mask": True,
    "proj_bias": True,
    "pool_type": "last",
}
XLM = "tiny/xlm-roberta"  # where the text tower's config is


def clip(folder: Path) -> tuple:
    """CLIP as LAION trained it: open_clip's own tokenizer, shortest edge and centre crop."""
    model = {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT}
    return _write(folder, model, lambda _: SimpleTokenizer())


def siglip(folder: Path) -> tuple:
    """SigLIP 2 from timm: no mask, the last position, a tokenizer that keeps capitals."""
    vision = {"image_size": 160, "timm_model_name": "test_vit", "timm_model_pretrained": False}
    vision |= {"timm_pool": "avg", "timm_proj": "none"}
    model = {"embed_dim": 64, "custom_text": True, "init_logit_bias": -10, "vision_cfg": vision}
    pictures = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}

    def tokenizer(draft: Path) -> HFTokenizer:
        gemma_tokenizer(draft)
        return HFTokenizer(str(draft), context_length=24, clean="canonicalize")

    return _write(folder, model | {"text_cfg": LIKE_SIGLIP}, tokenizer, **pictures)


def multilingual(folder: Path) -> tuple:
    """LAION's CLIP with XLM-R, whose config and tokenizer lie in another model of the cache."""
    other = xlm(folder.parent / "xlm")
    text = {"hf_model_name": str(other), "hf_tokenizer_name": XLM, "hf_pooler_type": "mean_pooler"}
    model = {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": text | {"hf_proj_type": "mlp"}}
    made = _write(folder, model, lambda _: HFTokenizer(str(other)))
    settings = json.loads((folder / "open_clip_config.json").read_text())
    settings["model_cfg"]["text_cfg"]["hf_model_name"] = XLM
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    for path in folder.glob("*token*"):
        path.unlink()
    return made


MAKERS = {"clip": clip, "siglip": siglip, "multilingual": multilingual}


def xlm(folder: Path) -> Path:
    """The files of XLM-R that a checkpoint of open_clip asks for."""
    folder.mkdir(parents=True, exist_ok=True)
    transformers.XLMRobertaConfig(
        vocab_size=600, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=82, pad_token_id=1,
    ).save_pretrained(folder)  # fmt: skip
    xlm_tokenizer(folder)
    return folder


class _ClipFiles:
    """What the hub holds beside a checkpoint with open_clip's own tokenizer, which reads none."""

    def save_pretrained(self, folder: Path) -> None:
        clip_tokenizer(folder)


def _write(folder: Path, model_config: dict, tokenizer: object, **pictures: object) -> tuple:
    draft = folder.with_name(f"{folder.name}-draft")
    draft.mkdir(parents=True)
    settings = {"model_cfg": model_config, "preprocess_cfg": pictures}
    (draft / "open_clip_config.json").write_text(json.dumps(settings))
    network, _, prepare = open_clip.create_model_and_transforms(
        f"local-dir:{draft}", load_weights=False, pretrained_text=False
    )
    generator = torch.Generator().manual_seed(0)
    scramble(network)
    for name, weight in network.named_parameters():
        if "positional_embedding" in name:
            weight.data = torch.randn(weight.shape, generator=generator)
    tokenizer = tokenizer(draft)
    saved = tokenizer if hasattr(tokenizer, "save_pretrained") else _ClipFiles()
    save_for_hf(network, saved, model_config, folder, safe_serialization=True)
    return network.eval(), tokenizer, prepare
