"""Where things live, relative to the checkout."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
GALLERY = DATA / "gallery"
MODELS = DATA / "models"
MINI = MODELS / "siglit-mini"
SHIPPED = DATA / "embeddings"
CACHE = Path(os.environ.get("SIGSCOPE_CACHE") or DATA / "cache")
NOTEBOOKS = ROOT / "notebooks"
EXPLORER = ROOT / "explorer"
