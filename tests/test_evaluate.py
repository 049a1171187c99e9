"""The caption protocol on a gallery small enough to work out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigscope.embeddings import Embeddings
from sigscope.evaluate import hit_rates, ranked_captions
from sigscope.gallery import Gallery

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
    table = ranked_captions(gallery, embeddings)
    forward = table[table["direction"] == "text to image"]
    assert forward["caption"].tolist() == ["a cat", "Felix", "a dog"]
    assert set(forward["n"]) == {4}
    back = table[table["direction"] == "image to text"]
    assert back["id"].tolist() == ["cat", "dog"] and set(back["n"]) == {5}


def test_a_picture_with_an_equal_caption_is_right_too(gallery, embeddings):
    table = ranked_captions(gallery, embeddings)
    ranks = dict(zip(table["caption"], table["rank"], strict=True))
    assert ranks["a cat"] == 1, "west, the picture of the other 'A cat', is nearest"
    assert ranks["Felix"] == 1, "only its own picture is right, and that lies east"
    assert ranks["a dog"] == 4, "the dog lies north, the caption south"


def test_a_marked_duplicate_is_right_too(gallery, embeddings):
    gallery.items["duplicate_of"] = ["", "", "", "dog"]
    table = ranked_captions(gallery, embeddings)
    assert table.loc[table["caption"] == "a dog", "rank"].tolist() == [1], "its twin lies south"


def test_a_picture_finds_the_captions_of_its_right_pictures(gallery, embeddings):
    back = ranked_captions(gallery, embeddings).query("direction == 'image to text'")
    assert back["rank"].tolist() == [1, 5]
    assert back["n_right"].tolist() == [3, 1], "a cat, Felix, A cat; a dog"


def test_hit_rates_are_shares_of_queries_with_chance_beside_them(gallery, embeddings):
    rates = hit_rates(ranked_captions(gallery, embeddings), ks=(1, 4))
    forward = rates[rates["direction"] == "text to image"]
    assert forward["hit_rate"].tolist() == pytest.approx([2 / 3, 1])
    assert forward["chance"].tolist() == pytest.approx([(2 / 4 + 1 / 4 + 1 / 4) / 3, 1])
    assert forward["pictures"].tolist() == [2, 2]
    assert (rates["low"] <= rates["hit_rate"]).all() and (rates["hit_rate"] <= rates["high"]).all()


def test_a_split_that_is_not_there_is_said(gallery, embeddings):
    with pytest.raises(ValueError, match="no item in split 'val'"):
        ranked_captions(gallery, embeddings, split="val")
