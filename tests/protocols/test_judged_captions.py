"""Agreement with the people who judged Flickr8k's captions, on four pictures."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.metrics import ndcg_score
from small_gallery import NameEncoder, small_embeddings, small_gallery

from sigscope.datasets.judgements import read_judgements
from sigscope.gallery.folder import GalleryError
from sigscope.protocols.judged_captions import judged_captions
from sigscope.protocols.run import run_protocol, searched_gallery

TOKENS = ["00#0\ta cat", "01#0\ta dog", "02#0\ta tree", "gone#0\ta bird"]
EXPERTS = [  # picture, caption, three grades: who sees a cat in picture 00, a dog in 01 …
    "00\t00#0\t4\t4\t4",
    "00\t01#0\t1\t1\t2",
    "01\t01#0\t4\t4\t4",
    "01\t02#0\t1\t2\t1",
    "03\t00#0\t4\t3\t4",
    "03\t01#0\t1\t1\t1",
    "02\t00#0\t1\t1\t1",
    "gone\t00#0\t1\t1\t1",
]
CROWD = ["00\t01#0\t0\t0\t3", "03\t00#0\t1\t3\t0", "02\t00#0\t0.333\t1\t2"]


@pytest.fixture
def folder(tmp_path):
    for name, lines in {
        "Flickr8k.token.txt": TOKENS,
        "ExpertAnnotations.txt": EXPERTS,
        "CrowdFlowerAnnotations.txt": CROWD,
    }.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def judged(folder):
    gallery = replace(small_gallery(), root=folder)
    return gallery, small_embeddings(gallery)


def test_judgements_say_whose_caption_it_is_and_keep_each_grade(folder):
    experts, crowd = read_judgements(folder, "experts"), read_judgements(folder, "crowd")
    assert experts.loc[1].to_list() == ["00", "a dog", False, (1.0, 1.0, 2.0)]
    assert experts["own"].to_list() == [True, False, True] + 5 * [False]
    assert crowd["grades"].to_list() == [(0.0,), (1.0,), (0.333,)]


def test_a_line_that_is_no_judgement_is_named(folder):
    (folder / "ExpertAnnotations.txt").write_text("00\t00#0\t4\t4\t4\n00\t77#0\t4\t4\t4\n")
    with pytest.raises(GalleryError, match="Line 2 of .*ExpertAnnotations.txt is no judgement"):
        read_judgements(folder, "experts")


def test_missing_judgements_are_said(tmp_path):
    (tmp_path / "Flickr8k.token.txt").write_text("00#0\ta cat\n")
    with pytest.raises(GalleryError, match="no CrowdFlowerAnnotations.txt"):
        read_judgements(tmp_path, "crowd")


def test_tau_is_over_single_grades_without_a_pictures_own_caption(judged):
    gallery, embeddings = judged
    table = judged_captions(gallery, embeddings, NameEncoder()).set_index("figure")
    pairs = [(i, ["cat", "dog", "tree"].index(text), grades) for i, text, grades in (
        (0, "dog", (1, 1, 2)), (1, "tree", (1, 2, 1)), (3, "cat", (4, 3, 4)),
        (3, "dog", (1, 1, 1)), (2, "cat", (1, 1, 1)),
    )]  # fmt: skip
    cosines = [float(embeddings.images[i, axis]) for i, axis, grades in pairs for _ in grades]
    grades = [grade for _, _, grades in pairs for grade in grades]
    row = table.loc["Kendall's tau-c, experts"]
    assert row["here"] == pytest.approx(kendalltau(cosines, grades, variant="c").statistic)
    assert row["report"] == 0.512 and row["chance"] == 0
    assert "15 judgements of 4 pictures" in row["depends_on"]


def test_ndcg_ranks_the_judged_pictures_alone(judged):
    gallery, embeddings = judged
    row = judged_captions(gallery, embeddings, NameEncoder()).set_index("figure")
    row = row.loc["NDCG of the judged pictures, experts"]
    grades = {"cat": {0: 3, 3: 8 / 3, 2: 0}, "dog": {0: 1 / 3, 1: 3, 3: 0}}  # means, less 1
    by_hand = [
        ndcg_score(
            [[2**grade - 1 for grade in own.values()]],
            [embeddings.images[list(own), ["cat", "dog", "tree"].index(text)]],
        )
        for text, own in grades.items()
    ]
    assert row["here"] == pytest.approx(np.mean([*by_hand, 1]))  # for the tree one is judged
    assert row["chance"] < 1 and "3 captions" in row["depends_on"]


def test_a_gallery_without_a_judged_picture_is_refused(judged):
    gallery, embeddings = judged
    others = np.array([f"other {i}" for i in range(len(embeddings.ids))], dtype=object)
    gallery.items["id"] = others
    with pytest.raises(ValueError, match="none of the judged pictures"):
        judged_captions(gallery, replace(embeddings, ids=others, manifest={}), NameEncoder())


def test_the_protocol_is_run_by_its_name(judged):
    table = run_protocol("judged-captions", *judged, NameEncoder())
    assert set(table["of"]) == {"CLIP"} and len(table) == 3


def test_of_flickr_the_split_alone_is_searched_unless_all_is_asked_for():
    gallery = replace(small_gallery(), name="flickr8k")
    test = (gallery.items["split"] == "test").sum()
    assert len(searched_gallery(gallery, "captions", "test", None)) == test
    assert len(searched_gallery(gallery, "captions", "test", "all")) == len(gallery)
    assert len(searched_gallery(gallery, "judged-captions", "test", None)) == test
    assert len(searched_gallery(small_gallery(), "captions", "test", "split")) == test
