"""Vectors become something that searches."""

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
    "cells",
    "cosines_float64",
    "exact_neighbours",
    "fitting",
    "nearest",
    "neighbour_recall",
]
