"""Models beside each other on the page Compare, and a reader on the page Search."""

import re

import pytest
from reader_checkpoints import blip
from toy import write_gallery
from visiting import cards, on_list, page_html, press, said, search, visitor


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """A gallery of sixty squares, by its key."""
    import resources

    folder = write_gallery(tmp_path / "Toys", 60, size=32)
    monkeypatch.setattr(resources, "AT_ONCE", 60)  # so that no job of the server's is waited for
    with on_list("toys", folder) as key:
        yield key


def test_compare_offers_no_comparison_of_a_model_with_itself():
    assert "Compare the models" not in [button.label for button in visitor("compare").button]


def test_compare_holds_models_against_each_other(checkpoint, toys, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_MODELS", str(checkpoint("siglip")))
    app = visitor("compare")
    app.session_state["gallery"] = toys
    press(app.run(), "Compare the models")
    assert not app.exception
    scores, costs, likeness = (frame.value for frame in app.dataframe)
    assert scores["model"].unique().tolist() == ["siglit-mini", "siglip"]
    assert costs["dimension"].tolist() == [384, 32] and 0 < likeness["cka"][0] < 1
    won = [line.value for line in app.markdown if "alone answers" in line.value]
    assert len(won) == 2 and page_html(app).count("by others") == sum(map(int, re.findall(
        r"\*\*(\d+) captions", " ".join(won))))  # fmt: skip


def test_a_reader_orders_the_first_results_only_where_one_is_configured_and_asked(
    toys, monkeypatch, tmp_path
):
    app = visitor(gallery=toys)
    assert not [toggle for toggle in app.toggle if toggle.key == "read"]
    monkeypatch.setenv("SIGSCOPE_RERANKER", str(blip(tmp_path / "blip")))
    search(app, "a red square")
    first = cards(app)
    app.toggle("read").set_value(True).run()
    assert not app.exception and "· reading " in said(app)
    assert cards(app) != first and app.query_params["read"] == "1"
    app.toggle("read").set_value(False).run()
    assert cards(app) == first and "· reading " not in said(app)
