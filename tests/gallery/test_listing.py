import os

import pytest
from PIL import Image

from sigscope import paths
from sigscope.gallery.folder import trouble
from sigscope.gallery.inventory import take
from sigscope.gallery.listing import list_folder
from sigscope.images.captions import distinct
from sigscope.images.formats import REFUSED_SUFFIXES, SUFFIXES
from sigscope.images.read import plain


def make(root, *names):
    """Make empty files, with their folders; listing opens no picture, so empty will do."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def ids(root):
    return [row["id"] for row in list_folder(root).rows]


def taken(root, monkeypatch):
    """Return what is left once the files have been asked for."""
    monkeypatch.setattr(paths, "CACHE", root / ".cache")
    return take(root, list_folder(root))


def test_pictures_come_from_every_depth_in_order_of_id(tmp_path):
    make(tmp_path, "b/z/2.jpg", "b/1.PNG", "c.webp", "a/3.jpeg")
    assert ids(tmp_path) == ["a/3.jpeg", "b/1.PNG", "b/z/2.jpg", "c.webp"]


def test_the_category_is_the_first_folder_below_the_root(tmp_path):
    make(tmp_path, "top.jpg", "dogs/a.jpg", "dogs/small/b.jpg")
    found = {row["id"]: row["category"] for row in list_folder(tmp_path).rows}
    assert found == {"top.jpg": "", "dogs/a.jpg": "dogs", "dogs/small/b.jpg": "dogs"}


def test_captions_are_the_lines_of_the_text_with_the_same_stem(tmp_path):
    make(tmp_path, "a.jpg", "b.jpg", "sub/a.jpg")
    (tmp_path / "a.txt").write_text("\ufeffa cat\r\n\r\n  NA \na cat\nzwölf 🐈\n", encoding="utf-8")
    found = {row["id"]: row["captions"] for row in list_folder(tmp_path).rows}
    assert found == {"a.jpg": ["a cat", "NA", "zwölf 🐈"], "b.jpg": [], "sub/a.jpg": []}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "utf-16-le", "mac_roman"])
def test_captions_in_any_usual_encoding_are_read(tmp_path, encoding):
    make(tmp_path, "a.jpg")
    (tmp_path / "a.txt").write_bytes("ein Café in Köln".encode(encoding))
    assert list_folder(tmp_path).rows[0]["captions"] == ["ein Café in Köln"]


def test_bytes_that_are_no_text_are_told_and_the_picture_stays(tmp_path):
    make(tmp_path, "a.jpg")
    (tmp_path / "a.txt").write_bytes(bytes(range(256)))
    listing = list_folder(tmp_path)
    assert listing.rows == [{"id": "a.jpg", "captions": [], "category": ""}]
    assert listing.problems == [("a.txt", "it is no text")]


def test_hidden_files_and_those_of_other_programs_are_left_out_and_counted(tmp_path):
    make(tmp_path, "a.jpg", ".b.jpg", ".git/c.jpg", "__MACOSX/._a.jpg", "trip/@eaDir/a.jpg/S.jpg")
    make(tmp_path, "A.photoslibrary/originals/1.jpg", "A.photoslibrary/resources/d/1.jpg")
    listing = list_folder(tmp_path)
    assert [row["id"] for row in listing.rows] == ["A.photoslibrary/originals/1.jpg", "a.jpg"]
    assert {name: reason.split(", ")[1] for name, reason in listing.problems} == {
        ".git/": "with its 1 file",
        "__MACOSX/": "with its 1 file",
        "trip/@eaDir/": "with its 1 file",
        "A.photoslibrary/resources/": "with its 1 file",
        "./": "the first .b.jpg",
    }
    assert sum(listing.counts.values()) == 7


def test_pictures_of_other_formats_and_other_files_are_told(tmp_path):
    make(tmp_path, "a.jpg", "b.EPS", "c/d.svg", "notes.txt")
    for name in ("Thumbs.db", "jpg"):
        (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0")
    assert dict(list_folder(tmp_path).problems) == {
        "b.EPS": "it is PostScript (EPS), which is never run here; save it as PNG",
        "c/d.svg": "it is an SVG drawing; save it as PNG",
        "notes.txt": "it is a text, and no picture has its name",
        "Thumbs.db": "it is no picture",
        "jpg": "it is no picture",
    }
    assert ids(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize(
    "name", ["IMG_1", "a.jpg_large", "a.jpeg!w640", "b.jpg~", "c.heic", "d.cr2"]
)
def test_a_picture_under_any_name_is_known_by_how_it_begins(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF")
    assert ids(tmp_path) == [name]


def test_no_suffix_is_both_read_and_refused():
    assert not SUFFIXES & REFUSED_SUFFIXES.keys()


def test_a_folder_called_like_a_picture_is_a_folder(tmp_path):
    make(tmp_path, "trip.jpg/a.jpg")
    assert ids(tmp_path) == ["trip.jpg/a.jpg"]


def test_loops_of_links_end(tmp_path):
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "self").symlink_to("self")
    assert ids(tmp_path) == ["a/1.jpg", "b/2.jpg"]


def test_a_linked_folder_from_elsewhere_is_followed(tmp_path):
    make(tmp_path, "elsewhere/1.jpg", "root/0.jpg")
    (tmp_path / "root" / "more").symlink_to(tmp_path / "elsewhere")
    assert ids(tmp_path / "root") == ["0.jpg", "more/1.jpg"]


def test_a_link_to_nothing_is_told(tmp_path):
    (tmp_path / "a.jpg").symlink_to("gone.jpg")
    assert list_folder(tmp_path).problems == [("a.jpg", "its link leads to no such file")]


def test_a_pipe_is_told_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert list_folder(tmp_path).problems == [("a.jpg", "it is not an ordinary file")]


def test_a_forbidden_picture_is_told(tmp_path, monkeypatch):
    make(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "a.jpg").chmod(0o600)
    monkeypatch.setattr(os, "access", lambda path, mode: not path.endswith("a.jpg"))
    listing = taken(tmp_path, monkeypatch)
    assert listing.problems == [("a.jpg", "it may not be read (permission denied)")]
    assert [row["id"] for row in listing.rows] == ["b.jpg"]


def test_a_forbidden_folder_is_told_and_the_others_listed(tmp_path, monkeypatch):
    make(tmp_path, "a/1.jpg", "b/2.jpg")

    def scandir(path, real=os.scandir):
        if os.path.basename(os.path.normpath(path)) == "a":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = list_folder(tmp_path)
    assert listing.problems == [("a/", "this folder cannot be read (Permission denied)")]
    assert [row["id"] for row in listing.rows] == ["b/2.jpg"]


@pytest.mark.parametrize("name", ["two\nlines.jpg", "🐈.jpg", "a b'\"c.jpg", "caf\u0065\u0301.jpg"])
def test_strange_names_are_ids_like_others(tmp_path, name):
    make(tmp_path, name)
    assert ids(tmp_path) == [name]


def test_a_name_that_is_not_utf8_is_told(tmp_path):
    folder = os.fsencode(tmp_path)
    for name in (b"caf\xe9.jpg", b"caf\xe9.txt", b"ok.jpg"):
        open(folder + b"/" + name, "w").close()
    os.mkdir(folder + b"/\xe9t\xe9")
    listing = list_folder(tmp_path)
    assert [row["id"] for row in listing.rows] == ["ok.jpg"]
    told = {r"\udce9t\udce9", r"caf\udce9.jpg", r"caf\udce9.txt"}
    assert {name for name, _ in listing.problems} == told


def test_trouble_opens_nothing(tmp_path):
    make(tmp_path, "empty.jpg")
    assert trouble(str(tmp_path / "empty.jpg")) == ""
    assert trouble(str(tmp_path)) == "it is a folder"
    assert "cannot be reached" in trouble("a\0b.jpg")


def test_distinct_keeps_the_first_of_each_caption():
    assert distinct([" b", "a", "", "b ", " ", "a", "A"]) == ["b", "a", "A"]


def test_plain_spells_out_only_what_utf8_cannot_hold():
    assert plain("zwölf 🐈\n") == "zwölf 🐈\n"
    assert plain("half a \ud83d") == r"half a \ud83d"


def test_unfinished_downloads_of_pictures_are_told(tmp_path):
    make(tmp_path, "a.jpg.crdownload", "b.PNG.part", "film.mp4.part", "c.heic.download", "x.part")
    problems = list_folder(tmp_path).problems
    unfinished = {name for name, reason in problems if "has not finished" in reason}
    assert unfinished == {"a.jpg.crdownload", "b.PNG.part", "c.heic.download"}
    assert {name for name, _ in problems} - unfinished == {"film.mp4.part", "x.part"}


def test_captions_in_a_pipe_are_not_waited_for(tmp_path):
    make(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "a.txt")
    listing = list_folder(tmp_path)
    assert [row["captions"] for row in listing.rows] == [[]]
    told = "its captions cannot be read (it is not an ordinary file)"
    assert listing.problems == [("a.txt", told)]


def test_a_text_of_many_megabytes_is_no_caption(tmp_path):
    make(tmp_path, "a.jpg")
    (tmp_path / "a.txt").write_bytes(b"a" * 1_000_001)
    listing = list_folder(tmp_path)
    assert listing.rows[0]["captions"] == []
    assert "more than a million bytes" in listing.problems[0][1]


def test_a_file_of_gigabytes_is_told_and_not_opened(tmp_path, monkeypatch):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(1_000_000_001)
    told = ("a.jpg", "it has more than 1 GB; make it smaller first")
    assert taken(tmp_path, monkeypatch).problems == [told]


def test_every_kind_of_picture_that_pillow_opens_is_read_or_refused_by_name():
    Image.init()
    kinds = Image.OPEN.keys() - {"MPEG", "FLI", "BUFR", "GRIB", "HDF5", "IPTC"}  # films, data
    opened = {suffix for suffix, kind in Image.EXTENSION.items() if kind in kinds}
    assert opened <= SUFFIXES | REFUSED_SUFFIXES.keys()
