import numpy as np
import pytest

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.duplicates.find import find_duplicates
from sigscope.gallery import practice as messy
from sigscope.images.read import PictureError, open_picture


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "photos"
    messy.make(root, load_gallery())
    return root


@pytest.fixture
def gallery(root, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    return load_gallery(root)


def names(root):
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_the_folder_holds_what_its_tables_say(root):
    there = names(root)
    assert {*messy.ODD, *messy.BROKEN, *messy.COPIES, *messy.SKIPPED, messy.ZIP} < there
    for folder in messy.FOLDERS:
        assert len(list((root / folder).glob("IMG_*.jpg"))) == messy.EACH


def test_the_same_gallery_gives_the_same_bytes(root, tmp_path):
    messy.make(tmp_path / "again", load_gallery())
    assert names(root) == names(tmp_path / "again")
    for name in names(root):
        assert (root / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_what_lies_there_already_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        messy.make(tmp_path, load_gallery())
    assert names(tmp_path) == {"mine.txt"}


def test_all_and_only_the_broken_files_cannot_be_read_for_the_reasons_given(gallery):
    reasons = dict(zip(gallery.problems["path"], gallery.problems["reason"], strict=True))
    for id in gallery.items["id"]:
        try:
            gallery.picture(id)
        except PictureError as error:
            reasons[id] = str(error)
    assert reasons.keys() == messy.BROKEN.keys()
    assert all(words in reasons[name] for name, words in messy.BROKEN.items())


@pytest.mark.parametrize("folder", messy.FOLDERS)
def test_some_folders_are_described_and_a_camera_describes_nothing(gallery, folder):
    items = gallery.items[gallery.items["category"] == folder]
    described = folder in ("animals", "fruit and vegetables", "transport")
    assert (items["caption"] != "").sum() == messy.CAPTIONED * described


def test_odd_pictures_are_shown_as_their_sources_were(root):
    sideways = open_picture(root / "scans/sideways.jpg")
    assert sideways.width > sideways.height  # a grazing sheep
    sticker = np.asarray(open_picture(root / "scans/sticker.png"))
    assert (sticker[0, 0] == 255).all()
    deep = np.asarray(open_picture(root / "scans/microscope.png"))
    assert deep.min() < 30 and deep.max() == 255 and 50 < deep.mean() < 220
    assert np.ptp(np.asarray(open_picture(root / "scans/fading-in.gif"))) > 100


def test_the_copies_and_nothing_else_are_duplicates(gallery):
    found = find_duplicates(gallery)
    pairs = {frozenset(pair) for pair in zip(found["id"], found["kept"], strict=True)}
    assert pairs == {frozenset(pair) for pair in messy.COPIES.items()}
    assert sorted(found["kind"]) == ["near", "same file", "same pixels"]


def test_the_zip_holds_pictures_and_a_trap(root, gallery):
    zipped = load_gallery(root / messy.ZIP)
    assert len(zipped) == messy.ZIPPED and zipped.items["caption"].iloc[0]
    assert sorted(zipped.problems["path"]) == [messy.TRAP, "DCIM/PIC006.heic"]
