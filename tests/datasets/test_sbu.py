import json

import pytest
from hostile_server import HostileServer
from img2dataset_files import row, write_files

from sigscope import paths
from sigscope.datasets.sbu import CAPTIONS, JSON, URLS, load_sbu, url_list
from sigscope.downloads.limits import Limits
from sigscope.downloads.lists import default_folder
from sigscope.downloads.run import download
from sigscope.gallery.folder import GalleryError

PAIRS = [
    (
        "http://static.flickr.com/2723/4385058960_b0f291553e.jpg",
        "A wooden chair in the living room",
    ),
    (
        "http://static.flickr.com/3348/3183472382.jpg",
        "Tom &amp; Ann&#39;s &quot;cat&quot;\u2028here",
    ),
    ("http://static.flickr.com/3161/2417961011.jpg", 'caf\u00e9 [1] {2}, \\ "so" \U0001f408'),
]
TIDY = ["A wooden chair in the living room", 'Tom & Ann\'s "cat" here', PAIRS[2][1]]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def write_texts(folder, pairs=PAIRS, end="\n"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, column in ((URLS, 0), (CAPTIONS, 1)):
        text = "".join(pair[column] + end for pair in pairs)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return folder


def write_json(folder, pairs=PAIRS, **options):
    folder.mkdir(parents=True, exist_ok=True)
    lists = {
        "image_urls": [url for url, _ in pairs],
        "user_ids": ["47889917@N08" for _ in pairs],
        "captions": [caption for _, caption in pairs],
    }
    (folder / JSON).write_text(json.dumps(lists, **options), encoding="utf-8")
    return folder


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_two_text_files_are_read_line_by_line_beside_each_other(tmp_path, end):
    found = url_list(write_texts(tmp_path / "sbu", end=end))
    assert list(found.rows()) == [(url, tidy) for (url, _), tidy in zip(PAIRS, TIDY, strict=True)]
    assert found.total == 3


def test_the_publishers_archive_may_keep_its_own_folder(tmp_path):
    write_texts(tmp_path / "sbu/dataset")
    assert url_list(tmp_path / "sbu").total == 3


@pytest.mark.parametrize("options", [{}, {"ensure_ascii": False}, {"indent": 1}])
def test_the_json_form_says_the_same_however_it_is_laid_out(tmp_path, options):
    found = url_list(write_json(tmp_path / "sbu", **options))
    assert [caption for _, caption in found.rows()] == TIDY
    assert [url for url, _ in found.rows()] == [url for url, _ in PAIRS]


def test_lists_of_unequal_length_are_refused(tmp_path):
    write_texts(tmp_path)
    (tmp_path / CAPTIONS).write_text("only one\n")
    with pytest.raises(GalleryError, match="3 URLs but 1 captions"):
        url_list(tmp_path)


def test_json_that_is_cut_short_is_refused(tmp_path):
    write_json(tmp_path)
    whole = (tmp_path / JSON).read_text()
    (tmp_path / JSON).write_text(whole[:-30])
    with pytest.raises(GalleryError, match="no whole list of URLs and captions"):
        url_list(tmp_path)


def test_a_list_without_pictures_names_the_command(tmp_path):
    write_texts(tmp_path / "sbu")
    with pytest.raises(GalleryError, match="python -m sigscope download sbu:.*/sbu"):
        load_sbu(tmp_path / "sbu")


def test_a_folder_without_the_list_is_told_what_was_expected(tmp_path):
    with pytest.raises(GalleryError, match=f"{URLS}.*https://"):
        load_sbu(tmp_path)


@pytest.mark.parametrize("place", ["pictures", "default"])
def test_what_was_downloaded_becomes_a_gallery(tmp_path, place):
    with HostileServer() as server:
        paths = ("picture/1", "404", "picture/2")
        pairs = [(server.url(p), text) for p, (_, text) in zip(paths, PAIRS, strict=True)]
        root = write_texts(tmp_path / "sbu", pairs)
        into = root / "pictures" if place == "pictures" else default_folder(f"sbu:{root}")
        download(url_list(root), into, limits=Limits(allowed=("127.0.0.0/8",)))
    gallery = load_sbu(root)
    assert gallery.name == "sbu" and len(gallery) == 2
    assert gallery.items["caption"].tolist() == [TIDY[0], TIDY[2]]
    assert gallery.items["id"].tolist() == ["000000000", "000000002"]
    assert "no longer there" in gallery.problems["reason"][0]
    assert gallery.picture("000000002").size == (4, 4)


def test_captions_that_img2dataset_left_with_entities_are_resolved(tmp_path):
    write_texts(tmp_path)
    write_files(tmp_path / "pictures", "00000", [row("000000000", caption="A &amp; B")])
    gallery = load_sbu(tmp_path)
    assert gallery.items["captions"].tolist() == [["A & B"]]
    assert gallery.items["caption"].tolist() == ["A & B"]
