from dataclasses import replace

import faiss
import numpy as np
import pytest
from toy import unit

from sigscope.indexes import faiss_backend
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES

N, D = 400, 16
RERANKED = [name for name in INDEXES if name.endswith("+rerank")]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return unit(rng.normal(size=(N, D))), unit(rng.normal(size=(20, D)))


@pytest.fixture(scope="module")
def ids():
    return [str(row) for row in range(N)]


def ranked(xb, xq, proposed, k):
    """Return the best k of what was proposed and their cosines, compared one by one."""
    scores = np.full(proposed.shape, -np.inf)
    for at, row in np.ndenumerate(proposed):
        if row >= 0:
            scores[at] = xq[at[0]] @ xb[row]
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(proposed, order, 1)


@pytest.mark.parametrize("name", RERANKED)
@pytest.mark.parametrize("candidates", [1, 3, 20])
def test_rows_and_scores_are_those_of_candidates_compared_by_hand(name, candidates, vectors, ids):
    xb, xq = vectors
    plain = VectorIndex.build(name.removesuffix("+rerank"), xb, ids)
    proposed = plain.search(xq, 5 * candidates)[1]
    scores, rows = VectorIndex.build(name, xb, ids).search(xq, 5, candidates=candidates)
    expected_scores, expected = ranked(xb, xq, proposed, 5)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)


@pytest.mark.parametrize("name", ["rabitq+rerank", "ivf-rabitq+rerank", "pq-fast+rerank"])
def test_float16_takes_half_the_space_and_gives_nearly_the_cosines(name, vectors, ids):
    xb, xq = vectors
    spec = INDEXES[name]
    half = replace(spec, factory=spec.factory.replace(",RFlat", ",Refine(SQfp16)"))
    built = VectorIndex.build(half, xb, ids)
    assert built.spec.reranks and built.rerank_bytes_per_vector == 2 * D
    for rows_asked in (None, np.arange(0, N, 2)):
        scores, rows = built.search(xq, 5, candidates=N, rows=rows_asked)
        np.testing.assert_allclose(scores, np.take_along_axis(xq @ xb.T, rows, 1), atol=1e-3)


@pytest.mark.parametrize("count", [3, 399])
@pytest.mark.parametrize("name", ["pq-fast+rerank", "ivf-rabitq+rerank", "sq8+rerank"])
def test_a_filter_is_respected_however_many_rows_it_has(name, count, vectors, ids, monkeypatch):
    monkeypatch.setattr(faiss_backend, "FEW", 5)
    index = VectorIndex.build(name, vectors[0], ids)
    among = np.sort(np.random.default_rng(0).choice(N, count, replace=False))
    effort = index.efforts[-1] if index.spec.knob == "nprobe" else None
    scores, rows = index.search(vectors[1], 3, rows=among, candidates=60, effort=effort)
    expected = among[np.argsort(-(vectors[1] @ vectors[0][among].T), axis=1)[:, :3]]
    assert (rows == expected).mean() > 0.95 and np.isin(rows, among).all()
    np.testing.assert_allclose(
        scores, np.take_along_axis(vectors[1] @ vectors[0].T, rows, 1), atol=1e-6
    )


def test_more_candidates_find_more(vectors, ids):
    index = VectorIndex.build("rabitq+rerank", vectors[0], ids)
    exact = np.argsort(-(vectors[1] @ vectors[0].T), axis=1)[:, :5]
    found = [index.search(vectors[1], 5, effort=effort)[1] for effort in (1, 4, 80)]
    shares = [np.mean([len(set(f) & set(e)) for f, e in zip(x, exact, strict=True)]) for x in found]
    assert shares[0] < shares[1] < shares[2] == 5


def test_a_graph_over_codes_looks_as_far_as_its_candidates(vectors, ids):
    spec = replace(INDEXES["hnsw"], factory="HNSW16_SQ4,RFlat", candidates=30, label="graph")
    index = VectorIndex.build(spec, vectors[0], ids)
    assert index.search(vectors[1], 10)[1].min() >= 0
    exact = np.argsort(-(vectors[1] @ vectors[0].T), axis=1)[:, :10]
    assert (index.search(vectors[1], 10)[1] == exact).mean() > 0.95


def test_plain_faiss_reranks_what_was_saved(vectors, ids, tmp_path):
    VectorIndex.build("sq8+rerank", vectors[0], ids).save(tmp_path / "i")
    bare = faiss.read_index(str(tmp_path / "i"))
    scores, rows = bare.search(vectors[1], 1)
    np.testing.assert_allclose(
        scores[:, 0], (vectors[1] * vectors[0][rows[:, 0]]).sum(1), atol=1e-6
    )
