"""The vector database that SIGSCOPE_STORE names: one index more to choose, and the first of all."""

import os
from collections.abc import Mapping
from dataclasses import replace

from sigscope import INDEXES
from sigscope.indexes import IndexSpec

NAME = "milvus"


def url() -> str:
    """Return its address, "" where there is none."""
    return os.environ.get("SIGSCOPE_STORE", "")


def kind() -> str:
    """Return the name of the index that it is to have."""
    return os.environ.get("SIGSCOPE_STORE_INDEX") or "flat"


def indexes() -> Mapping[str, IndexSpec]:
    """Return all indexes that can be chosen, by name."""
    if not url():
        return INDEXES
    spec = INDEXES[kind()]
    return {NAME: replace(spec, label=f"Milvus: {spec.label}"), **INDEXES}
