"""Each protocol on a gallery of sixty pictures, against sums made another way."""

from dataclasses import replace

import numpy as np
import pytest
from small_gallery import NameEncoder, small_embeddings, small_gallery

from sigscope.duplicates.splits import LeakError
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.protocols.captions import both_ways, caption_recall, setup_check
from sigscope.protocols.classes import class_map, prompts_compared
from sigscope.protocols.indexes import _r3_tasks, four_tasks
from sigscope.protocols.published import COLUMNS, MARKS, Outcome


@pytest.fixture(scope="module")
def gallery():
    return small_gallery()


@pytest.fixture(scope="module")
def embeddings(gallery):
    return small_embeddings(gallery)


def brute(embeddings, name="flat-l2"):
    """A search function that sorts everything, under the name of one of R1's indexes."""

    def search(xq, k):
        scores = xq @ embeddings.images.T
        order = np.argsort(-scores, axis=1)[:, :k]
        return np.take_along_axis(scores, order, axis=1), order

    return {name: search}


class Broken:
    name = "autofaiss"

    def build(self, xb, ids):
        raise RuntimeError("run 'make autofaiss' first")


def test_caption_recall_counts_captions_whose_own_picture_is_among_the_first_k(gallery, embeddings):
    outcome = caption_recall(gallery, embeddings, indexes=brute(embeddings), ks=(1, 3, 50))
    asked = np.flatnonzero(
        gallery.items.set_index("id").loc[embeddings.caption_ids, "split"] == "test"
    )
    order = np.argsort(-(embeddings.captions[asked] @ embeddings.images.T), axis=1)
    by_hand = np.mean([row // 2 in order[i, :3] for i, row in enumerate(asked)])
    rows = outcome.table[(outcome.table["queries"] == "all") & (outcome.table["rule"] == "own")]
    assert rows.set_index("k").loc[3, "here"] == pytest.approx(by_hand)
    assert list(outcome.table)[:6] == COLUMNS
    assert rows.set_index("k").loc[3, "report"] == 0.08


def test_caption_recall_draws_as_many_captions_as_r1_did_and_the_same_each_time(
    gallery, embeddings
):
    one, two = (
        caption_recall(gallery, embeddings, indexes=brute(embeddings), n_random=20, seed=s)
        for s in (0, 0)
    )
    drawn = one.queries[one.queries["queries"] == "20 random"]
    assert len(drawn) == 20 and drawn["caption"].is_unique
    assert drawn["caption"].tolist() == two.queries["caption"].tolist()[:20]
    assert one.table["figure"].str.startswith("run time for the 20 queries").sum() == 1


def test_an_index_that_cannot_be_built_leaves_a_row_that_says_so(gallery, embeddings):
    outcome = caption_recall(gallery, embeddings, indexes=[Broken()])
    assert outcome.table["depends_on"].str.contains("make autofaiss").any()
    tasks = four_tasks(gallery, embeddings, indexes=["flat", Broken()])
    failed = tasks.table[tasks.table["depends_on"] == "run 'make autofaiss' first"]
    assert set(failed["task"]) == {"", *_r3_tasks(gallery, embeddings, "test")}


def test_both_ways_has_each_figure_in_both_directions_and_by_both_rules(gallery, embeddings):
    table = both_ways(gallery, embeddings, benchmark="COCO").table
    assert len(table) == 2 * 2 * 4
    assert set(table.loc[table["measure"] == "Recall@5", "report"]) == {0.89}
    assert (table["low"] <= table["here"]).all() and (table["here"] <= table["high"]).all()


def test_class_map_by_hand_for_pictures(gallery, embeddings):
    outcome = class_map(gallery, embeddings, NameEncoder(), ks=(5,))
    labels = gallery.items["category"].to_numpy()
    precisions = []
    for row in np.flatnonzero(gallery.items["split"] == "test"):
        order = np.argsort(-(embeddings.images @ embeddings.images[row]))
        right = labels[order[order != row]][:5] == labels[row]
        precisions.append(np.mean(np.cumsum(right)[right] / (1 + np.flatnonzero(right))))
    row = outcome.table.query("queries == 'image' and over == 'found' and k == 5").iloc[0]
    assert row["here"] == pytest.approx(np.nan_to_num(precisions).mean())
    assert row["report"] == 0.955


def test_class_map_leaves_duplicates_of_the_query_out():
    doubled = small_gallery()
    doubled.items.loc[3, ["duplicate_of", "split"]] = "00", "test"
    embeddings = small_embeddings(doubled)
    queries = class_map(doubled, embeddings, NameEncoder(), ks=(5,)).queries.set_index("id")
    assert queries.loc["00", "n_right"] == 18 and queries.loc["01", "n_right"] == 19


def test_every_protocol_refuses_a_marked_duplicate_across_splits(embeddings):
    doubled = small_gallery()
    doubled.items.loc[3, "duplicate_of"] = "00"
    for protocol in (caption_recall, both_ways, four_tasks):
        with pytest.raises(LeakError, match=r"1 picture of small has its .* '03' \(train\)"):
            protocol(doubled, embeddings)
    with pytest.raises(LeakError):
        class_map(doubled, embeddings, NameEncoder())


def test_prompts_are_compared_class_by_class(gallery, embeddings):
    prompts = {"good": ("a {}",), "names nothing": ("x{:.0}",), "both": ("a {}", "x{:.0}")}
    outcome = class_map(gallery, embeddings, NameEncoder(), prompts=prompts, ks=(5,))
    table = prompts_compared(outcome, "AP of best@5", against="good").set_index("prompt")
    assert table.loc["good", "value"] == 1 and table.loc["good", "p"] == 1
    assert table.loc["names nothing", "difference"] < 0
    assert table.loc["both", "value"] > table.loc["names nothing", "value"]


def test_classes_are_refused_by_another_model_and_where_there_are_none(gallery, embeddings):
    with pytest.raises(StaleEmbeddings, match="with other weights"):
        class_map(gallery, embeddings, NameEncoder(weights="1"))
    with pytest.raises(ValueError, match="no column 'species'"):
        class_map(gallery, embeddings, NameEncoder(), label="species")


def test_external_queries_are_new_and_exact_search_is_right_by_definition(gallery, embeddings):
    tasks = _r3_tasks(gallery, embeddings, "test")
    external = tasks["external image"]
    assert not set(external.answers) & set(external.ids)
    table = four_tasks(gallery, embeddings, indexes=["flat"]).table
    chosen = table[table["task"].str.startswith("external") & (table["measure"] != "ms")]
    assert chosen["here"].to_numpy() == pytest.approx(1)
    assert set(table["task"]) == {"", *tasks}


def test_a_search_over_given_rows_is_refused_where_it_must_be_built_twice(gallery, embeddings):
    with pytest.raises(ValueError, match="'flat-l2' is already over some rows"):
        four_tasks(gallery, embeddings, indexes=brute(embeddings))


def test_a_search_that_loses_the_first_result_loses_precision_and_ndcg(gallery, embeddings):
    class Second:
        name, ids = "second", None

        def build(self, xb, ids):
            def search(xq, k):
                order = np.argsort(-(xq @ xb.T), axis=1)[:, 1 : k + 1]
                return np.zeros(order.shape), order

            return type("Built", (), {"name": "second", "search": staticmethod(search),
                                      "build_s": 0.0, "ids": ids})  # fmt: skip

    table = four_tasks(gallery, embeddings, indexes=[Second()]).table
    assert (table.loc[table["task"].str.startswith("external")
                      & (table["measure"] == "precision"), "here"] == 0).all()  # fmt: skip
    ndcg = table.loc[table["measure"] == "NDCG", "here"]
    assert (ndcg > 0.2).all() and (ndcg < 1).all()


def as_marks(shift: float) -> Outcome:
    """An outcome of SigLIP on COCO that is off its marks by shift."""
    gallery = small_gallery()
    outcome = both_ways(gallery, small_embeddings(gallery), benchmark="COCO")
    table = outcome.table.set_index("figure", drop=False)
    for mark in MARKS[MARKS["benchmark"] == "COCO"].to_dict("records"):
        for k in (1, 5, 10):
            value = mark[k] + shift
            figure = f"Recall@{k}, {mark['direction']}"
            table.loc[figure, ["here", "low", "high"]] = value, value - 0.005, value + 0.005
    about = {**outcome.about, "searched": 5000, "model": "google/siglip-base-patch16-224"}
    return replace(outcome, table=table.reset_index(drop=True), about=about)


def test_a_run_at_the_marks_is_near_and_one_below_is_told_where_to_look():
    assert setup_check(as_marks(0.01), "COCO").verdict == "near"
    far = setup_check(as_marks(-0.1), "COCO")
    assert far.verdict == "far" and "padding" in far.advice[0]
    assert far.table["difference"].to_numpy() == pytest.approx(-0.1)
    assert setup_check(as_marks(0.05), "COCO").advice[0].startswith("too good")


def test_another_model_or_gallery_is_not_held_against_the_marks(gallery, embeddings):
    check = setup_check(both_ways(gallery, embeddings), "Flickr30k")
    assert check.verdict == "not comparable"
    assert "60 pictures were searched" in str(check) and "the model is made up" in str(check)
