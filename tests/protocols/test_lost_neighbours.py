"""Relevance of an index's results beside its neighbour recall."""

import numpy as np
import pytest
from small_gallery import small_embeddings, small_gallery

from sigscope.evaluation.evaluate import evaluate
from sigscope.indexes.index import VectorIndex
from sigscope.protocols.lost_neighbours import relevance_of


@pytest.fixture(scope="module")
def both():
    gallery = small_gallery()
    return gallery, small_embeddings(gallery)


def test_exact_search_loses_nothing(both):
    row = relevance_of(["flat"], *both, k=5).iloc[0]
    exact = evaluate(*both, measures=["hit rate@5", "NDCG@5"]).queries
    text = exact[exact["direction"] == "text to image"]
    assert row["neighbour_recall"] == 1 and row["hit_rate_lost"] == row["ndcg_lost"] == 0
    assert row["hit_rate"] == text["hit rate@5"].mean()
    assert row["ndcg"] == pytest.approx(text["NDCG@5"].mean())


def test_what_an_index_misses_is_counted_on_the_same_queries(both):
    gallery, embeddings = both

    def half(xq, k):  # sees every other picture only
        order = 2 * np.argsort(-(xq @ embeddings.images[::2].T), axis=1)
        return np.zeros(order.shape), order[:, : k - 1]

    row = relevance_of({"half": half}, gallery, embeddings, k=5).iloc[0]
    assert 0.2 < row["neighbour_recall"] < 0.6
    assert row["hit_rate_lost"] == pytest.approx(
        relevance_of(["flat"], gallery, embeddings, k=5)["hit_rate"].item() - row["hit_rate"]
    )
    assert 0 < row["hit_rate_lost_low"] < row["hit_rate_lost"] < row["hit_rate_lost_high"]


def test_each_value_of_the_knob_has_a_row(both):
    gallery, embeddings = both

    class Knobbed:
        name, build_s, efforts = "knobbed", 0.1, (10, 60)
        ids = embeddings.ids

        def search(self, xq, k, *, effort=None):
            order = np.argsort(-(xq @ embeddings.images[:effort].T), axis=1)[:, :k]
            return np.zeros(order.shape), order

    table = relevance_of([Knobbed()], gallery, embeddings, k=5)
    assert table["effort"].tolist() == [10, 60]
    assert table["neighbour_recall"].iloc[0] < table["neighbour_recall"].iloc[1] == 1


def test_an_index_of_other_pictures_or_vectors_is_refused(both):
    gallery, embeddings = both
    other = VectorIndex.build("flat", embeddings.images, embeddings.ids[::-1])
    with pytest.raises(ValueError, match="over other pictures"):
        relevance_of([other], gallery, embeddings)
    model = VectorIndex.build("flat", embeddings.images[::-1], embeddings.ids)
    with pytest.raises(ValueError, match="over other vectors of the same pictures"):
        relevance_of([model], gallery, embeddings)
