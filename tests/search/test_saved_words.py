import logging

import numpy as np
import pytest

from sigscope import paths
from sigscope.rerank.fusion import Keywords, StoredTexts, words_of
from sigscope.search import saved_words
from sigscope.search.saved_words import open_keywords

TEXTS = np.array([f"thing {number % 7} of colour {number}" for number in range(60)], object)
STORED = StoredTexts(TEXTS, np.arange(60) // 2, 30)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setattr(saved_words, "FEW", 10)
    return tmp_path / "words"


def never(*_):
    raise AssertionError("the index is built again")


def test_next_start_takes_the_index_from_the_cache_and_scores_alike(home, monkeypatch):
    built = open_keywords(STORED, words_of)
    assert len(list(home.glob("*/words.json"))) == 1
    monkeypatch.setattr(Keywords, "build", never)
    saved = open_keywords(STORED, words_of)
    for query in ("thing 3", "colour 41", "nothing here"):
        assert np.array_equal(saved.scores(query), built.scores(query))
    assert saved.scores("colour 41").argmax() == 20


def test_other_texts_and_other_rows_are_other_indexes(home):
    open_keywords(STORED, words_of)
    open_keywords(StoredTexts(TEXTS[::-1], STORED.rows, 30), words_of)
    open_keywords(StoredTexts(TEXTS, STORED.rows[::-1].copy(), 30), words_of)
    assert len(list(home.glob("*/words.json"))) == 3


def test_few_texts_are_not_kept(home, monkeypatch):
    monkeypatch.setattr(saved_words, "FEW", 61)
    assert open_keywords(STORED, words_of).scores("colour 41").any() and not home.exists()


@pytest.mark.parametrize("damage", ["one bit", "gone", "record"])
def test_damaged_index_is_built_again_and_kept(home, damage, caplog, monkeypatch):
    good = open_keywords(STORED, words_of).scores("thing 3")
    (folder,) = home.iterdir()
    file = folder / ("words.json" if damage == "record" else "data.csc.index.npy")
    if damage == "gone":
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[-3] ^= 1
        file.write_bytes(bytes(content))
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(open_keywords(STORED, words_of).scores("thing 3"), good)
    assert "is broken" in caplog.text
    monkeypatch.setattr(Keywords, "build", never)
    assert np.array_equal(open_keywords(STORED, words_of).scores("thing 3"), good)


def test_cache_that_cannot_be_written_is_no_trouble(home, caplog):
    home.write_text("a file where the folder should be")
    assert open_keywords(STORED, words_of).scores("thing 3").any()
    assert "cannot be kept" in caplog.text
