"""Stored captions: what pictures are captioned with, and which of it a query may not see."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sigscope.embeddings import Embeddings
from sigscope.tasks import Task

RULES = ("equal", "contained")
_WORD, _ARTICLE = re.compile(r"\w+"), {"a", "an", "the"}


@dataclass(frozen=True, eq=False)
class StoredCaptions:
    """The captions that pictures are stored with: m texts and unit vectors over n pictures."""

    texts: np.ndarray  # (m,)
    vectors: np.ndarray  # (m, d) float32, unit rows
    rows: np.ndarray  # (m,) int64, the picture of each
    n: int

    @classmethod
    def of(cls, embeddings: Embeddings) -> "StoredCaptions":
        """Return the captions in embeddings; rows count its pictures."""
        row_of = {id: row for row, id in enumerate(embeddings.ids)}
        rows = np.array([row_of[id] for id in embeddings.caption_ids], dtype=np.int64)
        return cls(embeddings.caption_texts, embeddings.captions, rows, len(embeddings))

    @cached_property
    def numbers_of(self) -> list[np.ndarray]:
        """The numbers of the captions of each picture, n arrays."""
        order = np.argsort(self.rows, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.rows, minlength=self.n))[:-1])


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
            numbers.update(n for n in theirs if _samewords_of(query, stored.texts[n]))
        left_out.append(np.array(sorted(numbers), dtype=np.int64))
    return left_out


def _samewords_of(one: str, other: str) -> bool:
    """Return whether the words of one text are in the other, in one piece and in order."""
    one, other = (words_of(text) for text in (one, other))
    short, long = sorted(
        (words[1:] if words[:1] and words[0] in _ARTICLE else words for words in (one, other)),
        key=len,
    )
    return f" {' '.join(short)} " in f" {' '.join(long)} "


def words_of(text: str) -> list[str]:
    """Return the words of a text, runs of letters and digits, case folded."""
    return _WORD.findall(text.casefold())
