import json
import os

import pytest
from PIL import Image

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.gallery import gallery
from sigscope.gallery.gallery import COLUMNS, GalleryError
from sigscope.images.read import PictureError

RECORDS = [
    {"file_name": "c.png", "text": "a cat", "category": "cats", "split": "train", "series": "s1"},
    {"file_name": "a.png", "text": "NA", "captions": ["null"], "category": "dogs", "split": "test"},
    {"file_name": "b.png", "category": "cats", "split": "test"},
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture
def root(tmp_path):
    """Return a folder with metadata for three pictures, one pixel each."""
    for grey, record in enumerate(RECORDS):
        Image.new("L", (1, 1), grey).save(tmp_path / record["file_name"])
    write_metadata(tmp_path, RECORDS)
    return tmp_path


def write_metadata(root, records):
    lines = "\n".join(json.dumps(record) for record in records)
    (root / "metadata.jsonl").write_text(lines, encoding="utf-8")


def fingerprint_with(root, **changed):
    """Return the fingerprint after the first row is changed."""
    write_metadata(root, [RECORDS[0] | changed, *RECORDS[1:]])
    return load_gallery(root).fingerprint


# --- the table


def test_items_come_in_the_order_of_the_metadata(root):
    items = load_gallery(root).items
    assert items["id"].tolist() == ["c.png", "a.png", "b.png"]
    assert items["path"].tolist() == items["id"].tolist()
    assert items["caption"].tolist() == ["a cat", "NA", ""]
    assert items["captions"].tolist() == [["a cat"], ["NA", "null"], []]


def test_every_column_is_there_and_no_text_is_ever_nan(root):
    items = load_gallery(root).items
    assert items.columns.tolist() == [*COLUMNS, "series", "content"]
    assert items["series"].tolist() == ["s1", "", ""]
    assert not items.isna().any(axis=None)


def test_a_plain_folder_has_the_same_columns(tmp_path):
    (tmp_path / "dogs").mkdir()
    (tmp_path / "dogs" / "a.jpg").touch()
    items = load_gallery(tmp_path).items
    assert items.columns.tolist() == [*COLUMNS, "content"]
    expected = {"id": "dogs/a.jpg", "category": "dogs", "caption": "", "split": "", "source": ""}
    assert {name: items.loc[0, name] for name in expected} == expected


def test_the_name_is_that_of_the_folder(root, monkeypatch):
    monkeypatch.chdir(root)
    assert load_gallery(".").name == root.name


def test_captions_are_numbered_within_their_item(root):
    table = load_gallery(root).captions
    rows = list(table.itertuples(index=False, name=None))
    assert rows == [("c.png", 0, "a cat"), ("a.png", 0, "NA"), ("a.png", 1, "null")]


def test_captions_of_a_gallery_without_any_are_an_empty_table(tmp_path):
    (tmp_path / "a.jpg").touch()
    table = load_gallery(tmp_path).captions
    assert table.columns.tolist() == ["id", "number", "caption"] and table.empty


def test_problems_are_a_table_even_when_there_are_none(root):
    problems = load_gallery(root).problems
    assert problems.columns.tolist() == ["path", "reason"] and problems.empty


def test_a_listed_file_that_is_gone_becomes_a_problem(root):
    (root / "a.png").unlink()
    found = load_gallery(root)
    assert found.problems["path"].tolist() == ["a.png"]
    assert found.items["caption"].tolist() == ["a cat", ""]


# --- pictures


def test_each_id_opens_its_own_picture(root):
    found = load_gallery(root)
    greys = [found.picture(id).getpixel((0, 0))[0] for id in found.items["id"]]
    assert (len(found), greys) == (3, [0, 1, 2])


def test_an_unknown_id_is_named(root):
    with pytest.raises(GalleryError, match="has no item 'z.png'"):
        load_gallery(root).file("z.png")


def test_a_picture_that_is_none_is_listed_and_refused_when_opened(root):
    (root / "a.png").write_bytes(b"")
    found = load_gallery(root)
    assert len(found) == 3
    with pytest.raises(PictureError, match="empty"):
        found.picture("a.png")


# --- subsets


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, ["c.png", "a.png", "b.png"]),
        ({"split": "test"}, ["a.png", "b.png"]),
        ({"category": "cats"}, ["c.png", "b.png"]),
        ({"category": ["dogs", "cats"]}, ["c.png", "a.png", "b.png"]),
        ({"split": "test", "category": "cats"}, ["b.png"]),
    ],
)
def test_a_subset_keeps_order_and_numbers_its_rows_anew(root, choice, expected):
    items = load_gallery(root).subset(**choice).items
    assert items["id"].tolist() == expected
    assert items.index.tolist() == list(range(len(expected)))


def test_a_subset_is_a_gallery_of_its_own(root):
    whole = load_gallery(root)
    whole.captions, whole.fingerprint  # noqa: B018  (worked out before, so that they could leak)
    part = whole.subset(split="train")
    assert part.captions["caption"].tolist() == ["a cat"]
    assert part.fingerprint != whole.fingerprint and len(whole) == 3
    with pytest.raises(GalleryError):
        part.file("a.png")


@pytest.mark.parametrize("choice", [{"split": "val"}, {"category": ["cats", "birds"]}])
def test_a_value_that_no_item_has_lists_those_there_are(root, choice):
    with pytest.raises(GalleryError, match=r"has no .*; it has \['(cats|test)', '(dogs|train)'\]"):
        load_gallery(root).subset(**choice)


@pytest.mark.parametrize("choice", [{"split": "train", "category": "dogs"}, {"split": []}])
def test_a_subset_is_never_empty(root, choice):
    with pytest.raises(GalleryError, match="no item of split"):
        load_gallery(root).subset(**choice)


# --- the fingerprint


def test_the_same_gallery_has_the_same_fingerprint_in_any_order(root):
    before = load_gallery(root).fingerprint
    assert len(before) == 64
    write_metadata(root, RECORDS[::-1])
    assert load_gallery(root).fingerprint == before


@pytest.mark.parametrize(
    "changed",
    [{"text": "a cat."}, {"captions": ["two"]}, {"category": "dogs"}, {"split": "test"}],
)
def test_the_fingerprint_follows_what_is_embedded_or_judged(root, changed):
    assert fingerprint_with(root, **changed) != fingerprint_with(root)


def test_the_fingerprint_ignores_the_other_columns(root):
    assert fingerprint_with(root, series="s2", author="me") == fingerprint_with(root)


def test_the_fingerprint_follows_the_bytes_of_a_picture(root):
    before, size = load_gallery(root).fingerprint, (root / "a.png").stat().st_size
    Image.new("L", (1, 1), 77).save(root / "a.png")
    assert (root / "a.png").stat().st_size == size
    assert load_gallery(root).fingerprint != before


def test_the_fingerprint_does_not_follow_times(root):
    before = load_gallery(root).fingerprint
    os.utime(root / "a.png", (1, 1))
    assert load_gallery(root).fingerprint == before


def test_the_shipped_gallery_is_known_by_sizes_and_has_no_inventory(root, monkeypatch):
    monkeypatch.setattr(paths, "GALLERY", root)
    found = load_gallery()
    assert "content" not in found.items and not (paths.CACHE / "inventories").exists()
    before = found.fingerprint
    os.utime(root / "a.png", (1, 1))
    assert load_gallery().fingerprint == before
    (root / "a.png").write_bytes(b"longer" * 99)
    assert load_gallery().fingerprint != before


def test_the_fingerprint_is_worked_out_once(root, monkeypatch):
    monkeypatch.setattr(paths, "GALLERY", root)
    found, sizes = load_gallery(), []
    monkeypatch.setattr(gallery, "size_of", lambda path: sizes.append(path) or 0)
    assert found.fingerprint == found.fingerprint
    assert len(sizes) == 3


def test_a_picture_that_has_gone_since_it_was_listed_has_another_fingerprint(root, monkeypatch):
    monkeypatch.setattr(paths, "GALLERY", root)
    found, before = load_gallery(), load_gallery().fingerprint
    (root / "a.png").unlink()
    assert found.fingerprint != before


# --- what is refused


def test_a_wrong_path_is_named(tmp_path):
    with pytest.raises(GalleryError, match=f"There is no folder {tmp_path}/nowhere"):
        load_gallery(tmp_path / "nowhere")


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "notes.doc").touch()
    with pytest.raises(
        GalleryError,
        match=r"is a file \(it is a document.*\); give .* or one of \.zip, \.tar, .*\.csv",
    ):
        load_gallery(tmp_path / "notes.doc")


def test_an_empty_folder_holds_no_pictures(tmp_path):
    with pytest.raises(GalleryError, match="holds no pictures that can be read"):
        load_gallery(tmp_path)


def test_a_folder_of_refused_pictures_says_why_the_first_was(tmp_path):
    (tmp_path / "a.eps").touch()
    (tmp_path / "b.svg").touch()
    with pytest.raises(GalleryError, match=r"2 were left out; the first, 'a\.eps': it is Post"):
        load_gallery(tmp_path)


def test_none_is_the_shipped_gallery(root, monkeypatch):
    monkeypatch.setattr(paths, "GALLERY", root)
    assert len(load_gallery()) == 3
    monkeypatch.setattr(paths, "GALLERY", root / "gone")
    with pytest.raises(GalleryError, match="git checkout -- data/gallery"):
        load_gallery()


def test_strange_names_reach_parquet_and_back(tmp_path):
    for name in (b"two\nlines.jpg", "🐈.jpg".encode(), b"caf\xe9.jpg"):
        open(os.fsencode(tmp_path) + b"/" + name, "w").close()
    found = load_gallery(tmp_path)
    found.items.to_parquet(tmp_path / "items.parquet")
    found.problems.to_parquet(tmp_path / "problems.parquet")
    assert found.items["id"].tolist() == ["two\nlines.jpg", "🐈.jpg"]
    assert all(found.file(id).exists() for id in found.items["id"])


def test_a_second_look_opens_no_picture(tmp_path, monkeypatch):
    for number in range(100):
        (tmp_path / f"{number}.jpg").write_bytes(b"%d" % number)
        os.utime(tmp_path / f"{number}.jpg", (number, number))
    assert len(load_gallery(tmp_path)) == 100
    monkeypatch.setattr("builtins.open", lambda *_, **__: pytest.fail("a file was opened"))
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a picture was opened"))
    assert len(load_gallery(tmp_path)) == 100
