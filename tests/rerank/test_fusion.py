import numpy as np
import pytest
from toy_tasks import ROWS, TEXTS, asking, stored, unit

from sigscope.evaluation.systems import own_captions
from sigscope.rerank.fusion import (
    Keywords,
    StoredCaptions,
    caption_cosines,
    reciprocal_rank_fusion,
    rerank,
)


def test_each_picture_knows_its_captions():
    assert [numbers.tolist() for numbers in stored().numbers_of] == [[0, 1], [2], [4], [3], []]


def bm25_by_hand(query, texts):
    """Lucene's BM25 with k1 = 1.5 and b = 0.75, written out."""
    docs = [text.lower().replace(":", "").replace(".", "").split() for text in texts]
    mean = np.mean([len(doc) for doc in docs])
    scores = np.zeros(len(docs))
    for word in query.split():
        df = sum(word in doc for doc in docs)
        idf = np.log(1 + (len(docs) - df + 0.5) / (df + 0.5))
        for i, doc in enumerate(docs):
            tf = doc.count(word)
            scores[i] += idf * tf / (tf + 1.5 * (0.25 + 0.75 * len(doc) / mean))
    return scores


def test_keyword_scores_are_the_best_caption_by_bm25():
    by_hand = bm25_by_hand("green sheep", TEXTS)
    expected = [max(by_hand[0], by_hand[1]), by_hand[2], by_hand[4], by_hand[3], 0]
    np.testing.assert_allclose(Keywords.build(stored()).scores("green sheep"), expected, rtol=1e-5)


def test_stop_words_count_only_where_a_query_has_no_others():
    words = Keywords.build(stored())
    np.testing.assert_array_equal(words.scores("a sheep of the"), words.scores("sheep"))
    assert words.scores("a").any()


def test_keyword_search_does_not_see_the_query_s_own_captions():
    words, task = Keywords.build(stored()), asking(["a baby sheep"], [[0]])
    assert words.search(["baby sheep"], 5)[1][0, 0] == 0
    left_out = own_captions(task, stored())
    scores, rows = words.search(["baby sheep"], 5, left_out=left_out)
    assert rows.tolist() == [[-1] * 5] and np.isneginf(scores).all()


def test_a_query_without_words_or_with_unknown_ones_finds_nothing():
    _, rows = Keywords.build(stored()).search(["…", "xylophone"], 3)
    assert (rows == -1).all()


def test_keywords_without_captions_are_refused():
    empty = StoredCaptions(np.array([], object), ROWS[:0], 5, np.empty((0, 8), np.float32))
    with pytest.raises(ValueError, match="nothing to search by words"):
        Keywords.build(empty)


def test_fusion_adds_the_reciprocal_places():
    first, second = np.array([[7, 5, 3]]), np.array([[5, 9, -1]])
    scores, rows = reciprocal_rank_fusion([first, second], 4)
    assert rows.tolist() == [[5, 7, 9, 3]]
    expected = [1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63]
    np.testing.assert_allclose(scores, [expected], rtol=1e-6)


def test_fusion_agrees_with_a_dictionary_of_sums():
    rng = np.random.default_rng(2)
    lists = [np.stack([rng.permutation(30)[:12] for _ in range(8)]) for _ in range(3)]
    scores, rows = reciprocal_rank_fusion(lists, 20)
    for query in range(8):
        sums = {}
        for rows_of in lists:
            for place, row in enumerate(rows_of[query], 1):
                sums[row] = sums.get(row, 0) + 1 / (60 + place)
        listed = rows[query][rows[query] >= 0]
        np.testing.assert_allclose([sums[row] for row in listed], scores[query][: len(listed)])
        assert sorted(sums.values(), reverse=True)[:20] == pytest.approx(scores[query][:20])


def test_fusing_one_ranking_leaves_it_as_it_is():
    rows = np.array([[4, 2, 9], [1, -1, -1]])
    np.testing.assert_array_equal(reciprocal_rank_fusion([rows], 3)[1], rows)


def test_caption_cosines_take_the_nearest_caption_that_may_be_seen():
    captions, xq = stored(), unit(np.random.default_rng(3), 1)
    rows = np.array([[0, 4, 3, -1]])
    cosines = captions.vectors @ xq[0]
    all_seen = caption_cosines(rows, xq, captions)
    np.testing.assert_allclose(all_seen[0, [0, 2]], [max(cosines[:2]), cosines[3]], rtol=1e-6)
    assert np.isnan(all_seen[0, [1, 3]]).all()
    some = caption_cosines(rows, xq, captions, left_out=[np.array([0, 3])])
    np.testing.assert_allclose(some[0, 0], cosines[1], rtol=1e-6)
    assert np.isnan(some[0, 2])


def test_reranking_weighs_picture_and_caption_and_a_missing_caption_is_neutral():
    cosines, rows = np.array([[0.5, 0.4, 0.3]], np.float32), np.array([[8, 6, 7]])
    nearest = np.array([[0.1, np.nan, 0.9]])  # the missing one counts as 0.5
    scores, again = rerank(cosines, rows, nearest, 0.5)
    assert again.tolist() == [[7, 6, 8]]
    np.testing.assert_allclose(scores, [[0.6, 0.45, 0.3]], rtol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_reranking_without_weight_or_captions_changes_nothing(weight):
    cosines, rows = np.array([[0.5, 0.4, -np.inf]], np.float32), np.array([[8, 6, -1]])
    nearest = np.array([[0.1, 0.9, np.nan]]) if weight == 0 else np.full((1, 3), np.nan)
    scores, again = rerank(cosines, rows, nearest, weight)
    np.testing.assert_array_equal(again, rows)
    np.testing.assert_array_equal(scores, cosines)


def test_empty_slots_stay_last_at_full_weight():
    cosines, rows = np.array([[-0.5, -0.6, -np.inf]], np.float32), np.array([[8, 6, -1]])
    scores, again = rerank(cosines, rows, np.array([[-0.9, -0.8, np.nan]]), 1.0)
    assert again.tolist() == [[6, 8, -1]]
    assert np.isneginf(scores[0, 2])


def test_a_weight_beyond_one_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        rerank(np.zeros((1, 1)), np.zeros((1, 1), int), np.zeros((1, 1)), 1.1)
