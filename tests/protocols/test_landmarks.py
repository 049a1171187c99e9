"""Oxford and Paris: the group's program, written again the slow way, and a case done by hand."""

import numpy as np
import pytest

from sigscope.protocols.landmarks import (
    Landmark,
    judge_landmarks,
    landmark_map,
    read_landmarks,
    trapezoid_average_precision,
)

TRUTH = Landmark.of(["a", "b"], ["c"], ["junk"])


def slowly(ranked, truth):
    """Walk down the list as the group's compute_ap does."""
    ap, recall_before, precision_before, found, seen = 0.0, 0.0, 1.0, 0, 0
    for name in ranked:
        if name in truth.junk:
            continue
        seen, found = seen + 1, found + (name in truth.right)
        recall, precision = found / len(truth.right), found / seen
        ap += (recall - recall_before) * (precision_before + precision) / 2
        recall_before, precision_before = recall, precision
    return ap


@pytest.mark.parametrize(
    ("ranked", "ap"),
    [
        (["a", "b", "c", "x"], 1),
        (["junk", "a", "b", "c"], 1),
        (["x", "a", "b", "c"], ((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2 + (2 / 3 + 3 / 4) / 2) / 3),
        (["a", "x", "junk", "c"], (1 + (1 / 2 + 2 / 3) / 2) / 3),
        (["x", "junk"], 0),
    ],
)
def test_ap_is_the_area_under_straight_lines(ranked, ap):
    judged = judge_landmarks({"q_1": ranked}, {"q_1": TRUTH})
    assert trapezoid_average_precision(judged) == pytest.approx([ap])
    assert slowly(ranked, TRUTH) == pytest.approx(ap)


def test_ap_agrees_with_the_slow_walk():
    rng, names = np.random.default_rng(0), np.array([f"p{i}" for i in range(80)])
    truths, rankings = {}, {}
    for i in range(40):
        good, ok, junk = np.split(rng.permutation(names)[: rng.integers(3, 30)], [1, 3])
        truths[f"place_{i}"] = Landmark.of(good, ok, junk)
        rankings[f"place_{i}"] = rng.permutation(names)[: rng.integers(10, 80)]
    found = trapezoid_average_precision(judge_landmarks(rankings, truths))
    slow = [slowly(rankings[query], truth) for query, truth in truths.items()]
    assert found == pytest.approx(slow) and np.ptp(slow) > 0.2


def test_map_stands_beside_r2_and_draws_landmarks():
    truths = {f"{place}_{i}": TRUTH for place in ("tower", "hall") for i in range(5)}
    rankings = {query: ["a", "b", "c"] if "tower" in query else ["x", "y"] for query in truths}
    outcome = landmark_map(rankings, truths, collection="Paris", ks=(5,))
    rows = outcome.table.set_index("figure")
    assert rows.loc["mAP, Paris", "here"] == 0.5
    assert rows.loc["mAP@5, Paris", "report"] == 0.934
    assert rows.loc["mAP, Paris", ["low", "high"]].tolist() == [0, 1], "two landmarks, not ten"
    assert "10 queries of 2 landmarks" in rows.loc["mAP, Paris", "depends_on"]


def test_ground_truth_is_read_from_the_groups_files(tmp_path):
    for kind, names in {"good": "a\nb\n", "ok": "c\n", "junk": ""}.items():
        (tmp_path / f"hall_1_{kind}.txt").write_text(names)
    assert read_landmarks(tmp_path) == {"hall_1": Landmark.of(["a", "b"], ["c"])}
    (tmp_path / "hall_1_junk.txt").unlink()
    with pytest.raises(ValueError, match="lacks hall_1_junk.txt"):
        read_landmarks(tmp_path)


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="1 queries have no ranking, the first 'q_1'"):
        judge_landmarks({}, {"q_1": TRUTH})
    with pytest.raises(ValueError, match="names a picture twice"):
        judge_landmarks({"q_1": ["a", "a"]}, {"q_1": TRUTH})
    with pytest.raises(ValueError, match="'a' is both right and junk"):
        Landmark.of(["a"], (), ["a"])
