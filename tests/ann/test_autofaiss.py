import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from toy import unit

from sigscope.ann import autofaiss
from sigscope.ann.autofaiss import (
    PINS,
    AutoFaiss,
    AutofaissError,
    AutofaissMissing,
    is_ready,
    make_environment,
)
from sigscope.ann.measure import as_table, exact_neighbours, sweep
from sigscope.files import write_json

needs_autofaiss = pytest.mark.skipif(
    not is_ready(), reason="AutoFaiss is not installed; 'make autofaiss' builds its environment"
)

WORKER = """
import json, shutil, sys
from pathlib import Path
folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
{body}
"""


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return unit(rng.normal(size=(1200, 16))), unit(rng.normal(size=(20, 16)))


@pytest.fixture(scope="module")
def ids():
    return [str(row) for row in range(1200)]


@pytest.fixture
def environment(tmp_path):
    """A finished environment, whose Python is the one that runs the tests."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    write_json(tmp_path / "sigscope.json", list(PINS))
    return tmp_path


@pytest.fixture(scope="module")
def real(vectors, ids):
    return AutoFaiss(latency=0.5).build(vectors[0], ids)


def test_without_its_environment_a_sentence_says_what_to_run(vectors, ids, tmp_path):
    with pytest.raises(AutofaissMissing, match="run 'make autofaiss'"):
        AutoFaiss(environment=tmp_path).build(vectors[0], ids)


def test_without_its_environment_a_sweep_has_a_row_that_says_so(vectors, ids, tmp_path):
    xb, xq = vectors
    runs = sweep([AutoFaiss(environment=tmp_path)], xb, ids, {"text": xq, "image": xq}, 10)
    table = as_table(runs)
    assert table["index"].tolist() == ["autofaiss"] * 2
    assert table["note"].str.contains("make autofaiss").all() and table["ms_median"].isna().all()


@pytest.mark.parametrize("content", [None, "[]", "{", '["autofaiss==2.17.0"]'])
def test_an_environment_half_made_or_of_other_pins_is_not_ready(content, environment):
    assert is_ready(environment)
    stamp = environment / "sigscope.json"
    stamp.unlink() if content is None else stamp.write_text(content)
    assert not is_ready(environment)


def test_what_autofaiss_says_when_it_stops_is_in_the_sentence(
    environment, vectors, ids, tmp_path, monkeypatch
):
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER.format(body="sys.exit('no room for ' + str(settings))"))
    monkeypatch.setattr(autofaiss, "WORKER", worker)
    with pytest.raises(AutofaissError, match="stopped: no room for .*'memory_bytes': 120000"):
        AutoFaiss(memory=100, environment=environment).build(vectors[0], ids)


BUILD = """
import faiss, numpy as np
xb = np.load(folder / "vectors" / "vectors.npy")
index = faiss.index_factory(xb.shape[1], "IVF20,Flat", faiss.METRIC_INNER_PRODUCT)
index.train(xb)
index.add(xb)
index.nprobe = 3
faiss.write_index(index, str(folder / "knn.index"))
about = {"index_key": "IVF20,Flat", "index_param": "nprobe=3", "build_s": 1.5}
(folder / "knn.json").write_text(json.dumps(about))
"""


def test_what_it_made_is_searched_as_it_was_set(environment, vectors, ids, tmp_path, monkeypatch):
    worker = tmp_path / "worker.py"
    worker.write_text(f"import sys; sys.path[:0] = {sys.path!r}\n" + WORKER.format(body=BUILD))
    monkeypatch.setattr(autofaiss, "WORKER", worker)
    made = AutoFaiss(environment=environment).build(vectors[0], ids)
    assert made.index.nprobe == 3 and made.spec.label == "AutoFaiss: IVF20,Flat, nprobe=3"
    assert (len(made), made.d, made.build_s, made.efforts) == (1200, 16, 1.5, ())
    scores, rows = made.search(vectors[1], 10)
    np.testing.assert_array_equal(rows, made.index.search(vectors[1], 10)[1])
    assert made.bytes_per_vector > 4 * 16 and made.rerank_bytes_per_vector == 0
    _, among = made.search(vectors[1], 5, rows=[7, 3, 3, 900])
    assert among.shape == (20, 3) and set(among.ravel()) == {3, 7, 900}
    with pytest.raises(ValueError, match="'autofaiss' has no knob"):
        made.search(vectors[1], 5, effort=3)


def test_vectors_it_cannot_take_are_refused(environment, vectors, ids):
    for xb, names in ((vectors[0].astype(np.float64), ids), (vectors[0], ids[:-1])):
        with pytest.raises(ValueError, match="AutoFaiss needs float32 vectors"):
            AutoFaiss(environment=environment).build(xb, names)


def test_a_failed_installation_is_a_sentence_and_leaves_no_stamp(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no room\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(autofaiss.paths, "CACHE", tmp_path)
    monkeypatch.setattr(autofaiss, "_base_python", lambda: str(python))
    sentence = r"could not be installed \(no room\).*run 'make autofaiss' again"
    with pytest.raises(AutofaissError, match=sentence):
        make_environment(tmp_path / "environment")
    assert not is_ready(tmp_path / "environment")


def test_no_fitting_python_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(autofaiss, "PYTHONS", ((3, 1), (3, 2)))
    monkeypatch.setattr(autofaiss.paths, "CACHE", tmp_path)
    with pytest.raises(AutofaissError, match="needs python3.1 or python3.2"):
        make_environment(tmp_path / "environment")


def test_the_worker_needs_nothing_of_ours():
    code = f"import runpy; runpy.run_path({str(autofaiss.WORKER)!r}, run_name='worker')"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


@needs_autofaiss
def test_it_chooses_tunes_and_comes_back_as_an_index(real, vectors):
    assert (len(real), real.d) == (1200, 16)
    assert real.spec.factory == "HNSW15" and "efSearch=" in real.spec.label
    assert real.bytes_per_vector > 4 * 16 and real.build_s > 0 and real.rerank_bytes_per_vector == 0


@needs_autofaiss
def test_it_is_searched_as_it_was_tuned_and_scores_are_cosines(real, vectors):
    xb, xq = vectors
    scores, rows = real.search(xq, 10)
    assert real.index.hnsw.efSearch == int(real.spec.label.split("=")[1])
    np.testing.assert_allclose(scores, np.take_along_axis(xq @ xb.T, rows, 1), atol=1e-5)
    assert (rows == exact_neighbours(xb, xq, 10)).mean() > 0.9


@needs_autofaiss
def test_filters_and_large_k_behave(real, vectors):
    xb, xq = vectors
    scores, rows = real.search(xq, 5, rows=np.array([7, 3, 3, 900]))
    assert rows.shape == (20, 3) and set(rows.ravel()) == {3, 7, 900}
    assert (np.diff(scores, axis=1) <= 0).all()
    scores, rows = real.search(xq, 5000)
    assert rows.shape == (20, 1200) and (scores[rows < 0] == -np.inf).all()


@needs_autofaiss
def test_a_knob_and_k_below_one_are_refused(real, vectors):
    with pytest.raises(ValueError, match="'autofaiss' has no knob"):
        real.search(vectors[1], 5, effort=3)
    with pytest.raises(ValueError, match="k is 0"):
        real.search(vectors[1], 0)


@needs_autofaiss
def test_a_sweep_measures_it_like_any_other(real, vectors, ids):
    made = SimpleNamespace(name="autofaiss", build=lambda xb, ids: real)
    (run,) = sweep([made], vectors[0], ids, {"text": vectors[1]}, 10)
    assert run.index == "autofaiss" and run.note == "" and run.neighbour_recall > 0.9
