"""The explorer's page, used as a visitor would; the model and the gallery are the shipped ones."""

import html
import re
import sys
import tomllib
from io import BytesIO

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from sigscope import paths

WORDS = "a red apple"


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, str(paths.EXPLORER))
    yield
    sys.path.remove(str(paths.EXPLORER))


@pytest.fixture(scope="module")
def searcher():
    import resources

    return resources.searcher()


@pytest.fixture
def visit(searcher):
    return visitor()


def visitor() -> AppTest:
    return AppTest.from_file(str(paths.EXPLORER / "app.py"), default_timeout=120).run()


def page_html(app: AppTest) -> str:
    return "".join(element.value for element in app.get("html"))


def cards(app: AppTest) -> list[str]:
    """Return the captions of the pictures on the page, in their order."""
    found = re.findall(r'<figure class="card">.*?<figcaption title="(.*?)"', page_html(app), re.S)
    return [html.unescape(caption) for caption in found]


def search(app: AppTest, words: str) -> AppTest:
    app.text_input(key="words").set_value(words)
    return next(button for button in app.button if button.label == "Search").click().run()


def upload(app: AppTest, data: bytes, name: str = "mine.png") -> AppTest:
    return app.get("file_uploader")[0].set_value((name, data, "image/png")).run()


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def some_item(searcher, row: int = 0) -> str:
    return str(searcher.embeddings.ids[row])


def captions_of(table) -> list[str]:
    return [caption or "no caption" for caption in table["caption"]]


def is_first_visit(app: AppTest) -> bool:
    return any(heading.value == "A few of them" for heading in app.subheader)


def test_first_visit_shows_pictures_and_says_what_answers(visit, searcher):
    assert not visit.exception and is_first_visit(visit)
    assert len(cards(visit)) == min(10, len(searcher))
    said = " ".join(caption.value for caption in visit.caption)
    for fact in (searcher.encoder.describe(), searcher.gallery.name, "flat", "leaves this machine"):
        assert fact in said


def test_other_pictures_can_be_drawn(visit):
    before = cards(visit)
    visit.button(key="others").click().run()
    assert is_first_visit(visit) and cards(visit) != before


def test_words_find_what_the_searcher_finds(visit, searcher):
    search(visit, f"  {WORDS} ")
    assert not visit.exception
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 20))
    assert visit.text[0].value == f"Pictures for “{WORDS}”"
    assert re.search(r"encode [\d.]+ ms · search [\d.]+ ms", visit.caption[0].value)


def test_example_is_searched_and_written_into_the_box(visit, searcher):
    visit.button(key="try-music").click().run()
    assert visit.text_input(key="words").value == "music"
    assert cards(visit) == captions_of(searcher.by_text("music", 20))


def test_number_of_results_follows_the_slider(visit, searcher):
    visit.slider(key="k").set_value(5)
    search(visit, WORDS)
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 5))


def test_picture_finds_itself_first_and_its_captions(visit, searcher):
    picture = searcher.gallery.picture(some_item(searcher))
    upload(visit, png(picture))
    assert not visit.exception
    assert cards(visit) == captions_of(searcher.by_picture(png(picture), 20))
    listed = re.findall(r"<li><span>.*?</span>(.*?)</li>", page_html(visit))
    best = searcher.captions_for(png(picture), 50)["caption"].drop_duplicates().head(5)
    assert [html.unescape(text) for text in listed] == best.tolist()


def test_more_like_this_shows_neighbours_without_the_item_itself(visit, searcher):
    search(visit, WORDS)
    second = searcher.by_text(WORDS, 20)["id"].iat[1]
    visit.button(key="like-1").click().run()
    assert not visit.exception
    assert cards(visit) == captions_of(searcher.like(second, 20))
    assert visit.text_input(key="words").value == ""


def test_category_keeps_only_its_pictures(visit, searcher):
    category = searcher.gallery.items["category"].iat[0]
    search(visit, WORDS)
    visit.multiselect(key="categories").set_value([category]).run()
    assert not visit.exception
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 20, category=category))


def test_newest_act_wins_and_empties_the_other_ways_to_ask(visit, searcher):
    upload(visit, png(searcher.gallery.picture(some_item(searcher))))
    search(visit, WORDS)
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 20))
    assert visit.get("file_uploader")[0].value is None


def test_clear_begins_anew(visit):
    search(visit, WORDS)
    visit.button(key="clear").click().run()
    assert is_first_visit(visit) and visit.text_input(key="words").value == ""


@pytest.mark.parametrize("words", ["", "   "])
def test_blank_words_get_a_sentence(visit, words):
    search(visit, words)
    assert not visit.exception and not cards(visit)
    assert visit.error[0].value.startswith("The query is empty; write a few words")


@pytest.mark.parametrize(
    "data", [b"", b"not a picture", b"<html><body>404</body></html>", b"\x89PNG\r\n\x1a\n cut"]
)
def test_what_is_no_picture_gets_a_sentence(visit, data):
    upload(visit, data)
    assert not visit.exception and not cards(visit)
    assert re.fullmatch(r"[A-Z].{20,}\.", visit.error[0].value, re.S)


def test_visitors_do_not_see_each_others_queries(visit, searcher):
    other = visitor()
    search(visit, WORDS)
    search(other, "music")
    visit.run()
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 20))
    assert cards(other) == captions_of(searcher.by_text("music", 20))


def test_captions_are_never_read_as_html(searcher, monkeypatch):
    import grid

    evil = '"><img src=x onerror="alert(1)"> **bold**'
    shown = grid._card({"id": some_item(searcher), "caption": evil, "category": evil})
    assert shown.count("<img") == 1 and "onerror=" not in shown.replace(html.escape(evil), "")


def test_settings_keep_the_explorer_on_this_machine():
    with (paths.EXPLORER / ".streamlit" / "config.toml").open("rb") as file:
        settings = tomllib.load(file)
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["server"]["allowedHosts"] == ["localhost", "127.0.0.1"]
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"
    assert settings["client"]["toolbarMode"] == "minimal"


def test_the_index_and_its_effort_are_chosen_and_said(visit, searcher):
    visit.selectbox("index").set_value("hnsw").run()
    visit.select_slider("effort-hnsw").set_value(16).run()
    found = search(visit, "a red bus")
    assert not found.exception
    exact = searcher.by_text("a red bus", 20)
    assert len(set(cards(found)) & set(captions_of(exact))) > len(exact) // 2
    assert any("Index: hnsw, efSearch 16" in line.value for line in found.caption)


def test_lowering_pictures_of_text_changes_what_words_find(visit, searcher):
    plain = cards(search(visit, "green"))
    visit.slider("less_text").set_value(0.3).run()
    lowered = cards(visit)
    assert lowered == captions_of(searcher.by_text("green", 20, less_text=0.3))
    assert lowered != plain


def test_hubs_are_tamed_on_request(visit, searcher):
    search(visit, "red apple")
    visit.toggle("tame").set_value(True).run()
    assert cards(visit) == captions_of(searcher.by_text("red apple", 20, tame_hubs=True))
