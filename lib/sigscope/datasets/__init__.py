"""Publishers' files by name, and `load_gallery`: whatever a person points at becomes a gallery."""

from sigscope.datasets.judgements import read_judgements
from sigscope.datasets.load import load_gallery
from sigscope.datasets.registry import DATASETS

__all__ = ["DATASETS", "load_gallery", "read_judgements"]
