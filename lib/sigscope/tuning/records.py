"""The record of a run, and the folder it leaves: a plain transformers checkpoint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from sigscope.files import read_json, write_json
from sigscope.gallery.gallery import Gallery
from sigscope.models import checkpoints
from sigscope.tuning.recipes import Recipe

RECORD = "record.json"
RUN = "run"  # the folder inside that a run keeps its state in until it is over
PACKAGES = ("torch", "transformers", "peft", "numpy", "pillow")
PREPARES = (  # files of a checkpoint that say how texts and pictures are written
    *checkpoints.TOKENIZERS,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
)


@dataclass(frozen=True)
class Tuned:
    """What a run left: a folder that the encoder loads, and its record.

    The record's keys: model, recipe, data, device, precision, epochs (the curve: epoch 0 is before
    training), best_epoch, score, score_before, stopped_early, seconds, peak_mb, versions.
    """

    folder: Path
    record: dict

    @classmethod
    def load(cls, folder: str | Path) -> Tuned:
        """Return what an earlier run left in folder."""
        folder = Path(folder)
        if not (folder / RECORD).is_file():
            raise FileNotFoundError(f"{folder} has no {RECORD}; no finished run left it")
        return cls(folder, read_json(folder / RECORD))

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


def save(folder: Path, network: Any, source: Path, record: dict) -> Tuned:
    """Write the checkpoint and its record; the record comes last, so with it all is whole."""
    made = folder / RUN / "checkpoint"
    shutil.rmtree(made, ignore_errors=True)
    with _without_bars():
        network.save_pretrained(made)
    for name in PREPARES:
        if (source / name).is_file():
            shutil.copyfile(source / name, made / name)
    for path in sorted(made.iterdir()):
        path.chmod(0o644)
        os.replace(path, folder / path.name)
    write_json(folder / RECORD, record)
    shutil.rmtree(folder / RUN)
    return Tuned(folder, record)


@contextmanager
def _without_bars() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


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
