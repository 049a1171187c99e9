"""Vectors become something that searches."""

from sigscope.indexes.exact import exact_neighbours, neighbour_recall, steady_scores
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES, IndexSpec, cells

__all__ = [
    "INDEXES",
    "IndexSpec",
    "VectorIndex",
    "cells",
    "exact_neighbours",
    "neighbour_recall",
    "steady_scores",
]
