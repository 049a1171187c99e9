"""What tuning bought and cost: hand-worked tables of two models over the same queries."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small_gallery import NameEncoder, small_embeddings, small_gallery
from toy import write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.evaluation.before_after import (
    _holm,
    gains_and_losses,
    gains_by,
    most_changed,
    only_train_on,
    zero_shot,
)
from sigscope.evaluation.evaluate import Result, evaluate
from sigscope.models.encoder import Encoder
from sigscope.tuning import features
from sigscope.tuning.lesson import embed_tuned

ABOUT = {"gallery": "g", "fingerprint": "f", "split": "test", "rule": "equal"}


def result(ranks) -> Result:
    n = len(ranks)
    queries = pd.DataFrame(
        {
            "direction": "text to image",
            "id": [str(i) for i in range(n)],
            "caption": [f"caption {i}" for i in range(n)],
            "rank": ranks,
            "n_right": 1,
            "n": 100,
        }
    )
    queries["hit rate@10"] = (queries["rank"] <= 10).astype(float)
    return Result(ABOUT, queries)


def test_gains_by_category_are_those_done_by_hand():
    before, after = result([1, 50, 50, 5, 5, 50]), result([1, 2, 3, 60, 5, 50])
    labels = dict(zip("012345", ["cat", "cat", "cat", "dog", "dog", "dog"], strict=True))
    table = gains_by(before, after, labels)
    assert table["label"].tolist() == ["cat", "dog"]
    assert table["before"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert table["after"].tolist() == pytest.approx([1, 1 / 3])
    assert table["difference"].tolist() == pytest.approx([2 / 3, -1 / 3])
    assert table["p"].tolist() == pytest.approx([0.5, 1])  # 4 of 8 signs reach 2 of 3
    assert table["p_holm"].tolist() == [1, 1] and table["queries"].tolist() == [3, 3]


def test_holm_is_the_table_done_by_hand():
    np.testing.assert_allclose(_holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])


def test_the_most_changed_queries_are_counted_in_halvings():
    before, after = result([64, 8, 1, 20, 7]), result([1, 4, 4, 20, 70])
    table = most_changed(before, after, 1)
    assert table["id"].tolist() == ["0", "4"]
    assert table["halvings"].tolist() == pytest.approx([6, -np.log2(10)])
    assert len(most_changed(before, after)) == 4


def test_results_of_other_queries_are_refused():
    with pytest.raises(ValueError, match="other queries"):
        gains_by(result([1, 2]), result([1, 2, 3]), {})
    with pytest.raises(ValueError, match="other queries"):
        most_changed(result([1, 2]), result([1, 2, 3]))


def test_zero_shot_is_the_nearest_name():
    gallery = small_gallery()
    table = zero_shot(gallery, small_embeddings(gallery), NameEncoder())
    assert len(table) == 21 and table["hit"].mean() > 0.9
    assert set(table.loc[table["hit"], "rank"]) == {1}
    blind = SimpleNamespace(encode_texts=lambda texts: np.ones((len(texts), 12), np.float32))
    tied = zero_shot(gallery, small_embeddings(gallery), blind)
    assert (tied["rank"] == 3).all(), "a model that cannot tell has them all wrong"


def test_gains_and_losses_stand_in_one_table():
    gallery = small_gallery()
    kinds = ["photo" if i % 2 else "drawing" for i in range(60)]
    gallery.items["kind"] = kinds
    better = small_embeddings(gallery), NameEncoder()
    worse = small_embeddings(gallery, noise=6.0), NameEncoder()
    table = gains_and_losses(gallery, worse, better)
    assert table["test"].tolist() == [
        "text to image",
        "image to text",
        "text to image, kind drawing",
        "text to image, kind photo",
        "zero-shot",
    ]
    first = table.iloc[0]
    assert first["low"] > 0 and first["p"] < 0.05
    result = evaluate(gallery, better[0], "test", ["hit rate@10"]).queries
    assert first["after"] == result[result["direction"] == "text to image"]["hit rate@10"].mean()
    last = table.iloc[-1]
    assert last["difference"] == 0 and last["p"] == 1, "the pictures' vectors are the same"


def test_what_a_gallery_does_not_say_is_left_out_of_the_table():
    gallery = small_gallery()
    model = small_embeddings(gallery), None
    gallery.items["category"] = ""
    table = gains_and_losses(gallery, model, model, by="no such column")
    assert table["test"].tolist() == ["text to image", "image to text"]


def test_only_one_kind_is_learnt_from_and_all_is_searched():
    gallery = small_gallery()
    chosen = only_train_on(gallery, "category", "cat")
    assert set(chosen.items.loc[chosen.items["split"] == "train", "category"]) == {"cat"}
    assert len(chosen) == len(gallery)
    before, after = (one.items["split"] == "test" for one in (gallery, chosen))
    assert (before == after).all() and chosen.fingerprint != gallery.fingerprint
    with pytest.raises(ValueError, match="choose from"):
        only_train_on(gallery, "category", "cow")
    with pytest.raises(ValueError, match="no column 'kind'"):
        only_train_on(gallery, "kind", "photo")


def test_two_kinds_that_are_not_equally_frequent_can_be_made_so():
    gallery = small_gallery()
    chosen = only_train_on(gallery, "category", "cat", at_most=2)
    kept = chosen.items[chosen.items["split"] == "train"]
    assert kept["category"].tolist() == ["cat", "cat"] and len(chosen) == len(gallery)
    again = only_train_on(gallery, "category", "cat", at_most=2, seed=1)
    assert again.fingerprint != chosen.fingerprint
    whole = only_train_on(gallery, "category", "cat", at_most=1000)
    plain = only_train_on(gallery, "category", "cat")
    assert whole.items["split"].tolist() == plain.items["split"].tolist()


@pytest.mark.parametrize("family", ["siglip", "dual"])
def test_cached_embeddings_are_the_encoders(family, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "FOLDER", tmp_path / "cache")
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 12, size=16))
    encoder = Encoder.load(checkpoint(family), dtype="float32")
    plain = embed_gallery(gallery, encoder, tmp_path / "embeddings")
    cached = embed_tuned(gallery, checkpoint(family))
    assert cached.manifest["encoder"] == encoder.identity
    assert cached.ids.tolist() == plain.ids.tolist()
    assert cached.caption_texts.tolist() == plain.caption_texts.tolist()
    np.testing.assert_allclose(cached.images, plain.images, atol=1e-3)
    np.testing.assert_allclose(cached.captions, plain.captions, atol=1e-3)
    assert len(evaluate(gallery, cached, encoder=encoder).queries) == 12
