"""Text-heavy pictures in an evaluation: a weight against them, chosen on the val split."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sigscope.evaluation.model_selection import decided
from sigscope.evaluation.tasks import Task, corrected
from sigscope.indexes.exact import exact_neighbours
from sigscope.rerank.text_bias import asks_for_text, text_penalty

WEIGHTS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)

TOP = 10


def without_text(task: Task, text_scores: np.ndarray, weight: float) -> Task:
    """Return a text-to-image task ranked with the weight, for queries that do not ask for text."""
    gates = np.array([not asks_for_text(text) for text in task.texts], np.float32)
    return corrected(task, text_penalty(text_scores, weight), gates=gates)


def choose_text_weight(
    task: Task, text_scores: np.ndarray, weights: Sequence[float] = WEIGHTS, *, seed: int = 0
) -> tuple[float, pd.DataFrame]:
    """Return the weight that wins by the rule of `choosing`, and the table it was decided from.

    It goes by the queries that do not ask for text, as no other is changed.

    Args:
        task: text to image, of the val split.
        text_scores: t(x) of the task's n rows, in [0, 1], shape (n,).
        weights: lambdas to try, in units of cosine, 0 first: it stays when nothing helps.
        seed: of the bootstrap.

    Returns:
        The chosen weight, and a row for each: weight, text_in_top (the mean text score of the first
        10 results), and the columns of `choosing.decided`.

    Raises:
        ValueError: every query asks for text.
    """
    plain = task.only(np.array([not asks_for_text(text) for text in task.texts], bool))
    if not len(plain):
        raise ValueError("every query asks for text, so no weight can be chosen; ask for more")
    tasks = [without_text(plain, text_scores, weight) for weight in weights]
    shown = [text_in_top(weighted, text_scores) for weighted in tasks]
    settings = pd.DataFrame({"weight": list(weights), "text_in_top": shown})
    judged = [weighted.judged() for weighted in tasks]
    table = decided(settings, judged, plain.ids, seed=seed)
    return float(table.loc[table["chosen"], "weight"].iloc[0]), table


def text_in_top(task: Task, text_scores: np.ndarray, k: int = TOP) -> float:
    """Return the mean text score of the first k results of a task's queries, in [0, 1]."""
    return float(np.mean(np.asarray(text_scores)[exact_neighbours(task.xb, task.xq, k)]))
