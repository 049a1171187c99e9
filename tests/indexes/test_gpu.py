import logging
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import pytest
from toy import unit

from sigscope.indexes import gpu
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES

N, D = 3_000, 16
IDS = [str(row) for row in range(N)]
HAS_GPU = bool(faiss.get_num_gpus())
TAKEN = (faiss.IndexFlat, faiss.IndexIVF)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return unit(rng.normal(size=(N, D))), unit(rng.normal(size=(20, D)))


@pytest.fixture
def asked(monkeypatch):
    """What was searched on a GPU; where there is none, a clone in memory stands for the copy."""
    calls = []

    class Copy:
        def __init__(self, index):
            self.index = index

        def search(self, xq, k, params=None):
            calls.append((len(xq), k))
            return self.index.search(xq, k, params=params)

    def copied(resources, device, index):
        if not isinstance(index, TAKEN):
            raise RuntimeError("Error in cloner\nThis index type is not implemented on GPU.")
        return Copy(faiss.clone_index(index))

    monkeypatch.setenv(gpu.SETTING, "cuda")
    if not HAS_GPU:
        monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
        monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
        monkeypatch.setattr(faiss, "index_cpu_to_gpu", copied, raising=False)
    monkeypatch.setattr(gpu.GpuCopy, "_resources", None)
    return calls


@pytest.mark.skipif(not HAS_GPU, reason="there is no GPU here, or this Faiss has no code for one")
@pytest.mark.parametrize("name", ["flat", "ivf", "ivf-l2", "ivf-sq8"])
def test_a_gpu_finds_what_the_cpu_finds(name, vectors, monkeypatch):
    here = VectorIndex.build(name, vectors[0], IDS)
    monkeypatch.setenv(gpu.SETTING, "cuda")
    there = VectorIndex.build(name, vectors[0], IDS)
    scores, rows = here.search(vectors[1], 10)
    there_scores, there_rows = there.search(vectors[1], 10)
    np.testing.assert_allclose(there_scores, scores, atol=1e-3)
    assert (there_rows == rows).mean() > 0.98


@pytest.mark.skipif(HAS_GPU, reason="a real GPU is not watched")
def test_plain_searches_go_to_the_copy_and_filters_and_long_lists_do_not(vectors, asked):
    index = VectorIndex.build("ivf", vectors[0], IDS)
    exact = VectorIndex.build("numpy", vectors[0], IDS)
    index.search(vectors[1], 10)
    index.search(vectors[1][:1], 5, effort=3)
    assert asked == [(20, 10), (1, 5)]
    index.search(vectors[1], 10, rows=np.arange(0, N, 2))
    _, rows = index.search(vectors[1], gpu.MOST + 1, effort=10_000)
    assert len(asked) == 2 and len(np.unique(rows[0])) == gpu.MOST + 1
    assert (np.sort(rows[0][:9]) == np.sort(exact.search(vectors[1][:1], 9)[1][0])).all()


@pytest.mark.skipif(HAS_GPU, reason="a real GPU is not watched")
@pytest.mark.parametrize("name", [name for name in INDEXES if INDEXES[name].backend == "faiss"])
def test_every_index_finds_the_same_with_the_setting(name, vectors, asked, monkeypatch):
    there = VectorIndex.build(name, vectors[0], IDS).search(vectors[1], 10)
    monkeypatch.delenv(gpu.SETTING)
    here = VectorIndex.build(name, vectors[0], IDS).search(vectors[1], 10)
    np.testing.assert_array_equal(there[1], here[1])
    np.testing.assert_allclose(there[0], here[0], atol=1e-6)


def test_an_index_that_a_gpu_does_not_take_stays_and_is_told_once(vectors, asked, caplog):
    index = VectorIndex.build("hnsw", vectors[0], IDS)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            index.search(vectors[1], 10)
    assert [record.getMessage() for record in caplog.records] == [
        "IndexHNSWFlat stays on the CPU, as Faiss does not take it to a GPU: "
        "This index type is not implemented on GPU."
    ]
    assert not asked


def test_visitors_share_one_gpu_and_each_gets_his_own(vectors, asked):
    index = VectorIndex.build("flat", vectors[0], IDS)
    expected = VectorIndex.build("numpy", vectors[0], IDS).search(vectors[1], 1)[1][:, 0]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: index.search(vectors[1][[row]], 1)[1][0, 0], range(20)))
    assert found == expected.tolist()


@pytest.mark.parametrize(
    "setting, said",
    [("gpu", "is neither cpu nor cuda"), ("cuda", "no code for GPUs|finds no GPU here")],
)
def test_a_gpu_that_is_not_there_is_said_in_a_sentence(setting, said, vectors, monkeypatch):
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    monkeypatch.setenv(gpu.SETTING, setting)
    with pytest.raises(gpu.NoGpu, match=rf"{gpu.SETTING}={setting}.*({said}).*set it to cpu"):
        VectorIndex.build("flat", vectors[0], IDS)
