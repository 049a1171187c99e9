import csv

import pytest
from dataset_files import items, pictures, problems, r5_table, write

from sigscope.datasets.load import load_gallery
from sigscope.datasets.vector_tables import load_vectors
from sigscope.gallery.folder import GalleryError


def test_absent_pictures_are_one_problem_and_say_so_when_shown(tmp_path):
    found = load_vectors(r5_table(tmp_path / "dsd.csv"))
    assert problems(found) == {"dsd.csv": "4 of its 4 pictures are not there: found, but not shown"}
    with pytest.raises(ValueError, match="There is no file .*2.jpg"):
        found.picture("2")


def test_r5s_pictures_are_called_by_the_number_of_the_row(tmp_path):
    table = r5_table(tmp_path / "dsd.csv", description="Text Description")
    pictures(tmp_path, *(f"images/kaggle/working/dsd_images/{n}.jpg" for n in (0, 2, 3)))
    found = load_gallery(f"dsd:{table}")
    assert items(found, "path", "caption")["2"] == (
        "images/kaggle/working/dsd_images/2.jpg",
        "a blue sky",
    )
    assert found.picture("2").size == (8, 6)
    assert problems(found)["dsd.csv"].startswith("1 of its 4 pictures")


def test_a_folder_stands_for_its_one_table(tmp_path):
    r5_table(tmp_path / "vectors.csv")
    write(tmp_path / "other.csv", "file_name,text\n")
    assert len(load_gallery(f"vectors:{tmp_path}")) == 4
    assert len(load_gallery(f"dsd:{tmp_path}")) == 4
    r5_table(tmp_path / "more.csv")
    with pytest.raises(GalleryError, match="several tables of vectors; give one of more.csv, vec"):
        load_vectors(tmp_path)


def test_paths_urls_and_ids_of_a_table_are_taken(tmp_path):
    rows = [
        ["id", "image_path", "url", "Description", "Image Embedding"],
        ["x1", "pics/a.jpg", "http://example.org/a", "one", "[1, 0]"],
        ["x2", r"C:\work\pics\b.jpg", "http://example.org/b", "two", "[0, 1]"],
        ["x1", "pics/a.jpg", "", "again", "[1, 1]"],
    ]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    found = load_vectors(pictures(tmp_path, "pics/a.jpg", "pics/b.jpg", "zoo/a.jpg") / "t.csv")
    assert items(found, "path", "url") == {
        "x1": ("pics/a.jpg", "http://example.org/a"),
        "x2": ("pics/b.jpg", "http://example.org/b"),
    }
    assert problems(found) == {"t.csv": "row 2: the id x1 stands in an earlier row as well"}
