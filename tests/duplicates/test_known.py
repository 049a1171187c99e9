"""What was found once stays known, and groups say which picture is kept."""

import pytest
from PIL import Image

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.duplicates import known
from sigscope.duplicates.find import mark_duplicates


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    """A gallery of a, twice its like, and of b, once its like, and of c alone."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    folder = tmp_path / "pictures"
    folder.mkdir()
    shipped = sorted((paths.GALLERY / "images" / "animals").glob("*.webp"))
    for name, file in zip("abc", shipped, strict=False):
        picture = Image.open(file).convert("RGB")
        for number in range({"a": 3, "b": 2, "c": 1}[name]):
            small = picture.resize([side - 20 * number for side in picture.size])
            small.save(folder / f"{name}{number}.png")
    return load_gallery(folder)


def test_duplicates_are_looked_for_once(gallery, monkeypatch):
    assert known.known_duplicates(gallery) is None
    found = known.open_duplicates(gallery)
    assert found["id"].tolist() == ["a1.png", "a2.png", "b1.png"]
    monkeypatch.setattr(known, "find_duplicates", None)
    assert known.open_duplicates(gallery).equals(found)


def test_broken_record_is_unknown(gallery):
    known.open_duplicates(gallery)
    (file,) = (paths.CACHE / "duplicates").iterdir()
    file.write_text(file.read_text().replace("a1.png", "c0.png"))
    assert known.known_duplicates(gallery) is None


def test_groups_begin_with_the_largest_and_each_with_the_one_to_keep(gallery):
    table = known.groups_of(gallery, known.open_duplicates(gallery))
    assert table["group"].tolist() == [1, 1, 1, 2, 2]
    assert table["id"].tolist() == ["a0.png", "a1.png", "a2.png", "b0.png", "b1.png"]
    assert table["kind"].tolist() == ["", "near", "near", "", "near"]


def test_marks_of_the_gallery_are_groups_too(gallery):
    found = known.open_duplicates(gallery)
    marked = mark_duplicates(gallery, found[found["id"] == "b1.png"])
    table = known.groups_of(marked)
    assert table["id"].tolist() == ["b0.png", "b1.png"]
    assert table["kind"].tolist() == ["", "marked"]
    assert known.groups_of(gallery).empty
