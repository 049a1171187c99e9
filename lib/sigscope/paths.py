"""Where things live: beside ``lib`` in a checkout, inside the package once that is installed."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
IS_INSTALLED = (
    _PACKAGE / "_shipped"
).is_dir()  # a wheel holds there what a checkout has beside lib
ROOT = _PACKAGE / "_shipped" if IS_INSTALLED else _PACKAGE.parents[1]
DATA = ROOT / "data"
GALLERY = DATA / "gallery"
MODELS = DATA / "models"
MINI = MODELS / "siglit-mini"
SHIPPED = DATA / "embeddings"
SHIPPED_MAPS = DATA / "maps"
NOTEBOOKS = ROOT / "notebooks"
EXPLORER = ROOT / "explorer"


def _cache() -> Path:
    """Return where all goes that can be computed again."""
    if named := os.environ.get("SIGSCOPE_CACHE"):
        return Path(named).expanduser().resolve()
    if IS_INSTALLED:
        from platformdirs import user_cache_path

        return user_cache_path("sigscope")
    return DATA / "cache"


CACHE = _cache()
