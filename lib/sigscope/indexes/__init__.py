"""Vectors become something that searches."""

from sigscope.indexes.disk_files import build_on_disk
from sigscope.indexes.exact import (
    cosines_float64,
    exact_neighbours,
    nearest,
    neighbour_recall,
)
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES, IndexSpec, cells, fitting

__all__ = [
    "INDEXES",
    "IndexSpec",
    "VectorIndex",
    "build_on_disk",
    "cells",
    "cosines_float64",
    "exact_neighbours",
    "fitting",
    "nearest",
    "neighbour_recall",
]
