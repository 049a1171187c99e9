"""BLIP and BLIP-2 in the hub's format: how their folders are found, checked and loaded.

`captioners` writes captions with one, `readers` asks one whether words fit a picture.
"""

import json
from pathlib import Path
from typing import Any

from sigscope.models import hub
from sigscope.models.checkpoints import weight_files
from sigscope.models.checksums import check_checksums
from sigscope.models.hub import ModelError


def located(model: str | Path, job: str) -> Path:
    """Return the folder with a checkpoint's files, downloaded if need be; job is what it is for."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if isinstance(model, Path) or folder.is_absolute() or str(model).startswith("."):
        raise ModelError(f"there is no {job} in {model}; check the path")
    return hub.cached_snapshot(str(model)) or hub.download(str(model))


def checked(folder: Path, kinds: tuple[str, ...], job: str) -> str:
    """Return which of the kinds a checkpoint is, once its files are found whole."""
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{folder} has no config.json that can be read, so it is not a model folder"
        ) from error
    if kind not in kinds:
        wanted = " or a ".join(kinds)
        raise ModelError(f"{folder} holds a model of type {kind}; a {job} must be a {wanted}")
    weight_files(folder)
    check_checksums(folder)
    return kind


def loaded(folder: Path, processor: str, network: str, job: str) -> tuple[Any, Any]:
    """Return the processor and the network, float32 on the CPU, of these classes of transformers.

    Raises:
        ModelError: They cannot be loaded, or a part of the network is not in the weights.
    """
    import torch
    import transformers

    try:
        prepares = getattr(transformers, processor).from_pretrained(folder, backend="pil")
        answers, report = getattr(transformers, network).from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"the {job} in {folder} cannot be loaded ({reason})") from error
    if report["missing_keys"]:
        name = sorted(report["missing_keys"])[0]
        raise ModelError(
            f"the weights in {folder} lack {len(report['missing_keys'])} parts of a {network}, "
            f"the first {name}; give a checkpoint that was saved as a {job}"
        )
    return prepares, answers.eval()
