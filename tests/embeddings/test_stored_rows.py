"""Rows that stay on disk are those of one array, in whatever order they are asked for."""

import numpy as np
import pytest
from toy import unit

from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.embeddings.stored_rows import StoredRows

N, D = 50, 6


@pytest.fixture(scope="module")
def xb():
    return unit(np.random.default_rng(0).normal(size=(N, D)))


def rows_on_disk(folder, xb, kinds=("f2", "f2", "f2"), order="C"):
    files = []
    for number, (part, kind) in enumerate(zip(np.array_split(xb, 3), kinds, strict=True)):
        files.append(folder / f"{number}.npy")
        np.save(files[-1], np.asarray(part, kind, order=order))
    return StoredRows(files)


ASKED = {
    "one": 33,
    "the last": -1,
    "none": np.empty(0, int),
    "in any order, some twice": np.array([49, 3, 17, 3, 16, 17, 18, 0]),
    "runs across files": np.arange(10, 45),
    "a mask": np.arange(N) % 3 == 1,
    "a slice": slice(5, 40),
    "every third": slice(1, 49, 3),
}


@pytest.mark.parametrize("which", ASKED.values(), ids=list(ASKED))
@pytest.mark.parametrize(
    ("kinds", "order"),
    [(("f2",) * 3, "C"), (("f4",) * 3, "C"), (("f2", "f4", "f2"), "C"), (("f2",) * 3, "F")],
)
def test_are_the_rows_of_the_files_below_each_other(which, kinds, order, xb, tmp_path):
    rows = rows_on_disk(tmp_path, xb, kinds, order)
    np.testing.assert_allclose(rows[which], xb[which], atol=2e-3)
    found = rows.only(np.arange(N)[::-1])[which]
    np.testing.assert_allclose(found, xb[::-1][which], atol=2e-3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-6)


def test_a_file_that_was_cut_is_told(xb, tmp_path):
    rows = rows_on_disk(tmp_path, xb)
    file = tmp_path / "1.npy"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(StaleEmbeddings, match=r"1\.npy has become shorter"):
        rows[np.array([2, 33])]
    assert len(rows[np.array([2, 49])]) == 2


def test_there_is_no_row_beyond_the_last(xb, tmp_path):
    with pytest.raises(IndexError, match="there are 50 rows, and 50 is none of them"):
        rows_on_disk(tmp_path, xb)[np.array([3, 50])]
