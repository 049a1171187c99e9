import dataclasses

import pytest

from sigscope.indexes.specs import INDEXES, IndexSpec, cells, find_spec

COMPRESSED = ["sq8", "fp16", "pq-fast", "rabitq", "ivfpq", "opq", "ivf-pq-fast", "ivf-rabitq"]
WANTED = ["knn", "numpy", "flat", "flat-l2", "ivf", "ivf-l2", "hnsw", "hnsw-l2", *COMPRESSED]


@pytest.mark.parametrize("name", [*WANTED, *(f"{name}+rerank" for name in COMPRESSED)])
def test_every_method_has_a_spec_and_people_can_read_its_label(name):
    assert INDEXES[name].label and INDEXES[name].metric in ("ip", "l2", "cosine")


def test_flat_is_first_and_labels_differ():
    assert next(iter(INDEXES)) == "flat"
    assert len({spec.label for spec in INDEXES.values()}) == len(INDEXES)


@pytest.mark.parametrize(
    "n, expected",
    [
        (1, 1),  # 0 cells have 39 rows
        (77, 1),
        (78, 2),  # 78 / 39
        (3905, 100),  # 3905 / 39 = 100.1, below 4 sqrt(3905) = 249
        (100_000, 1264),  # 4 x 316
        (1_000_000, 4000),  # 4 x 1000
    ],
)
def test_cells_follow_the_number_of_rows(n, expected):
    assert cells(n) == expected


@pytest.mark.parametrize(
    "name, d, expected",
    [
        ("flat", 100, "Flat"),
        ("ivf", 100, "IVF100,Flat"),
        ("ivfpq", 384, "IVF100,PQ48x8np"),  # 384 / 8
        ("pq-fast", 384, "PQ192x4fs"),  # 384 / 2
        ("pq-fast", 100, "Pad104,PQ52x4fs"),  # 104 = 13 x 8
        ("opq", 97, "Pad104,OPQ13,IVF100,PQ13x8np"),
        ("ivf-rabitq", 97, "IVF100,RaBitQ"),
        ("numpy", 64, ""),
    ],
)
def test_recipes_follow_rows_and_dimensions(name, d, expected):
    assert INDEXES[name].recipe(3905, d) == expected


def test_too_few_rows_for_two_cells_are_not_scanned_fast():
    assert INDEXES["pq-fast"].recipe(77, 64) == "PQ32x4np"
    assert INDEXES["ivf-pq-fast"].recipe(77, 64) == "IVF1,PQ32x4np"
    assert INDEXES["ivf-pq-fast"].recipe(78, 64) == "IVF2,PQ32x4fsr"


def test_values_rise_and_hold_the_default():
    for name, spec in INDEXES.items():
        assert list(spec.values) == sorted(set(spec.values)), name
        assert bool(spec.values) == bool(spec.knob), name
        assert not spec.default or spec.default in spec.values, name


def test_the_last_effort_of_an_inverted_file_is_every_cell():
    assert INDEXES["ivf"].efforts(400) == (1, 2, 4, 8, 10)  # 400 / 39 = 10 cells
    assert INDEXES["ivf"].efforts(1) == (1,)
    assert INDEXES["ivf"].efforts(10**8)[-1] == 40_000


def test_the_last_effort_of_a_graph_reaches_every_row_or_is_the_last_value():
    assert INDEXES["hnsw"].efforts(100) == (16, 32, 64, 128)
    assert INDEXES["hnsw"].efforts(10**6)[-1] == 4096


def test_default_effort_is_twice_the_root_of_the_cells_and_never_more_than_there_are():
    assert INDEXES["ivf"].default_effort(3905) == 20  # 2 sqrt(100)
    assert INDEXES["ivf"].default_effort(50) == 1
    assert INDEXES["hnsw"].default_effort(50) == 64
    assert INDEXES["flat"].default_effort(50) == 0


def test_a_spec_of_ones_own_goes_by_its_name_or_its_label():
    assert find_spec(INDEXES["ivf"])[0] == "ivf"
    own = dataclasses.replace(INDEXES["ivf"], default=3, label="three cells")
    assert find_spec(own) == ("three cells", own)
    assert find_spec(IndexSpec("SQ4", "ip"))[0] == "SQ4"


def test_a_wrong_name_lists_the_right_ones():
    with pytest.raises(ValueError, match="no index called 'flatt'; choose from flat, flat-l2"):
        find_spec("flatt")
