"""Captions in several languages over the small gallery."""

from dataclasses import replace

import pandas as pd
import pytest
from small_gallery import NameEncoder, small_embeddings, small_gallery

from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.evaluation.languages import by_language, language_queries


@pytest.fixture
def asked(tmp_path):
    gallery = replace(small_gallery(), root=tmp_path)
    test = gallery.items[gallery.items["split"] == "test"]
    rows = [(id, "xx", "?") for id in test["id"]] + [
        (id, "en_GB", caption) for id, caption in zip(test["id"], test["caption"], strict=True)
    ]
    rows += [("01", "de", "cat 01"), ("03", "de", "nicht in der Probe")]
    table = pd.DataFrame(rows, columns=["id", "language", "caption"])
    table.to_csv(tmp_path / "translations.csv", index=False)
    return gallery, small_embeddings(gallery)


def test_a_language_the_model_knows_is_level_with_english_and_another_far_behind(asked):
    gallery, embeddings = asked
    found = by_language(gallery, embeddings, NameEncoder(), k=20)
    rows = found.set_index("language")
    assert rows.loc["en_GB", "behind"] == 0 and rows.loc["en", "hit_rate"] > 0.5
    assert rows.loc["xx", "hit_rate"] == 1, "all ask alike, so every picture is right"
    assert rows.loc["de", ["queries", "pictures"]].tolist() == [1, 1], "only those of the split"
    assert found["hit_rate"].is_monotonic_decreasing


def test_only_the_languages_asked_for_and_english_are_queries(asked):
    gallery, embeddings = asked
    queries = language_queries(gallery, embeddings, NameEncoder(), languages=["xx"])
    assert set(queries["language"]) == {"en", "xx"}
    with pytest.raises(ValueError, match="no caption in 'fr'; choose from de, en_GB, xx"):
        by_language(gallery, embeddings, NameEncoder(), languages=["fr"])


def test_another_model_is_refused(asked):
    gallery, embeddings = asked
    with pytest.raises(StaleEmbeddings):
        by_language(gallery, embeddings, NameEncoder(weights="1"))


def test_words_that_look_like_nothing_stay_words(asked):
    gallery, embeddings = asked
    path = gallery.root / "translations.csv"
    path.write_text('id,language,caption\n00,nl,NA\n01,fr,"null, vide"\n02,fr, \n')
    queries = language_queries(gallery, embeddings, NameEncoder())
    words = queries.loc[queries["language"] != "en", "caption"]
    assert sorted(words) == ["NA", "null, vide"]
    path.unlink()
    with pytest.raises(ValueError, match="there is no"):
        language_queries(gallery, embeddings, NameEncoder())


def test_captions_of_multi30k_beside_the_pictures_are_queries_of_those_that_are_there(asked):
    gallery, embeddings = asked
    lines = ["file\tsplit\tlang\tsource\tcaption", "00.png\ttest\tde\tt\teine cat 0"]
    lines += ['00.png\ttest\tde\tt\tnoch "eine', "absent.png\ttest\tfr\tt\tun chat"]
    lines += ["01.png\ttest\tcs\tt\t "]
    (gallery.root / "multi30k.tsv").write_text("\n".join(lines), encoding="utf-8")
    queries = language_queries(gallery, embeddings, NameEncoder())
    assert queries.loc[queries["language"] == "de", "caption"].tolist() == [
        "eine cat 0", 'noch "eine'
    ]  # fmt: skip
    assert set(queries["language"]) == {"en", "de"}, "neither blank captions nor absent pictures"
    table = by_language(gallery, embeddings, NameEncoder()).set_index("language")
    assert table.loc["de", ["queries", "pictures"]].tolist() == [2, 1]
    (gallery.root / "multi30k.tsv").write_text("file\tcaption\n00.png\tcat")
    with pytest.raises(ValueError, match="lacks the columns lang"):
        language_queries(gallery, embeddings, NameEncoder())
