"""The explorer's other pages, used as a visitor would: map, compare, data, report."""

import html
import json
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
from visiting import captions_of, cards, given, page_html, said, visitor

from sigscope import cli, paths
from sigscope.maps import Making, projection
from sigscope.maps.map import KINDS, MapSettings
from sigscope.tags import TagStore

pytestmark = pytest.mark.slow

WORDS = "a red apple"
LISTED = r'<li( style="--mark: #\w+")?><img src="(.*?)".*?<p>\d+\. (.*?)</p>'


@pytest.fixture(scope="module")
def searcher():
    import resources

    return resources.searcher(key=resources.MAIN)


@pytest.fixture(scope="module", autouse=True)
def maps(searcher):
    """The maps that the page shows, made once in the cache, where the page finds them."""
    for settings in (MapSettings(), MapSettings(KINDS)):
        projection.open_map(searcher.embeddings, settings)


def finished(app):
    """Return a map page once its map is there."""
    for _ in range(1_000):
        if "being made" not in page_text(app):
            return app.run()
        time.sleep(0.3)
        app.run()
    raise AssertionError("the map did not appear")


def page_text(app) -> str:
    return " ".join(str(element) for element in app.get("progress"))


def listed(app) -> list[tuple[str, str, str]]:
    """Return mark, picture and caption of each row of the lists on the page."""
    found = re.findall(LISTED, page_html(app), re.S)
    return [(mark, picture, html.unescape(caption)) for mark, picture, caption in found]


def group(app, key: str):
    return next(group for group in app.get("button_group") if group.key == key)


def test_map_is_shown_with_how_faithful_it_is(searcher):
    app = visitor("map")
    assert not app.exception and points_of(app)
    assert re.search(r"Trustworthiness 0\.\d+, continuity 0\.\d+", said(app))
    assert "Far distances" in said(app)


def test_query_is_placed_on_the_map_and_says_how(searcher):
    app = search_on_map(WORDS)
    assert "Placed at the weighted geometric median of its 15 nearest pictures" in said(app)
    assert "score of the query" in group(app, "colour now").options


def drawn(app) -> str:
    """Return the map's figure, in JSON."""
    return given(app, "map")["figure"]


def points_of(app) -> list[dict]:
    """Return the traces of the map's points."""
    return [trace for trace in json.loads(drawn(app))["data"] if "customdata" in trace]


def test_filter_dims_what_it_leaves_out(searcher):
    app = visitor("map", category="animals", split="test")
    items = searcher.gallery.items
    left = ((items["category"] == "animals") & (items["split"] == "test")).sum()
    assert sum(len(trace["customdata"]) for trace in points_of(app)) == left
    assert f"left out ({len(items) - left:,})" in drawn(app)


def test_every_category_has_a_colour_and_tags_have_theirs(searcher):
    names = {trace["name"].rpartition(" (")[0] for trace in points_of(visitor("map"))}
    assert names >= set(searcher.gallery.items["category"])
    TagStore(searcher.gallery).tag(searcher.embeddings.ids[:3], "ship")
    app = visitor("map", colour="tag")
    TagStore(searcher.gallery).untag(searcher.embeddings.ids[:3], "ship")
    assert "ship (3)" in {trace["name"] for trace in points_of(app)}


def test_a_gallery_is_offered_no_colour_that_it_has_nothing_to_say_of(monkeypatch, searcher):
    import resources
    from parts import mapped

    bare = searcher.gallery.items.assign(category="", split="test")
    monkeypatch.setattr(resources, "gallery", lambda: SimpleNamespace(items=bare))
    monkeypatch.setattr(mapped.kept, "counts", dict)
    quick = projection.quick_map(searcher.embeddings)
    assert mapped.colours(quick, None) == ["split", "hubness"]
    drawn = projection.open_map(searcher.embeddings)
    assert mapped.colours(drawn, None) == ["cluster", "split", "hubness", "trust"]


def test_a_map_that_comes_while_the_quick_one_is_drawn_is_shown_at_last(monkeypatch):
    from parts import mapped

    finished, quick = mapped.making(MapSettings()), mapped.quick
    late = Making()

    def slow(settings):
        late.state, late.map = "ready", finished.map
        return quick(settings)

    monkeypatch.setattr(mapped, "making", lambda *of: late)
    monkeypatch.setattr(mapped, "quick", slow)
    assert "Trustworthiness" in said(visitor("map"))


def search_on_map(words: str):
    app = visitor("map", words)
    assert not app.exception
    return app


def test_selection_is_shown_beside_the_map_with_its_counts_and_on_it(searcher):
    ids = [str(id) for id in searcher.embeddings.ids[[3, 700, 1500]]]
    app = visitor("map", chosen=TagStore(searcher.gallery).select(ids))
    assert not app.exception
    expected = searcher.gallery.items.set_index("id", drop=False).loc[ids]
    assert cards(app) == captions_of(expected)
    assert any(heading.value == "3 selected" for heading in app.subheader)
    assert app.dataframe[0].value["pictures"].sum() == 3
    assert sum(len(trace["selectedpoints"]) for trace in points_of(app)) == 3


def test_selection_is_ordered_by_the_query(searcher):
    found = searcher.by_text(WORDS, 5)
    name = TagStore(searcher.gallery).select(found["id"].tolist()[::-1])
    app = visitor("map", WORDS, chosen=name)
    assert cards(app) == captions_of(found)


def test_pictures_and_captions_share_a_map(searcher):
    app = visitor("map")
    group(app, "points").set_value("both").run()
    assert not app.exception
    assert "picture or caption" in group(app, "colour now").options


def test_result_can_be_shown_on_the_map(searcher):
    first = searcher.by_text(WORDS, 1).iloc[0]
    of = first["caption"]
    assert drawn(visitor("map", on=first["id"])).count(of) > drawn(visitor("map")).count(of)


def test_compare_asks_for_words_first():
    app = visitor("compare")
    assert not app.exception and "Type a few words" in said(app)


def test_compare_lists_what_each_index_finds(searcher):
    app = visitor("compare", WORDS)
    assert not app.exception
    rows = listed(app)
    exact = captions_of(searcher.by_text(WORDS, 10))
    assert [caption for _, _, caption in rows[:10]] == exact
    assert "**10 of 10** that exact search finds" in app.markdown[0].value


def test_compare_marks_shared_results_alike(searcher):
    app = visitor("compare", WORDS)
    rows = listed(app)
    first, second = rows[:10], rows[10:20]
    marks = {picture: mark for mark, picture, _ in first if mark}
    assert marks and all(marks.get(picture, mark) == mark for mark, picture, _ in second)


def test_compare_shows_what_a_poor_index_misses(searcher):
    app = visitor("compare", WORDS)
    next(box for box in app.selectbox if box.key == "index 2").set_value("ivf").run()
    next(s for s in app.select_slider if s.key == "effort2-ivf").set_value(1).run()
    poor = searcher.__class__(
        searcher.gallery, searcher.embeddings, searcher.encoder, "ivf", 1
    ).by_text(WORDS, 10)
    exact = searcher.by_text(WORDS, 10)
    lost = exact[~exact["id"].isin(poor["id"])]
    assert f"**{10 - len(lost)} of 10**" in app.markdown[1].value
    assert [row[2] for row in listed(app)[20:]] == captions_of(lost)


def test_data_page_counts_what_is_loaded(searcher):
    app = visitor("data")
    assert not app.exception
    assert [metric.value for metric in app.metric][0] == f"{len(searcher.gallery):,}"
    table = app.dataframe[0].value
    assert table["pictures"].sum() == len(searcher.gallery)
    assert (table[["train", "val", "test"]].sum(axis=1) == table["pictures"]).all()


def test_data_page_says_which_model_and_index_answer(searcher):
    app = visitor("data")
    values = " ".join(map(str, np.concatenate([f.value.to_numpy().ravel() for f in app.dataframe])))
    assert searcher.encoder.identity["weights"][:16] in values
    assert "flat" in values


def test_report_shows_the_tables_of_a_notebook():
    app = visitor("report")
    app.selectbox(key="book").set_value("06-evaluate-retrieval").run()
    assert not app.exception and len(app.dataframe) > 10
    assert any("What we learned" in heading.value for heading in app.subheader)
    assert len(app.get("plotly_chart")) >= 3


def test_report_says_of_what_a_notebook_was_executed(monkeypatch, tmp_path):
    came = paths.NOTEBOOKS / "06-evaluate-retrieval.ipynb"
    here = tmp_path / came.name
    here.write_bytes(came.read_bytes())
    for path, words in ((came, "Of the shipped gallery and model"), (here, "on this machine")):
        monkeypatch.setattr(cli, "executed", lambda path=path: [path], raising=False)
        assert words in said(visitor("report"))


def test_report_can_leave_figures_out():
    app = visitor("report")
    app.selectbox(key="book").set_value("06-evaluate-retrieval").run()
    app.get("button_group")[0].set_value(["tables"]).run()
    assert not app.exception and not app.get("plotly_chart") and app.dataframe


def test_a_small_gallery_is_not_offered_an_index_that_needs_more_pictures(monkeypatch):
    import resources
    from parts import settings

    for n, offered in ((300, False), (3905, True)):
        monkeypatch.setattr(resources, "gallery", lambda n=n: range(n))
        assert ("opq" in settings.indexes()) is offered and "flat" in settings.indexes()
