import tarfile

import pytest
from img2dataset_files import JPEG, row, write_files, write_table, write_tar

from sigscope import paths
from sigscope.datasets.img2dataset import load_img2dataset
from sigscope.gallery.folder import GalleryError
from sigscope.images.read import open_picture


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def test_folders_are_read_by_their_table(tmp_path):
    root = tmp_path / "laion"
    write_files(root, "00000", [row("000000001"), row("000000000"), row("000000002", "failed")])
    write_files(root, "00001", [row("000010000", similarity=0.3)])
    gallery = load_img2dataset(root)
    assert gallery.items["id"].tolist() == ["000000000", "000000001", "000010000"]
    assert gallery.items["caption"].tolist()[2] == "picture 000010000"
    assert gallery.items["source"].tolist()[0] == "http://photos.test/000000000.jpg"
    assert gallery.items["similarity"].tolist()[2] == 0.3
    assert gallery.problems.to_dict("records") == [
        {"path": "http://photos.test/000000002.jpg", "reason": "HTTP Error 404: Not Found"}
    ]
    assert gallery.file("000010000") == root / "00001/000010000.jpg"
    assert gallery.picture("000000001").size == (32, 24)


def test_tars_are_unpacked_into_the_cache_once(tmp_path, cache):
    root = tmp_path / "wds"
    rows = [row("000000000"), row("000000001", "failed_to_resize")]
    write_table(root, "00000", rows)
    write_tar(root, "00000", rows[:1])
    gallery = load_img2dataset(root)
    file = gallery.file("000000000")
    assert file.is_relative_to(cache) and open_picture(file).size == (32, 24)
    assert len(gallery.problems) == 1
    before = file.stat().st_ino
    assert load_img2dataset(root).file("000000000").stat().st_ino == before
    write_tar(root, "00000", [row("000000000"), row("000000005")])
    (root / "00000.parquet").unlink()
    assert load_img2dataset(root).items["id"].tolist() == ["000000000", "000000005"]


def test_a_tar_without_a_table_is_read_by_what_is_in_it(tmp_path):
    write_tar(tmp_path / "wds", "00000", [row("a1"), row("b2", caption=None) | {"caption": "two"}])
    gallery = load_img2dataset(tmp_path / "wds")
    assert gallery.items["caption"].tolist() == ["picture a1", "two"]


def test_a_tar_cannot_write_elsewhere_nor_link(tmp_path, cache):
    root = tmp_path / "evil"
    write_tar(
        root, "00000", [row("000000000")], ("../../out.jpg", b"x"), ("/tmp/sigscope-out.jpg", b"x")
    )
    with tarfile.open(root / "00000.tar", "a") as tar:
        link = tarfile.TarInfo("000000001.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    gallery = load_img2dataset(root)
    assert gallery.items["id"].tolist() == ["000000000"]
    written = [path.name for path in tmp_path.rglob("*") if path.suffix == ".jpg"]
    assert written == ["000000000.jpg"]


def test_a_tar_that_is_cut_short_gives_what_it_has_and_a_problem(tmp_path):
    root = tmp_path / "cut"
    write_tar(root, "00000", [row("000000000"), row("000000001")])
    whole = (root / "00000.tar").read_bytes()
    (root / "00000.tar").write_bytes(whole[: len(whole) // 2 - 900])
    for _ in range(2):  # the second time from the cache
        gallery = load_img2dataset(root)
        assert gallery.items["id"].tolist()[0] == "000000000"
        assert "00000.tar" in gallery.problems["path"].tolist()


def test_a_picture_that_has_gone_is_a_problem(tmp_path):
    write_files(tmp_path / "x", "00000", [row("000000000"), row("000000001")])
    (tmp_path / "x/00000/000000001.jpg").unlink()
    gallery = load_img2dataset(tmp_path / "x")
    assert gallery.problems["path"].tolist() == ["00000/000000001"]


def test_keys_that_two_shards_share_stay_apart(tmp_path):
    write_files(tmp_path / "old", "00000", [row("0000")])
    write_files(tmp_path / "old", "00001", [row("0000")])
    assert load_img2dataset(tmp_path / "old").items["id"].tolist() == ["00000/0000", "00001/0000"]


@pytest.mark.parametrize("what", ["nothing", "photos"])
def test_another_folder_is_told_what_was_expected(tmp_path, what):
    if what == "photos":
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos/cat.jpg").write_bytes(JPEG)
    with pytest.raises(GalleryError, match=r"00000\.parquet.*github\.com"):
        load_img2dataset(tmp_path / what)
