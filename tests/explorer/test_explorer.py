"""The explorer's search page, used as a visitor would; model and gallery are the shipped ones."""

import re
import tomllib
from html import unescape

import pytest
from visiting import (
    captions_of,
    cards,
    grid,
    page_html,
    png,
    press,
    said,
    search,
    upload,
    visitor,
)

from sigscope import paths
from sigscope.search.compose import Part

WORDS = "a red apple"


@pytest.fixture(scope="module")
def searcher():
    import resources

    return resources.searcher(key=resources.MAIN)


@pytest.fixture
def visit(searcher):
    return visitor()


def some_item(searcher, row: int = 0) -> str:
    return str(searcher.embeddings.ids[row])


def is_first_visit(app) -> bool:
    return "drawn at random" in said(app)


def test_first_visit_shows_pictures_and_says_what_answers(visit, searcher):
    assert not visit.exception and is_first_visit(visit)
    assert len(cards(visit)) == min(20, len(searcher))
    for fact in (searcher.encoder.describe(), searcher.gallery.name, "flat", "leaves this machine"):
        assert fact in said(visit)


def test_other_pictures_can_be_drawn(visit):
    before = cards(visit)
    visit.button(key="others").click().run()
    assert is_first_visit(visit) and cards(visit) != before


def test_words_find_what_the_searcher_finds(visit, searcher):
    search(visit, f"  {WORDS} ")
    assert not visit.exception
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 20, by="both"))
    assert re.search(r"encode [\d.]+ ms · search [\d.]+ ms · good match", said(visit))


@pytest.mark.parametrize("number", range(3))
def test_examples_are_searched_written_into_the_box_and_match(visit, searcher, number):
    button = [one for one in visit.button if (one.key or "").startswith("try-")][number]
    button.click().run()
    example = button.label
    assert visit.text_input(key="q").value == example
    assert cards(visit) == captions_of(searcher.by_text(example, 20, by="both"))
    assert "good match" in said(visit)


def test_number_of_results_is_in_the_address(searcher):
    app = visitor(q=WORDS, k="5")
    assert cards(app) == captions_of(searcher.by_text(WORDS, 5, by="both"))
    assert grid(app)["more"] == len(searcher), "the grid can be scrolled to the gallery's end"


def test_picture_finds_itself_first(visit, searcher):
    picture = searcher.gallery.picture(some_item(searcher))
    upload(visit, png(picture))
    assert not visit.exception
    assert cards(visit) == captions_of(searcher.by_picture(png(picture), 20))


def test_picture_can_be_asked_for_captions_instead(visit, searcher):
    picture = png(searcher.gallery.picture(some_item(searcher)))
    upload(visit, picture)
    visit.get("button_group")[0].set_value("captions").run()
    listed = re.findall(r"<li><span>.*?</span>(.*?)</li>", page_html(visit))
    best = searcher.captions_for(picture, 200)["caption"].drop_duplicates().head(20)
    assert [unescape(text) for text in listed] == best.tolist()


def test_words_and_a_picture_are_one_query(visit, searcher):
    picture = png(searcher.gallery.picture(some_item(searcher)))
    upload(visit, picture)
    search(visit, WORDS)
    both = [Part("text", WORDS), Part("picture", picture)]
    assert cards(visit) == captions_of(searcher.by_parts(both, 20))
    assert cards(visit) != captions_of(searcher.by_picture(picture, 20))


def test_how_much_a_part_counts_is_the_visitors_choice(visit, searcher):
    upload(visit, png(searcher.gallery.picture(some_item(searcher))))
    search(visit, WORDS)
    before = cards(visit)
    visit.slider(key="weight of q").set_value(0.1).run()
    assert cards(visit) != before


def test_picture_and_words_can_be_mixed_by_a_sentence(visit, searcher):
    item = some_item(searcher)
    upload(visit, png(searcher.gallery.picture(item)))
    search(visit, WORDS)
    visit.radio(key="mix").set_value("sentence").run()
    assert "The sentence that was searched for" in said(visit) and WORDS in said(visit)


def test_unwanted_words_are_taken_off(visit, searcher):
    search(visit, "apple", unwanted="a drawing")
    parts = [Part("text", "apple"), Part("text", "a drawing", -0.5)]
    assert cards(visit) == captions_of(searcher.by_parts(parts, 20, by="both"))


def test_unwanted_words_alone_get_a_sentence(visit):
    search(visit, "", unwanted="a drawing")
    assert not visit.exception and "add one that says what they should be" in visit.error[0].value


def test_more_like_this_shows_neighbours_without_the_item_itself(searcher):
    second = searcher.by_text(WORDS, 20, by="both")["id"].iat[1]
    assert cards(visitor(like=second)) == captions_of(searcher.like(second, 20))


def test_less_like_this_pushes_an_item_away(searcher):
    second = searcher.by_text(WORDS, 20, by="both")["id"].iat[1]
    parts = [Part("text", WORDS), Part("item", second, -0.5)]
    best = searcher.by_parts(parts, 20, by="both")
    assert cards(visitor(q=WORDS, unlike=second)) == captions_of(best)


def test_item_can_join_the_query_and_leave_it(searcher):
    first = searcher.by_text(WORDS, 1, by="both")["id"].iat[0]
    app = visitor(q=WORDS, like=first)
    parts = [Part("text", WORDS), Part("item", first)]
    assert cards(app) == captions_of(searcher.by_parts(parts, 20))
    press(app, "✕")  # the words, which stand first
    assert cards(app) == captions_of(searcher.like(first, 20))


def test_category_and_split_keep_only_their_pictures(visit, searcher):
    category = searcher.gallery.items["category"].iat[0]
    search(visit, WORDS)
    visit.multiselect(key="category").set_value([category])
    visit.multiselect(key="split").set_value(["test"]).run()
    only = {"category": category, "split": "test"}
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 20, by="both", **only))


def test_address_brings_the_whole_query_back(searcher):
    item, other = some_item(searcher), some_item(searcher, 5)
    app = visitor(q=WORDS, k="10", like=[item], unlike=[other], split="test")
    parts = [Part("text", WORDS), Part("item", item), Part("item", other, -0.5)]
    assert not app.exception
    assert cards(app) == captions_of(searcher.by_parts(parts, 10, split="test"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("like", "../../etc/passwd"), ("k", "many"), ("k", "0"), ("split", "none such"),
     ("category", "<b>none</b>"), ("index", "HNSW32"), ("view", "Pictures"), ("gallery", "gone"),
     ("by", "luck"),
     ("weight", "q:heavy"), ("picture", "0123456789ab"), ("effort", "7"), ("nonsense", "1")],
)  # fmt: skip
def test_what_the_address_names_and_nobody_knows_is_said(searcher, name, value):
    index = {"index": "hnsw"} if name == "effort" else {}
    app = visitor(**{name: value}, **index)
    assert not app.exception and is_first_visit(app)
    assert len(app.error) == 1 and re.fullmatch(r"[A-Z].{20,}\.", app.error[0].value, re.S)


def test_query_is_in_the_address(visit):
    search(visit, WORDS, unwanted="a drawing")
    visit.slider(key="weight of q").set_value(0.7).run()
    visit.selectbox(key="index here").set_value("hnsw").run()
    expected = {"q": WORDS, "not": "a drawing", "weight": "q:0.7", "index": "hnsw"}
    assert visit.query_params == expected


def test_what_is_not_in_the_gallery_is_said_not_to_match(visit):
    search(visit, "xqzt vvvw blorp")
    assert "no good match" in said(visit).lower() and cards(visit)


def test_where_the_first_stands_far_above_the_second_nothing_is_denied(visit, monkeypatch):
    monkeypatch.setattr("sigscope.search.match.FAR", 0.0)  # so that each first one does
    search(visit, "xqzt vvvw blorp")
    assert "one picture stands far above all others" in said(visit) and "weak match" in said(visit)
    assert not visit.info and "no good match" not in said(visit).lower()


def test_clear_begins_anew(visit):
    search(visit, WORDS)
    visit.button(key="clear").click().run()
    assert is_first_visit(visit) and visit.text_input(key="q").value == ""


@pytest.mark.parametrize("words", ["", "   "])
def test_blank_words_ask_nothing(visit, words):
    search(visit, words)
    assert not visit.exception and is_first_visit(visit)


@pytest.mark.parametrize(
    "data",
    [
        b"not a picture",
        b"<html><body>404</body></html>",
        b"\x89PNG\r\n\x1a\n cut",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    ],
)
def test_what_is_no_picture_gets_a_sentence(visit, data):
    upload(visit, data)
    assert not visit.exception and is_first_visit(visit)
    assert re.fullmatch(r"[A-Z].{20,}\.", visit.error[0].value, re.S)


def test_address_that_is_refused_gets_a_sentence(visit):
    visit.text_input(key="address").set_value("http://127.0.0.1:8501/").run()
    assert not visit.exception and is_first_visit(visit)
    assert re.fullmatch(r"[A-Z].{20,}\.", visit.error[0].value, re.S)


def test_visitors_do_not_see_each_others_queries(visit, searcher):
    other = visitor()
    search(visit, WORDS)
    search(other, "music")
    visit.run()
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 20, by="both"))
    assert cards(other) == captions_of(searcher.by_text("music", 20, by="both"))


def test_words_are_still_there_after_another_page(visit, searcher):
    search(visit, WORDS)
    visit.switch_page("pages/data.py").run()
    visit.switch_page("pages/search.py").run()
    assert visit.text_input(key="q").value == WORDS
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 20, by="both"))


def test_settings_keep_the_explorer_on_this_machine():
    with (paths.EXPLORER / ".streamlit" / "config.toml").open("rb") as file:
        settings = tomllib.load(file)
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["server"]["allowedHosts"] == ["localhost", "127.0.0.1"]
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["runner"]["postScriptGC"] is False, "a search would take 250 ms more"
    assert settings["client"]["showErrorDetails"] == "none"
    assert settings["client"]["toolbarMode"] == "minimal"


def test_the_index_and_its_effort_are_chosen_and_said(visit, searcher):
    visit.selectbox("index here").set_value("hnsw").run()
    visit.select_slider("effort-hnsw").set_value(16).run()
    search(visit, "a red bus")
    assert not visit.exception
    exact = searcher.by_text("a red bus", 20, by="both")
    assert len(set(cards(visit)) & set(captions_of(exact))) > len(exact) // 2
    assert "Index: hnsw, efSearch 16" in said(visit)


def test_hubs_are_tamed_on_request(visit, searcher):
    search(visit, "red apple")
    visit.toggle("tame").set_value(True).run()
    assert cards(visit) == captions_of(searcher.by_text("red apple", 20, tame_hubs=True, by="both"))


@pytest.mark.parametrize("by", ["meaning", "words"])
def test_by_what_to_find_is_chosen_and_in_the_address(visit, searcher, by):
    search(visit, WORDS)
    next(one for one in visit.get("button_group") if one.key == "by").set_value(by).run()
    assert visit.query_params["by"] == by
    assert cards(visit) == captions_of(searcher.by_text(WORDS, 20, by=by))
    assert cards(visitor(q=WORDS, by=by)) == cards(visit)


def test_each_picture_says_by_which_way_it_was_found(searcher):
    found = searcher.by_text("holidays", 20, by="both")
    said_of = [row[2] for row in grid(visitor(q="holidays"))["rows"]]
    assert [text.partition(" · ")[0] for text in said_of] == ("by " + found["found_by"]).tolist()


def test_words_that_nobody_wrote_find_nothing_by_words_and_that_is_said():
    app = visitor(q="xqzt vvvw", by="words")
    assert not app.exception and "None of these words is written" in app.info[0].value


def test_another_spelling_is_one_click_away(visit, searcher):
    search(visit, "a red buterfly")
    suggestion = next(one for one in visit.button if one.key == "suggestion")
    assert "a red butterfly" in suggestion.label
    suggestion.click().run()
    assert visit.query_params["q"] == "a red butterfly"
    assert cards(visit) == captions_of(searcher.by_text("a red butterfly", 20, by="both"))


@pytest.mark.parametrize(
    ("words", "best"), [("ein Haus", "house"), ("un chat noir", "cat"), ("Apfel", "apple")]
)
def test_words_of_other_languages_find_by_translations_what_the_model_cannot(words, best):
    app = visitor(q=words)
    assert best in cards(app)[0] and "good match" in said(app)


def test_words_that_the_model_does_not_know_are_said_to_be_a_guess_of_its():
    assert "can only guess" in said(visitor(q="xqzt vvvw"))
    assert "can only guess" not in said(visitor(q=WORDS))
