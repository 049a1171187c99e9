"""Tasks of random unit vectors, on which what is taken off a score can be tried."""

import numpy as np

from sigscope.evaluation.tasks import Task


def unit(rng, n, d=8):
    """Return n random unit rows of d dimensions, float32."""
    x = rng.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def a_task(rng, queries=5, n=12, right=None):
    """Return a task of random queries and answers; query i's right answer is i unless said."""
    right = right or [np.array([i]) for i in range(queries)]
    ids, answers = np.arange(queries).astype(str), np.arange(n).astype(str)
    return Task("toy", ids, ids, unit(rng, queries), unit(rng, n), answers, right, {})
