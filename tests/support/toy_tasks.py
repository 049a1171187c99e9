"""Tasks of random unit vectors, on which what is taken off a score can be tried."""

import numpy as np

from sigscope.evaluation.tasks import Task
from sigscope.rerank.fusion import StoredCaptions

TEXTS = ["a baby sheep", "A drawing of a baby sheep: animals.", "a zebra", "green pear", "A zebra"]
ROWS = np.array([0, 0, 1, 3, 2])  # picture 4 has no caption


def unit(rng, n, d=8):
    """Return n random unit rows of d dimensions, float32."""
    x = rng.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def a_task(rng, queries=5, n=12, right=None):
    """Return a task of random queries and answers; query i's right answer is i unless said."""
    right = right or [np.array([i]) for i in range(queries)]
    ids, answers = np.arange(queries).astype(str), np.arange(n).astype(str)
    return Task("toy", ids, ids, unit(rng, queries), unit(rng, n), answers, right, {})


def stored(rng=None):
    """Return the captions TEXTS of the pictures ROWS, with random vectors."""
    rng = rng or np.random.default_rng(0)
    return StoredCaptions(np.array(TEXTS, object), ROWS, 5, unit(rng, 5))


def asking(texts, right):
    """Return a task of these texts over five pictures."""
    task = a_task(np.random.default_rng(1), len(texts), 5, right=[np.array(r) for r in right])
    return type(task)(**{**vars(task), "texts": np.array(texts, object)})
