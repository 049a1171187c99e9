import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import unit

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.match_scores import (
    THERE,
    _auc_interval,
    evaluate_match,
    evidence_table,
    nonsense,
)
from sigscope.gallery.gallery import Gallery
from sigscope.search.compose import Part
from sigscope.search.evidence import MatchEvidence, with_and_without
from sigscope.search.match import Calibration, Matcher, _uncalibrated, excess
from sigscope.search.searcher import Searcher

CLASSES = ("cat", "dog", "tree", "bus", "cup", "hat", "key", "sun", "map", "pen", "box", "jar")
EACH, D = 10, 48
N = EACH * len(CLASSES)


class NameEncoder:
    """A text is the axis of the class it names; one that names none is an axis of its own."""

    identity = {"model": "made up", "weights": "0"}

    def encode_texts(self, texts):
        return np.stack([np.eye(D, dtype=np.float32)[self._axis(text)] for text in texts])

    @staticmethod
    def _axis(text):
        return next((i for i, name in enumerate(CLASSES) if name in text), D - 1)


@pytest.fixture(scope="module")
def searcher():
    """Item i is of class i // EACH; pictures and captions lie about the axis of their class."""
    classes = np.repeat(CLASSES, EACH)
    items = pd.DataFrame({"id": [f"{i:03}" for i in range(N)], "category": classes})
    items["path"] = items["id"] + ".png"
    items["captions"] = [[f"{name} {i}", f"the {name} no {i}"] for i, name in enumerate(classes)]
    items["caption"] = [captions[0] for captions in items["captions"]]
    items["split"] = ["val" if i % 2 else "test" for i in range(N)]
    items["duplicate_of"] = ""
    gallery = Gallery("classes", Path("."), items, pd.DataFrame(columns=["path", "reason"]))
    rng = np.random.default_rng(0)
    axes = np.eye(D)[np.arange(N) // EACH]
    images = unit(axes + 0.12 * rng.normal(size=(N, D)))
    embeddings = Embeddings(
        folder=Path("made"),
        ids=items["id"].to_numpy(object),
        images=images,
        caption_ids=np.repeat(items["id"].to_numpy(object), 2),
        caption_texts=np.array(sum(items["captions"], []), dtype=object),
        captions=unit(np.repeat(axes, 2, axis=0) + 0.12 * rng.normal(size=(2 * N, D))),
        manifest={},
        failed=pd.DataFrame(columns=["id", "path", "reason"]),
    )
    return Searcher(gallery, embeddings, NameEncoder())


# --- what is said


@pytest.mark.parametrize("name", CLASSES[:3])
def test_what_is_there_is_a_match_and_what_is_not_is_none(name, searcher):
    assert searcher.match(searcher.by_text(f"a {name}")).label == "good"
    assert not searcher.match(searcher.by_text("a spaceship")).found


def test_a_match_says_the_number_it_rests_on(searcher):
    none = searcher.match(searcher.by_text("a spaceship"))
    good = searcher.match(searcher.by_text("a cat"))
    assert none.label == "none" and none.chance > good.chance
    assert f"{none.chance:.0%}" in none.sentence and "probably not here" in none.sentence
    assert "no good match" in none.short and good.excess > none.excess


def test_a_picture_and_a_mixture_are_judged_too(searcher):
    other_way = searcher.matcher.judge(np.eye(D, dtype=np.float32)[D - 1], "picture")
    assert not other_way.found
    assert searcher.match(searcher.like("003")).found
    parts = [Part("item", "003"), Part("text", "a cat")]
    assert searcher.match(searcher.by_parts(parts)).label == "good"


def test_only_what_the_filters_leave_counts(searcher):
    assert searcher.match(searcher.by_text("a cat", category="cat")).label == "good"
    assert not searcher.match(searcher.by_text("a cat", category=["dog", "tree", "bus"])).found
    assert not searcher.match(searcher.by_text("a cat", category=[])).found


def test_too_few_that_the_filters_leave_are_said_to_tell_nothing(searcher):
    shown = searcher.matcher.shown
    kept = np.arange(N) < 9
    match = searcher.matcher.judge(shown.images[100], "picture", kept)
    assert match.short == "too few to tell" and match.sentence.startswith("9 pictures are too few")


def test_pictures_that_all_score_alike_are_said_to_tell_nothing():
    match = _uncalibrated(np.zeros(5, np.float32), 20)
    assert match.short == "all alike" and "20 pictures score alike" in match.sentence


def test_where_one_picture_stands_far_above_all_others_nothing_is_denied(searcher, monkeypatch):
    nowhere = np.eye(D, dtype=np.float32)[D - 1]
    assert not searcher.matcher.judge(nowhere, "text").found
    images = searcher.embeddings.images.copy()
    images[5] = nowhere
    odd = Searcher(searcher.gallery, replace(searcher.embeddings, images=images), NameEncoder())
    assert odd.matcher.judge(nowhere, "text").sentence.endswith("far above all others.")
    monkeypatch.setattr("sigscope.search.match.FAR", np.inf)
    assert not odd.matcher.judge(nowhere, "text").found


def test_captions_of_what_the_filters_leave_out_do_not_count(searcher):
    matcher, vector = searcher.matcher, np.eye(D, dtype=np.float32)[0]
    kept = matcher.shown.groups != 0
    evidence = matcher.shown.evidence(vector[None], kept[None], kept[matcher.shown.owners][None])
    expected = matcher.calibration("text").match(evidence[0])
    assert matcher.judge(vector, "text", kept) == expected
    with_captions = matcher.shown.evidence(vector[None], kept[None], None)[0]
    assert evidence[0, 3] < 0.3 < with_captions[3]


def test_an_item_does_not_vouch_for_itself(searcher):
    lonely = replace(searcher.gallery, items=searcher.gallery.items.copy())
    images = searcher.embeddings.images.copy()
    images[5] = np.eye(D)[D - 1]  # a picture like no other
    captions = searcher.embeddings.captions.copy()
    captions[10:12] = np.eye(D)[D - 1]
    embeddings = replace(searcher.embeddings, images=images, captions=captions)
    odd = Searcher(lonely, embeddings, NameEncoder())
    own = odd.match(odd.like(lonely.items["id"][5]))
    stranger = odd.matcher.judge(images[5], "picture")
    assert not own.found and stranger.excess > own.excess + 1


def test_a_table_that_was_saved_can_be_judged(searcher, tmp_path):
    table = searcher.by_text("a dog")
    table.to_parquet(tmp_path / "found.parquet")
    again = pd.read_parquet(tmp_path / "found.parquet")
    assert searcher.match(again) == searcher.match(table)


def test_a_saved_table_is_judged_by_the_filters_it_was_found_with(searcher, tmp_path):
    parts = [Part("item", "003"), Part("text", "a dog", -0.5)]
    for table in (
        searcher.by_text("a cat", category=["dog", "tree", "bus"]),
        searcher.like("003", split="val"),
        searcher.by_parts(parts, category=["cat", "dog"]),
    ):
        table.to_parquet(tmp_path / "found.parquet")
        again = pd.read_parquet(tmp_path / "found.parquet")
        assert searcher.match(again) == searcher.match(table)


def test_what_is_cut_and_sorted_of_a_table_is_judged_like_the_whole(searcher):
    table = searcher.by_text("a dog")
    for part in (table.head(2), table.sort_values("id"), table[["id"]], table.copy()):
        assert searcher.match(part) == searcher.match(table)


def test_what_is_no_result_is_a_sentence(searcher):
    for table in (pd.DataFrame(), searcher.captions_for("000")):
        with pytest.raises(ValueError, match="no result of a search for pictures"):
            searcher.match(table)


def test_many_threads_learn_once(searcher):
    fresh = Searcher(searcher.gallery, searcher.embeddings, NameEncoder())
    found, said = fresh.by_text("a cat"), []
    threads = [threading.Thread(target=lambda: said.append(fresh.match(found))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 8 and set(said) == {searcher.match(found)}
    assert fresh.at(None).matcher is fresh.matcher


# --- galleries that teach nothing


def test_a_gallery_without_captions_falls_back_and_says_so(searcher):
    gallery = replace(searcher.gallery, items=searcher.gallery.items.assign(caption=""))
    none = searcher.embeddings
    none = replace(none, caption_ids=none.caption_ids[:0], caption_texts=none.caption_texts[:0],
                   captions=none.captions[:0])  # fmt: skip
    bare = Searcher(gallery, none, NameEncoder())
    match = bare.match(bare.by_text("a cat"))
    assert np.isnan(match.chance) and "rough guide" in match.sentence and match.label == "good"
    stranger = bare.match(bare.by_text("a spaceship"))
    assert stranger.label != "good" and stranger.excess < 1 < match.excess


def test_a_gallery_of_one_category_falls_back_too(searcher):
    gallery = replace(searcher.gallery, items=searcher.gallery.items.assign(category=""))
    plain = Searcher(gallery, searcher.embeddings, NameEncoder())
    assert np.isnan(plain.match(plain.by_text("a cat")).chance)


def test_standing_out_is_compared_with_chance():
    rng = np.random.default_rng(0)
    over = []
    for _ in range(200):
        scores = rng.normal(size=4000)
        middle = np.median(scores)
        spread = 1.4826 * np.median(np.abs(scores - middle))
        over.append(excess(np.array([np.sort(scores)[-5:].mean(), middle, spread, 0]), 4000))
    assert abs(np.mean(over)) < 0.05
    assert excess(np.array([0.7, 0.1, 0.2, 0]), 0) == pytest.approx(3)
    labels = [_uncalibrated(np.array([z, 0, 1, 0]), 4000).label for z in (2.5, 3.0, 3.6, 5.0)]
    assert labels == ["none", "weak", "weak", "good"]


def test_one_picture_far_above_all_others_is_not_denied_without_captions_either():
    scores = np.repeat([0.15, 0.02, 0, -0.1], [1, 4, 6, 10])
    images = np.stack([scores, np.sqrt(1 - scores**2)], axis=1).astype(np.float32)
    none, query = np.arange(0), np.eye(2, dtype=np.float32)[0]
    shown = MatchEvidence(ids=np.arange(21), images=images, captions=images[:0], owners=none,
                  wordings=none, groups=np.zeros(21), twins=np.arange(21), asked=none)  # fmt: skip
    assert _uncalibrated(shown.evidence(query[None], None, None)[0], 21).label == "none"
    assert Matcher(lambda: shown, None).judge(query, "text").sentence.endswith("above all others.")


# --- how it learns


def test_evidence_worked_by_hand():
    images = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2, 3]]
    shown = MatchEvidence(ids=np.arange(6), images=images, captions=images[:3], owners=np.arange(3),
                  wordings=np.arange(3), groups=np.arange(6), twins=np.arange(6),
                  asked=np.arange(3))  # fmt: skip
    query = np.array([[0.6, 0.8, 0, 0]], np.float32)
    best, middle, spread, near = shown.evidence(query, None, None)[0]
    assert best == pytest.approx((0.6 + 0.6 + 0.8 + 0.8 + 0) / 5)
    assert middle == pytest.approx(0.6) and spread == pytest.approx(1.4826 * 0.2)
    assert near == pytest.approx((0.6 + 0.6 + 0.8) / 3)
    kept = np.array([[True, False, False, False, False, False]])
    assert shown.evidence(query, kept, kept[:, :3])[0, [0, 3]] == pytest.approx([0.6, 0.6])


def test_what_is_learnt_leaves_out_the_query_its_twins_and_its_wording(searcher):
    shown = searcher.matcher.shown
    images = shown.images.copy()
    images[1] = images[0]
    twin = replace(shown, images=images, twins=np.r_[0, 0, shown.twins[2:]])
    free = replace(twin, twins=np.arange(N))
    best = [with_and_without(x, np.array([0]), "picture", None)[0][0, 0] for x in (twin, free)]
    assert best[0] < best[1], "an unmarked copy would count"
    near_ones = shown.owners < EACH  # of its class, and now they all read the same
    same = replace(shown, wordings=np.where(near_ones, 0, shown.wordings + 1))
    near = [with_and_without(x, np.array([0]), "text", None)[0][0, 3] for x in (same, shown)]
    assert near[0] < near[1]


def test_with_nothing_to_find_the_whole_group_is_gone(searcher):
    there, nothing = with_and_without(searcher.matcher.shown, np.arange(9), "text", None)
    assert (there[:, 0] > nothing[:, 0] + 0.2).all() and (there[:, 3] > nothing[:, 3] + 0.2).all()


def test_thresholds_are_the_promised_shares():
    rng = np.random.default_rng(0)
    there, nothing = rng.normal(1, 1, (400, 4)), rng.normal(0, 1, (400, 4))
    learnt = Calibration.learnt(there, nothing)
    assert np.mean(learnt.value(there) < learnt.none_below) == pytest.approx(0.05, abs=0.005)
    assert np.mean(learnt.value(nothing) >= learnt.good_from) == pytest.approx(0.10, abs=0.005)
    assert (learnt.weights > 0).all()


def test_a_large_gallery_is_judged_by_a_sample(searcher, monkeypatch):
    monkeypatch.setattr("sigscope.search.evidence.MOST_ROWS", 70)
    small = Searcher(searcher.gallery, searcher.embeddings, NameEncoder())
    assert len(small.matcher.shown.images) == 60 and small.matcher.shown.step == 2
    assert len(small.matcher.shown.owners) <= 70
    assert small.match(small.by_text("a cat", category=list(CLASSES))).found


# --- how well it does


def test_auc_is_the_share_of_pairs_in_order():
    there, nothing = np.array([1.0, 2, 3]), np.array([0.0, 2, 2.5])
    auc, low, high = _auc_interval(there, nothing, paired=False, rng=np.random.default_rng(0))
    assert auc == pytest.approx((1 + 1.5 + 3) / 9) and low < auc < high


def test_matches_are_told_apart_on_the_test_split(searcher):
    evidence = evidence_table(searcher, texts={"others": ["a spaceship", "a violin"]})
    table = evaluate_match(searcher, evidence)
    whole = table[(table["statistic"] == "match") & (table["nothing"] != "others")]
    assert (whole["auc"] > 0.95).all() and (whole["kept"] > 0.8).all()
    others = table[(table["nothing"] == "others") & (table["statistic"] == "match")].iloc[0]
    assert others["called_none"] == 1 and others["queries"] == 2
    assert set(table["kind"]) == {"text", "picture", "composed"}
    with pytest.raises(ValueError, match="no captioned item in split 'dev'"):
        evidence_table(searcher, split="dev")


def test_the_evidence_of_each_query_gives_the_scores_back(searcher):
    texts = {"others": ["a spaceship", "a violin"]}
    table = evidence_table(searcher, texts=texts)
    text = table[table["kind"] == "text"].groupby("asked")
    assert dict(text.size()) == {THERE: N // 2, "its category left out": N // 2, "others": 2}
    value = {name: rows["value"].to_numpy() for name, rows in text}
    auc, *_ = _auc_interval(
        value[THERE], value["others"], paired=False, rng=np.random.default_rng(0)
    )
    scores = evaluate_match(searcher, table).query("statistic == 'match' and kind == 'text'")
    assert scores.set_index("nothing").loc["others", "auc"] == auc
    assert (text["best"].mean()[THERE] > text["best"].mean()["others"]).all()


def test_nonsense_is_the_same_from_the_same_seed_and_no_word():
    first, second = (nonsense(5, np.random.default_rng(1)) for _ in range(2))
    assert first == second and len(set(first)) == 5
    assert all(word.isalpha() for text in first for word in text.split())
