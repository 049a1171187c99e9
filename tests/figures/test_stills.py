import base64
from io import BytesIO
from time import perf_counter

import plotly.graph_objects as go
import pytest
from PIL import Image

from sigscope.figures import stills

FIGURE = go.Figure(go.Bar(x=[1, 2], y=[3, 4]))


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(stills, "_gave_up", stills.threading.Event())


@pytest.fixture
def no_browser(monkeypatch):
    monkeypatch.setattr(stills, "_can_draw", lambda: False)


def picture_in(bundle):
    return Image.open(BytesIO(base64.b64decode(bundle["image/png"])))


def test_a_shown_figure_is_live_and_still_and_has_words(monkeypatch):
    drawn = BytesIO()
    Image.new("RGB", (1520, 760), "red").save(drawn, "PNG")
    monkeypatch.setattr(stills, "_can_draw", lambda: True)
    monkeypatch.setattr(stills, "_drawn", lambda figure, options: drawn.getvalue())
    data, metadata = stills.show(FIGURE, "two bars")._repr_mimebundle_()
    assert data[stills.PLOTLY]["data"][0]["type"] == "bar"
    assert data["text/plain"] == "Figure: two bars"
    assert picture_in(data).convert("RGB").getpixel((9, 9)) == (255, 0, 0)
    assert metadata["image/png"] == {"alt": "two bars", "width": 760, "height": 380}


def test_words_written_of_the_shipped_pictures_say_so_beside_others(no_browser, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_GALLERY", "elsewhere")
    data, metadata = stills.show(FIGURE, "two bars")._repr_mimebundle_()
    assert data["text/plain"] == "Figure: Of the shipped gallery and model: two bars"
    assert metadata["image/png"]["alt"] in data["text/plain"]


def test_nothing_offers_to_send_the_figure_away(no_browser):
    data, _ = stills.show(FIGURE, "two bars")._repr_mimebundle_()
    assert data[stills.PLOTLY]["config"]["showSendToCloud"] is False
    assert "plotlyServerURL" not in data[stills.PLOTLY]["config"]


def test_without_a_browser_the_picture_says_so_and_the_rest_is_the_same(no_browser, capfd):
    data, _ = stills.show(FIGURE, "two bars")._repr_mimebundle_()
    assert data[stills.PLOTLY]["data"][0]["type"] == "bar"
    assert picture_in(data).width == stills.WIDTH
    assert capfd.readouterr() == ("", "")


def test_a_browser_that_fails_once_is_not_asked_again(monkeypatch):
    asked = []

    def fail(figure, options):
        asked.append(options)
        raise RuntimeError("no sandbox")

    monkeypatch.setattr(stills, "_can_draw", lambda: True)
    monkeypatch.setattr(stills, "_drawn", fail)
    assert [stills.still(FIGURE), stills.still(FIGURE)] == [None, None]
    assert len(asked) == 1


def test_a_browser_that_hangs_is_left_behind(monkeypatch):
    hung = stills.threading.Event()
    monkeypatch.setattr(stills, "PATIENCE_S", 0.05)
    monkeypatch.setattr(stills, "_can_draw", lambda: True)
    monkeypatch.setattr(stills, "_drawn", lambda figure, options: hung.wait(30))
    start = perf_counter()
    assert stills.still(FIGURE) is None
    assert perf_counter() - start < 10
    hung.set()


@pytest.mark.parametrize("command", ["raise SystemExit(1)", "import time; time.sleep(60)"])
def test_a_broken_browser_is_found_out_by_asking_its_version(command, monkeypatch, tmp_path):
    pytest.importorskip("kaleido")
    browser = tmp_path / "browser"
    browser.write_text(f"#!/usr/bin/env python3\n{command}\n")
    browser.chmod(0o755)
    monkeypatch.setattr(stills, "_browser", lambda: str(browser))
    monkeypatch.setattr(stills, "ANSWER_S", 0.5)
    assert stills._can_draw.__wrapped__() is False


@pytest.mark.slow
@pytest.mark.skipif(not stills._can_draw(), reason="kaleido or a browser is not installed")
def test_a_still_shows_the_bars_in_their_colour():
    figure = go.Figure(go.Bar(x=["a"], y=[1], marker_color="#0072B2"), {"height": 300})
    picture = Image.open(BytesIO(stills.still(figure))).convert("RGB")
    assert picture.size == (1520, 600)
    assert picture.getpixel((760, 300)) == (0, 0x72, 0xB2)


def test_numbers_of_a_layout_are_short():
    figure = go.Figure().update_layout(xaxis={"domain": [0.0, 1 / 3]})
    drawn = stills.show(figure, "Nothing.")._repr_mimebundle_()[0][stills.PLOTLY]
    assert drawn["layout"]["xaxis"]["domain"] == [
        0.0,
        0.33333,
    ]
