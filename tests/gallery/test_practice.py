from io import BytesIO
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.downloads.limits import Limits
from sigscope.downloads.lists import UrlList
from sigscope.downloads.records import rows
from sigscope.downloads.run import download
from sigscope.duplicates.find import find_duplicates
from sigscope.gallery import practice
from sigscope.gallery.practice import BUSY, NETWORK, NOTICES, PICTURES, PRIVATE, ShakyServer
from sigscope.images.read import PictureError, open_picture


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "photos"
    practice.make(root, load_gallery())
    return root


@pytest.fixture
def gallery(root, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    return load_gallery(root)


def names(root):
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_the_folder_holds_what_its_tables_say(root):
    there = names(root)
    assert {
        *practice.ODD,
        *practice.BROKEN.keys() - {".thumbnails/"},
        *practice.COPIES,
        ".thumbnails/IMG_0001.jpg",
    } < there
    for folder in practice.FOLDERS:
        assert len(list((root / folder).glob("IMG_*.jpg"))) == practice.EACH


def test_the_same_gallery_gives_the_same_bytes(root, tmp_path):
    practice.make(tmp_path / "again", load_gallery())
    assert names(root) == names(tmp_path / "again")
    for name in names(root):
        assert (root / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_what_lies_there_already_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        practice.make(tmp_path, load_gallery())
    assert names(tmp_path) == {"mine.txt"}


def test_all_and_only_the_broken_files_cannot_be_read_for_the_reasons_given(gallery):
    reasons = dict(zip(gallery.problems["path"], gallery.problems["reason"], strict=True))
    for id in gallery.items["id"]:
        try:
            gallery.picture(id)
        except PictureError as error:
            reasons[id] = str(error)
    assert reasons.keys() == practice.BROKEN.keys()
    assert all(words in reasons[name] for name, words in practice.BROKEN.items())


@pytest.mark.parametrize("folder", practice.FOLDERS)
def test_some_folders_are_described_and_a_camera_describes_nothing(gallery, folder):
    items = gallery.items[gallery.items["category"] == folder]
    described = folder in ("animals", "fruit and vegetables", "transport")
    assert (items["caption"] != "").sum() == practice.CAPTIONED * described


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
    assert pairs == {frozenset(pair) for pair in practice.COPIES.items()}
    assert sorted(found["kind"]) == ["near", "same file", "same pixels"]


def test_the_zip_holds_pictures_and_a_trap(root, gallery):
    zipped = load_gallery(root / practice.ZIP)
    assert len(zipped) == practice.ZIPPED and zipped.items["caption"].iloc[0]
    assert sorted(zipped.problems["path"]) == [practice.TRAP, "DCIM/PIC006.jxl"]


# --- the server

LIMITS = Limits(read_s=0.5, tries=2, backoff_s=0.01, allowed=(NETWORK,))


def picture(number):
    file = BytesIO()
    Image.new("RGB", (16, 16), (30 * number, 0, 0)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def server():
    with ShakyServer([picture(number) for number in range(PICTURES)]) as server:
        yield server


def path_of(url):
    return urlsplit(url).path


def test_there_are_twelve_addresses_one_of_them_private(server):
    assert len(set(server.urls)) == 12 and server.urls[-1] == PRIVATE


def test_each_address_answers_as_it_should(server):
    answers = {path_of(url): httpx.get(url) for url in server.urls[: PICTURES + NOTICES + 1]}
    codes = {path: answer.status_code for path, answer in answers.items()}
    assert codes.pop(f"/photo-{BUSY}.jpg") == 503 and codes.pop("/gone.jpg") == 404
    assert set(codes.values()) == {200}
    assert answers["/photo-1.jpg"].content == picture(1)
    assert answers["/taken-down-0.jpg"].content == answers["/taken-down-1.jpg"].content
    assert httpx.get(server.urls[BUSY]).content == picture(BUSY)


def test_the_sleeper_never_answers_and_does_not_keep_the_server_from_ending():
    with ShakyServer([picture(0)] * PICTURES) as server:
        asleep = next(url for url in server.urls if path_of(url) == "/asleep.jpg")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(asleep, timeout=0.2)
    assert server.asked["/asleep.jpg"] == 1


def test_a_download_of_it_gets_the_six_pictures_and_a_reason_for_each_other(server, tmp_path):
    listed = [(url, "") for url in server.urls]
    download(UrlList("shaky", lambda: iter(listed), 12), tmp_path, limits=LIMITS)
    reasons = [reason or "" for reason in rows(tmp_path)["reason"].fillna("")]
    expected = [""] * PICTURES + ["placeholder"] * NOTICES
    assert reasons == [*expected, "gone", "time-out", "private address"]


def test_another_number_of_pictures_is_refused():
    with pytest.raises(ValueError, match="give 6"):
        ShakyServer([])
