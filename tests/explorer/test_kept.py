"""Pictures are chosen, tagged and shown alone, searches are kept, and the address says so."""

import pytest
from visiting import captions_of, cards, grid, press, search, visitor

from sigscope import load_gallery
from sigscope.spreadsheets import csv_of
from sigscope.tags import STAR, TagStore

pytestmark = pytest.mark.slow

WORDS = "a red apple"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_TAGS", str(tmp_path / "tags.sqlite"))
    return TagStore(load_gallery())


@pytest.fixture
def ids(searcher):
    return searcher.by_text(WORDS, 3, by="both")["id"].tolist()


@pytest.fixture(scope="module")
def searcher():
    import resources

    return resources.searcher(key=resources.MAIN)


def bar(app) -> list[str]:
    return [button.label for button in app.button if button.key in ("star", "choose none")]


def test_tag_narrows_every_search_and_is_in_the_address(store, searcher, ids):
    store.tag(ids, "ship")
    app = search(visitor(tag="ship"), "a dog")
    assert not app.exception and not app.error
    assert cards(app) == captions_of(searcher.by_text("a dog", 20, by="both", ids=ids))
    assert app.query_params["tag"] == "ship" and len(cards(app)) == 3
    app.multiselect(key="tag").set_value([]).run()
    assert len(cards(app)) == 20 and "tag" not in app.query_params
    assert sorted(cards(visitor(tag="ship"))) == sorted(captions_of(
        searcher.gallery.items.set_index("id", drop=False).loc[ids]
    ))  # fmt: skip


def test_selection_gets_a_star_and_tags(store, ids):
    app = visitor(q=WORDS, chosen=store.select(ids[:2]))
    assert grid(app)["chosen"] == ids[:2] and bar(app) == ["Star", "Deselect"]
    press(app, "Star")
    assert bar(app) == ["Unstar", "Deselect"]
    app.text_input(key="new tag").set_value(" Red Fruit").run()
    expected = {id: [STAR, "red fruit"] for id in ids[:2]}
    assert grid(app)["tags"] == expected
    pills = next(one for one in app.get("button_group") if one.key == "shared tags")
    pills.set_value([STAR]).run()
    assert grid(app)["tags"] == {id: [STAR] for id in ids[:2]}
    press(app, "Deselect")
    assert not bar(app) and "chosen" not in app.query_params


def test_selection_is_shown_alone_and_the_whole_again(store, searcher, ids):
    app = press(visitor(q="a dog", chosen=store.select(ids)), "Open alone")
    alone = captions_of(searcher.by_text("a dog", 20, by="both", ids=ids))
    assert cards(app) == alone and not bar(app)
    assert cards(visitor(q="a dog", among=app.query_params["among"])) == alone
    press(app, "Selection of 3 ✕")
    assert len(cards(app)) == 20


@pytest.mark.parametrize("name", ["tag", "chosen", "among"])
def test_what_nobody_kept_is_said(store, name):
    app = visitor(**{name: "nothing such"})
    assert not app.exception and len(app.error) == 1 and len(cards(app)) == 20


def test_tags_are_taken_in_from_a_table_and_others_are_told(store, ids):
    app = visitor(q=WORDS)
    table = store.tags().reindex(range(2)).assign(id=[ids[0], "gone.png"], tag=["ship", "ship"])
    uploader = next(one for one in app.get("file_uploader") if "tags" in one.label)
    uploader.set_value(("tags.csv", csv_of(table).encode(), "text/csv")).run()
    assert grid(app)["tags"] == {ids[0]: ["ship"]}
    assert "1 rows name pictures" in app.error[0].value
    uploader = next(one for one in app.get("file_uploader") if "tags" in one.label)
    uploader.set_value(("tags.csv", b"\xff\x00", "text/csv")).run()
    assert "columns id and tag" in app.error[0].value and not app.exception


def test_damaged_tags_are_said_and_searching_goes_on(store, ids, tmp_path):
    store.tag(ids, "ship")
    (tmp_path / "tags.sqlite").write_bytes(b"no database")
    app = visitor(q=WORDS)
    assert "tags.sqlite" in app.error[0].value and len(cards(app)) == 20


def test_search_is_saved_by_name_opened_and_forgotten(store, searcher):
    app = visitor(q=WORDS, split="test", index="hnsw", chosen=store.select(["none"]))
    found = cards(app)
    app.text_input(key="name of the search").set_value("Red fruit").run()
    other = visitor(q="a dog", like=str(searcher.embeddings.ids[0]))
    press(other, "red fruit")
    assert cards(other) == found
    assert other.query_params == {"q": WORDS, "split": "test", "index": "hnsw"}
    other.button(key="forget red fruit").click().run()
    assert not store.searches() and not other.exception
