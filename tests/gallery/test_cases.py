"""The right answer for each of a collection of odd folders, archives and tables that people have.

The collection is not part of the repository: it lies in shared/cases beside the checkout, or
SIGSCOPE_CASES names its folder. The other tests make small inputs of the same kinds themselves.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from dataset_files import items

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.load import load_embeddings
from sigscope.gallery.vectors import parse_vector, usable_rows
from sigscope.images.read import PictureError

BESIDE = paths.ROOT.parent / "shared" / "cases"
CASES = os.environ.get("SIGSCOPE_CASES") or (str(BESIDE) if BESIDE.is_dir() else "")
NO_CAPTION: list[str] = []

CAPTIONS = {  # what to load, and the captions of each id
    "caption-cells-dicts": {
        "0.jpg": ["a ball", "ein Ball"],
        "1.jpg": ["a box", "one box"],
        "2.jpg": ["a triangle", "3.5"],
    },
    "csv-base64-cell": {"0.jpg": ["a ball"], "1.jpg": ["a box"]},
    "csv-cp1252": {"0.jpg": ["Straße im Frühling"], "1.jpg": ["Café"]},
    "csv-duplicate-heading": {"0.jpg": ["a ball", "a round thing"], "1.jpg": ["a box"]},
    "csv-foreign-absolute": {
        "images/0.jpg": ["a ball"],
        "images/1.jpg": ["a box"],
        "images/2.jpg": NO_CAPTION,
    },
    "csv-one-bad-quote": {
        "0.jpg": ["a ball"],
        "1.jpg": ['"a 12" record" on a table'],
        "2.jpg": ["a hill"],
        "3.jpg": ["fine"],
    },
    "jsonl-latin1-line": {"0.jpg": ["café"], "1.jpg": ["ok"]},
    "metadata-csv-blank-after-comma": {"0.jpg": ["a red ball"], "1.jpg": ["a blue box"]},
    "metadata-csv-description": {"0.jpg": ["a red ball"], "1.jpg": ["a blue box"]},
    "metadata-csv-foreign": {"cub0.jpg": NO_CAPTION, "cub1.jpg": NO_CAPTION},
    "metadata-json-array": {"0.jpg": ["ball"], "1.jpg": ["box"]},
    "metadata-nested": {"images/0.jpg": ["ball"], "images/1.jpg": ["box"]},
    "metadata-unlisted": {"0.jpg": ["ball"], "1.jpg": ["box"]},
    "unicode-nfd": {
        "Mu\u0308ll.jpg": ["rubbish bins"],
        "cafe\u0301.jpg": NO_CAPTION,
        "caf\u00e9.jpg": ["coffee"],
    },
    "yolo-labels": {f"{name}.jpg": NO_CAPTION for name in ("classes_pic", "img0", "img1", "img2")},
    "zip-kaggle-flickr8k/archive.zip": {
        "Images/1000_a.jpg": ["A child in a pink dress .", "A girl going in ."],
        "Images/1001_b.jpg": ["A black dog ."],
    },
    "flickr8k:zip-kaggle-flickr8k/archive.zip": {
        "1000_a.jpg": ["A child in a pink dress .", "A girl going in ."],
        "1001_b.jpg": ["A black dog ."],
    },
    "zip-metadata-in-folder/pics.zip": {
        "data/images/0.jpg": ["ball"],
        "data/images/1.jpg": ["box"],
    },
    "coco:coco-file-name-with-folder": {"1": ["a ball"], "2": ["a box"]},
    "coco:coco-image-id-strings": {"1": ["a ball"], "2": ["a box"]},
    "coco:coco-odd-captions": {
        "1": ["a ball", "round"],
        "2": ["7"],
        "val2017/000003.jpg": NO_CAPTION,
    },
    "flickr30k:flickr-csv-multiline": {"0.jpg": ["A ball that is red"], "1.jpg": ["box"]},
    "flickr30k:flickr-csv-quote-all": {
        "0.jpg": ["A ball , red", 'Round "thing"'],
        "1.jpg": ["box"],
    },
    "flickr30k:flickr-image-tar-subdir-uppercase": {"0.jpg": ["ball"], "1.jpg": ["box"]},
    "flickr30k:karpathy-tokens-only": {"0.jpg": ["a red ball"], "1.jpg": ["a box"]},
    "dsd:hf-parquet-bmp-tiff": {"0": ["x"], "1": ["y"], "2": ["z"]},
    "hf-parquet-folder": {"0": ["a ball"], "1": ["a box"], "2": ["a hill"]},
    "img2dataset:img2dataset-caption-list": {
        "000000000": ["a ball", "red ball"],
        "000000001": ["box"],
        "000000002": NO_CAPTION,
    },
    "img2dataset:img2dataset-caption-nan": {f"00000000{n}": NO_CAPTION for n in range(3)},
    "img2dataset:wds-cls-beside": {f"s000000{n}": NO_CAPTION for n in range(4)},
    "img2dataset:wds-gz-named-tar": {"000000000": NO_CAPTION},
    "img2dataset:wds-named-shards": {"000000000": ["cap 0"], "000000001": ["cap 1"]},
    "img2dataset:wds-two-pictures-a-key": {
        f"00000000{n}.{which}": [f"cap {n}"] for n in (0, 1) for which in ("input", "target")
    },
    "identical-20": {f"{n:02}.png": NO_CAPTION for n in range(20)},
    "tiny-1": {"0.jpg": NO_CAPTION},
    "path-dollar/my $photos": {"0.jpg": NO_CAPTION, "1.jpg": NO_CAPTION},
}
TOLD = {  # what to load, and of which path or with which words something is said
    "csv-foreign-absolute": "/home/anna/data/images/0.jpg is taken to be images/0.jpg",
    "metadata-csv-foreign": "it has no column of captions",
    "metadata-unlisted": "metadata.jsonl does not name it",
    "yolo-labels": "it holds numbers, such as the places of boxes",
    "zip-metadata-in-folder/pics.zip": "LICENSE.txt",
    "coco:coco-odd-captions": "val2017/000003.jpg",
    "nas-and-library-thumbnails": "Trip/@eaDir/",
}


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)


def folder_of(case):
    if not CASES:
        pytest.skip("SIGSCOPE_CASES does not name the folder of cases")
    return Path(CASES, case)


def loaded(source):
    """Return the gallery of a case, whose path may have the name of a data set before it."""
    name, colon, path = source.rpartition(":")
    return load_gallery(f"{name}{colon}{folder_of(path)}")


@pytest.mark.parametrize("source", CAPTIONS)
def test_a_case_has_these_pictures_with_these_captions(source):
    found = items(loaded(source), "captions")
    assert {id: list(captions) for id, captions in found.items()} == CAPTIONS[source]


@pytest.mark.parametrize("source", TOLD)
def test_what_was_left_out_of_a_case_is_said(source):
    problems = loaded(source).problems
    said = "\n".join(f"{path}: {reason}" for path, reason in problems.itertuples(index=False))
    assert TOLD[source] in said


def test_folders_of_classes_within_splits_give_both():
    found = items(loaded("imagefolder-split-class"), "split", "category")
    assert found == {
        f"{split}/{label}/{n}.jpg": (split, label)
        for split in ("test", "train")
        for label in ("cat", "dog")
        for n in (0, 1)
    }


def test_thumbnails_of_other_programs_are_no_pictures():
    found = loaded("nas-and-library-thumbnails")
    original = "Photos Library.photoslibrary/originals/0/0A.jpeg"
    assert set(found.items["id"]) == {original, "Trip/IMG_1.JPG"}
    assert found.counts["hidden or other programs'"] == 8


def test_pictures_without_a_known_suffix_are_all_found():
    found = loaded("no-suffix-photos")
    assert len(found) == 20 and found.problems["path"].tolist() == ["README.case"]


def test_pictures_of_every_format_come_out_of_parquet():
    found = loaded("dsd:hf-parquet-bmp-tiff")
    assert {Path(path).suffix for path in found.items["path"]} == {".bmp", ".tif", ".jpg"}
    assert all(found.picture(id).size == (64, 64) for id in found.items["id"])


@pytest.mark.parametrize("source", ["vectors:vectors-csv", "vectors:vectors-csv-semicolon"])
def test_vectors_of_a_case_are_all_read(source):
    found = loaded(source)
    assert len(found) > 2
    assert all(parse_vector(row.image).shape == (8,) for row, _ in usable_rows(found.vectors))


def test_folders_of_clip_retrieval_are_read_as_far_as_they_go():
    folder = folder_of("clipretrieval-nan")
    assert len(load_embeddings(folder)) == len(load_embeddings(folder).failed) + 1 == 2
    assert load_embeddings(folder_of("clipretrieval-wds-key-meta")).ids.tolist() == ["0", "1", "2"]


def test_what_cameras_write_is_no_caption_and_what_people_write_is_one():
    assert not any(items(loaded("caption-junk-camera"), "caption").values())
    assert all(items(loaded("caption-real-ones-dropped"), "caption").values())
    assert items(loaded("exif-usercomment-big-endian"), "caption") == {
        "ii-japanese.jpg": "猫が寝ている",
        "mm-cyrillic.jpg": "кошка спит",
        "mm-japanese.jpg": "猫が寝ている",
        "mm-latin.jpg": "a cat",
    }


def test_long_texts_are_captions_as_they_are():
    found = items(loaded("long-captions"), "caption")
    assert [len(text) >= 5_000 for text in found.values()] == [True] * 3


def test_where_no_picture_can_be_read_each_says_why():
    found = loaded("all-bad")
    assert found.items["id"].tolist() == [f"bad{n}.jpg" for n in range(5)]
    for id in found.items["id"]:
        with pytest.raises(PictureError, match="web page"):
            found.picture(id)


def test_odd_pictures_are_seen_or_told():
    found = loaded("picture-oddities")
    reference = np.asarray(found.picture("ref.png").convert("L"), float)
    for id in ("g12in16.png", "missing_eoi.jpg", "anim.png", "rgb16.png", "lab.tif"):
        assert np.abs(np.asarray(found.picture(id).convert("L"), float) - reference).mean() < 6
    for id in ("lfs.jpg", "trunc90.jpg", "zero.jpg", "json_err.jpg"):
        with pytest.raises(PictureError):
            found.picture(id)
