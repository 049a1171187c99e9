import numpy as np
import pytest

from sigscope import paths
from sigscope.rerank.fusion import Keywords, StoredTexts, words_of
from sigscope.search import saved_words, term_table
from sigscope.search.saved_words import open_keywords

TEXTS = [f"thing thing {number % 7} of ünlike colour {number}" for number in range(60)] + ["", "…"]
STORED = StoredTexts(np.array(TEXTS, object), np.arange(len(TEXTS)), len(TEXTS))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setattr(term_table, "BATCH", 11)
    return tmp_path / "words"


@pytest.mark.parametrize(
    "query", ["thing", "thing 3", "ünlike colour 41", "nowhere", "thing thing"]
)
def test_scores_are_those_of_bm25s(query):
    table = open_keywords(STORED, words_of, "stamp")
    expected = Keywords.build(STORED, words_of).scores(query)
    np.testing.assert_array_equal(table.scores(query), expected)


def test_the_texts_that_have_a_word_are_those_of_bm25s():
    built, table = Keywords.build(STORED, words_of), open_keywords(STORED, words_of, "stamp")
    words = set(table.retriever.vocab_dict)
    assert words == set(built.retriever.vocab_dict) and "" in words
    for word in words:
        ours, theirs = (each.retriever for each in (table, built))
        rows = [
            each.scores["indices"][
                slice(*each.scores["indptr"][(at := each.vocab_dict.get(word)) : at + 2])
            ]
            for each in (ours, theirs)
        ]
        assert sorted(rows[0]) == sorted(rows[1])


def test_texts_are_read_once_for_each_stamp(home, monkeypatch):
    open_keywords(STORED, words_of, "one")
    open_keywords(STORED, words_of, "two")
    assert len(list(home.glob("*/words.json"))) == 2
    monkeypatch.setattr(saved_words, "write_table", None)
    assert open_keywords(STORED, words_of, "one").scores("colour 41").argmax() == 41


@pytest.mark.parametrize("damage", ["cut", "gone", "record"])
def test_a_damaged_table_is_written_again(home, damage):
    good = open_keywords(STORED, words_of, "one").scores("thing 3")
    (folder,) = home.iterdir()
    file = folder / ("words.json" if damage == "record" else "data.npy")
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-3])
    np.testing.assert_array_equal(open_keywords(STORED, words_of, "one").scores("thing 3"), good)
