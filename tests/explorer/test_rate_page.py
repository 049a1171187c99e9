"""The rating page, used as volunteers would; the gallery and its encoder are toys."""

import html

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from toy import ToyEncoder, write_gallery
from visiting import page_html, press, said

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.ratings.pools import DEFAULT_QUERIES, rng_of, shuffled
from sigscope.ratings.scores import score_lists
from sigscope.ratings.store import RatingStore
from sigscope.search.searcher import Searcher

pytestmark = pytest.mark.slow


class NamedEncoder(ToyEncoder):
    def describe(self):
        return "toy"


@pytest.fixture(scope="module")
def searcher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rate")
    gallery = load_gallery(write_gallery(folder / "gallery", 24))
    return Searcher(
        gallery, embed_gallery(gallery, ToyEncoder(), folder / "vectors"), NamedEncoder()
    )


@pytest.fixture(autouse=True)
def _explorer_of_the_toy(searcher, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(paths.EXPLORER))
    monkeypatch.setenv("SIGSCOPE_RATINGS", str(tmp_path / "ratings.sqlite"))
    import resources

    monkeypatch.setattr(resources, "gallery", lambda key=None: searcher.gallery)
    monkeypatch.setattr(resources, "searcher", lambda *which, **also: searcher)
    st.cache_data.clear()
    yield
    st.cache_data.clear()


def visitor() -> AppTest:
    return visit()


def visit(**address: str) -> AppTest:
    app = AppTest.from_file(str(paths.EXPLORER / "app.py"), default_timeout=600)
    for name, value in address.items():
        app.query_params[name] = value
    return app.switch_page("pages/rate.py").run()


def start(name: str) -> AppTest:
    app = visitor()
    app.text_input(key="rater").set_value(name)
    return app.button(key="start").click().run()


def told(app: AppTest) -> str:
    """What the top of the page says."""
    return app.error[0].value


def shown(app: AppTest) -> str:
    return html.unescape("".join(element.value for element in app.get("html")))


def the_session() -> tuple[RatingStore, str]:
    store = RatingStore()
    return store, store.sessions()["session"].iat[0]


def order_of(rater: str) -> list[tuple[str, str]]:
    store, session = the_session()
    return shuffled(store.rankings(session), rng_of(session, rater))


def grades_of(rater: str) -> dict:
    store, session = the_session()
    return store.grades(session, rater)


def test_first_visit_asks_for_a_name_and_begins_nothing():
    app = visitor()
    assert not app.exception and app.title[0].value == "Rate results"
    assert RatingStore().sessions().empty
    assert "answer is kept at once" in app.markdown[0].value


def test_rater_sees_words_and_a_picture_and_not_who_found_it(searcher):
    app = start("Ann")
    assert not app.exception
    words = {query.name: query.text for query in DEFAULT_QUERIES}
    page = shown(app)
    assert words[order_of("ann")[0][0]] in page and page.count("<img") == 1
    told = page + "".join(e.value for e in [*app.caption, *app.text])
    for secret in ("square", ".png", "flat", "keywords", "cosine", *searcher.gallery.items["id"]):
        assert secret not in told


def test_grade_is_kept_and_the_next_picture_comes():
    app = start("Ann")
    app.button(key="give-2-0").click().run()
    order = order_of("ann")
    assert grades_of("ann") == {order[0]: 2}
    assert any(button.key == "give-0-1" for button in app.button)
    assert not any(button.key == "give-0-0" for button in app.button)


def test_undo_brings_the_picture_back():
    app = start("Ann")
    app.button(key="give-2-0").click().run()
    app.button(key="skip-1").click().run()
    app.button(key="undo-2").click().run()
    assert grades_of("ann") == {order_of("ann")[0]: 2}
    app.button(key="undo-1").click().run()
    assert grades_of("ann") == {} and app.button(key="give-0-0")


def test_earlier_answer_is_changed_in_its_place():
    app = start("Ann")
    app.button(key="give-2-0").click().run()
    small = app.button_group(key="grade-of-0")
    assert small.value == 2
    small.set_value(0).run()
    assert grades_of("ann") == {order_of("ann")[0]: 0}


def test_rater_comes_back_to_where_they_stopped():
    start("Ann").button(key="give-2-0").click().run()
    again = start(" ANN ")
    assert again.button(key="give-0-1")
    assert any("had answers before" in caption.value for caption in again.caption)


def test_raters_have_orders_of_their_own_and_do_not_meet():
    ann, bob = start("Ann"), start("Bob")
    assert order_of("ann") != order_of("bob") and set(order_of("ann")) == set(order_of("bob"))
    ann.button(key="give-0-0").click().run()
    bob.button(key="give-2-0").click().run()
    assert grades_of("ann") == {order_of("ann")[0]: 0}
    assert grades_of("bob") == {order_of("bob")[0]: 2}
    assert len(RatingStore().sessions()) == 1


def test_who_has_seen_all_is_thanked_and_can_rate_what_they_skipped():
    start("Ann")
    store, session = the_session()
    order = order_of("ann")
    for number, pair in enumerate(order):
        store.skip(session, "ann", *pair) if number == 3 else store.rate(session, "ann", *pair, 1)
    app = start("Ann")
    assert f"all {len(order)} pictures" in app.success[0].value
    app.button_group(key="grade-of-3").set_value(2).run()
    assert grades_of("ann")[order[3]] == 2 and not app.get("button_group")


def test_two_grades_can_be_chosen_for_a_new_session():
    app = visitor()
    app.text_input(key="rater").set_value("Ann")
    app.radio(key="top_grade").set_value(1)
    app.button(key="start").click().run()
    assert app.button(key="give-1-0").label == "Yes"
    assert not any(button.key == "give-2-0" for button in app.button)


def test_another_session_is_begun_and_chosen_first():
    start("Ann")
    app = visitor()
    app.radio(key="another_top_grade").set_value(1)
    app.button(key="begin-another").click().run()
    store = RatingStore()
    assert store.sessions()["top_grade"].tolist() == [1, 2]
    assert app.selectbox(key="session here").value == store.sessions()["session"].iat[0]


@pytest.mark.parametrize("name", ["", "  ", "=1", "simulated-1"])
def test_name_that_cannot_be_one_gets_a_sentence(name):
    app = start(name)
    assert not app.exception and told(app).endswith(".")
    assert app.text_input(key="rater")


def test_answer_that_cannot_be_kept_is_said_so(tmp_path):
    app = start("Ann")
    (tmp_path / "ratings.sqlite").unlink()
    app.button(key="give-2-0").click().run()
    assert not app.exception and "nothing was stored" in told(app).lower()


def test_broken_file_gets_a_sentence(tmp_path):
    (tmp_path / "ratings.sqlite").write_text("no database " * 100)
    app = visitor()
    assert not app.exception and "ratings.sqlite" in told(app)


def test_leaving_asks_for_a_name_again():
    app = start("Ann")
    app.button(key="leave").click().run()
    assert app.text_input(key="rater")


def own(name: str, queries: str, **choices) -> AppTest:
    """Pool a visitor's own queries, and begin to rate them."""
    app = visitor()
    app.get("button_group")[0].set_value("own").run()
    for key, value in choices.items():
        next(w for w in [*app.selectbox, *app.checkbox, *app.slider] if w.key == key).set_value(
            value
        )
        app.run()
    app.text_area(key="queries").set_value(queries)
    app.text_input(key="rater").set_value(name)
    return app.button(key="start own").click().run()


def scores(app: AppTest):
    return app.table[0].value


def test_own_queries_are_pooled_over_the_chosen_systems_and_rated_blind(searcher):
    app = own("Ann", "red square\n\n green circle \nred square", sides=3)
    assert not app.exception
    store, session = the_session()
    assert store.queries(session)["text"].tolist() == ["red square", "green circle"]
    lists = store.rankings(session)
    assert set(lists["system"]) == {"flat, both", "flat, meaning", "flat, words"}
    meant = lists[(lists["query"] == "own-01") & (lists["system"] == "flat, meaning")]
    assert meant["id"].tolist() == searcher.by_text("red square", 5)["id"].tolist()
    order = order_of("ann")
    assert len(order) == len(set(order)) == len(lists[["query", "id"]].drop_duplicates())
    for number in range(2):
        app.button(key=f"give-2-{number}").click().run()
    assert set(scores(app).index) == {"System A", "System B", "System C"}
    shown_by_name = page_html(app) + said(app) + " ".join(one.value for one in app.markdown)
    assert "flat" not in shown_by_name


def test_scores_grow_with_each_rating_and_are_those_of_the_library():
    app = own("Ann", "red square\ngreen circle", sides=2)
    assert not app.table and "first rating" in said(app)
    order = order_of("ann")
    for number in range(len(order)):
        app.button(key=f"give-{2 * (number % 2)}-{number}").click().run()
        told = f"**{number + 1} of {len(order)}** pictures judged by 1 rater"
        assert any(line.value == told for line in app.markdown)
    store, session = the_session()
    lists = score_lists(store.ratings(session), store.rankings(session), ks=(3, 5))
    means = lists.groupby("system")[["P@3", "P@5", "AP@5", "NDCG@5"]].mean()
    table = scores(app)
    assert (table["judged"] == "100%").all()
    for system, row in means.iterrows():
        for measure, value in row.items():
            assert table.loc[system, measure].startswith(f"{value:.2f} (")


def test_precision_waits_until_all_of_a_list_is_graded():
    app = own("Ann", "red square", sides=2)
    app.button(key="give-2-0").click().run()
    assert set(scores(app)["P@5"]) == {"–"} and "100%" not in set(scores(app)["judged"])


def test_agreement_shows_once_two_have_graded_the_same_picture():
    app = own("Ann", "red square")
    app.button(key="give-2-0").click().run()
    assert any("once two of them" in line.value for line in app.markdown)
    store, session = the_session()
    for number, pair in enumerate(order_of("ann")):
        for rater in ("bob", "eve"):
            store.rate(session, rater, *pair, 2 * (number % 2))
    app.run()
    assert any("judged by 3 raters" in line.value for line in app.markdown)
    assert any("Krippendorff's α **" in line.value for line in app.markdown)


def test_rated_systems_are_opened_beside_each_other():
    app = own(
        "Ann", "a red square but not a circle\ngreen circle", **{"by 2": "words", "apart1": True}
    )
    store, session = the_session()
    for pair in order_of("ann"):
        store.rate(session, "ann", *pair, 1)
    app.run()
    press(app, "Open Compare with them")
    assert not app.exception and app.title[0].value == "Compare"
    assert app.session_state["q"] == "a red square but not a circle"
    assert [app.session_state[name] for name in ("index1", "by1", "apart1", "by2")] == [
        "flat", "both", True, "words",
    ]  # fmt: skip
    found = [one for one in app.selectbox if one.key == "by 2"]
    assert found[0].value == "words"


def test_session_is_in_the_address_and_another_visitor_opens_it():
    start("Ann")
    own("Bob", "red square")
    store, _ = the_session()
    for session in store.sessions()["session"]:
        app = visit(rate="given", session=session)
        assert app.selectbox(key="session here").value == session
        app.text_input(key="rater").set_value("Eve")
        app.button(key="start").click().run()
        assert app.session_state["rating"] == (session, "eve")
    assert "cannot be had here" in told(visit(session="nonsense"))


@pytest.mark.parametrize("queries", ["", " \n ", "x" * 1001, "\n".join(map(str, range(51)))])
def test_queries_that_cannot_be_pooled_get_a_sentence(queries):
    app = own("Ann", queries)
    assert not app.exception and told(app).endswith(".") and RatingStore().sessions().empty
