import errno
import os
import time
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sigscope import paths
from sigscope.gallery import inventory
from sigscope.gallery.folder import Listing
from sigscope.gallery.inventory import take

LONG_AGO_NS = 10**18


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


@pytest.fixture
def read(monkeypatch):
    """The names of the files that were hashed, in their order."""
    names = []

    def hashed(path):
        names.append(Path(path).name)
        return sha256(Path(path).read_bytes()).hexdigest()

    monkeypatch.setattr(inventory, "sha256", hashed)
    return names


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abc":
        write(folder / f"{name}.jpg", name)
    return folder


def write(path, text, mtime_ns=LONG_AGO_NS):
    path.write_text(text)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def listing(*names, **fields):
    return Listing([{"id": name, "captions": [], **fields} for name in names])


ALL = ("a.jpg", "b.jpg", "c.jpg")


def contents(root, *names, **options):
    rows = take(root, listing(*names), **options).rows
    return {row["id"]: row["content"] for row in rows}


def of(text):
    return sha256(text.encode()).hexdigest()


def test_each_row_has_the_sha256_of_its_own_file(root):
    assert contents(root, *ALL) == {f"{name}.jpg": of(name) for name in "abc"}


def test_unchanged_files_are_not_read_again(root, read):
    first = contents(root, *ALL)
    read.clear()
    assert contents(root, *ALL) == first and read == []


def test_new_changed_and_only_touched_files_are_read_and_no_others(root, read):
    contents(root, *ALL)
    read.clear()
    write(root / "b.jpg", "B", LONG_AGO_NS + 1)
    write(root / "c.jpg", "cc")
    write(root / "d.jpg", "d")
    found = contents(root, *ALL, "d.jpg")
    assert sorted(read) == ["b.jpg", "c.jpg", "d.jpg"]
    assert list(found.values()) == [of(text) for text in ("a", "B", "cc", "d")]


def test_a_file_read_in_the_moment_of_its_change_is_read_again(root, read):
    now = time.time_ns()
    write(root / "a.jpg", "a", now)
    contents(root, *ALL)
    write(root / "a.jpg", "A", now)
    assert contents(root, *ALL)["a.jpg"] == of("A")


def test_a_time_in_the_future_is_as_good_as_any(root, read):
    write(root / "a.jpg", "a", time.time_ns() + 10**18)
    contents(root, *ALL)
    read.clear()
    contents(root, *ALL)
    assert read == []


def test_files_that_have_gone_or_cannot_be_read_are_problems_and_shift_nothing(root, monkeypatch):
    def forbidden(path):
        if Path(path).name == "b.jpg":
            raise PermissionError(errno.EACCES, "Permission denied")
        return sha256(Path(path).read_bytes()).hexdigest()

    monkeypatch.setattr(inventory, "sha256", forbidden)
    (root / "a.jpg").unlink()
    found = take(root, Listing(listing(*ALL).rows, [("x.heic", "it is an HEIC photograph")]))
    assert [(row["id"], row["content"]) for row in found.rows] == [("c.jpg", of("c"))]
    assert found.problems == [
        ("x.heic", "it is an HEIC photograph"),
        ("a.jpg", "it has gone since the folder was listed"),
        ("b.jpg", "it cannot be read (Permission denied)"),
    ]


def test_a_file_that_goes_while_it_is_looked_at_is_a_problem(root, monkeypatch):
    def vanishing(path):
        Path(path).unlink()
        return sha256(Path(path).read_bytes()).hexdigest()

    monkeypatch.setattr(inventory, "sha256", vanishing)
    found = take(root, listing(*ALL))
    assert found.rows == [] and {reason for _, reason in found.problems} == {
        "it has gone since the folder was listed"
    }


def test_pictures_without_captions_get_those_that_they_carry_which_are_read_once(root, monkeypatch):
    asked = []
    monkeypatch.setattr(
        inventory, "embedded_captions", lambda path: asked.append(path.name) or [f"in {path.stem}"]
    )
    rows = listing("a.jpg", "b.jpg").rows
    rows[1]["captions"] = ["beside b"]
    for _ in range(2):
        found = take(root, Listing(rows), embedded=True).rows
        assert [row["captions"] for row in found] == [["in a"], ["beside b"]]
    rows[1]["captions"] = []
    found = take(root, Listing(rows), embedded=True).rows
    assert found[1]["captions"] == ["in b"] and asked == ["a.jpg", "b.jpg"]


def test_a_text_that_many_pictures_carry_is_no_caption_and_that_is_said(tmp_path, monkeypatch):
    names = [f"{n}.jpg" for n in range(12)]
    for name in names:
        (tmp_path / name).write_text(name)
    said = {name: ["ACME 3000"] for name in names[:10]} | {name: ["a party"] for name in names[10:]}
    monkeypatch.setattr(inventory, "embedded_captions", lambda path: said[path.name])
    found = take(tmp_path, listing(*names), embedded=True)
    assert [row["captions"] for row in found.rows] == [[]] * 10 + [["a party"]] * 2
    assert found.problems == [
        ("./", "'ACME 3000' in 10 pictures is a camera's or a program's, and no caption")
    ]


def test_none_is_asked_for_captions_where_metadata_has_the_word(root, monkeypatch):
    monkeypatch.setattr(inventory, "embedded_captions", lambda path: pytest.fail("asked"))
    assert take(root, listing(*ALL)).rows[0]["captions"] == []


def test_a_path_beside_the_id_and_a_column_called_content_are_respected(root):
    rows = [{"id": "7", "path": "a.jpg", "captions": [], "content": "a cat"}]
    found = take(root, Listing(rows)).rows
    assert found == [rows[0] | {"content": of("a"), "metadata_content": "a cat"}]
    assert rows[0]["content"] == "a cat", "what was handed in stays as it was"


def test_an_inventory_says_nothing_of_where_the_folder_is_and_forgets_what_has_gone(root):
    contents(root, *ALL)
    contents(root, "a.jpg")
    (file,) = (paths.CACHE / "inventories").iterdir()
    assert pq.read_table(file)["path"].to_pylist() == ["a.jpg"]
    assert str(root).encode() not in file.read_bytes() and root.name not in file.name


def test_a_table_and_its_folder_have_an_inventory_each(root, read):
    contents(root, *ALL)
    contents(root, "a.jpg", of=root / "list.csv")
    read.clear()
    contents(root, *ALL)
    assert read == [] and len(list((paths.CACHE / "inventories").iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"PAR1 and then nothing", None])
def test_a_broken_or_foreign_inventory_knows_nothing(damage, root, read):
    first = contents(root, *ALL)
    (file,) = (paths.CACHE / "inventories").iterdir()
    if damage is None:
        pq.write_table(pq.read_table(file).replace_schema_metadata({}), file)
    else:
        file.write_bytes(damage)
    read.clear()
    assert contents(root, *ALL) == first and len(read) == 3


def test_a_cache_that_cannot_be_written_to_only_costs_time(root, caplog):
    paths.CACHE.write_text("a file")
    assert len(contents(root, *ALL)) == 3
    assert "cannot be written" in caplog.text


def test_what_was_read_is_written_down_now_and_then(root, monkeypatch):
    monkeypatch.setattr(inventory, "SAVE_S", 0)
    monkeypatch.setattr(inventory, "AT_ONCE", 1)

    def stopped(path):
        if Path(path).name == "c.jpg":
            time.sleep(0.2)
            raise KeyboardInterrupt
        return sha256(Path(path).read_bytes()).hexdigest()

    monkeypatch.setattr(inventory, "sha256", stopped)
    with pytest.raises(KeyboardInterrupt):
        contents(root, *ALL)
    (file,) = (paths.CACHE / "inventories").iterdir()
    assert pq.read_table(file)["path"].to_pylist() == ["a.jpg", "b.jpg"]


def test_an_empty_listing_is_an_empty_listing(root):
    assert take(root, Listing()).rows == []
