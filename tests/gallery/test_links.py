"""Nothing but the gallery's own pictures leaves it, whatever links and tables say."""

import io
import json
import os
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.links import FOLLOW, leads_out
from sigscope.images.read import PictureError
from sigscope.search.export import as_zip

SECRET = b"root:x:0:0:root:/root:/bin/bash\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.delenv(FOLLOW, raising=False)


@pytest.fixture
def root(tmp_path):
    """A gallery's folder with links of every kind, and files beside it."""
    root, elsewhere = tmp_path / "root", tmp_path / "root-elsewhere"
    picture(root / "own.png", "red")
    picture(root / "sub" / "deep.png", "green")
    picture(elsewhere / "private.png", "blue")
    (elsewhere / "passwd").write_bytes(SECRET)
    (root / "leak.png").symlink_to(elsewhere / "passwd")
    (root / "photo.png").symlink_to(elsewhere / "private.png")
    (root / "twice.png").symlink_to(root / "photo.png")
    (root / "more").symlink_to(elsewhere)
    (root / "within.png").symlink_to(root / "sub" / "deep.png")
    (root / "also").symlink_to(root / "sub")
    (root / ".env").write_bytes(b"TOKEN=abc\n")
    (root / "text.png").write_bytes(SECRET)
    return root


def picture(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)


def listed(root, *names):
    rows = "".join(json.dumps({"file_name": name, "text": "a secret"}) + "\n" for name in names)
    (root / "metadata.jsonl").write_text(rows)
    return load_gallery(root)


EVERYTHING = [
    *("own.png", "sub/deep.png", "leak.png", "photo.png", "twice.png", "more/private.png"),
    *("more/passwd", "within.png", "also/deep.png", ".env", "text.png"),
]


def test_links_out_of_the_folder_are_listed_with_a_reason_and_links_within_are_fine(root):
    gallery = load_gallery(root)
    assert {"own.png", "sub/deep.png", "within.png"} <= set(gallery.items["id"])
    reasons = dict(gallery.problems[["path", "reason"]].itertuples(index=False))
    for path in ("leak.png", "photo.png", "twice.png", "more/"):
        assert "leads out of the folder" in reasons[path] and FOLLOW in reasons[path]
    assert "pictures: 1" in reasons["more/"]
    assert not {"leak.png", "photo.png", "twice.png", "more/private.png"} & set(gallery.items["id"])


def test_a_table_gets_nothing_out_that_a_folder_does_not(root):
    gallery = listed(root, *EVERYTHING)
    outside = {"leak.png", "photo.png", "twice.png", "more/private.png", "more/passwd"}
    assert not outside & set(gallery.items["id"])


def test_the_setting_allows_them(root, monkeypatch):
    monkeypatch.setenv(FOLLOW, "1")
    gallery = load_gallery(root)
    assert {"photo.png", "twice.png", "more/private.png"} <= set(gallery.items["id"])
    assert gallery.original("more/private.png") == (root / "photo.png").read_bytes()
    with pytest.raises(PictureError):
        gallery.original("leak.png")


@pytest.mark.parametrize("allowed", ["", "1"])
def test_only_pictures_are_in_a_zip(root, monkeypatch, allowed):
    monkeypatch.setenv(FOLLOW, allowed)
    gallery = listed(root, *EVERYTHING)
    data = as_zip(pd.DataFrame({"id": EVERYTHING}), gallery)
    assert SECRET not in data and b"TOKEN" not in data
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = [name for name in archive.namelist() if name != "results.csv"]
    assert len(names) == (6 if allowed else 3)  # also/deep.png is sub/deep.png
    for name in names:
        Image.open(io.BytesIO(archive.read(name))).load()


def test_a_link_put_in_place_of_a_picture_after_the_listing_gets_nothing_out(root, tmp_path):
    gallery = load_gallery(root)
    (root / "own.png").unlink()
    (root / "own.png").symlink_to(tmp_path / "root-elsewhere" / "private.png")
    for ask in (gallery.file, gallery.picture, gallery.original):
        with pytest.raises(GalleryError, match="leads out of the folder"):
            ask("own.png")


def test_another_picture_put_in_its_place_is_not_the_one_that_was_listed(root):
    gallery = load_gallery(root)
    picture(root / "own.png", "black")
    with pytest.raises(PictureError, match="has changed since it was listed"):
        gallery.original("own.png")


def test_a_folder_whose_name_only_begins_alike_is_outside(tmp_path):
    picture(tmp_path / "photos-private" / "a.png", "red")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").symlink_to(tmp_path / "photos-private" / "a.png")
    assert leads_out(tmp_path / "photos", "a.png")
    assert not leads_out("/", "etc/passwd")


def test_a_gallery_that_is_reached_by_a_link_is_a_gallery(root, tmp_path):
    (tmp_path / "linked").symlink_to(root)
    assert "own.png" in set(load_gallery(tmp_path / "linked").items["id"])


def test_nothing_but_links_is_a_sentence(tmp_path):
    picture(tmp_path / "blobs" / "1.png", "red")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "1.png").symlink_to("../blobs/1.png")
    with pytest.raises(GalleryError, match=FOLLOW):
        load_gallery(tmp_path / "snapshot")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["d1", "d2", "f", "..", "up", "out", "back", "."]), max_size=6))
def test_no_chain_of_links_leads_further_than_the_system_says(tmp_path_factory, parts):
    root = tmp_path_factory.mktemp("chain") / "root"
    for folder in (root / "d1" / "d2", root / "d2", root.parent / "outside"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "f").write_bytes(b"x")
    (root / "up").symlink_to("..")
    (root / "d1" / "out").symlink_to(root.parent / "outside")
    (root / "d2" / "back").symlink_to(root)
    path = "/".join(parts)
    real = Path(os.path.realpath(root / path))
    assert leads_out(root, path) == (not real.is_relative_to(root.resolve()))


def test_no_text_that_a_link_leads_to_becomes_a_caption(root, tmp_path):
    (root / "own.txt").symlink_to(tmp_path / "root-elsewhere" / "passwd")
    gallery = load_gallery(root)
    assert "root:" not in " ".join(gallery.captions["caption"])
    assert "leads out" in dict(gallery.problems[["path", "reason"]].to_numpy())["own.txt"]
