"""Other systems on the same task: a weight against pictures of text, keywords, and re-ranking."""

from collections.abc import Sequence

import numpy as np

from sigscope.evaluation.rankings import Rankings, from_lists
from sigscope.evaluation.tasks import Task
from sigscope.indexes.exact import exact_neighbours
from sigscope.rerank.fusion import (
    ARTICLES,
    DEPTH,
    Keywords,
    Lists,
    StoredCaptions,
    caption_cosines,
    reciprocal_rank_fusion,
    rerank,
    words_of,
)
from sigscope.rerank.text_bias import asks_for_text, text_penalty

TOP = 10
RULES = ("equal", "contained")


def without_text(task: Task, text_scores: np.ndarray, weight: float) -> Task:
    """Return a text-to-image task ranked with the weight, for queries that do not ask for text."""
    gates = np.array([not asks_for_text(text) for text in task.texts], np.float32)
    return task.corrected(text_penalty(text_scores, weight), gates=gates)


def text_in_top(task: Task, text_scores: np.ndarray, k: int = TOP) -> float:
    """Return the mean text score of the first k results of a task's queries, in [0, 1]."""
    return float(np.mean(np.asarray(text_scores)[exact_neighbours(task.xb, task.xq, k)]))


def own_captions(task: Task, stored: StoredCaptions, rule: str = "contained") -> list[np.ndarray]:
    """Return for each text query the numbers of the stored captions that it may not see.

    Args:
        task: text to image, over the pictures of stored.
        stored: the captions.
        rule: ``equal`` leaves out every caption equal to the query (ignoring case), which is its
            own and those of pictures that are right for that reason. ``contained`` leaves out as
            well what says the same of a right picture: its captions that contain the query word
            for word, or are contained in it (a leading article aside). Where a second caption is
            made from the first, as in our gallery, only this one is fair.
    """
    if rule not in RULES:
        raise ValueError(f"there is no rule {rule!r}; choose from {', '.join(RULES)}")
    numbers_equal: dict[str, list[int]] = {}
    for number, text in enumerate(stored.texts):
        numbers_equal.setdefault(text.casefold(), []).append(number)
    left_out = []
    for query, right in zip(task.texts, task.right, strict=True):
        numbers = set(numbers_equal.get(query.casefold(), []))
        if rule == "contained":
            theirs = [number for row in right for number in stored.numbers_of[row]]
            numbers.update(n for n in theirs if _same_words(query, stored.texts[n]))
        left_out.append(np.array(sorted(numbers), dtype=np.int64))
    return left_out


def _same_words(one: str, other: str) -> bool:
    """Return whether the words of one text are in the other, in one piece and in order."""
    one, other = (words_of(text) for text in (one, other))
    short, long = sorted(
        (words[1:] if words[:1] and words[0] in ARTICLES else words for words in (one, other)),
        key=len,
    )
    return f" {' '.join(short)} " in f" {' '.join(long)} "


def systems(
    task: Task,
    stored: StoredCaptions,
    found: Lists,
    weight: float,
    *,
    left_out: Sequence[np.ndarray],
) -> dict[str, Rankings]:
    """Return how embedding search, keyword search, their fusion and the re-ranking do on a task.

    Args:
        task: text to image.
        stored: the captions.
        found: cosines and rows of the embedding search, (queries, `DEPTH`).
        weight: of the captions in the re-ranking.
        left_out: from `own_captions`; an evaluation without it would be cheating.
    """
    words = Keywords.build(stored).search(task.texts, left_out=left_out)
    nearest = caption_cosines(found[1], task.xq, stored, left_out=left_out)
    lists = {
        "embedding": found,
        "keywords": words,
        "fusion": reciprocal_rank_fusion([found[1], words[1]], DEPTH),
        "re-ranked": rerank(*found, nearest, weight),
    }
    n = len(task.xb)
    return {
        name: from_lists(rows, task.right, n, scores=scores)
        for name, (scores, rows) in lists.items()
    }
