"""load_gallery("name:/path"), and what all data sets share."""

import os
import zipfile

import pytest
from dataset_files import pictures, problems, write

from sigscope import paths
from sigscope.datasets.files import Entry, Tree
from sigscope.datasets.load import _named, load_gallery
from sigscope.datasets.registry import DATASETS
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.texts import lines_of
from sigscope.images.captions import tidy


def test_every_data_set_has_a_loader_that_is_there(tmp_path):
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        assert dataset.expects.startswith("It needs ") and dataset.expects.endswith(".")
        assert "https://" in dataset.source
        with pytest.raises(GalleryError):
            load_gallery(f"{name}:{tmp_path}")


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(
        GalleryError, match="no data set 'imagenette'; the data sets are coco, coco2"
    ):
        load_gallery("imagenette:/somewhere")


def test_a_name_without_a_path_says_what_is_wanted():
    with pytest.raises(
        GalleryError, match="Say where the files of coco are: coco:/folder. It need"
    ):
        load_gallery("coco:")


def test_an_address_is_no_folder():
    with pytest.raises(GalleryError, match="is an address; download"):
        load_gallery("https://example.org/pictures")


def test_case_and_home_do_not_matter(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    pictures(tmp_path, "paris/paris_eiffel_000000.jpg")
    assert len(load_gallery("Paris6K:~/paris")) == 1


@pytest.mark.parametrize("name", ["coco:2017", "a:b:c"])
def test_a_folder_whose_name_has_a_colon_is_a_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path, f"{name}/a.jpg")
    assert len(load_gallery(name)) == len(load_gallery(str(tmp_path / name))) == 1


@pytest.mark.parametrize("path", [r"C:\Photos", "C:/Photos", "/photos/a:b", "./my:photos"])
def test_a_path_with_a_colon_is_no_name(path):
    assert _named(path, progress=False) is None
    with pytest.raises(GalleryError, match="There is no folder"):
        load_gallery(path)


def test_a_zip_and_a_table_are_galleries(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    pictures(tmp_path / "folder", "cats/a.jpg")
    write(tmp_path / "folder/table.csv", "file_name,text\ncats/a.jpg,a cat\n")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(tmp_path / "folder/cats/a.jpg", "cats/a.jpg")
    assert load_gallery(tmp_path / "p.zip").name == "p"
    found = load_gallery(tmp_path / "folder/table.csv")
    assert found.items[["id", "caption"]].values.tolist() == [["cats/a.jpg", "a cat"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  A  cat\u00a0on\ta mat .\r\n", "A cat on a mat ."),
        ("Tom &amp; Jerry &#39;s &lt;3 &#x2764;", "Tom & Jerry 's <3 ❤"),
        (
            "R&D, AT&T and &copy without an end; &unknown;",
            "R&D, AT&T and &copy without an end; &unknown;",
        ),
        ("&amp;lt;", "&lt;"),
        ("\ufeffcaf\u00e9 \ud800", "café ?"),
        ("NA", "NA"),
        (None, ""),
        (float("nan"), ""),
    ],
)
def test_captions_are_tidied(text, expected):
    assert tidy(text) == expected


def test_only_line_feeds_end_a_line(tmp_path):
    path = write(tmp_path / "a.txt", "\ufeffone\u2028two\x0c\r\n\r\nthree".encode())
    assert list(lines_of(path)) == [(1, "one\u2028two\x0c"), (3, "three")]


def test_a_loop_of_links_ends_and_links_are_followed(tmp_path):
    pictures(tmp_path / "elsewhere", "a.jpg")
    root = pictures(tmp_path / "root", "b.jpg")
    os.symlink(tmp_path / "elsewhere", root / "linked")
    os.symlink(root, root / "linked" / "back")
    tree = Tree(root, "oxford5k")
    assert tree.picture("a.jpg") == "linked/a.jpg" and tree.all("b.jpg") == ["b.jpg"]


def test_a_name_that_is_not_utf8_is_a_problem(tmp_path):
    pictures(tmp_path, "a.jpg")
    open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "w").close()
    found = Tree(tmp_path, "oxford5k").gallery([Entry("a", "a.jpg", [])])
    assert problems(found) == {
        r"caf\udce9.jpg": "its name is not UTF-8; rename it and it will be found"
    }


def test_two_entries_of_one_id_are_one_picture(tmp_path):
    entries = [Entry("1", "a.jpg", ["one", "two"]), Entry("1", "a.jpg", ["two", "three"])]
    found = Tree(pictures(tmp_path, "a.jpg"), "oxford5k").gallery(entries)
    assert found.items["captions"].tolist() == [["one", "two", "three"]]
