import pytest
from dataset_files import coco_file, items, karpathy_file, pictures, problems, write

from sigscope.datasets.coco import load_coco, load_coco2014, load_coco2017, load_coco_karpathy
from sigscope.datasets.load import load_gallery
from sigscope.datasets.registry import DATASETS
from sigscope.gallery.folder import GalleryError


@pytest.fixture
def coco(tmp_path):
    """Three pictures of train, of which one is missing, and one of val."""
    names = {9: "000000000009.jpg", 25: "000000000025.jpg", 30: "000000000030.jpg"}
    captions = [
        (25, "A giraffe eating food from the top of the tree.\n"),
        (9, "Closeup of bins of food that include broccoli &amp; bread. "),
        (9, "   "),
        (9, "A meal is\npresented in brightly  colored plastic trays."),
        (9, "Closeup of bins of food that include broccoli & bread."),
        (404, "A picture that is not listed."),
    ]
    coco_file(tmp_path, "train2017", names, captions)
    coco_file(tmp_path, "val2017", {139: "000000000139.jpg"}, [(139, "A woman stands.")])
    return pictures(
        tmp_path,
        *("train2017/000000000009.jpg", "train2017/000000000025.jpg"),
        *("val2017/000000000139.jpg", "test2017/000000000001.jpg"),
    )


def test_coco_2017_is_read_as_it_is_published(coco):
    found = load_gallery(f"coco:{coco}")
    assert found.name == "coco2017"
    assert items(found, "path", "split", "category") == {
        "9": ("train2017/000000000009.jpg", "train", ""),
        "25": ("train2017/000000000025.jpg", "train", ""),
        "139": ("val2017/000000000139.jpg", "val", ""),
    }
    assert all(found.file(id).is_file() for id in found.items["id"])


def test_captions_of_coco_are_grouped_by_picture_and_tidied(coco):
    assert items(load_coco2017(coco), "captions") == {
        "9": [
            "Closeup of bins of food that include broccoli & bread.",
            "A meal is presented in brightly colored plastic trays.",
        ],
        "25": ["A giraffe eating food from the top of the tree."],
        "139": ["A woman stands."],
    }


def test_what_is_missing_of_coco_is_a_problem_with_its_reason(coco):
    reasons = problems(load_coco2017(coco))
    assert "there is no such file" in reasons["train2017/000000000030.jpg"]
    stray = "annotation 5 is of no picture that is listed"
    assert reasons["annotations/captions_train2017.json"] == stray
    unlisted = "1 picture that no list of coco2017 names, the first 000000000001.jpg"
    assert reasons["test2017/"] == unlisted and len(reasons) == 3


def test_a_split_without_pictures_is_one_problem(coco):
    (coco / "val2017/000000000139.jpg").unlink()
    found = load_coco2017(coco)
    assert set(found.items["split"]) == {"train"}
    reason = problems(found)["annotations/captions_val2017.json"]
    assert reason.startswith("none of the 1 pictures that it lists is there; the first is val2017/")


def test_one_file_of_captions_is_enough(coco):
    (coco / "annotations/captions_train2017.json").unlink()
    assert items(load_coco(coco), "split") == {"139": "val"}


def test_the_picture_in_the_right_folder_is_taken(coco):
    pictures(coco, "a/000000000009.jpg")
    assert items(load_coco(coco), "path")["9"] == "train2017/000000000009.jpg"


def test_coco_2014_keeps_its_long_names(tmp_path):
    name = "COCO_val2014_000000391895.jpg"
    coco_file(tmp_path, "val2014", {391895: name}, [(391895, "A man.")])
    pictures(tmp_path, f"val2014/{name}")
    assert items(load_coco2014(tmp_path), "path", "split") == {"391895": (f"val2014/{name}", "val")}
    assert load_coco(tmp_path).name == "coco2014"


def test_karpathys_restval_counts_as_train(tmp_path):
    images = [
        {"filepath": "val2014", "filename": f"{n}.jpg", "cocoid": n, "split": s, "raw": ["A cat. "]}
        for n, s in enumerate(["test", "restval", "val", "train"], start=522418)
    ]
    karpathy_file(tmp_path / "dataset_coco.json", images)
    pictures(tmp_path, *(f"val2014/{n}.jpg" for n in range(522418, 522422)))
    assert items(load_coco_karpathy(tmp_path), "split", "caption") == {
        "522418": ("test", "A cat."),
        "522419": ("train", "A cat."),
        "522420": ("val", "A cat."),
        "522421": ("train", "A cat."),
    }


def test_two_editions_in_one_folder_must_be_told_apart(coco):
    coco_file(coco, "val2014", {1: "COCO_val2014_000000000001.jpg"}, [])
    with pytest.raises(GalleryError, match=r"choose coco2017:\S+ or coco2014:"):
        load_coco(coco)
    assert len(load_coco2017(coco)) == 3


@pytest.mark.parametrize("name", [name for name in DATASETS if name.startswith("coco")])
def test_without_captions_the_error_says_what_is_expected_and_where_it_is(name, tmp_path):
    with pytest.raises(GalleryError, match=r"It needs .*json.* The data set is at https://c"):
        load_gallery(f"{name}:{tmp_path}")
    with pytest.raises(GalleryError, match="gone is not there. It needs"):
        load_gallery(f"{name}:{tmp_path}/gone")


def test_captions_without_any_picture_are_refused(coco):
    for folder in ("train2017", "val2017"):
        (coco / folder).rename(coco.parent / f"{coco.name}-{folder}")
    with pytest.raises(GalleryError, match=r"None of the 4 pictures .*train2017/000000000009.jpg"):
        load_coco(coco)


def test_a_download_cut_short_is_named(coco):
    file = coco / "annotations/captions_val2017.json"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(GalleryError, match="captions_val2017.json cannot be read .*download it"):
        load_coco(coco)
    write(file, {"images": []})
    with pytest.raises(GalleryError, match="is no file of COCO captions"):
        load_coco(coco)
