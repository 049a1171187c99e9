import tracemalloc

import numpy as np
import pytest
from dataset_files import write

from sigscope.gallery.vectors import parse_vector, read_rows


@pytest.mark.parametrize(
    "cell",
    [
        "[3.0, 4.0]",
        "[3. 4.]",
        "[[3.\n  4.]]",
        " [ 3e0,\r\n4E+0 ] ",
        "tensor([[3., 4.]], device='cuda:0')",
        "array([3., 4.], dtype=float32)",
        "3 4",
        "[np.float64(3.0), np.float64(4.0)]",
        "[np.float32(3), np.float32(4)]",
        "3;4",
        "tensor([3., 4.], grad_fn=<DivBackward0>)",
        "Parameter containing:\ntensor([3., 4.], requires_grad=True)",
        "[tensor(3.), tensor(4.)]",
        "array([3., 4.], dtype=np.float32)",
        "(3.0, 4.0)",
        "{3,4}",
        "Array([3., 4.], dtype=float32)",
        "[Decimal('3'), Decimal('4')]",
        [3, 4],
        np.array([[3.0, 4.0]], np.float16),
    ],
)
def test_a_vector_is_read_however_it_was_written(cell):
    vector = parse_vector(cell, 2)
    assert vector.dtype == np.float32
    assert vector.tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("[1.0, nan]", "number 1 is nan"),
        ("[inf, 1.0]", "number 0 is inf"),
        ("[0.0, 0.0]", "all zeros"),
        ("[1.0]", "it has 1 numbers, not 2"),
        ("[1.0 2.0 ... 3.0]", "cut short"),
        ("[1.0, 2", "cut short"),
        ("[1.0, None]", "no list of numbers .*'None'"),
        ("[]", "it is empty"),
        ("", "it is empty"),
        (None, "it is empty"),
    ],
)
def test_what_is_no_vector_is_refused_with_its_reason(cell, reason):
    with pytest.raises(ValueError, match=reason):
        parse_vector(cell, 2)


def test_an_array_that_numpy_printed_is_read_whole():
    rng = np.random.default_rng(0)
    vector = rng.normal(size=512).astype(np.float32)
    assert parse_vector(str(vector), 512) @ vector == pytest.approx(
        np.linalg.norm(vector), abs=1e-5
    )
    with pytest.raises(ValueError, match="cut short"):
        parse_vector(str(np.tile(vector, 3)))


def test_a_vector_may_be_one_number_a_column(tmp_path):
    rows = "text,emb_0,emb_1,emb_2,emb_3\na,0,3,4,0\n"
    (row,) = read_rows(write(tmp_path / "t.csv", rows))
    assert parse_vector(row.image).tolist() == pytest.approx([0, 0.6, 0.8, 0])
    assert row.description == "a"


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl"])
def test_tables_of_vectors_are_read_as_other_tables_are(tmp_path, name):
    content = {
        "t.csv": "Image Embedding;Description\n[3, 4];a\n",
        "t.tsv": "image-vector\tCaption\n[3, 4]\ta\n",
        "t.jsonl": '{"embedding": [3, 4], "caption": ["a"]}\n',
    }
    (row,) = read_rows(write(tmp_path / name, content[name]))
    assert (row.description, parse_vector(row.image).tolist()) == ("a", pytest.approx([0.6, 0.8]))


def test_memory_does_not_grow_with_the_table(tmp_path):
    cell = str(np.linspace(0, 1, 512).tolist())
    peaks = []
    for count in (50, 500):
        rows = "".join(f'{n},"{cell}"\n' for n in range(count))
        path = write(tmp_path / "t.csv", f"Description,Image Embedding\n{rows}")
        tracemalloc.start()
        assert sum(1 for _ in read_rows(path)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
