"""What a native library needs is checked before it is asked: no number of rows ends the process."""

import subprocess
import sys

import numpy as np
import pytest
from toy import unit

from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES, IndexSpec, fitting

EVERY_SPEC = """
import sys
import faiss
import numpy as np
from sigscope.indexes import training
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import INDEXES

d = int(sys.argv[1])
faiss.omp_set_num_threads(1)
training.CELL_STEPS = training.CODE_STEPS = training.ROTATIONS = training.FIRST_STEPS = 1
rng = np.random.default_rng(0)
for n in (1, 2, 10, 61, 300, d - 1, d, d + 1):
    xb = rng.normal(size=(n, d)).astype(np.float32)
    xb /= np.linalg.norm(xb, axis=1, keepdims=True)
    for name in INDEXES:
        print(n, name, end=" ", flush=True)
        try:
            index = VectorIndex.build(name, xb, range(n))
            found = index.search(xb[:2], 3)[1], index.search(xb[:2], 3, rows=[0, n - 1])[1]
            print("finds", min(rows.max() for rows in found))
        except ValueError as error:
            print("refuses:", error)
"""


@pytest.mark.parametrize("d", [4, pytest.param(384, marks=pytest.mark.slow),
                               pytest.param(768, marks=pytest.mark.slow)])  # fmt: skip
def test_every_spec_is_built_over_any_number_of_rows_or_refused_in_a_sentence(d):
    done = subprocess.run(
        [sys.executable, "-c", EVERY_SPEC, str(d)], capture_output=True, text=True, timeout=900
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 8 * len(INDEXES), (lines[-1:], done.stderr[-500:])
    refused = {tuple(line.split()[:2]) for line in lines if "refuses:" in line}
    few = [str(n) for n in (1, 2, 10, 61, 300, d - 1) if n < d and d > 256]
    assert refused == {(n, name) for n in few for name in ("opq", "opq+rerank")}
    assert all("finds -1" not in line for line in lines)


@pytest.mark.parametrize(
    "spec, n, d, sentence",
    [
        (
            INDEXES["opq"],
            383,
            384,
            "rotation is learnt from 384 vectors or more, and",
        ),
        (
            INDEXES["opq"],
            300,
            301,
            "rotation is learnt from 304 vectors or more, and",
        ),
        (IndexSpec("IVF64,Flat", "ip"), 63, 8, "64 cells need a vector each, and there are 63"),
        (IndexSpec("PQ5x8", "ip"), 300, 16, "5 equal parts, and 16 dimensions do not divide"),
        (IndexSpec("IVF4,PQ5x4fs", "ip"), 300, 16, "5 equal parts, and 16 dimensions"),
    ],
)
def test_what_is_in_the_way_is_said_before_faiss_is_asked(spec, n, d, sentence):
    assert sentence in spec.problem(n, d)
    xb = unit(np.random.default_rng(0).normal(size=(n, d)))
    with pytest.raises(ValueError, match=f"cannot be built here: .*{sentence}"):
        VectorIndex.build(spec, xb, range(n))


def test_the_registry_offers_what_fits():
    few = [name for name in INDEXES if not name.endswith("+disk")]
    assert set(few) - set(fitting(300, 384)) == {"opq", "opq+rerank"}
    assert list(fitting(384, 384)) == list(fitting(1, 256)) == few
    assert list(fitting(100_000, 384)) == list(INDEXES)
