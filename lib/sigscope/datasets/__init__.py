"""Publishers' files by name, and `load_gallery`: whatever a person points at becomes a gallery."""

from sigscope.datasets.judgements import read_judgements
from sigscope.datasets.load import load_gallery
from sigscope.datasets.registry import DATASETS
from sigscope.datasets.videos import by_video, film_of

__all__ = ["DATASETS", "by_video", "film_of", "load_gallery", "read_judgements"]
