"""Topic lists, pooling, blinding, and the plain systems to compare with."""

import pandas as pd
import pytest
from toy import ToyEncoder, write_gallery
from toy_ratings import rankings

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.ratings.layout import RatingsError
from sigscope.ratings.pools import (
    DEFAULT_QUERIES,
    GALLERY_QUERIES,
    R1_QUERIES,
    Topic,
    _keyword_search,
    begin_session,
    pairs,
    pool_results,
    random_search,
    rng_of,
    shuffled,
    topics_of,
    words_of,
)
from sigscope.ratings.store import RatingStore
from sigscope.search.searcher import Searcher

ONE = [Topic("q1", "red square", "toy")]


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return load_gallery(write_gallery(tmp_path_factory.mktemp("pools") / "gallery", 24))


def fixed(*ids: str):
    """Return a system that finds these ids whatever it is asked."""
    return lambda text, k: pd.DataFrame({"id": list(ids)[:k]})


def heaps(order: list[tuple[str, str]]) -> list[str]:
    """Return the queries of an order, each run of one query once."""
    names = [query for query, _ in order]
    return [n for i, n in enumerate(names) if i == 0 or names[i - 1] != n]


def test_default_list_is_ten_of_r1_and_ten_of_ours():
    assert len(R1_QUERIES) == len(GALLERY_QUERIES) == 10
    names = [query.name for query in DEFAULT_QUERIES]
    assert len(set(names)) == 20 and not any(" " in name for name in names)
    assert R1_QUERIES[6] == Topic("r1-07", "street sign in HK", "R1")


def test_pool_holds_every_systems_first_results_once():
    made = pool_results({"one": fixed("a", "b", "c"), "two": fixed("b", "d")}, ONE, depth=2)
    assert made.pairs["id"].tolist() == ["a", "b", "d"]
    expected = rankings(one={"q1": "a b"}, two={"q1": "b d"})
    pd.testing.assert_frame_equal(made.rankings, expected)
    assert made.queries.to_numpy().tolist() == [["q1", "red square", "toy"]]


def test_system_that_finds_nothing_is_no_hindrance():
    made = pool_results({"one": fixed("a"), "none": fixed()}, ONE)
    assert made.rankings["system"].tolist() == ["one"]


def test_system_that_finds_a_picture_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        pool_results({"one": fixed("a", "a")}, ONE)


@pytest.mark.parametrize(
    "wrong", [{"systems": {}}, {"queries": []}, {"queries": ONE * 2}, {"depth": 0}]
)
def test_pool_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="a pool needs"):
        pool_results(**{"systems": {"one": fixed("a")}, "queries": ONE, "depth": 5, **wrong})


def test_order_is_a_raters_own_and_always_the_same():
    found = {f"q{i}": "a b c d e" for i in range(5)}
    orders = [shuffled(rankings(one=found), rng_of("s", rater)) for rater in ("ab", "ab", "cd")]
    assert orders[0] == orders[1] != orders[2]
    assert shuffled(rankings(one=found), rng_of("t", "ab")) != orders[0]
    assert sorted(orders[0]) == sorted(orders[2]) and len(orders[0]) == 25
    assert len(heaps(orders[0])) == 5, "all pictures of a query come one after the other"


def test_order_does_not_tell_systems_or_ranks():
    one = rankings(one={"q": "a b c"}, two={"q": "d e f"})
    other = rankings(two={"q": "f a"}, three={"q": "e d c b"})
    assert shuffled(one, rng_of("s", "ab")) == shuffled(other, rng_of("s", "ab"))


def test_every_place_is_as_likely_for_every_picture():
    lists = rankings(one={"q": "a b c d"})
    firsts = [shuffled(lists, rng_of("s", f"rater {i}"))[0][1] for i in range(300)]
    counts = pd.Series(firsts).value_counts()
    assert set(counts.index) == set("abcd") and counts.between(45, 105).all()


def test_pairs_are_sorted_and_unique():
    table = pairs(rankings(one={"q2": "b a", "q1": "c"}, two={"q2": "a"}))
    assert table.to_numpy().tolist() == [["q1", "c"], ["q2", "a"], ["q2", "b"]]


def test_keywords_find_captions_with_the_most_words(gallery):
    found = _keyword_search(gallery)("something red, a RED square", 5)
    assert found["id"].tolist() == ["000-red.png", "008-red.png", "016-red.png"] + [
        "001-green.png",
        "002-blue.png",
    ]
    assert found["score"].tolist() == [2, 2, 2, 1, 1]
    assert _keyword_search(gallery)("nothing like it", 5).empty


def test_common_words_do_not_count():
    assert words_of("The Dog of a neighbour's; 2 cats") == {"dog", "neighbour", "s", "2", "cats"}


def test_random_pictures_are_the_same_for_the_same_words(gallery):
    search = random_search(gallery, seed=1)
    first, again, other = (search(text, 5)["id"].tolist() for text in ("x", "x", "y"))
    assert first == again != other and len(set(first)) == 5
    assert random_search(gallery, seed=2)("x", 5)["id"].tolist() != first


def test_session_of_a_searcher_pools_its_index_and_keywords(gallery, tmp_path):
    encoder = ToyEncoder()
    encoder.describe = lambda: "toy on 1 thread"
    searcher = Searcher(gallery, embed_gallery(gallery, encoder, tmp_path / "vectors"), encoder)
    store = RatingStore(tmp_path / "ratings.sqlite")
    session = begin_session(store, searcher, queries=ONE, depth=3)
    lists = store.rankings(session)
    flat = lists.loc[lists["system"] == "flat", "id"].tolist()
    assert flat == searcher.by_text("red square", 3)["id"].tolist()
    assert set(lists["system"]) == {"flat", "keywords"}
    row = store.sessions(gallery.fingerprint).iloc[0]
    assert row["about"]["model"] == "toy" and row["about"]["identity"] == encoder.identity
    encoder.describe = lambda: "toy on 8 threads"  # another machine, the same lists
    assert begin_session(store, searcher, queries=ONE, depth=3) == session


def test_own_queries_are_lines_each_once():
    assert topics_of(" a  cat\n\na dog\r\na cat\n") == (
        Topic("own-01", "a cat", "own"),
        Topic("own-02", "a dog", "own"),
    )


@pytest.mark.parametrize("text", ["", " \n", "x" * 1001, "\n".join(map(str, range(51)))])
def test_own_queries_that_are_none_or_too_many_or_too_long_are_refused(text):
    with pytest.raises(RatingsError, match="queries|letters"):
        topics_of(text)
