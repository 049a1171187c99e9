import os
import time

import numpy as np
import pytest

from sigscope.files import (
    atomic_write,
    read_json,
    read_sealed,
    sha256,
    write_json,
    write_sealed,
)


def test_whole_gives_the_final_name_only_at_the_end(tmp_path):
    path = tmp_path / "new" / "shard.txt"
    with atomic_write(path) as part:
        part.write_text("done")
        assert not path.exists() and part.parent == path.parent
    assert path.read_text() == "done"
    assert list(path.parent.iterdir()) == [path]


def test_whole_keeps_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "shard.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="halfway"), atomic_write(path) as part:
        part.write_text("ne")
        raise RuntimeError("halfway")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_keeps_the_suffix_so_that_numpy_adds_none(tmp_path):
    with atomic_write(tmp_path / "rows.npy") as part:
        np.save(part, np.arange(3))
    assert np.load(tmp_path / "rows.npy").tolist() == [0, 1, 2]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with atomic_write(tmp_path / "a") as first, atomic_write(tmp_path / "a") as second:
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first", "the outer block ends last"


def test_whole_in_which_nothing_was_written_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        pass
    assert not list(tmp_path.iterdir())


def test_sha256_is_the_published_one_of_abc(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    published = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "abc") == published


def test_json_comes_back_with_its_order_and_letters(tmp_path):
    value = {"b": [1, 2.5, None], "a": "café 🐈"}
    write_json(tmp_path / "x.json", value)
    assert list(read_json(tmp_path / "x.json").items()) == list(value.items())
    assert "café 🐈" in (tmp_path / "x.json").read_text(encoding="utf-8")


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "x.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"a": object()})
    assert read_json(tmp_path / "x.json") == 1


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe"])
def test_a_broken_json_file_is_named(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.json is not whole JSON"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("record", [{}, {"a": [1.5, None, "ä"]}, {"b": {"2": -0.0, "1": True}}])
def test_a_sealed_record_comes_back_and_no_changed_byte_of_it(tmp_path, record):
    path = tmp_path / "record.json"
    write_sealed(path, record)
    assert read_sealed(path) == record
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert read_sealed(path) == record, "white space alone may change"
        except ValueError as reason:
            assert str(path) in str(reason)


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"sha256": 3}', '"sha256"'])
def test_json_without_a_seal_is_no_record(tmp_path, text):
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(ValueError, match="not as it was written"):
        read_sealed(tmp_path / "record.json")


def test_what_a_killed_process_left_goes_after_an_hour_and_not_before(tmp_path):
    for name, hours in ((".part-old-a.json", 1.1), (".part-new-a.json", 0.9), ("part-a", 9)):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - 3600 * hours,) * 2)
    (tmp_path / ".part-folder").mkdir()
    os.utime(tmp_path / ".part-folder", (0, 0))
    write_json(tmp_path / "a.json", 1)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.json", ".part-new-a.json", "part-a", ".part-folder"}
