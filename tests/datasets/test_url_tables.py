import pytest
from hostile_server import HostileServer

from sigscope import paths
from sigscope.datasets import url_tables
from sigscope.datasets.load import load_gallery
from sigscope.downloads.limits import Limits
from sigscope.gallery.folder import GalleryError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(url_tables, "LIMITS", Limits(allowed=("127.0.0.1/32",)))


@pytest.fixture
def server():
    with HostileServer() as server:
        yield server


def listed(tmp_path, server, *paths):
    rows = "".join(f"{server.url(path)},no {n}\n" for n, path in enumerate(paths))
    (tmp_path / "list.csv").write_text(f"url,caption\n{rows}")
    return f"urls:{tmp_path / 'list.csv'}"


def test_what_urls_name_is_downloaded_once_and_is_a_gallery(tmp_path, server):
    source = listed(tmp_path, server, "picture/1", "404", "picture/2", "loop")
    gallery = load_gallery(source)
    assert gallery.name == "list" and gallery.items["caption"].tolist() == ["no 0", "no 2"]
    assert gallery.items["source"].tolist() == [server.url("picture/1"), server.url("picture/2")]
    assert gallery.picture(gallery.items["id"][0]).size == (4, 4)
    assert len(gallery.problems) == 2 and (gallery.problems["reason"] != "").all()
    asked = server.asked.total()
    assert load_gallery(source).fingerprint == gallery.fingerprint
    assert server.asked.total() == asked


def test_a_table_without_urls_and_one_that_is_not_there_are_one_sentence(tmp_path):
    (tmp_path / "list.csv").write_text("picture,caption\na.jpg,one\n")
    with pytest.raises(GalleryError, match="list.csv has no column url"):
        load_gallery(f"urls:{tmp_path / 'list.csv'}")
    with pytest.raises(GalleryError, match="nothing.csv is no list of URLs"):
        load_gallery(f"urls:{tmp_path / 'nothing.csv'}")


def test_a_table_of_which_nothing_can_be_had_says_why(tmp_path, server):
    with pytest.raises(GalleryError, match="404"):
        load_gallery(listed(tmp_path, server, "404"))
