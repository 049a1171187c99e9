"""The count line of whatever reads a folder adds up, and each file that is not used is told."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import coco_file, karpathy_file, pictures, problems, r5_table, write
from films import film
from img2dataset_files import JPEG, row, write_files, write_tar

from sigscope import paths
from sigscope.datasets.load import load_gallery

README = "# About\nthis data set\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def _coco(root):
    coco_file(root, "val2017", {1: "a.jpg"}, [(1, "a cat")])
    pictures(root, "val2017/a.jpg")


def _flickr(root):
    karpathy_file(root / "dataset_flickr8k.json", [{"filename": "a.jpg", "raw": ["A cat"]}])
    pictures(root, "a.jpg")


def _ilsvrc(root):
    pictures(root, "n01440764/ILSVRC2012_val_00000001.JPEG")


def _packed(root):
    pictures(root, "a.jpg")
    image = {"bytes": (root / "a.jpg").read_bytes(), "path": "a.jpg"}
    pq.write_table(pa.Table.from_pylist([{"image": image, "caption": "a cat"}]), root / "0.parquet")
    (root / "a.jpg").unlink()


def _shards(root):
    write_files(root, "00000", [row("000000000"), row("000000001", "failed_to_download")])


def _tars(root):
    write_tar(root, "some.shard.0", [row("000000000")])


def _sbu(root):
    write(root / "sbu-captions-all.json", {"image_urls": ["http://x.test/a"], "captions": ["a"]})
    _shards(root)


def _films(root):
    root.mkdir()
    film(root / "clip.mp4")
    write(root / "clip.txt", "three walls of different colours")


def _vectors(root):
    root.mkdir()
    r5_table(root / "table.csv")


def _folder(root):
    pictures(root, "a.jpg")
    write(root / "a.txt", "a cat")


READERS = {  # how its folder is made, its files, and the kinds that are counted
    "coco": (_coco, {"pictures": 1, "lists": 1, "not listed": 3}),
    "flickr8k": (_flickr, {"pictures": 1, "lists": 1, "not listed": 3}),
    "ilsvrc2012": (_ilsvrc, {"pictures": 1, "not listed": 3}),
    "oxford5k": (lambda root: pictures(root, "all_souls_000000.jpg"),
                 {"pictures": 1, "not listed": 3}),
    "dsd": (_packed, {"pictures": 1, "not listed": 1, "not pictures": 1,
                      "hidden or other programs'": 1}),
    "img2dataset": (_shards, {"pictures": 1, "texts and tables": 2, "not listed": 1,
                              "not pictures": 1, "hidden or other programs'": 1}),
    "sbu": (_sbu, {"pictures": 1, "texts and tables": 3, "not listed": 1, "not pictures": 1,
                   "hidden or other programs'": 1}),
    "videos": (_films, {"films": 1, "texts": 1, "not films": 2, "hidden or other programs'": 1}),
    "vectors": (_vectors, {"lists": 1, "not listed": 3}),
}  # fmt: skip


def of_kinds(gallery):
    return {kind: count for kind, count in gallery.counts.items() if count}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_counts_all_files_of_its_folder_and_tells_those_beside(name, tmp_path):
    make, expected = READERS[name]
    make(root := tmp_path / "x")
    write(root / "README.md", README)
    write(root / ".hidden/a.jpg", b"x")
    pictures(root, "zz beside.jpg")
    found = load_gallery(f"{name}:{root}")
    said = " ".join(found.problems.stack())
    assert of_kinds(found) == expected and found.counted()
    assert "README.md" in said and "zz beside.jpg" in said and ".hidden/" in said


@pytest.mark.parametrize("make", [_shards, _tars, _packed, _folder])
def test_a_folder_counts_the_same_by_its_own_name_and_by_its_readers(make, tmp_path):
    make(root := tmp_path / "x")
    reader = {_packed: "dsd", _folder: ""}.get(make, "img2dataset")
    named, found = load_gallery(f"{reader}:{root}" if reader else root), load_gallery(root)
    assert of_kinds(named) == of_kinds(found)
    assert problems(named) == problems(found)


def test_the_pictures_of_a_folder_of_shards_do_not_lie_beside_it(tmp_path):
    _shards(tmp_path / "x")
    found = load_gallery(tmp_path / "x")
    assert list(problems(found)) == ["http://photos.test/000000001.jpg"]


def test_files_left_in_a_tar_are_counted_now_and_from_the_cache(tmp_path):
    names = ("a.jpg", "@eaDir/a.jpg", "._a.jpg", "/b.jpg")
    write_tar(tmp_path / "x", "0", [], *((name, JPEG) for name in names))
    for _ in range(2):
        assert of_kinds(load_gallery(tmp_path / "x/0.tar")) == {
            "pictures": 1,
            "left in the archive": 3,
        }


def test_parquet_files_of_one_name_in_two_folders_are_both_read(tmp_path):
    for language in ("en", "de"):
        _packed(tmp_path / "x" / language)
    assert len(load_gallery(f"dsd:{tmp_path}/x")) == 2


def test_rows_beyond_those_that_are_taken_are_told(tmp_path, monkeypatch):
    pictures(tmp_path, "a.jpg")
    image = {"bytes": (tmp_path / "a.jpg").read_bytes(), "path": "a.jpg"}
    write(tmp_path / "x/README.md", README)
    pq.write_table(pa.Table.from_pylist([{"image": image}] * 3), tmp_path / "x/0.parquet")
    monkeypatch.setattr("sigscope.datasets.dsd.R5_ROWS", 2)
    found = load_gallery(f"dsd:{tmp_path}/x")
    assert problems(found)["0.parquet"] == "only the first 2 of 3 rows are taken"
