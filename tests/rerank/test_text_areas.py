import json
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFont

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.rerank import text_areas
from sigscope.rerank.text_areas import Line, covered


def box(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


def line(corners, text="WORD", confidence=0.99):
    return Line(corners, text, confidence)


@pytest.fixture
def gallery(tmp_path):
    for name, size in (("a", (100, 50)), ("b", (40, 40))):
        Image.new("RGB", size, "white").save(tmp_path / f"{name}.png")
    return load_gallery(tmp_path)


@pytest.mark.parametrize(
    ("lines", "share"),
    [
        ([], 0),
        ([line(box(0, 0, 49, 49))], 0.5),
        ([line(box(0, 0, 49, 49)), line(box(25, 0, 74, 49))], 0.75),
        ([line(box(-50, -50, 24, 99))], 0.25),
    ],
)
def test_what_lines_cover_counts_once_and_only_inside_the_picture(lines, share):
    assert covered(lines, 100, 50) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("text", "confidence", "is_read"),
    [
        ("EXIT", 0.95, True),
        ("x7", 0.9, True),
        ("7", 1.0, False),  # an apple is read as 0, a hammer as T
        ("Oo", 1.0, False),
        ("EXIT", 0.6, False),
        ("★A★", 1.0, False),
    ],
)
def test_a_line_is_read_when_it_has_two_signs_read_with_confidence(text, confidence, is_read):
    assert line(box(0, 0, 1, 1), text, confidence).is_read == is_read


def a_reader(picture):
    """In wide pictures it reads the left half, and takes the right half for a star."""
    if picture.width == picture.height:
        return []
    return [line(box(0, 0, 49, 49)), line(box(50, 0, 99, 49), "★")]


def test_areas_tell_what_was_found_from_what_was_read(gallery):
    table = text_areas.measure_text_areas(gallery, reader=a_reader)
    expected = {"id": ["a.png", "b.png"], "found": [1.0, 0.0], "read": [0.5, 0.0]}
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected | {"text": ["WORD", ""]}))


def test_a_picture_that_cannot_be_opened_is_left_out_and_named(gallery, caplog):
    gallery.file("a.png").write_bytes(b"no picture")
    table = text_areas.measure_text_areas(gallery, reader=a_reader)
    assert table["id"].tolist() == ["b.png"]
    assert "a.png was left out" in caplog.text


def test_areas_are_measured_once_per_gallery(gallery, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(text_areas, "_rules", lambda: {"rapidocr": "0"})
    monkeypatch.setattr(text_areas, "_rapid_reader", lambda: a_reader)
    first = text_areas.measure_text_areas(gallery)
    monkeypatch.setattr(text_areas, "_rapid_reader", lambda: pytest.fail("measured again"))
    pd.testing.assert_frame_equal(text_areas.measure_text_areas(load_gallery(gallery.root)), first)
    (kept,) = (tmp_path / "cache").rglob("*.json")
    assert json.loads(kept.read_text())["fingerprint"] == gallery.fingerprint


def test_other_rules_or_other_pictures_are_measured_anew(gallery, monkeypatch):
    monkeypatch.setattr(text_areas, "_rules", lambda: {"rapidocr": "0"})
    file = text_areas._cache_file(gallery)
    monkeypatch.setattr(text_areas, "_rules", lambda: {"rapidocr": "1"})
    assert text_areas._cache_file(gallery) != file
    monkeypatch.setattr(text_areas, "_rules", lambda: {"rapidocr": "0"})
    Image.new("RGB", (300, 200), "red").save(gallery.root / "c.png")
    assert text_areas._cache_file(load_gallery(gallery.root)) != file


def test_a_missing_extra_is_one_sentence_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        text_areas._rapid_reader()
    assert str(caught.value).endswith('run pip install -e ".[ocr]"')


def test_rapidocr_reads_a_word_and_not_a_shape():
    pytest.importorskip("rapidocr")
    reader = text_areas._rapid_reader()
    word, shape = (Image.new("RGB", (240, 120), "white") for _ in range(2))
    ImageDraw.Draw(word).text((20, 30), "HOTEL", "black", font=ImageFont.load_default(60))
    ImageDraw.Draw(shape).ellipse((40, 20, 200, 100), fill="red")
    (read,) = (found for found in reader(word) if found.is_read)
    assert read.text == "HOTEL"
    assert 0.2 < covered([read], 240, 120) < 0.9
    assert not [found for found in reader(shape) if found.is_read]
