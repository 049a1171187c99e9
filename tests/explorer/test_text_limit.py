"""The limit on text: what was measured counts, and what was not is not offered."""

import time

import numpy as np
import pytest
from PIL import Image
from visiting import grid, on_list, visitor

from sigscope import paths
from sigscope.rerank import text_areas
from sigscope.rerank.text_areas import Line

COLOURS = ("red", "green", "blue", "black", "white", "yellow")


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """A gallery of colours to choose in the explorer, and a cache of its own."""
    from parts import text_limit

    folder = tmp_path / "toys"
    folder.mkdir()
    for name in COLOURS:
        Image.new("RGB", (32, 32), name).save(folder / f"{name}.png")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    with on_list("toys", folder) as key:
        yield key
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
    return {row[0] for row in grid(app)["rows"]}


def labels(app):
    return [button.label for button in app.button]


def measure(app):
    """Have the text measured, and return the page once that has come to an end."""
    next(b for b in app.button if b.label == "Measure the text in pictures").click().run()
    for _ in range(1_200):
        if not any("is being measured" in line.value for line in app.caption):
            return app
        time.sleep(0.1)
        app.run()
    raise AssertionError("the measuring did not end")


def test_what_was_not_measured_is_not_offered_and_leaves_nothing_out(toys, monkeypatch):
    from parts import text_limit

    monkeypatch.setattr(text_limit, "ocr_is_installed", lambda: False)
    app = visitor(gallery=toys, q="green", text="0.3")
    assert not app.exception and not app.slider and "Measure" not in " ".join(labels(app))
    assert "has not been measured" in app.error[0].value
    assert shown(app) == shown(visitor(gallery=toys, q="green"))


def test_what_was_measured_is_what_the_limit_goes_by(toys, with_reader):
    app = visitor(words="green", gallery=toys)
    before = shown(app)
    assert "green.png" in before and not app.slider
    measure(app)
    assert "measured by character recognition" in app.slider(key="text").help
    app.slider(key="text").set_value(0.45).run()
    assert shown(app) == before - {"green.png"}
    app.slider(key="text").set_value(0.55).run()
    assert shown(app) == before
    assert len(list((paths.CACHE / "text-areas").glob("*.json"))) == 1


def test_a_gallery_measured_before_is_offered_the_limits_at_once(toys, with_reader):
    import resources

    text_areas.measure_text_areas(resources.gallery(toys))
    app = visitor(gallery=toys)
    assert "measured by character recognition" in app.slider(key="text").help
    assert app.slider(key="less")


def test_a_reader_that_fails_is_a_sentence_and_can_be_asked_again(toys, with_reader, monkeypatch):
    def broken():
        raise ModuleNotFoundError("onnxruntime is missing")

    monkeypatch.setattr(text_areas, "_rapid_reader", broken)
    app = measure(visitor(gallery=toys))
    assert "onnxruntime is missing" in app.error[0].value
    assert "Measure the text in pictures" in labels(app)
