"""Bytes of one encoding within a file of another: no garbled caption, and none lost unsaid."""

import pytest
from dataset_files import items, pictures, write

from sigscope import paths
from sigscope.datasets.load import load_gallery

KOSHKA = "кошка спит"
WHOLE = ["one", "three"]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def read(root, name, data):
    """Return the captions of three pictures with a file beside them, and what was said of it."""
    pictures(root, "a.jpg", "b.jpg", "c.jpg")
    write(root / name, data)
    found = load_gallery(root)
    said = [f"{path}: {reason}" for path, reason in found.problems.itertuples(index=False)]
    return [" / ".join(texts) for texts in items(found, "captions").values()], said


@pytest.mark.parametrize(
    "mixed",
    [
        KOSHKA.encode("utf-16"), KOSHKA.encode("utf-16-le"), KOSHKA.encode("utf-16-be"),
        "猫が寝ている".encode("utf-16"), "two words".encode("utf-16"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows", [1, 400])
def test_utf_16_within_a_row_costs_that_row_and_is_told(tmp_path, mixed, rows):
    further = b"".join(b"c.jpg,three\n" for _ in range(rows))
    data = b"image,caption\na.jpg,one\nb.jpg," + mixed + b"\n" + further
    captions, said = read(tmp_path / "x", "captions.csv", data)
    assert captions == ["one", "", "three"]
    assert said == [
        "captions.csv: line 3 holds bytes of another encoding, and is left out; save the file as "
        "UTF-8"
    ]


def test_a_line_of_json_in_utf_16_costs_that_line_and_is_told(tmp_path):
    lines = ['{"image":"a.jpg","text":"one"}\n', '{"image":"c.jpg","text":"three"}\n']
    mixed = f'{{"image":"b.jpg","text":"{KOSHKA}"}}'.encode("utf-16") + b"\n"
    data = lines[0].encode() + mixed + lines[1].encode()
    captions, said = read(tmp_path / "x", "data.jsonl", data)
    assert captions == ["one", "", "three"]
    assert len(said) == 1 and said[0].startswith("data.jsonl: line 2 ")


def test_what_a_shell_appends_in_utf_16_is_read(tmp_path):
    data = b"image,caption\r\na.jpg,one\r\nb.jpg,two\r\n" + "c.jpg,dreißig\r\n".encode("utf-16-le")
    captions, _ = read(tmp_path / "x", "captions.csv", data)
    assert captions == ["one", "two", "dreißig"]


def test_marks_of_files_put_one_behind_the_other_are_no_part_of_names(tmp_path):
    data = "\ufeffimage,caption\na.jpg,one\n\ufeffb.jpg,two\n\ufeffc.jpg,drei Äpfel\n"
    assert read(tmp_path / "x", "captions.csv", data) == (["one", "two", "drei Äpfel"], [])


def test_bytes_that_had_to_be_guessed_at_are_told(tmp_path):
    data = "\ufeffimage,caption\na.jpg,été\nb.jpg,".encode() + b"caf\xe9\nc.jpg,\xc3\xbcber\n"
    captions, said = read(tmp_path / "x", "captions.csv", data)
    assert captions == ["été", "café", "über"]
    assert said == [
        "captions.csv: bytes that are not UTF-8, read as Windows-1252, in 1 line, the first 3"
    ]


def test_signs_that_an_earlier_program_put_for_letters_are_told(tmp_path):
    data = "image,caption\na.jpg,caf\ufffd\nb.jpg,two\nc.jpg,three\n"
    captions, said = read(tmp_path / "x", "captions.csv", data)
    assert captions == ["caf\ufffd", "two", "three"]
    assert said == [
        "captions.csv: \ufffd for letters that could not be read in 1 line, the first 2"
    ]


def test_a_control_character_in_json_costs_no_other_caption(tmp_path):
    texts = (b"one\x0bmore", b"two\x01 words of it and more")
    rows = [b'{"image":"%c.jpg","text":"%s"}' % pair for pair in zip(b"ab", texts, strict=True)]
    data = b"[" + b",".join(rows) + b"]"
    captions, _ = read(tmp_path / "x", "data.json", data)
    assert captions[0].split() == ["one", "more"] and captions[1].startswith("two")


@pytest.mark.parametrize(
    "mixed", [b"ok \xff\xfeb\0a\0d\0", b"a cat\n" + KOSHKA.encode("utf-16-le")]
)
def test_a_text_of_two_encodings_beside_a_picture_is_no_caption_and_is_told(tmp_path, mixed):
    captions, said = read(tmp_path / "x", "a.txt", mixed)
    assert captions == ["", "", ""]
    assert said == ["a.txt: it is of several encodings; save it as UTF-8"]
