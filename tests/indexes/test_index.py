import hashlib
import json
import os
import signal
import subprocess
import sys
import threading

import faiss
import numpy as np
import pytest
from toy import unit

from sigscope import paths
from sigscope.indexes.files import StaleIndex
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES, IndexSpec


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return unit(rng.normal(size=(500, 16))), unit(rng.normal(size=(50, 16)))


@pytest.fixture(scope="module")
def ids():
    return [f"item {i}" for i in range(500)]


@pytest.fixture(scope="module")
def exact(vectors):
    xb, xq = vectors
    return np.argsort(-(xq @ xb.T), axis=1, kind="stable")


@pytest.fixture
def flat(vectors, ids):
    return VectorIndex.build("flat", vectors[0], ids)


def test_flat_agrees_with_plain_numpy(flat, vectors, exact):
    xb, xq = vectors
    scores, rows = flat.search(xq, 10)
    np.testing.assert_array_equal(rows, exact[:, :10])
    np.testing.assert_allclose(scores, np.take_along_axis(xq @ xb.T, rows, 1), atol=1e-6)
    assert scores.dtype == np.float32 and rows.dtype == np.int64


def test_scores_are_cosines_with_either_metric(flat, vectors, ids, monkeypatch):
    monkeypatch.setitem(INDEXES, "flat by distance", IndexSpec("Flat", "l2"))
    other = VectorIndex.build("flat by distance", vectors[0], ids)
    for ours, theirs in zip(flat.search(vectors[1], 5), other.search(vectors[1], 5), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_wrong_name_lists_the_right_ones(vectors, ids):
    with pytest.raises(ValueError, match="no index called 'flatt'; choose from flat"):
        VectorIndex.build("flatt", vectors[0], ids)


@pytest.mark.parametrize("k", [500, 501, 10**6])
def test_more_than_there_are_means_all_of_them(k, flat, vectors):
    _, rows = flat.search(vectors[1], k)
    assert rows.shape == (50, 500) and (np.sort(rows, axis=1) == np.arange(500)).all()


@pytest.mark.parametrize("k", [0, -1])
def test_fewer_than_one_is_refused(k, flat, vectors):
    with pytest.raises(ValueError, match="ask for at least one"):
        flat.search(vectors[1], k)


def spoilt(x, value):
    x = x.copy()
    x[3] = value
    return x


WRONG_ROWS = [
    (lambda x: spoilt(x, np.nan), "row 3 holds NaN or infinity"),
    (lambda x: spoilt(x, np.inf), "row 3 holds NaN or infinity"),
    (lambda x: spoilt(x, 0), "row 3 is all zeros"),
    (lambda x: 2 * x, "row 0 has length 2; divide"),
    (lambda x: x.astype(np.float64), "not float64"),
    (lambda x: x.astype(np.float16), "not float16"),
    (lambda x: x[0], r"not float32 \(16,\)"),
    (lambda x: x.tolist(), "not list"),
]


@pytest.mark.parametrize("spoil, sentence", WRONG_ROWS)
def test_wrong_vectors_are_refused(spoil, sentence, vectors, ids):
    with pytest.raises(ValueError, match=sentence):
        VectorIndex.build("flat", spoil(vectors[0]), ids)


@pytest.mark.parametrize(
    "spoil, sentence", [*WRONG_ROWS, (lambda x: x[:, :8], "have 8 dimensions and the index 16")]
)
def test_wrong_queries_are_refused(spoil, sentence, flat, vectors):
    with pytest.raises(ValueError, match=sentence):
        flat.search(spoil(vectors[1]), 5)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0, 1e30])
def test_a_wrong_single_query_is_refused(value, flat, vectors):
    with pytest.raises(ValueError, match="row 0"):
        flat.search(np.full((1, 16), value, np.float32), 5)


def test_ids_and_vectors_must_be_as_many(vectors):
    with pytest.raises(ValueError, match="500 vectors and 2 ids"):
        VectorIndex.build("flat", vectors[0], ["a", "b"])


def test_an_empty_index_is_refused():
    with pytest.raises(ValueError, match="nothing to index"):
        VectorIndex.build("flat", np.empty((0, 4), np.float32), [])


def test_the_callers_arrays_are_left_alone(vectors, ids):
    xb, xq = (x.copy() for x in vectors)
    for x in (xb, xq):
        x.setflags(write=False)
    VectorIndex.build("flat", xb, ids).search(xq, 5, rows=np.arange(20))
    np.testing.assert_array_equal(xb, vectors[0])
    np.testing.assert_array_equal(xq, vectors[1])


def test_rows_in_another_memory_order_give_the_same_answers(flat, vectors, ids):
    xb, xq = vectors
    other = VectorIndex.build("flat", np.asfortranarray(xb), ids)
    for asked in (np.asfortranarray(xq), np.repeat(xq, 2, axis=0)[::2]):
        np.testing.assert_array_equal(other.search(asked, 5)[1], flat.search(xq, 5)[1])


# --- among some rows only


@pytest.mark.parametrize("count", [1, 7, 60, 499])
def test_a_filter_finds_the_best_among_its_rows(count, flat, vectors, exact):
    among = np.sort(np.random.default_rng(count).choice(500, count, replace=False))
    _, rows = flat.search(vectors[1], 10, rows=among)
    expected = [[row for row in ranked if row in set(among)][:10] for ranked in exact]
    np.testing.assert_array_equal(rows, expected)


def test_a_filter_takes_rows_in_any_order_and_each_once(flat, vectors):
    _, rows = flat.search(vectors[1], 10, rows=[9, 4, 4, 4])
    assert rows.shape == (50, 2) and (np.sort(rows, axis=1) == [4, 9]).all()


def test_a_filter_of_no_rows_finds_nothing(flat, vectors):
    scores, rows = flat.search(vectors[1], 10, rows=[])
    assert scores.shape == rows.shape == (50, 0)
    assert scores.dtype == np.float32 and rows.dtype == np.int64


@pytest.mark.parametrize(
    "rows, sentence",
    [([-1], "from -1"), ([500], "there are 500"), ([0.5], "float64"), ([[1]], "one dimension")],
)
def test_rows_that_are_none_are_refused(rows, sentence, flat, vectors):
    with pytest.raises(ValueError, match=sentence):
        flat.search(vectors[1], 1, rows=rows)


def test_many_threads_find_what_one_finds(flat, vectors):
    expected, wrong = flat.search(vectors[1], 10)[1], []

    def ask(row):
        for _ in range(50):
            found = flat.search(vectors[1][row : row + 1], 10)[1][0]
            wrong.extend(found[found != expected[row]])

    threads = [threading.Thread(target=ask, args=(row,)) for row in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- on disk


@pytest.fixture
def saved(flat, tmp_path):
    flat.save(tmp_path / "image.index")
    return tmp_path / "image.index"


def test_a_loaded_index_answers_as_the_saved_one(saved, flat, vectors, ids):
    loaded = VectorIndex.load(saved, ids=ids, xb=vectors[0])
    for ours, theirs in zip(
        loaded.search(vectors[1], 10), flat.search(vectors[1], 10), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert (loaded.name, loaded.spec, len(loaded), loaded.d) == ("flat", INDEXES["flat"], 500, 16)
    assert loaded.ids.tolist() == ids and loaded.build_s == flat.build_s


def parts(path):
    """Return the index in a file, and what the file says of it."""
    data = path.read_bytes()
    length = int.from_bytes(data[-40:-32])
    return data[: -40 - length], json.loads(data[-40 - length : -40])


def write(path, index, about):
    """Write an index and what is said of it, with the right hash."""
    text = about if isinstance(about, bytes) else json.dumps(about).encode()
    data = index + text + len(text).to_bytes(8)
    path.write_bytes(data + hashlib.sha256(data).digest())


def test_plain_faiss_reads_it_and_the_file_says_what_it_is(saved):
    index, about = parts(saved)
    assert faiss.read_index(str(saved)).ntotal == about["ntotal"] == 500
    assert index == faiss.serialize_index(faiss.read_index(str(saved))).tobytes()
    assert about["spec"]["factory"] == "Flat" and about["d"] == 16
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_an_index_of_another_gallery_is_refused(saved, ids):
    for other in (ids[::-1], ids[:-1], ["x", *ids[1:]]):
        with pytest.raises(StaleIndex, match="another gallery.*build the index again"):
            VectorIndex.load(saved, ids=other)


def test_an_index_of_other_vectors_of_the_same_gallery_is_refused(saved, ids, vectors):
    with pytest.raises(StaleIndex, match="other vectors"):
        VectorIndex.load(saved, ids=ids, xb=vectors[0][::-1])


def test_a_changed_file_is_refused(saved, ids):
    data = bytearray(saved.read_bytes())
    data[-5] ^= 1
    saved.write_bytes(data)
    with pytest.raises(StaleIndex, match="sha256"):
        VectorIndex.load(saved, ids=ids)


@pytest.mark.parametrize("size", [0, 10, 39, 2000])
def test_a_file_cut_short_is_refused(size, saved, ids):
    saved.write_bytes(saved.read_bytes()[:size])
    with pytest.raises(StaleIndex, match="sha256"):
        VectorIndex.load(saved, ids=ids)


def test_a_file_that_is_no_index_is_refused_even_with_the_right_hash(saved, ids):
    write(saved, b"not an index", parts(saved)[1])
    with pytest.raises(StaleIndex, match="cannot be read by Faiss"):
        VectorIndex.load(saved, ids=ids)


@pytest.mark.parametrize("change", [{"ntotal": 499}, {"d": 8}])
def test_what_is_said_of_another_index_is_refused(change, saved, ids):
    index, about = parts(saved)
    write(saved, index, about | change)
    with pytest.raises(StaleIndex, match="unlike what it says"):
        VectorIndex.load(saved, ids=ids)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}"])
def test_a_file_that_does_not_say_what_it_holds_is_refused(text, saved, ids):
    write(saved, parts(saved)[0], text)
    with pytest.raises(StaleIndex, match="does not say what index"):
        VectorIndex.load(saved, ids=ids)


def test_a_missing_index_is_refused(saved, ids):
    saved.unlink()
    with pytest.raises(StaleIndex, match="cannot be read"):
        VectorIndex.load(saved, ids=ids)


@pytest.mark.parametrize("change", [{"spec": {"values": []}}, {"spec": {"from": "the future"}}])
def test_a_spec_of_another_version_is_refused(change, saved, ids):
    index, about = parts(saved)
    write(saved, index, about | change)
    with pytest.raises(StaleIndex, match="another version.*build the index again"):
        VectorIndex.load(saved, ids=ids)


def test_a_full_disk_leaves_the_saved_index_as_it_was(flat, saved, vectors, ids, monkeypatch):
    def write(sink, data):
        raise OSError("no space left")

    monkeypatch.setattr("sigscope.indexes.files.Sink.write", write)
    with pytest.raises(Exception, match="no space left"):
        flat.save(saved)
    monkeypatch.undo()
    assert len(VectorIndex.load(saved, ids=ids)) == 500
    assert len(list(saved.parent.iterdir())) == 1


# --- knobs and specs


@pytest.mark.parametrize(
    "how, sentence",
    [
        ({"effort": 3}, "'flat' has no knob"),
        ({"candidates": 3}, "'flat' has no re-ranking"),
    ],
)
def test_what_an_index_does_not_have_cannot_be_set(how, sentence, flat, vectors):
    with pytest.raises(ValueError, match=sentence):
        flat.search(vectors[1], 5, **how)


@pytest.mark.parametrize("how", [{"effort": 0}, {"effort": -1}, {"candidates": 0}])
def test_effort_below_one_is_refused(how, vectors, ids):
    with pytest.raises(ValueError, match="start at 1"):
        VectorIndex.build("ivf-sq8+rerank", vectors[0], ids).search(vectors[1], 5, **how)


def test_a_spec_of_ones_own_is_built_and_comes_back_from_disk(vectors, ids, tmp_path):
    spec = IndexSpec("IVF{cells},SQ4", "ip", "nprobe", (1, 12), default=12, label="four bits")
    built = VectorIndex.build(spec, vectors[0], ids)
    built.save(tmp_path / "i")
    loaded = VectorIndex.load(tmp_path / "i", ids=ids)
    assert (loaded.name, loaded.spec) == ("four bits", spec)
    assert loaded.describe() == "four bits: IVF12,SQ4, 500 × 16, ip; nprobe 12 of 12"
    np.testing.assert_array_equal(*(i.search(vectors[1], 5)[1] for i in (built, loaded)))


def test_a_spec_whose_metric_faiss_ignores_is_refused(vectors, ids):
    spec = IndexSpec("HNSW8_PQ2", "ip", label="deaf")
    with pytest.raises(ValueError, match="HNSW8_PQ2 with the metric l2, not ip"):
        VectorIndex.build(spec, vectors[0], ids)


DIES = """
import os, signal, sys
import numpy as np
from sigscope.indexes.files import Sink
from sigscope.indexes.index import VectorIndex
xb = np.load(sys.argv[1])
left, write = int(sys.argv[3]), Sink.write
def dies(self, data):
    global left
    left -= self.file is not None
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(self, data)
Sink.write = dies
VectorIndex.build("flat", xb, [str(i) for i in range(len(xb))]).save(sys.argv[2])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nobody is killed so here")
@pytest.mark.parametrize("writes", [0, 1, 2, 10**6])
def test_killed_while_saving_over_an_old_index_leaves_one_that_is_whole(writes, tmp_path):
    rng = np.random.default_rng(0)
    xb = rng.normal(size=(50, 8)).astype(np.float32)
    xb /= np.linalg.norm(xb, axis=1, keepdims=True)
    names = [str(i) for i in range(50)]
    path = tmp_path / "index.faiss"
    VectorIndex.build("flat", xb, names).save(path)
    np.save(tmp_path / "xb.npy", xb[::-1])
    command = [sys.executable, "-c", DIES, tmp_path / "xb.npy", path, writes]
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT / "lib")}
    ended = subprocess.run([str(part) for part in command], env=environment).returncode
    assert ended in (0, -signal.SIGKILL)
    VectorIndex.load(path, ids=names, xb=xb if ended else np.ascontiguousarray(xb[::-1]))
