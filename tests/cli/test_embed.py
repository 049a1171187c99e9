import errno
import os
import sys

import pandas as pd
import pytest
from PIL import Image
from toy import ToyEncoder, write_gallery

from sigscope import files, paths
from sigscope.cli import embed
from sigscope.cli import main as commands
from sigscope.cli.embed import make_searchable
from sigscope.models import encoder


@pytest.fixture(autouse=True)
def _own_homes(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "shipped")


@pytest.fixture
def loaded(monkeypatch):
    """The encoders that were loaded; each is a toy."""
    made = []

    class Described(ToyEncoder):
        def describe(self):
            return "a toy"

    def load(model):
        made.append(Described())
        return made[-1]

    monkeypatch.setattr(encoder.Encoder, "load", load)
    monkeypatch.setattr(embed, "called", lambda: "toy")
    return made


@pytest.fixture
def root(tmp_path):
    folder = write_gallery(tmp_path / "My Photos", 9)
    (folder / "metadata.jsonl").unlink()
    return folder


def everything(root):
    """Return what a folder holds, and when each file was changed."""
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}


def test_a_folder_becomes_searchable_without_a_file_in_it_being_touched(loaded, root):
    before = everything(root)
    assert list(make_searchable(str(root))) == [
        "Making My Photos searchable (9 pictures) ...",
        "9 pictures are searchable with a toy.",
        "9 files: 9 pictures.",
    ]
    assert everything(root) == before


def test_a_second_time_the_model_is_not_even_loaded(loaded, root):
    list(make_searchable(str(root)))
    said = list(make_searchable(str(root)))
    assert said[0] == "My Photos: 9 pictures are searchable; nothing has changed."
    assert len(loaded) == 1


def test_what_could_not_be_read_is_counted_and_written_down(loaded, root, monkeypatch):
    (root / "a.svg").write_bytes(b"0")
    (root / "b.jpg").write_bytes(b"<html>")
    monkeypatch.chdir(root.parent)
    for _ in range(2):
        *_, said = make_searchable(str(root))
        assert said.startswith("11 files: 9 pictures, 2 unreadable; cache/problems/My--Photos-")
    table = pd.read_csv(said.split("; ")[1].removesuffix(" says which and why."))
    assert table["path"].tolist() == ["a.svg", "b.jpg"]
    assert "SVG" in table["reason"][0] and "HTML" in table["reason"][1]
    (root / "a.svg").unlink()
    (root / "b.jpg").unlink()
    assert "unreadable" not in " ".join(make_searchable(str(root)))
    assert not list((paths.CACHE / "problems").iterdir())


def test_a_folder_of_which_nothing_can_be_read_is_one_sentence_each_time(loaded, tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.jpg").write_bytes(b"no picture at all")
    for _ in range(2):
        assert commands.main(["embed", f"--pictures={folder}"]) == 1
        said = capsys.readouterr().err
        assert "None of the 2 pictures of" in said and "says why" in said
    (file,) = (paths.CACHE / "problems").iterdir()
    assert len(pd.read_csv(file)) == 2


def test_pictures_changed_later_are_embedded_and_told(loaded, root, capsys):
    list(make_searchable(str(root)))
    Image.new("RGB", (8, 8), (1, 2, 3)).save(root / "new.png")
    (root / "000-red.png").unlink()
    list(make_searchable(str(root)))
    assert "My Photos: 1 new, 1 gone, 8 kept." in capsys.readouterr().err


@pytest.mark.parametrize("written", ["~/My Photos", "My Photos", "./My Photos/", "../{}/My Photos"])
def test_a_path_may_be_written_as_one_likes(written, loaded, root, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.chdir(root.parent)
    list(make_searchable(str(root)))
    assert commands.main(["embed", f"--pictures={written.format(root.parent.name)}"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("My Photos: 9 pictures are searchable; nothing has changed.\n")
    assert len(loaded) == 1


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("nowhere", "There is no folder"),
        ("empty", "holds no pictures that can be read"),
        ("a.txt", "a.txt is a file (the file is empty"),
        ("closed", "cannot be read (Permission denied)"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(name, sentence, tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.txt").touch()
    scandir = os.scandir

    def guarded(folder="."):
        if str(folder).rstrip("/").endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    assert commands.main(["embed", f"--pictures={tmp_path / name}"]) == 1
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1 and not said.out


@pytest.mark.skipif(sys.platform == "win32", reason="rights are other things there")
def test_a_folder_that_may_only_be_read_is_shown_all_the_same(loaded, root):
    for path in root.iterdir():
        path.chmod(0o444)
    root.chmod(0o555)
    before = {path: files.sha256(path) for path in root.iterdir()}
    try:
        assert "9 pictures" in list(make_searchable(str(root)))[-1]
    finally:
        root.chmod(0o755)
    assert {path: files.sha256(path) for path in root.iterdir()} == before
