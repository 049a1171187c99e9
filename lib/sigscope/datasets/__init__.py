"""Publishers' files by name, and `load_gallery`: whatever a person points at becomes a gallery."""

from sigscope.datasets.load import DATASETS, load_gallery

__all__ = ["DATASETS", "load_gallery"]
