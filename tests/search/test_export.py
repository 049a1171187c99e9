import csv
import io
import json
import zipfile

import pandas as pd
import pytest
from toy import write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.images.read import PictureError
from sigscope.search.export import TABLE, as_csv, as_imagefolder, as_paths, as_zip


@pytest.fixture
def table():
    return pd.DataFrame(
        {"rank": [1, 2], "id": ["a/red.png", "b/grün.png"], "caption": ['"x",', ""]}
    )


class Files:
    """Stands in for a gallery: its files by the last part of an id."""

    def __init__(self, **files):
        self.files = files

    def original(self, id):
        name = id.rpartition("/")[2]
        if name not in self.files:
            raise PictureError(f"There is no file {name}.")
        return self.files[name]


def rows_of(data: bytes) -> list[dict]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_csv_gives_every_cell_back(table):
    assert rows_of(as_csv(table)) == table.astype(str).to_dict("records")


def test_csv_begins_with_the_mark_that_spreadsheets_need(table):
    assert as_csv(table).startswith(b"\xef\xbb\xbf")


def test_zip_holds_the_files_as_they_are_in_the_order_of_the_rows(table):
    gallery = Files(**{"red.png": b"one", "grün.png": b"two"})
    archive = zipfile.ZipFile(io.BytesIO(as_zip(table, gallery)))
    assert archive.namelist() == ["1-red.png", "2-grün.png", TABLE]
    assert archive.read("2-grün.png") == b"two"
    assert [row["file"] for row in rows_of(archive.read(TABLE))] == ["1-red.png", "2-grün.png"]


def test_file_that_has_gone_leaves_its_row_and_the_reason(tmp_path):
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 2))
    table = gallery.items[["id", "caption"]]
    gallery.file(table["id"].iat[1]).unlink()
    archive = zipfile.ZipFile(io.BytesIO(as_zip(table, gallery)))
    assert len(archive.namelist()) == 2
    there, gone = rows_of(archive.read(TABLE))
    assert there["file"] and not there["reason"]
    assert not gone["file"] and gone["reason"].endswith(".")


@pytest.mark.parametrize(
    ("id", "name"),
    [("x/../../etc/pa sswd", "1-pa-sswd"), ("a\nb:c.PNG", "1-a-b-c.PNG"), ("x/....", "1-picture")],
)
def test_names_in_the_zip_are_tame(id, name):
    gallery = Files(**{id.rpartition("/")[2]: b"data"})
    archive = zipfile.ZipFile(io.BytesIO(as_zip(pd.DataFrame({"id": [id]}), gallery)))
    assert archive.namelist()[0] == name


def test_imagefolder_names_each_picture_and_what_is_known_of_it(tmp_path):
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 3))
    table = gallery.items[["id", "caption"]]
    gallery.file(table["id"].iat[1]).unlink()
    archive = zipfile.ZipFile(io.BytesIO(as_imagefolder(table, gallery)))
    rows = [json.loads(line) for line in archive.read("metadata.jsonl").splitlines()]
    assert [row["id"] for row in rows] == table["id"].iloc[[0, 2]].tolist()
    for row in rows:
        assert archive.read(row["file_name"]) == gallery.original(row["id"])
    assert archive.read("left-out.txt").decode().startswith(table["id"].iat[1])


def test_paths_are_whole_or_below_the_gallery(tmp_path):
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 2))
    lines = as_paths(gallery.items, gallery).decode().splitlines()
    assert lines == [str(gallery.file(id)) for id in gallery.items["id"]]
    below = as_paths(gallery.items, gallery, whole=False).decode().splitlines()
    assert below == gallery.items["path"].tolist()
