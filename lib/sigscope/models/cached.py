"""Models that are on this machine: the shipped one, and those in the hub's cache."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sigscope import paths
from sigscope.models import checkpoints, hub
from sigscope.models.families import FAMILIES, reader
from sigscope.models.hub import ModelError
from sigscope.models.towers import PARTS, dimension

COLUMNS = ["model", "family", "dimension", "megabytes", "why_not"]


def cached_models() -> pd.DataFrame:
    """Return the models on this machine, the shipped one first, then by name.

    Returns:
        Columns model (what SIGSCOPE_MODEL takes), family, dimension of its vectors, megabytes on
        disk, and why_not: a sentence where it cannot be used as it lies there, else "". Family is
        "" and dimension 0 then.
    """
    return pd.DataFrame(map(_row, *zip(*_folders(), strict=True)), columns=COLUMNS)


def fetch_model(name: str) -> pd.Series:
    """Return the row of ``cached_models`` of a model, downloaded from the hub where it must be.

    What an earlier try left is kept; what is there already is not fetched again.

    Raises:
        ModelError: the hub does not answer, has no such model, or it is none that is read.
    """
    folder = checkpoints.locate(name, tuple(PARTS))
    checkpoints.check(folder, tuple(PARTS))
    return pd.Series(_row(name, folder), index=COLUMNS)


def _folders() -> Iterator[tuple[str, Path]]:
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    yield paths.MINI.name, paths.MINI
    try:
        found = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:  # nothing was ever downloaded
        return
    for name in sorted(repo.repo_id for repo in found if repo.repo_type == "model"):
        if folder := hub.cached_snapshot(name):  # a tokenizer or a file alone is no model
            yield name, folder


def _row(name: str, folder: Path) -> tuple:
    megabytes = sum(path.stat().st_size for path in folder.iterdir() if path.exists()) / 1e6
    try:
        family = checkpoints.check_parts(folder, tuple(PARTS))
        numbers = dimension(reader(family).load_config(folder))
        return name, FAMILIES[family].label, numbers, megabytes, ""
    except ModelError as error:
        return name, "", 0, megabytes, str(error)
