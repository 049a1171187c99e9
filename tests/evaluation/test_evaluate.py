"""The caption protocol on a gallery small enough to work out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_gallery import NameEncoder, small_embeddings, small_gallery

from sigscope.duplicates.splits import LeakError
from sigscope.embeddings.load import Embeddings
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.evaluation.evaluate import compare, evaluate, summary
from sigscope.evaluation.tasks import caption_tasks, check_and_describe
from sigscope.gallery.gallery import Gallery

EAST, NORTH, WEST, SOUTH = [1, 0], [0, 1], [-1, 0], [0, -1]


def vectors(*rows) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


@pytest.fixture
def gallery() -> Gallery:
    items = pd.DataFrame(
        {
            "id": ["cat", "dog", "cat again", "tree"],
            "captions": [["a cat", "Felix"], ["a dog"], ["A cat"], ["a tree"]],
            "split": ["test", "test", "train", "train"],
            "duplicate_of": ["", "", "", ""],
        }
    )
    return Gallery("four", Path("."), items, pd.DataFrame(columns=["path", "reason"]))


@pytest.fixture
def embeddings() -> Embeddings:
    return Embeddings(
        folder=Path("."),
        ids=np.array(["cat", "dog", "cat again", "tree"]),
        images=vectors(EAST, NORTH, WEST, SOUTH),
        caption_ids=np.array(["cat", "cat", "dog", "cat again", "tree"]),
        caption_texts=np.array(["a cat", "Felix", "a dog", "A cat", "a tree"]),
        captions=vectors([-0.8, 0.6], EAST, SOUTH, [-0.8, 0.6], NORTH),
        manifest={},
        failed=pd.DataFrame(columns=["id", "path", "reason"]),
    )


def test_every_caption_of_the_split_is_a_query_and_the_whole_gallery_is_searched(
    gallery, embeddings
):
    table = evaluate(gallery, embeddings).queries
    forward = table[table["direction"] == "text to image"]
    assert forward["caption"].tolist() == ["a cat", "Felix", "a dog"]
    assert set(forward["n"]) == {4}
    back = table[table["direction"] == "image to text"]
    assert back["id"].tolist() == ["cat", "dog"] and set(back["n"]) == {5}


def test_a_picture_with_an_equal_caption_is_right_too(gallery, embeddings):
    table = evaluate(gallery, embeddings).queries
    ranks = dict(zip(table["caption"], table["rank"], strict=True))
    assert ranks["a cat"] == 1, "west, the picture of the other 'A cat', is nearest"
    assert ranks["Felix"] == 1, "only its own picture is right, and that lies east"
    assert ranks["a dog"] == 4, "the dog lies north, the caption south"


def test_a_marked_duplicate_is_right_too(gallery, embeddings):
    gallery.items["split"] = ["test", "test", "train", "test"]
    gallery.items["duplicate_of"] = ["", "", "", "dog"]
    table = evaluate(gallery, embeddings).queries
    assert table.loc[table["caption"] == "a dog", "rank"].tolist() == [1], "its twin lies south"


def test_a_picture_finds_the_captions_of_its_right_pictures(gallery, embeddings):
    back = evaluate(gallery, embeddings).queries.query("direction == 'image to text'")
    assert back["rank"].tolist() == [1, 5]
    assert back["n_right"].tolist() == [3, 1], "a cat, Felix, A cat; a dog"


def test_hit_rates_are_shares_of_queries_with_chance_beside_them(gallery, embeddings):
    rates = summary(evaluate(gallery, embeddings, "test", ["hit rate@1", "hit rate@4"]))
    forward = rates[rates["direction"] == "text to image"]
    assert forward["value"].tolist() == pytest.approx([2 / 3, 1])
    assert forward["chance"].tolist() == pytest.approx([(2 / 4 + 1 / 4 + 1 / 4) / 3, 1])
    assert forward["pictures"].tolist() == [2, 2]
    assert (rates["low"] <= rates["value"]).all() and (rates["value"] <= rates["high"]).all()


def test_a_split_that_is_not_there_is_said(gallery, embeddings):
    with pytest.raises(ValueError, match="no item in split 'val'"):
        evaluate(gallery, embeddings, "val")


def test_the_own_rule_knows_only_the_own_picture(gallery, embeddings):
    tasks = caption_tasks(gallery, embeddings, rule="own")
    assert [rows.tolist() for rows in tasks["text to image"].right] == [[0], [0], [1]]
    assert [rows.tolist() for rows in tasks["image to text"].right] == [[0, 1], [2]]
    with pytest.raises(ValueError, match="no rule 'mine'; choose from own, twins, equal"):
        caption_tasks(gallery, embeddings, rule="mine")


def test_a_twin_found_instead_is_right_unless_the_own_picture_alone_counts(gallery, embeddings):
    gallery.items["split"] = ["test", "test", "train", "test"]
    gallery.items["duplicate_of"] = ["", "", "", "dog"]
    first = {}
    for rule in ("own", "twins", "equal"):
        queries = evaluate(gallery, embeddings, measures=["hit rate@1"], rule=rule).queries
        first[rule] = queries.set_index("caption").loc[["a cat", "a dog"], "rank"].tolist()
    assert first["own"] == [4, 4], "each caption points away from its own picture"
    assert first["twins"] == [4, 1], "the dog's twin lies south, where the caption is"
    assert first["equal"] == [1, 1], "and the other cat is called 'A cat'"


def test_a_marked_duplicate_across_splits_is_an_error(gallery, embeddings):
    gallery.items["duplicate_of"] = ["", "", "", "dog"]
    with pytest.raises(LeakError, match=r"the first 'tree' \(train\) and 'dog' \(test\)"):
        evaluate(gallery, embeddings)


def test_every_query_keeps_its_numbers_for_drilling_down(gallery, embeddings):
    result = evaluate(gallery, embeddings, measures=["MRR", "recall@1", "AP"], rule="own")
    rows = result.queries.set_index("caption")
    assert rows.loc["Felix", "rank"] == rows.loc["Felix", "MRR"] == 1
    assert rows.loc["a dog", "AP"] == 1 / 4, "the dog lies north, the caption south"
    back = result.queries.query("direction == 'image to text'").set_index("id")
    assert back.loc["cat", "recall@1"] == 1 / 2, "Felix lies east; 'a cat' is the other caption"
    assert result.measures == ["MRR", "recall@1", "AP"]


def test_a_summary_is_the_mean_with_interval_and_chance():
    gallery = small_gallery()
    result = evaluate(gallery, small_embeddings(gallery), measures=["hit rate@3", "recall@3"])
    row = summary(result).set_index(["direction", "measure"]).loc[("text to image", "hit rate@3")]
    values = result.queries.loc[result.queries["direction"] == "text to image", "hit rate@3"]
    assert row["value"] == values.mean() and row["low"] < row["value"] < row["high"]
    assert row["chance"] == pytest.approx(3 / 60, abs=0.01)
    assert (row["queries"], row["pictures"], row["searched"]) == (42, 21, 60)


def test_two_systems_are_compared_query_by_query():
    gallery = small_gallery()
    sharp, blurred = (
        evaluate(gallery, small_embeddings(gallery, noise), measures=["MRR"]) for noise in (0.5, 3)
    )
    row = compare(blurred, sharp).set_index("direction").loc["text to image"]
    assert row["difference"] == pytest.approx(row["second"] - row["first"])
    assert 0 < row["low"] < row["difference"] < row["high"] and row["p"] < 0.01
    same = compare(sharp, sharp)
    assert (same["difference"] == 0).all() and (same["p"] == 1).all()


def test_results_of_another_split_or_rule_do_not_compare():
    gallery = small_gallery()
    found = small_embeddings(gallery)
    test, train, own = (
        evaluate(gallery, found, split, ["MRR"], rule=rule)
        for split, rule in (("test", "equal"), ("train", "equal"), ("test", "own"))
    )
    with pytest.raises(ValueError, match=r"another split \(test and train\)"):
        compare(test, train)
    with pytest.raises(ValueError, match="another rule"):
        compare(test, own)


@pytest.mark.parametrize("column", ["split", "category", "captions"])
def test_embeddings_of_the_gallery_as_it_was_are_refused(column):
    gallery = small_gallery()
    found = small_embeddings(gallery)
    now = small_gallery()
    now.items.at[0, column] = ["a new caption"] if column == "captions" else "train"
    with pytest.raises(StaleEmbeddings, match="nothing was evaluated; embed the gallery again"):
        evaluate(now, found)


def test_a_subset_is_another_gallery():
    gallery = small_gallery()
    with pytest.raises(StaleEmbeddings, match="other pictures"):
        evaluate(gallery.subset(split="test"), small_embeddings(gallery))


def test_another_model_than_the_embeddings_is_refused():
    gallery = small_gallery()
    found = small_embeddings(gallery)
    assert evaluate(gallery, found, encoder=NameEncoder()).about["model"] == "made up"
    with pytest.raises(StaleEmbeddings, match="with other weights or rules"):
        evaluate(gallery, found, encoder=NameEncoder(weights="1"))


def test_pictures_that_the_gallery_has_not_are_refused(gallery, embeddings):
    short = Gallery("three", gallery.root, gallery.items.iloc[:3], gallery.problems)
    with pytest.raises(StaleEmbeddings, match="1 pictures that three has not, the first 'tree'"):
        check_and_describe(short, embeddings, "test")
