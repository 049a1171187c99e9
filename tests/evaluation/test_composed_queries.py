from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.load import Embeddings
from sigscope.evaluation import composed_queries
from sigscope.evaluation.composed_queries import KINDS, find_triples, take_apart
from sigscope.evaluation.composed_scores import (
    GAP,
    PICTURE,
    RAW_TUNED,
    SENTENCE,
    TEXT,
    TITLE,
    evaluate_composed,
)
from sigscope.evaluation.rankings import rank_relevant
from sigscope.gallery.gallery import Gallery


def gallery_of(*rows):
    """Rows are id, title(s), and then, as far as given, kind, split and twin."""
    full = [(*row, *("drawing", "test", "")[len(row) - 2 :]) for row in rows]
    captions = [[title] if isinstance(title, str) else list(title) for _, title, *_ in full]
    items = pd.DataFrame(
        {
            "id": [row[0] for row in full],
            "path": [f"{row[0]}.png" for row in full],
            "caption": [some[0] for some in captions],
            "captions": captions,
            "category": "",
            "split": [row[3] for row in full],
            "duplicate_of": [row[4] for row in full],
            "kind": [row[2] for row in full],
        }
    )
    return Gallery("made", Path("."), items, pd.DataFrame(columns=["path", "reason"]))


def asked(gallery):
    """Return {(id, words): right} of every triple."""
    table = find_triples(gallery).table
    return {(row.id, row.words): set(row.right) for row in table.itertuples()}


# --- titles


@pytest.mark.parametrize(
    ("title", "thing", "facets"),
    [
        ("a red apple", "apple", {"colour": "red", "count": "one"}),
        ("two red apples", "apple", {"colour": "red", "count": "two"}),
        ("cherries", "cherry", {"count": "several"}),
        ("a gray cat on a cushion", "cat", {"colour": "grey", "setting": "on a cushion"}),
        ("flag of the Czech Republic", "czech republic", {"setting": "a flag"}),
        ("silhouette of a fox", "fox", {"form": "a silhouette"}),
        ("the uppercase letter A", "a letter", {"case": "an uppercase letter"}),
        ("an orange", "orange", {"colour": ""}),
        ("apple in black and white", "apple", {"colour": "in black and white"}),
        ("a pair of glasses", "glass pair", {"count": ""}),
    ],
)
def test_a_title_is_taken_apart(title, thing, facets):
    found, said = take_apart(title)
    assert found == thing and {name: getattr(said, name) for name in facets} == facets


# --- triples


def test_a_swapped_colour_is_a_triple_both_ways():
    gallery = gallery_of(("r", "red apple"), ("g", "a green apple"), ("p", "green pear"))
    assert asked(gallery) == {("r", "green"): {"g"}, ("g", "red"): {"r"}}


def test_a_photograph_leads_to_drawings_of_the_same_and_back():
    gallery = gallery_of(("p", "a bear", "photo"), ("d", "bear"), ("e", "a bear"), ("x", "a bee"))
    found = asked(gallery)
    assert found[("p", "a drawing")] == {"d", "e"} and found[("d", "a photograph")] == {"p"}
    assert set(find_triples(gallery).table["kind"]) == {"medium"}


def test_count_form_and_setting_are_asked_for():
    gallery = gallery_of(
        ("one", "a butterfly"),
        ("four", "four butterflies"),
        ("out", "outline of a butterfly"),
        ("on", "butterfly on a flower"),
    )
    found = asked(gallery)
    assert found[("one", "four")] == {"four"} and found[("four", "one")] == {"one"}
    assert found[("one", "an outline")] == {"out"} and found[("one", "on a flower")] == {"on"}
    assert ("out", "on a flower") not in found, "two things would have to change"


def test_a_picture_whose_colour_is_unsaid_is_not_asked_for_another():
    gallery = gallery_of(("a", "apple"), ("r", "red apple"), ("b", "apple in black and white"))
    assert asked(gallery) == {("a", "in black and white"): {"b"}, ("b", "in colour"): {"a"}}


def test_the_query_and_its_twins_are_never_right_but_twins_of_right_ones_are():
    gallery = gallery_of(
        ("r", "red apple"),
        ("g", "green apple"),
        ("t", "something else", "drawing", "test", "g"),
        ("both", ["red pear", "green pear"]),
        ("twin", "red pear", "drawing", "test", "both"),
    )
    found = asked(gallery)
    assert found[("r", "green")] == {"g", "t"}
    assert not [key for key in found if key[0] in ("both", "twin")]


def test_sentences_with_keywords_are_no_titles():
    gallery = gallery_of(("r", ["x", "A drawing of a red apple: fruit."]), ("g", "green apple"))
    assert asked(gallery) == {}


def test_a_numbered_thing_is_not_counted():
    gallery = gallery_of(("a", "two of hearts card"), ("b", "three of hearts card"))
    assert asked(gallery) == {}


def test_no_series_fills_the_test(monkeypatch):
    colours = ("red", "green", "blue", "yellow", "pink")
    gallery = gallery_of(*((name, f"{name} lamp") for name in colours))
    assert len(find_triples(gallery)) == 8
    for most, there in {50: 20, 3: 3}.items():
        monkeypatch.setattr(composed_queries, "MOST_PER_THING", most)
        assert len(find_triples(gallery)) == there


def test_the_shipped_gallery_has_triples_of_each_kind_and_the_same_ones_again():
    gallery = load_gallery()
    triples = find_triples(gallery)
    assert triples.table.equals(find_triples(gallery).table)
    assert set(triples.table["kind"]) == set(KINDS)
    counts = triples.counts().groupby("split")["triples"].sum()
    assert counts["test"] > 150 and counts["val"] > 150
    known = set(gallery.items["id"])
    for row in triples.table.itertuples():
        assert row.id not in row.right and row.right and known.issuperset(row.right)


# --- scores


class Axes:
    """A text or picture is the sum of the axes of its words."""

    words = ("apple", "pear", "plum", "red", "green", "blue", "drawing")
    identity = {"model": "axes", "weights": "0"}

    def encode_texts(self, texts):
        x = np.array([[word in text for word in self.words] + [0.3] for text in texts], np.float32)
        x[:, :3] *= 1.4  # it is the fruit that pictures look alike by
        return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def scores():
    rows = [
        (f"{split}-{colour}-{fruit}", f"{colour} {fruit}", "drawing", split)
        for split, fruit in (("val", "apple"), ("test", "pear"), ("test", "plum"))
        for colour in ("red", "green", "blue")
    ]
    gallery = gallery_of(*rows)
    vectors = Axes().encode_texts(gallery.items["caption"])
    embeddings = Embeddings(
        folder=Path("made"),
        ids=gallery.items["id"].to_numpy(object),
        images=vectors,
        caption_ids=gallery.items["id"].to_numpy(object),
        caption_texts=gallery.items["caption"].to_numpy(object),
        captions=vectors,
        manifest={},
        failed=pd.DataFrame(columns=["id", "path", "reason"]),
    )
    return evaluate_composed(gallery, embeddings, Axes())


def test_a_composed_query_finds_what_neither_part_finds(scores):
    first = scores.table[(scores.table["kind"] == "all") & (scores.table["k"] == 1)]
    rate = first.set_index("system")["hit_rate"]
    assert rate[GAP] == rate[TITLE] == rate[RAW_TUNED] == 1
    assert rate[SENTENCE] > rate[TEXT] and rate[PICTURE] < 1
    assert first["triples"].eq(12).all() and first["things"].eq(2).all()
    assert ((first["low"] <= first["hit_rate"]) & (first["hit_rate"] <= first["high"])).all()


def test_the_query_picture_is_not_ranked(scores):
    assert scores.queries[PICTURE].max() <= 8 and scores.queries["id"].str.startswith("test").all()
    assert scores.queries[PICTURE].eq(1).all(), "the other of its kind, equally near, is first"


def test_ranks_are_those_of_judged_rankings(scores):
    queries, axes = scores.queries, Axes()
    fruits, colours = {"apple": "val", "pear": "test", "plum": "test"}, ("red", "green", "blue")
    named = {f"{fruits[f]}-{c}-{f}": f"{c} {f}" for f in fruits for c in colours}
    row_of = {id: row for row, id in enumerate(named)}
    own = [[row_of[id]] for id in queries["id"]]
    right = [[row_of[id] for id in some] for some in queries["right"]]
    xb = axes.encode_texts(named.values())
    first = rank_relevant(axes.encode_texts(queries["words"]), xb, right, without=own).first
    assert list(queries[TEXT]) == list(first - 1)


def test_one_weight_of_each_way_is_chosen_on_val(scores):
    assert scores.weights.groupby("way")["chosen"].sum().eq(1).all()
    chosen = scores.weights[scores.weights["chosen"]].set_index("way")["hit_rate"]
    assert chosen.equals(scores.weights.groupby("way", sort=False)["hit_rate"].max())


def test_pairs_are_of_the_same_triples(scores):
    row = scores.pairs.query("first == @PICTURE and second == @GAP and k == 1").iloc[0]
    hits = (scores.queries[GAP] < 1).mean() - (scores.queries[PICTURE] < 1).mean()
    assert row["difference"] == pytest.approx(hits) and 0 < row["p"] <= 1


def test_a_split_without_triples_is_a_sentence(scores):
    gallery = load_gallery()
    with pytest.raises(ValueError, match="split 'dev'"):
        evaluate_composed(gallery, _none_of(gallery), Axes(), split="dev")


def _none_of(gallery):
    ids = gallery.items["id"].to_numpy(object)
    rows = np.ones((len(ids), 8), np.float32) / np.sqrt(np.float32(8))
    empty = pd.DataFrame(columns=["id", "path", "reason"])
    return Embeddings(Path("x"), ids, rows, ids, ids, rows, {}, empty)
