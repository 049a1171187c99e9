"""Clusters without captions are named by the words that the model finds in them."""

import numpy as np

from sigscope.maps.clusters import Clusters
from sigscope.maps.naming import WORDS, zero_shot_names


class Words:
    """An encoder in whose space each word has an axis of its own, and one word is everywhere."""

    def encode_texts(self, texts):
        vectors = np.eye(len(WORDS), dtype=np.float32)[[WORDS.index(text) for text in texts]]
        vectors[WORDS.index("text")] = 1 / np.sqrt(len(WORDS))
        return vectors


def test_each_cluster_gets_words_of_its_own_and_no_name_twice():
    shown = np.repeat([WORDS.index(word) for word in ("dog", "boat", "dog")], 12)
    images = np.full((36, len(WORDS)), 0.01, np.float32)
    images[np.arange(36), shown] = 1
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    labels = np.repeat([0, 1, 2], 12).astype(np.int32)
    named = zero_shot_names(Clusters(labels, ["group 1", "group 2", "group 3"],
                                     np.zeros((3, 2), np.float32)), images, Words())  # fmt: skip
    assert [name.partition(",")[0] for name in named.names] == ["dog", "boat", "dog"]
    assert len(set(named.names)) == 3
