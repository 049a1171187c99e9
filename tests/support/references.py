"""References: what a publisher's own code answers is what our encoder must answer."""

import numpy as np

from sigscope.models import shortcuts
from sigscope.models.encoder import Encoder


def assert_answers_as(encoder: Encoder, texts: list[str], told: np.ndarray, shown: np.ndarray):
    """Compare with the publisher's vectors of texts and of ``shortcuts.pictures()``.

    Those must differ among themselves, as equal ones would show nothing.
    """
    np.testing.assert_allclose(encoder.encode_texts(texts, batch_size=3), told, atol=1e-4)
    ours = encoder.encode_pictures(shortcuts.pictures(), 3)
    np.testing.assert_allclose(ours, shown, atol=1e-4)
    assert encoder.dimension == told.shape[1]
    for vectors in (told, shown):
        assert (vectors @ vectors.T - np.eye(len(vectors))).max() < 0.999
