from dataclasses import replace

import numpy as np
import pytest
from toy import unit

from sigscope.ann.candidates import candidates
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES, find_spec


def names(n, d, memory=None):
    return [find_spec(entry)[0] for entry in candidates(n, d, memory)]


def test_candidates_are_names_of_the_registry_and_a_smaller_graph():
    assert set(names(10_000, 64)) - set(INDEXES) == {"hnsw-16"}
    assert len(set(names(10_000, 64))) == len(names(10_000, 64))


@pytest.mark.parametrize("links", [8, 15, 24])
def test_a_graph_is_cut_to_the_memory_there_is(links):
    xb = unit(np.random.default_rng(0).normal(size=(2000, 16)))
    spec = find_spec("hnsw")[1]
    asked = VectorIndex.build(replace(spec, factory=f"HNSW{links}"), xb, range(2000))
    assert f"hnsw-{links}" in names(2000, 16, asked.bytes_per_vector)


def test_codes_are_cut_to_the_memory_there_is():
    xb = unit(np.random.default_rng(0).normal(size=(5000, 64)))
    cut = [entry for entry in candidates(5000, 64, 33) if getattr(entry, "label", "")]
    assert [spec.label for spec in cut] == ["hnsw-16", "ivf-pq4", "ivf-pq4+rerank"]
    built = VectorIndex.build(cut[-1], xb, range(5000))
    assert 30 < built.bytes_per_vector <= 33 and built.rerank_bytes_per_vector == 256
    assert names(5000, 64, 20) == names(5000, 64, 100) == names(5000, 64)
