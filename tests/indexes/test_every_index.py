"""Every spec through the same tests."""

import threading

import faiss
import numpy as np
import pytest
from toy import unit

from sigscope.indexes.files import StaleIndex
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES

N, D = 500, 24
WHOLE = ["flat", "flat-l2", "numpy", "knn", "ivf", "ivf-l2", "hnsw", "hnsw-l2"]
RERANKED = [name for name in INDEXES if name.endswith("+rerank")]
every = pytest.mark.parametrize("name", INDEXES)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, D))
    xb = unit(centres[rng.integers(20, size=N)] + 0.7 * rng.normal(size=(N, D)))
    return xb, unit(centres[rng.integers(20, size=30)] + rng.normal(size=(30, D)))


@pytest.fixture(scope="module")
def ids():
    return [f"item {i}" for i in range(N)]


@pytest.fixture(scope="module")
def exact(vectors):
    xb, xq = vectors
    return np.argsort(-(xq @ xb.T), axis=1, kind="stable")


@pytest.fixture(scope="module")
def built(vectors, ids):
    return {name: VectorIndex.build(name, vectors[0], ids) for name in INDEXES}


def shared(found, exact):
    return np.mean([len(set(f) & set(e)) / len(e) for f, e in zip(found, exact, strict=True)])


def fully(index):
    """Return the keywords of a search with full effort."""
    how = {"effort": index.efforts[-1]} if index.efforts else {}
    return how | ({"candidates": N} if index.spec.reranks else {})


@every
def test_rows_are_valid_and_differ_and_scores_fall(name, built, vectors):
    scores, rows = built[name].search(vectors[1], 10)
    assert rows.shape == scores.shape == (30, 10)
    assert rows.dtype == np.int64 and scores.dtype == np.float32
    assert rows.min() >= 0 and rows.max() < N, "the default finds ten in every query here"
    assert all(len(set(row)) == 10 for row in rows)
    assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize("name", WHOLE + RERANKED)
def test_full_effort_agrees_with_numpy(name, built, vectors, exact):
    xb, xq = vectors
    scores, rows = built[name].search(xq, 10, **fully(built[name]))
    np.testing.assert_array_equal(rows, exact[:, :10])
    np.testing.assert_allclose(scores, np.take_along_axis(xq @ xb.T, rows, 1), atol=1e-5)


LEAST = {"sq8": 0.97, "ivf-sq8": 0.97, "fp16": 0.99, "pq-fast": 0.7, "ivf-pq-fast": 0.7}


@pytest.mark.parametrize("name", [name for name in INDEXES if name not in WHOLE + RERANKED])
def test_codes_find_most_neighbours_with_full_effort(name, built, vectors, exact):
    scores, rows = built[name].search(vectors[1], 10, **fully(built[name]))
    assert shared(rows, exact[:, :10]) >= LEAST.get(name, 0.4)
    truth = np.take_along_axis(vectors[1] @ vectors[0].T, rows, 1)
    assert np.corrcoef(scores.ravel(), truth.ravel())[0, 1] > 0.5, "scores must follow cosines"


@pytest.mark.parametrize("name", [name for name in INDEXES if INDEXES[name].knob])
def test_effort_finds_more(name, built, vectors, exact):
    index, xq = built[name], vectors[1]
    found = [shared(index.search(xq, 5, effort=e)[1], exact[:, :5]) for e in index.efforts]
    assert found[-1] >= found[0] and (np.diff(found) > -0.02).all(), found
    assert found[-1] > found[0] or found[0] > 0.99


@every
def test_effort_is_for_one_search_only(name, built, vectors):
    index = built[name]
    before = index.search(vectors[1], 10)
    if index.efforts:
        index.search(vectors[1], 10, effort=index.efforts[0])
        index.search(vectors[1], 10, effort=index.efforts[-1])
    for ours, theirs in zip(before, index.search(vectors[1], 10), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["ivf", "hnsw", "opq", "ivfpq+rerank"])
def test_the_default_effort_is_the_one_named(name, built, vectors):
    index = built[name]
    default = index.spec.default_effort(N)
    for ours, theirs in zip(
        index.search(vectors[1], 10), index.search(vectors[1], 10, effort=default), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@every
@pytest.mark.parametrize("k", [1, N, N + 1])
def test_one_result_and_more_than_there_are(name, k, built, vectors):
    scores, rows = built[name].search(vectors[1], k, **fully(built[name]))
    assert rows.shape == (30, min(k, N)) and rows.min() >= 0
    assert k == 1 or (np.sort(rows, axis=1) == np.arange(N)).all()


@pytest.mark.parametrize("name", ["ivf", "ivf-l2", "ivf-rabitq", "ivfpq+rerank", "opq"])
def test_what_is_not_found_is_marked_at_the_end(name, built, vectors):
    scores, rows = built[name].search(vectors[1], N, effort=1)
    empty = rows < 0
    assert empty.any() and (np.isneginf(scores) == empty).all() and (rows[empty] == -1).all()
    assert (np.diff(empty.astype(int), axis=1) >= 0).all(), "empty slots come last"


@every
@pytest.mark.parametrize("count", [1, 7, 250, 499])
def test_a_filter_is_respected(name, count, built, vectors, exact):
    among = np.sort(np.random.default_rng(count).choice(N, count, replace=False))
    scores, rows = built[name].search(vectors[1], 10, rows=among)
    assert rows.shape == (30, min(10, count)) and np.isin(rows, among).all()
    assert all(len(set(row)) == len(row) for row in rows)
    assert (np.diff(scores, axis=1) <= 0).all()
    expected = np.array([row[np.isin(row, among)][:10] for row in exact])
    assert shared(rows, expected) >= (1 if name in WHOLE + RERANKED else LEAST.get(name, 0.4))


@every
def test_a_filter_scores_as_a_search_without_one(name, built, vectors):
    (whole, _), (scores, _) = (
        built[name].search(vectors[1], N, **fully(built[name]) | {"rows": rows})
        for rows in (None, np.arange(N))
    )
    assert np.abs(whole - scores).max() < 0.05, "fast scan rounds its tables; nothing else differs"


@every
def test_no_rows_find_nothing_and_no_queries_find_nothing(name, built, vectors):
    scores, rows = built[name].search(vectors[1], 10, rows=[])
    assert scores.shape == rows.shape == (30, 0)
    for among in (None, np.arange(50)):
        scores, rows = built[name].search(vectors[1][:0], 10, rows=among)
        assert scores.shape == rows.shape == (0, 10)


@every
def test_one_query_finds_what_a_batch_finds(name, built, vectors):
    together = built[name].search(vectors[1], 5)[1]
    alone = np.vstack([built[name].search(xq[None], 5)[1] for xq in vectors[1]])
    assert shared(alone, together) > 0.98, "rounding may swap near ties"


@every
def test_duplicates_are_all_found(name, vectors):
    xb = np.vstack([np.repeat(vectors[0][:1], 5, axis=0), vectors[0][:195]])
    index = VectorIndex.build(name, xb, [str(row) for row in range(200)])
    scores, rows = index.search(
        xb[:1], 6, **({"effort": index.efforts[-1]} if index.efforts else {})
    )
    assert sorted(rows[0]) == [0, 1, 2, 3, 4, 5]  # five copies and the first of the others
    np.testing.assert_allclose(scores, scores[0, 0], atol=1e-6)


@every
@pytest.mark.parametrize("n", [1, 2, 5, 20, 200])
def test_a_tiny_gallery_is_searched_and_faiss_says_nothing(name, n, vectors, capfd):
    xb = vectors[0][:n]
    index = VectorIndex.build(name, xb, [str(row) for row in range(n)])
    for rows in (None, np.arange(n)):
        scores, found = index.search(xb[:2], 10, rows=rows, **fully(index))
        assert found.min() >= 0 and all(len(set(row)) == min(n, 10) for row in found)
        assert np.isfinite(scores).all() and (np.diff(scores, axis=1) <= 0).all()
    assert capfd.readouterr() == ("", "")


@every
def test_dimensions_that_8_does_not_divide_are_searched(name, capfd):
    xb = unit(np.random.default_rng(1).normal(size=(60, 13)))
    index = VectorIndex.build(name, xb, [str(row) for row in range(60)])
    _, rows = index.search(xb, 3, **({"effort": index.efforts[-1]} if index.efforts else {}))
    assert (rows == np.arange(60)[:, None]).any(axis=1).mean() > 0.9
    assert np.isin(index.search(xb, 3, rows=[4, 8])[1], [4, 8]).all()
    assert capfd.readouterr() == ("", "")


@every
def test_building_again_gives_the_same_index(name, built, vectors, ids):
    again = VectorIndex.build(name, vectors[0], ids)
    for ours, theirs in zip(
        again.search(vectors[1], 10), built[name].search(vectors[1], 10), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@every
@pytest.mark.parametrize("mmap", [False, True])
def test_a_loaded_index_answers_as_the_saved_one(name, mmap, built, vectors, ids, tmp_path):
    built[name].save(tmp_path / "i")
    loaded = VectorIndex.load(tmp_path / "i", ids=ids, xb=vectors[0], mmap=mmap)
    for how in ({}, {"rows": np.arange(0, N, 3)}, fully(loaded)):
        for ours, theirs in zip(
            loaded.search(vectors[1], 10, **how),
            built[name].search(vectors[1], 10, **how),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)
    assert loaded.spec == INDEXES[name] and loaded.describe() == built[name].describe()
    assert b"pickle" not in (tmp_path / "i").read_bytes()


@every
def test_another_gallerys_index_is_refused(name, built, vectors, ids, tmp_path):
    built[name].save(tmp_path / "i")
    with pytest.raises(StaleIndex, match="another gallery"):
        VectorIndex.load(tmp_path / "i", ids=ids[::-1], xb=vectors[0])
    with pytest.raises(StaleIndex, match="other vectors"):
        VectorIndex.load(tmp_path / "i", ids=ids, xb=vectors[0][::-1])
    (tmp_path / "i").write_bytes(b"something else")
    with pytest.raises(StaleIndex, match="sha256"):
        VectorIndex.load(tmp_path / "i", ids=ids, xb=vectors[0])


@every
def test_wrong_vectors_are_refused(name, built, vectors, ids):
    xb, xq = vectors
    for wrong, sentence in (
        (np.where(np.arange(N)[:, None] == 3, np.nan, xb), "row 3 holds NaN"),
        (np.where(np.arange(N)[:, None] == 3, 0, xb).astype(np.float32), "row 3 is all zeros"),
        (xb.astype(np.float16), "not float16"),
    ):
        sentence = "not float64" if wrong.dtype == np.float64 else sentence
        with pytest.raises(ValueError, match=sentence):
            VectorIndex.build(name, wrong, ids)
    with pytest.raises(ValueError, match="have 23 dimensions"):
        built[name].search(xq[:, 1:], 5)
    with pytest.raises(ValueError, match="row 0 holds NaN"):
        built[name].search(np.full((1, D), np.nan, np.float32), 5)


@every
def test_bytes_are_those_of_the_file(name, built, tmp_path):
    built[name].save(tmp_path / "i")
    size = (tmp_path / "i").stat().st_size
    text = int.from_bytes((tmp_path / "i").read_bytes()[-40:-32])  # of what it says of itself
    beside = built[name].rerank_bytes_per_vector
    assert beside == (4 * D if name in RERANKED else 0)
    headers = size - text - 40 - N * (built[name].bytes_per_vector + beside)
    assert (0 < headers < 200) if beside else headers == 0, "Faiss describes what it re-ranks with"
    assert built[name].build_s > 0


@pytest.mark.parametrize("name", RERANKED)
def test_bytes_of_codes_and_of_vectors_to_rerank_with_are_told_apart(name, built):
    index = built[name].index
    codes = faiss.serialize_index(faiss.downcast_index(index.base_index)).size / N
    assert built[name].bytes_per_vector == codes
    assert built[name].rerank_bytes_per_vector == index.refine_index.sa_code_size()


@every
def test_it_describes_itself_in_one_line(name, built):
    line = built[name].describe()
    assert line.startswith(f"{name}: ") and "500 × 24" in line and "\n" not in line
    assert INDEXES[name].knob in line


@every
def test_threads_with_other_efforts_do_not_disturb_each_other(name, built, vectors):
    index, xq, wrong = built[name], vectors[1], []
    settings = [{"effort": effort} for effort in index.efforts] or [{}]
    expected = [index.search(xq, 10, **how)[1] for how in settings]

    def ask(turn):
        for _ in range(4):
            found = index.search(xq, 10, **settings[turn % len(settings)])[1]
            wrong.extend(found[found != expected[turn % len(settings)]])

    threads = [threading.Thread(target=ask, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
