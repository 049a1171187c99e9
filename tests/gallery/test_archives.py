import os
import stat
import zipfile

import numpy as np
import pytest
from toy import ToyEncoder, write_gallery

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.gallery import archives
from sigscope.gallery.archives import left_out, unpacked
from sigscope.gallery.folder import GalleryError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return tmp_path / "cache" / "archives"


def zipped(path, members, compression=zipfile.ZIP_STORED):
    """Write a zip of (name or ZipInfo, bytes) pairs."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def files(folder):
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file())


def special(name, kind):
    member = zipfile.ZipInfo(name)
    member.external_attr = (kind | 0o777) << 16
    return member


def test_pictures_texts_and_tables_are_taken_and_the_rest_left(tmp_path):
    names = ["a.JPG", "a.txt", "sub/b.png", "metadata.csv", "run.exe", "notes.pdf", "sub/"]
    folder = unpacked(zipped(tmp_path / "x.zip", [(name, name) for name in names]))
    assert files(folder) == ["a.JPG", "a.txt", "metadata.csv", "sub/b.png"]
    assert (folder / "sub/b.png").read_text() == "sub/b.png"
    assert left_out(folder) == [(name, "it is no picture") for name in ("notes.pdf", "run.exe")]


def test_a_second_call_writes_nothing(tmp_path, cache, monkeypatch):
    path = zipped(tmp_path / "x.zip", [("a.jpg", "a"), ("b.svg", "b")])
    folder = unpacked(path)
    monkeypatch.setattr(archives, "_unpack", None)
    assert unpacked(path) == folder
    assert left_out(folder) == [("b.svg", "it is an SVG drawing; save it as PNG")]


def test_a_changed_zip_is_unpacked_anew(tmp_path):
    first = unpacked(zipped(tmp_path / "x.zip", [("a.jpg", "old")]))
    second = unpacked(zipped(tmp_path / "x.zip", [("a.jpg", "new")]))
    assert [(each / "a.jpg").read_text() for each in (first, second)] == ["old", "new"]


@pytest.mark.parametrize(
    "name", ["../a.jpg", "x/../../a.jpg", "/a.jpg", "C:a.jpg", "..\\a.jpg", "\\a.jpg"]
)
def test_no_name_leads_out_of_the_archive(tmp_path, name):
    folder = unpacked(zipped(tmp_path / "x.zip", [(name, "evil"), ("b.jpg", "b")]))
    assert files(folder) == ["b.jpg"]
    (problem,) = left_out(folder)
    assert problem == (name.replace("\\", "/"), "its name leads out of the archive")
    assert not list(tmp_path.rglob("a.jpg"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_left_out(tmp_path, kind):
    members = [(special("a.jpg", kind), "/etc/passwd"), ("b.jpg", "b")]
    folder = unpacked(zipped(tmp_path / "x.zip", members))
    assert files(folder) == ["b.jpg"]
    assert left_out(folder)[0][1].startswith("it is a link or another special file")


def test_hidden_files_and_those_of_other_programs_are_left_out_and_counted(tmp_path):
    names = ["a.jpg", "__MACOSX/._a.jpg", ".git/b.jpg", "._a.jpg", ".DS_Store", "p/@eaDir/a.jpg"]
    folder = unpacked(zipped(tmp_path / "x.zip", [(name, "x") for name in names]))
    assert files(folder) == ["a.jpg"]
    counted = {name: reason.rpartition("its ")[2] for name, reason in left_out(folder)}
    one = dict.fromkeys(("__MACOSX/", ".git/", "p/@eaDir/"), "1 file")
    assert counted == one | {"./": "2 files"}


def test_a_picture_without_a_suffix_is_unpacked(tmp_path):
    members = [("IMG_1", b"\xff\xd8\xff\xe0"), ("x.jpg_large", b"\x89PNG\r\n\x1a\n"), ("y", b"no")]
    folder = unpacked(zipped(tmp_path / "x.zip", members))
    assert files(folder) == ["IMG_1", "x.jpg_large"]
    assert left_out(folder) == [("y", "it is no picture")]


def test_a_damaged_member_is_left_out_and_the_others_stay(tmp_path):
    path = zipped(tmp_path / "x.zip", [("a.jpg", "aaaa"), ("b.jpg", "bbbb")])
    path.write_bytes(path.read_bytes().replace(b"aaaa", b"axaa"))
    folder = unpacked(path)
    assert files(folder) == ["b.jpg"]
    assert left_out(folder)[0][0] == "a.jpg" and "Bad CRC" in left_out(folder)[0][1]


def test_a_mended_zip_is_unpacked_anew_though_it_lists_the_same(tmp_path):
    path = zipped(tmp_path / "x.zip", [("a.jpg", "aaaa"), ("b.jpg", "bbbb")])
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"aaaa", b"axaa"))
    assert files(unpacked(path)) == ["b.jpg"]
    path.write_bytes(whole)
    os.utime(path, ns=(1, 1))
    assert files(unpacked(path)) == ["a.jpg", "b.jpg"]


def with_flag(path, bit):
    """Set a bit of the flags of every member, in both of its headers."""
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + place] |= bit
            at = data.find(mark, at + 4)
    path.write_bytes(data)
    return path


def test_encrypted_members_are_told(tmp_path):
    folder = unpacked(with_flag(zipped(tmp_path / "x.zip", [("a.jpg", "a")]), 1))
    assert left_out(folder)[0][1].startswith("it is encrypted; unpack the archive")
    with pytest.raises(GalleryError):
        load_gallery(tmp_path / "x.zip")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_every_usual_compression_is_read(tmp_path, compression):
    path = zipped(tmp_path / "x.zip", [("a.jpg", b"a" * 1000)], compression)
    assert (unpacked(path) / "a.jpg").read_bytes() == b"a" * 1000


def test_an_unknown_compression_is_told(tmp_path):
    path = zipped(tmp_path / "x.zip", [("a.jpg", "a"), ("b.jpg", "b")])
    data = bytearray(path.read_bytes())
    data[8] = data[data.index(b"PK\1\2") + 10] = 97
    path.write_bytes(data)
    folder = unpacked(path)
    assert files(folder) == ["b.jpg"] and "compression" in left_out(folder)[0][1]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, cache):
    path = zipped(tmp_path / "x.zip", [("a.png", bytes(150_000_000))], zipfile.ZIP_DEFLATED)
    with pytest.raises(GalleryError, match="more than 200 times its size, as traps do"):
        unpacked(path)
    assert files(cache) == []


def test_a_zip_that_the_disk_has_no_room_for_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SPARE", 2**62)
    with pytest.raises(GalleryError, match="make room, or set SIGSCOPE_CACHE"):
        unpacked(zipped(tmp_path / "x.zip", [("a.jpg", "a")]))


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    with pytest.raises(GalleryError, match="holds 3 files"):
        unpacked(zipped(tmp_path / "x.zip", [(f"{name}.jpg", "") for name in "abc"]))


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\3\4 and no more", b"PK\5\6" + bytes(9)])
def test_what_is_no_zip_is_told(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(GalleryError, match="no whole zip archive"):
        unpacked(tmp_path / "x.zip")


def test_a_missing_zip_and_a_pipe_are_told(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    for name in ("gone.zip", "pipe.zip"):
        with pytest.raises(GalleryError, match="There is no zip archive"):
            unpacked(tmp_path / name)


def test_names_in_utf8_are_read_whether_marked_or_not(tmp_path):
    path = zipped(tmp_path / "x.zip", [("für.jpg", "1"), ("Ωλ/é.jpg", "2")])
    marked = files(unpacked(path))
    data = path.read_bytes().replace(b"PK\3\4\x14\0\0\x08", b"PK\3\4\x14\0\0\0")
    path.write_bytes(data.replace(b"\x14\x03\x14\0\0\x08", b"\x14\x03\x14\0\0\0"))
    assert not zipfile.ZipFile(path).infolist()[0].flag_bits & 0x800
    assert files(unpacked(path)) == marked == ["für.jpg", "Ωλ/é.jpg"]


def test_names_in_the_old_dos_letters_are_read(tmp_path):
    path = zipped(tmp_path / "x.zip", [("f@r.jpg", "1")])
    path.write_bytes(path.read_bytes().replace(b"f@r", b"f\x81r"))  # ü in code page 437
    assert files(unpacked(path)) == ["für.jpg"]


def test_windows_backslashes_are_folders(tmp_path):
    folder = unpacked(zipped(tmp_path / "x.zip", [("a\\1.jpg", "1"), ("b\\2.jpg", "2")]))
    assert files(folder) == ["a/1.jpg", "b/2.jpg"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_keeps_the_first(tmp_path):
    members = [("a.jpg", "1"), ("a.jpg", "2"), ("b.jpg", "3"), ("b.jpg/c.jpg", "4")]
    folder = unpacked(zipped(tmp_path / "x.zip", members))
    assert files(folder) == ["a.jpg", "b.jpg"] and (folder / "a.jpg").read_text() == "1"
    assert [name for name, _ in left_out(folder)] == ["a.jpg", "b.jpg/c.jpg"]


def test_a_name_too_long_for_the_disk_is_told(tmp_path):
    folder = unpacked(zipped(tmp_path / "x.zip", [("a" * 300 + ".jpg", "a"), ("b.jpg", "b")]))
    assert files(folder) == ["b.jpg"] and "name too long" in left_out(folder)[0][1]


def test_an_archive_in_the_archive_is_told(tmp_path):
    folder = unpacked(zipped(tmp_path / "x.zip", [("more.zip", "PK"), ("b.jpg", "b")]))
    assert left_out(folder) == [
        ("more.zip", "it is an archive inside the archive; unpack it first")
    ]


def test_the_one_folder_of_a_zip_is_the_gallery_but_a_split_is_not(tmp_path):
    assert files(unpacked(zipped(tmp_path / "x.zip", [("p/q/a.jpg", "a")]))) == ["a.jpg"]
    assert files(unpacked(zipped(tmp_path / "y.zip", [("p/train/a.jpg", "a")]))) == ["train/a.jpg"]


def test_it_appears_only_when_it_is_whole(tmp_path, cache, monkeypatch):
    path = zipped(tmp_path / "x.zip", [("a.jpg", "a"), ("b.jpg", "b")])
    real = archives._extract

    def killed(archive, member, target):
        if member.filename == "b.jpg":
            raise KeyboardInterrupt
        return real(archive, member, target)

    monkeypatch.setattr(archives, "_extract", killed)
    with pytest.raises(KeyboardInterrupt):
        unpacked(path)
    assert not any(cache.iterdir())
    (cache / ".part-123").mkdir()  # what a killed process leaves
    monkeypatch.setattr(archives, "_extract", real)
    assert files(unpacked(path)) == ["a.jpg", "b.jpg"]
    assert not (cache / ".part-123").exists()


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives.shutil, "copyfileobj", full)
    with pytest.raises(GalleryError, match="No space left on device"):
        unpacked(zipped(tmp_path / "x.zip", [("a.jpg", "a")]))
    assert not any(cache.iterdir())


def test_a_zipped_gallery_gives_the_vectors_of_its_folder(tmp_path):
    root = write_gallery(tmp_path / "toy")
    members = [(f"toy/{name}", (root / name).read_bytes()) for name in files(root)]
    zipped(tmp_path / "toy.zip", members)
    made = []
    for name in ("toy", "toy.zip"):
        gallery = load_gallery(tmp_path / name)
        made.append(embed_gallery(gallery, ToyEncoder(), tmp_path / f"store-{name}"))
    assert list(made[0].ids) == list(made[1].ids)
    np.testing.assert_array_equal(made[0].images, made[1].images)
