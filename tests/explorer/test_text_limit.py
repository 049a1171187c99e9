"""The limit on text: estimated until it is measured, and then what was measured counts."""

import re
import sys
import time

import numpy as np
import pytest
from PIL import Image
from visiting import page_html, said, visitor

from sigscope import paths
from sigscope.rerank import text_areas
from sigscope.rerank.text_areas import Line

COLOURS = ("red", "green", "blue", "black", "white", "yellow")


@pytest.fixture(autouse=True)
def _importable():
    sys.path.insert(0, str(paths.EXPLORER))
    yield
    sys.path.remove(str(paths.EXPLORER))


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """A gallery of colours to choose in the explorer, and a cache of its own."""
    import resources
    from parts import text_limit

    folder = tmp_path / "toys"
    folder.mkdir()
    for name in COLOURS:
        Image.new("RGB", (32, 32), name).save(folder / f"{name}.png")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    resources.sources()["toys"] = str(folder)
    yield "toys"
    del resources.sources()["toys"]
    text_limit._reading.clear()


def reads_green(picture):
    """A reader that finds writing on half of the green picture, and nowhere else."""
    corners = np.array([[0, 0], [15, 0], [15, 31], [0, 31]], float)
    green = picture.getpixel((5, 5)) == (0, 128, 0)
    return [Line(corners, "EXIT", 0.99)] if green else []


@pytest.fixture
def with_reader(monkeypatch):
    from parts import text_limit
    from sigscope.rerank import adjustments

    for module in (text_limit, adjustments):
        monkeypatch.setattr(module, "ocr_is_installed", lambda: True)
    monkeypatch.setattr(text_areas, "_rules", lambda: {"rapidocr": "made up"})
    monkeypatch.setattr(text_areas, "_rapid_reader", lambda: reads_green)


def shown(app):
    """Return the ids of the pictures on the page."""
    return set(re.findall(r'pictures/toys/\w+/([^"]+)"', page_html(app)))


def labels(app):
    return [button.label for button in app.button]


def test_without_the_extra_it_says_that_text_is_estimated_and_what_to_install(toys, monkeypatch):
    from parts import text_limit

    monkeypatch.setattr(text_limit, "ocr_is_installed", lambda: False)
    app = visitor(gallery=toys)
    assert not app.exception and "estimated by prompts" in said(app)
    assert 'to measure it, `pip install -e ".[ocr]"`' in said(app)
    assert "Measure the text in pictures" not in labels(app)
    assert "estimated by prompts" in app.slider(key="text").help


def test_what_was_measured_is_what_the_limit_goes_by(toys, with_reader):
    app = visitor(words="green", gallery=toys)
    before = shown(app)
    assert "green.png" in before and "estimated by prompts" in said(app)
    next(b for b in app.button if b.label == "Measure the text in pictures").click().run()
    for _ in range(100):
        if "estimated" not in said(app):
            break
        time.sleep(0.1)
        app.run()
    assert "measured by character recognition" in app.slider(key="text").help
    app.slider(key="text").set_value(0.45).run()
    assert shown(app) == before - {"green.png"}
    app.slider(key="text").set_value(0.55).run()
    assert shown(app) == before
    assert len(list((paths.CACHE / "text-areas").glob("*.json"))) == 1


def test_a_gallery_measured_before_is_not_estimated_again(toys, with_reader):
    import resources

    text_areas.measure_text_areas(resources.gallery(toys))
    app = visitor(gallery=toys)
    assert "estimated" not in said(app)
    assert "measured by character recognition" in app.slider(key="text").help


def test_a_reader_that_fails_is_a_sentence_and_can_be_asked_again(toys, with_reader, monkeypatch):
    def broken():
        raise ModuleNotFoundError("onnxruntime is missing")

    monkeypatch.setattr(text_areas, "_rapid_reader", broken)
    app = visitor(gallery=toys)
    next(b for b in app.button if b.label == "Measure the text in pictures").click().run()
    for _ in range(100):
        if "onnxruntime is missing" in said(app):
            break
        time.sleep(0.1)
        app.run()
    assert "onnxruntime is missing" in said(app) and "Measure the text in pictures" in labels(app)
