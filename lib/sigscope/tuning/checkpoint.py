"""What a run writes: its state while it goes on, then a plain transformers checkpoint, its record.

A state is tensors and a few numbers, as safetensors with JSON in its header. What is drawn at
random depends on the seed and the step alone, so no generator needs to be kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sigscope.files import atomic_write, read_json, write_json
from sigscope.gallery.gallery import Gallery
from sigscope.models import checkpoints
from sigscope.models.checksums import PREPARES, check_checksums, record_checksums
from sigscope.models.hub import ModelError
from sigscope.tuning.recipes import Recipe

if TYPE_CHECKING:
    from torch import Tensor

STATE = "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # what Adam keeps of each weight
RECORD = "record.json"
RUN = "run"  # the folder inside that a run keeps its state in until it is over
PACKAGES = ("torch", "transformers", "peft", "numpy", "pillow")


@dataclass(frozen=True)
class Tuned:
    """What a run left: a folder that the encoder loads, and its record.

    The record's keys: weights (their SHA-256), model, recipe, data, device, precision, epochs (the
    curve: epoch 0 is before training), best_epoch, score, score_before, stopped_early, seconds,
    peak_mb, versions.
    """

    folder: Path
    record: dict

    @classmethod
    def load(cls, folder: str | Path) -> Tuned:
        """Return what an earlier run left in folder.

        Raises:
            FileNotFoundError: No finished run left it, or its weights are gone.
            ModelError: A file of the checkpoint is not what the run left.
        """
        folder = Path(folder)
        if not (folder / RECORD).is_file():
            raise FileNotFoundError(f"{folder} has no {RECORD}; no finished run left it")
        record = read_json(folder / RECORD)
        try:
            weights = checkpoints.weights_sha256(folder)
        except ModelError as error:
            raise FileNotFoundError(f"the weights of a finished run are gone: {error}") from error
        if record.get("weights", weights) != weights:
            raise ModelError(
                f"the weights in {folder} are not those that {RECORD} tells of; tune again with "
                "resume=False, or in another folder"
            )
        check_checksums(folder)
        return cls(folder, record)

    @cached_property
    def curve(self) -> pd.DataFrame:
        """One row per epoch: epoch (0 is before training), score, loss, scale, bias, seconds."""
        return pd.DataFrame(self.record["epochs"])

    @property
    def score(self) -> float:
        """The val hit rate@10 of the weights in the folder."""
        return self.record["score"]


def about(model: Path, gallery: Gallery, recipe: Recipe, train: str, val: str) -> dict:
    """Return what a run's result depends on, as JSON values."""
    return {
        "model": {"name": model.name, "weights": checkpoints.weights_sha256(model)},
        "recipe": {**asdict(recipe), "betas": list(recipe.betas)},
        "data": {
            "gallery": gallery.name,
            "fingerprint": gallery.fingerprint,
            "pictures": len(gallery),
            "train": train,
            "val": val,
        },
    }


def check_same(folder: Path, asked: dict) -> None:
    """Raise ValueError if folder holds a run with other settings, finished or not."""
    for path in (folder / RECORD, folder / RUN / RECORD):
        if not path.is_file():
            continue
        found = read_json(path)
        other = [
            f"{part}.{name}"
            for part, values in asked.items()
            for name, value in values.items()
            if found.get(part, {}).get(name) != value
        ]
        if other:
            raise ValueError(
                f"{folder} holds a run that differs in {', '.join(other[:4])}; give another "
                "folder, or resume=False to replace it"
            )


def write_checkpoint(network: Any, source: Path, folder: Path) -> None:
    """Write a network to folder, with what prepares texts and pictures from source, and sums."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        network.save_pretrained(folder)
    finally:
        if shown:
            logging.enable_progress_bar()
    for name in PREPARES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    record_checksums(folder)


def save(folder: Path, network: Any, source: Path, record: dict) -> Tuned:
    """Write the checkpoint and its record; the record comes last, so with it all is whole."""
    made = folder / RUN / "checkpoint"
    shutil.rmtree(made, ignore_errors=True)
    write_checkpoint(network, source, made)
    record = {"weights": checkpoints.weights_sha256(made), **record}
    for path in sorted(made.iterdir()):
        path.chmod(0o644)
        os.replace(path, folder / path.name)
    write_json(folder / RECORD, record)
    shutil.rmtree(folder / RUN)
    return Tuned(folder, record)


def versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on, as far as installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def peak_mb() -> float | None:
    """Return the most memory this process has held, in MB, where the system tells.

    Linux is asked for the peak since the program began; what `getrusage` says there may be that of
    the program that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        rows = dict(row.split(":", 1) for row in status.read_text().splitlines() if ":" in row)
        return round(int(rows["VmHWM"].split()[0]) / 2**10, 1)
    try:
        import resource
    except ImportError:  # Windows
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1)  # macOS: bytes


def save_state(path: Path, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Write tensors and numbers to path."""
    from safetensors.torch import save_file

    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    told = json.dumps(numbers)
    with atomic_write(path) as part:
        save_file(flat, part, metadata={"numbers": told, "sha256": _digest(flat, told)})


def load_state(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Return the tensors and numbers in path.

    Raises:
        ValueError: It is not such a file, or is not as it was written; the sentence names it.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata()
        tensors = load_file(path)
        if _digest(tensors, about["numbers"]) != about["sha256"]:
            raise ValueError("its checksum is another")
        return tensors, json.loads(about["numbers"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not the state of a run ({error}); delete it to begin anew"
        ) from error


def _digest(tensors: Mapping[str, Tensor], numbers: str) -> str:
    """Return the SHA-256 of a state, 64 hexadecimal digits."""
    import torch

    found = hashlib.sha256(numbers.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def of_optimiser(optimiser: Any, named: Mapping[str, Tensor]) -> dict:
    """Return what Adam keeps of each named weight, by a name of its own."""
    return {
        f"{moment}|{name}": optimiser.state[weight][moment]
        for name, weight in named.items()
        if weight in optimiser.state
        for moment in MOMENTS
    }


def into_optimiser(
    optimiser: Any, named: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> None:
    """Give Adam back what `of_optimiser` returned."""
    for name, weight in named.items():
        if f"step|{name}" in tensors:
            optimiser.state[weight] = {
                moment: _placed(tensors[f"{moment}|{name}"], weight, moment) for moment in MOMENTS
            }


def into_weights(named: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Overwrite the named weights in place."""
    import torch

    with torch.no_grad():
        for name, weight in named.items():
            weight.copy_(tensors[name])


def _placed(kept: Tensor, weight: Tensor, moment: str) -> Tensor:
    """Return a moment on its weight's device and in its layout; the step stays on the CPU."""
    return kept if moment == "step" else weight.detach().clone().copy_(kept)
