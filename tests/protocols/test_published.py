"""The published figures, spot-checked against the reports' tables, and the table beside them."""

import numpy as np
import pytest

from sigscope.protocols.published import (
    MARKS,
    R2_MAP,
    Row,
    beside,
    depends,
    published,
    report_interval,
)


@pytest.mark.parametrize(
    ("report", "figure", "value"),
    [
        ("R1", "Recall@50, IndexFlatL2", 0.18),
        ("R1", "Recall@3, IndexHNSWFlat", 0.02),
        ("R2", "mAP@5, image", 0.955),
        ("R2", "mAP@50, Oxford", 0.549),
        ("R3", "ms, AutoFaiss, initialise", 16886.296),
        ("R3", "ms, IVF L2, external caption", 0.135),
        ("R4", "Recall@5, COCO", 0.89),
    ],
)
def test_figures_are_the_published_ones(report, figure, value):
    assert published(report).set_index("figure").loc[figure, "value"] == value


def test_tables_have_every_figure():
    assert [len(published(name)) for name in ("R1", "R2", "R3", "R4")] == [10, 16, 28, 4]
    assert len(MARKS) == 3
    shares = R2_MAP.drop(columns="k").to_numpy()
    assert (shares < 1).all() and (np.diff(shares, axis=0) < 0).all()


def test_r1s_intervals_are_those_of_fifty_queries():
    r1 = published("R1").set_index("figure")
    low, high = r1.loc["Recall@10, IndexFlatL2", ["low", "high"]]
    assert (low, high) == report_interval(0.12)
    assert low < 0.06 < high, "fifty queries do not tell HNSW's 0.06 from flat's 0.12"


def test_a_report_without_figures_is_said():
    with pytest.raises(ValueError, match="choose from R1, R2, R3, R4"):
        published("R5")


def test_beside_has_its_columns_first_and_keeps_the_rest():
    table = beside([Row("Recall@1", "x", here=1, key={"k": 1})])
    assert list(table) == ["figure", "report", "here", "low", "high", "depends_on", "k"]
    assert np.isnan(table["report"].item()) and table["here"].dtype == float


def test_what_a_figure_hangs_on_is_in_words():
    about = {"model": "m", "gallery": "g", "split": "test", "searched": 3905}
    assert depends(about, "k 5") == "m; g, test split; 3,905 pictures searched; k 5"
