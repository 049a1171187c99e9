"""Captions in several languages over the small gallery."""

import pandas as pd
import pytest
from small_gallery import NameEncoder, small_embeddings, small_gallery

from sigscope.embeddings.embed import StaleEmbeddings
from sigscope.evaluation.languages import by_language, language_queries, read_translations


@pytest.fixture
def asked():
    gallery = small_gallery()
    test = gallery.items[gallery.items["split"] == "test"]
    rows = [(id, "xx", "?") for id in test["id"]] + [
        (id, "en_GB", caption) for id, caption in zip(test["id"], test["caption"], strict=True)
    ]
    rows += [("01", "de", "cat 01"), ("03", "de", "nicht in der Probe")]
    table = pd.DataFrame(rows, columns=["id", "language", "caption"])
    return gallery, small_embeddings(gallery), table


def test_a_language_the_model_knows_is_level_with_english_and_another_far_behind(asked):
    gallery, embeddings, table = asked
    found = by_language(gallery, embeddings, NameEncoder(), k=20, translations=table)
    rows = found.set_index("language")
    assert rows.loc["en_GB", "behind"] == 0 and rows.loc["en", "hit_rate"] > 0.5
    assert rows.loc["xx", "hit_rate"] == 1, "all ask alike, so every picture is right"
    assert rows.loc["de", ["queries", "pictures"]].tolist() == [1, 1], "only those of the split"
    assert found["hit_rate"].is_monotonic_decreasing


def test_only_the_languages_asked_for_and_english_are_queries(asked):
    gallery, embeddings, table = asked
    queries = language_queries(
        gallery, embeddings, NameEncoder(), translations=table, languages=["xx"]
    )
    assert set(queries["language"]) == {"en", "xx"}
    with pytest.raises(ValueError, match="no caption in 'fr'; choose from de, en_GB, xx"):
        by_language(gallery, embeddings, NameEncoder(), translations=table, languages=["fr"])


def test_another_model_is_refused(asked):
    gallery, embeddings, table = asked
    with pytest.raises(StaleEmbeddings):
        by_language(gallery, embeddings, NameEncoder(weights="1"), translations=table)


def test_words_that_look_like_nothing_stay_words(tmp_path):
    path = tmp_path / "translations.csv"
    path.write_text('id,language,caption\na,nl,NA\nb,fr,"null, vide"\nc,fr, \n')
    assert read_translations(path)["caption"].tolist() == ["NA", "null, vide"]
    with pytest.raises(ValueError, match="there is no"):
        read_translations(tmp_path / "other.csv")
