"""Oxford and Paris: the group's program, written again the slow way, and a case done by hand."""

import numpy as np
import pytest
from dataset_files import write
from PIL import Image
from toy import ToyEncoder

from sigscope.datasets.landmarks import load_paris6k
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.protocols.landmarks import (
    Landmark,
    _landmark_queries,
    landmark_map,
    practice_landmarks,
    rank_landmarks,
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
    found = rank_landmarks({"q_1": ranked}, {"q_1": TRUTH})
    assert trapezoid_average_precision(found) == pytest.approx([ap])
    assert slowly(ranked, TRUTH) == pytest.approx(ap)


def test_ap_agrees_with_the_slow_walk():
    rng, names = np.random.default_rng(0), np.array([f"p{i}" for i in range(80)])
    truths, rankings = {}, {}
    for i in range(40):
        good, ok, junk = np.split(rng.permutation(names)[: rng.integers(3, 30)], [1, 3])
        truths[f"place_{i}"] = Landmark.of(good, ok, junk)
        rankings[f"place_{i}"] = rng.permutation(names)[: rng.integers(10, 80)]
    found = trapezoid_average_precision(rank_landmarks(rankings, truths))
    slow = [slowly(rankings[query], truth) for query, truth in truths.items()]
    assert found == pytest.approx(slow) and np.ptp(slow) > 0.2


COLOURS = {"tower": "red", "hall": "green"}


@pytest.fixture
def paris(tmp_path):
    """Two landmarks, five queries each: the tower is found, the hall's right pictures are not."""
    for number in range(5):
        Image.new("RGB", (40, 30), "red").save(tmp_path / f"paris_tower_{number:06}.jpg")
        Image.new("RGB", (40, 30), "blue").save(tmp_path / f"paris_other_{number:06}.jpg")
    Image.new("RGB", (40, 30), "green").save(tmp_path / "paris_hall_000000.jpg")
    (tmp_path / "paris_missing_000000.jpg").write_bytes(b"")
    for place, right in {"tower": "paris_tower", "hall": "paris_other"}.items():
        for number in range(5):
            query = f"paris_{place}_000000 0 0 40 30"
            good = "".join(f"{right}_{other:06}\n" for other in range(5))
            for kind, text in {"query": query, "good": good, "ok": "", "junk": ""}.items():
                write(tmp_path / f"gt/{place}_{number}_{kind}.txt", text)
    return load_paris6k(tmp_path)


def test_map_stands_beside_r2_and_draws_landmarks(paris, tmp_path):
    encoder = ToyEncoder()
    embeddings = embed_gallery(paris, encoder, tmp_path / "embeddings")
    outcome = landmark_map(paris, embeddings, encoder, ks=(5,))
    rows = outcome.table.set_index("figure")
    assert rows.loc["mAP@5, Paris", "report"] == 0.934
    tower, hall = outcome.queries.groupby("landmark")["mAP@5"].mean()[["tower", "hall"]]
    assert tower == 1 and rows.loc["mAP@5, Paris", "here"] == (1 + hall) / 2
    ends = rows.loc["mAP@5, Paris", ["low", "high"]].tolist()
    assert ends == [hall, 1], "two landmarks, not ten"
    assert "10 queries of 2 landmarks" in rows.loc["mAP, Paris", "depends_on"]


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="1 queries have no ranking, the first 'q_1'"):
        rank_landmarks({}, {"q_1": TRUTH})
    with pytest.raises(ValueError, match="names a picture twice"):
        rank_landmarks({"q_1": ["a", "a"]}, {"q_1": TRUTH})
    with pytest.raises(ValueError, match="'a' is both right and junk"):
        Landmark.of(["a"], (), ["a"])


def test_the_practice_oxford_has_a_query_for_each_good_picture(tmp_path):
    practice = practice_landmarks(load_gallery(), tmp_path)
    queries = _landmark_queries(practice.root)
    assert [query.id for query in queries][:3] == ["castle_1", "castle_2", "castle_3"]
    assert len(queries) == 7 and all(query.picture in query.truth.good for query in queries)
    assert queries[0].truth.right | queries[0].truth.junk <= set(practice.items["id"])
