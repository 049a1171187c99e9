"""Recall against bytes, as vectors are cut."""

from dataclasses import replace

import numpy as np
import pytest
from small_gallery import small_embeddings, small_gallery, unit

from sigscope.evaluation import by_dimension, evaluate, summary


@pytest.fixture(scope="module")
def gallery():
    return small_gallery()


def test_each_cut_is_what_the_cut_vectors_alone_would_score(gallery):
    embeddings, measures = small_embeddings(gallery), ["hit rate@1"]
    table = by_dimension(gallery, embeddings, [12, 4], measures=measures)
    for d, rows in table.groupby("dimension"):
        cut = replace(
            embeddings,
            images=unit(embeddings.images[:, :d]),
            captions=unit(embeddings.captions[:, :d]),
        )
        expected = summary(evaluate(gallery, cut, measures=measures))["value"]
        np.testing.assert_allclose(rows["value"], expected)
        assert set(rows["bytes"]) == {4 * d}
    whole, less = (table[table["dimension"] == d] for d in (12, 4))
    assert (whole["behind"] == 0).all() and (less["value"] < whole["value"].to_numpy()).all()
    np.testing.assert_allclose(less["behind"], whole["value"].to_numpy() - less["value"])


def test_a_cut_that_cannot_be_had_is_refused(gallery):
    with pytest.raises(ValueError, match="a dimension is 13; give 1 to 12"):
        by_dimension(gallery, small_embeddings(gallery), [13])
