"""Towers in ONNX, as Immich keeps them: textual/model.onnx and visual/model.onnx.

They are open_clip's towers, exported; config.json is open_clip's too. ONNX Runtime computes them on
the CPU, in the number format that is in the file, quantised or not.
"""

import string
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from sigscope.models import checkpoints
from sigscope.models.families import Family
from sigscope.models.hub import ModelError, settings_in
from sigscope.models.towers import or_sentence

PLACE = {"device": "cpu", "dtype": "float32"}  # of what goes in and comes out
CONTEXT = 77  # tokens, where a checkpoint does not say how many
NUMBERS = {"tensor(int32)": "i4", "tensor(int64)": "i8", "tensor(float)": "f4"}
NUMBERS |= {"tensor(float16)": "f2"}
PUNCTUATION = str.maketrans("", "", string.punctuation)


class Sessions(torch.nn.Module):
    """The towers, which answer as those of transformers do."""

    dtype = torch.float32

    def __init__(self, sessions: dict[str, Any]) -> None:
        """Keep ONNX Runtime's sessions, by tower."""
        super().__init__()
        self._sessions = sessions

    def get_text_features(self, **inputs: torch.Tensor) -> SimpleNamespace:
        """Return the vectors of texts, shape (n, d), as pooler_output."""
        return self._answer(self._sessions["text"], inputs)

    def get_image_features(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        """Return the vectors of pictures, shape (n, d), as pooler_output."""
        session = self._sessions["image"]
        return self._answer(session, {session.get_inputs()[0].name: pixel_values})

    def _answer(self, session: Any, inputs: dict[str, torch.Tensor]) -> SimpleNamespace:
        wanted = session.get_inputs()
        given = {one.name: inputs[one.name].numpy().astype(NUMBERS[one.type]) for one in wanted}
        rows = range(len(next(iter(given.values()))))
        if wanted[0].shape[0] == 1:  # exported for one at a time, as Immich does
            parts = [{name: all_[[row]] for name, all_ in given.items()} for row in rows]
        else:
            parts = [given]
        vectors = np.concatenate([session.run(None, part)[0] for part in parts])
        return SimpleNamespace(pooler_output=torch.from_numpy(vectors))


class Tokens:
    """The tokenizer of a checkpoint, with what open_clip does to a text before it."""

    def __init__(self, file: Path, pad: str, rules: dict) -> None:
        """Read a tokenizer.json; pad is the token that fills up to rules' max_length."""
        from tokenizers import Tokenizer

        self._tokens, self._canonical = Tokenizer.from_file(str(file)), rules["canonicalize"]
        self.unk_token = getattr(self._tokens.model, "unk_token", None)
        number = self._tokens.token_to_id(pad)
        self._tokens.enable_padding(length=rules["max_length"], pad_token=pad, pad_id=number)
        self._tokens.enable_truncation(max_length=rules["max_length"])

    def __call__(self, texts: Sequence[str], **_: Any) -> dict[str, torch.Tensor]:
        """Return what any exported tower asks for, each of shape (n, tokens)."""
        found = self._tokens.encode_batch([self._clean(text) for text in texts])
        ids = torch.tensor([one.ids for one in found])
        mask = torch.tensor([one.attention_mask for one in found])
        return {"text": ids, "input_ids": ids, "attention_mask": mask}

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces of a text."""
        found = self._tokens.encode(self._clean(text), add_special_tokens=False)
        return [token for token, own in zip(found.tokens, found.attention_mask, strict=True) if own]

    def _clean(self, text: str) -> str:
        text = " ".join(text.split())
        return text.translate(PUNCTUATION).lower() if self._canonical else text


def load_config(folder: Path) -> SimpleNamespace:
    """Return what config.json says, in the words of a config of transformers too."""
    settings = settings_in(folder / "config.json")
    text = settings.get("text_cfg") or {}
    if "embed_dim" not in settings:
        raise ModelError(f"{folder / 'config.json'} does not say embed_dim; get it again")
    context = text.get("context_length", CONTEXT)
    clean = (text.get("tokenizer_kwargs") or {}).get("clean") == "canonicalize"
    return SimpleNamespace(
        projection_dim=settings["embed_dim"],
        text_config=SimpleNamespace(max_position_embeddings=context),
        text_rules={"max_length": context, "canonicalize": clean},
    )


def load_tokenizer(folder: Path, config: SimpleNamespace) -> Tokens:
    """Return the tokenizer in textual/."""
    pad = settings_in(folder / "textual" / "tokenizer_config.json").get("pad_token")
    with or_sentence(f"the tokenizer in {folder / 'textual'}"):
        pad = pad["content"] if isinstance(pad, dict) else pad
        return Tokens(folder / "textual" / "tokenizer.json", pad, config.text_rules)


def load_processor(folder: Path, config: SimpleNamespace) -> Any:
    """Return what turns RGB pictures into pixel_values, by visual/preprocess_cfg.json."""
    from PIL import Image
    from transformers import CLIPImageProcessorPil

    rules = checkpoints.picture_rules(folder)
    size, mode = np.max(rules["size"]).item(), rules.get("resize_mode", "shortest")
    if mode not in ("shortest", "squash"):
        raise ModelError(f"{folder} fits pictures by {mode}; only shortest and squash are read")
    square = {"height": size, "width": size}
    return CLIPImageProcessorPil(
        size={"shortest_edge": size} if mode == "shortest" else square,
        do_center_crop=mode == "shortest",
        crop_size=square,
        resample=Image.Resampling[rules["interpolation"].upper()],
        image_mean=rules["mean"],
        image_std=rules["std"],
    )


def load_network(
    folder: Path, family: Family, config: SimpleNamespace, towers: tuple[str, ...]
) -> Sessions:
    """Return the towers that are asked for.

    Raises:
        ModelError: A file is not whole.
    """
    runtime = checkpoints.extra("onnxruntime", "onnx", "towers in ONNX need onnxruntime")
    files = dict(zip(("text", "image"), checkpoints.weight_files(folder), strict=True))
    sessions = {}
    for tower in towers:
        with or_sentence(f"the tower {files[tower]}"):
            sessions[tower] = runtime.InferenceSession(
                files[tower], providers=["CPUExecutionProvider"]
            )
    return Sessions(sessions)
