"""Text-heavy pictures: how much a picture shows writing, and a weight against it.

R1 saw pictures that contain text rank too high for queries that do not ask for any, and proposed a
weight. Here it is lambda in score(q, x) - lambda t(x), with t(x) in [0, 1] the picture's text score
and lambda in units of cosine; a query that asks for text is left alone (`asks_for_text`).

Two text scores are at hand: `zero_shot_text_scores` by the model itself, and
`rerank.text_areas` by character recognition. What a model "sees" as text need not be readable.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from sigscope.arguments import real
from sigscope.rerank.corrections import Correction

TEXT_PROMPTS = (
    "a picture of text",
    "a sign with words on it",
    "printed words on a page",
    "letters and numbers",
    "a label with writing",
)
OTHER_PROMPTS = (
    "a picture of a thing",
    "a picture of an animal",
    "a picture of a person",
    "a picture of a place",
    "a picture of food",
)
_ASKS = re.compile(
    r"\b(?:alphabet|bar ?code|billboard|caption|digit|document|font|handwriting|handwritten|"
    r"headline|inscription|kanji|keycap|label|letter|lettering|licen[cs]e plate|logo|lower ?case|"
    r"menu|newspaper|number|number plate|numeral|page|poster|punctuation|quote|receipt|screenshot|"
    r"sign|slogan|subtitle|symbol for|text|ticket|title|upper ?case|word|wordmark|writing|written|"
    r"says|saying|reads|spells|(?:chinese|japanese|korean) character)s?\b",
    re.IGNORECASE,
)


def asks_for_text(query: str) -> bool:
    """Return whether a query asks for writing, by a rule about its English words.

    It does when it has a word (or its plural) that names writing, what carries it, or the reading
    of it: sign, letter, number, label, word, logo, newspaper, barcode, page, font, says, reads … A
    query in another language counts as not asking, and "zodiac sign" counts as asking.
    """
    return _ASKS.search(query) is not None


def zero_shot_text_scores(
    images: np.ndarray,
    encode_texts: Callable[[Sequence[str]], np.ndarray],
) -> np.ndarray:
    """Return how much each picture looks like text to the model, by prompts alone.

    The score is the mean cosine to TEXT_PROMPTS minus that to OTHER_PROMPTS (which takes away what
    a picture has in common with every prompt), brought to [0, 1] by `to_unit_range`.

    Args:
        images: unit vectors of the pictures, float32, shape (n, d).
        encode_texts: the same model's texts -> unit vectors, (len(texts), d).

    Returns:
        float32, shape (n,), in [0, 1]; relative to these n pictures.
    """
    direction = encode_texts(list(TEXT_PROMPTS)).mean(axis=0)
    direction = direction - encode_texts(list(OTHER_PROMPTS)).mean(axis=0)
    return to_unit_range(images @ direction)


def to_unit_range(values: np.ndarray) -> np.ndarray:
    """Return values with their 1st percentile at 0 and their 99th at 1, clipped, float32.

    Where these two are equal, everything is 0: nothing stands out.
    """
    low, high = np.percentile(values, [1, 99])
    if not high > low:
        return np.zeros(len(values), np.float32)
    return np.clip((values - low) / (high - low), 0, 1).astype(np.float32)


def joined(table: pd.DataFrame, ids: Sequence[str]) -> np.ndarray:
    """Return what `measure_text_areas` read, in the order of ids; 0 where an id is missing.

    Returns:
        float32, shape (len(ids),), in [0, 1].
    """
    return table.set_index("id")["read"].reindex(list(ids)).fillna(0).to_numpy(np.float32)


def text_penalty(text_scores: np.ndarray, weight: float) -> Correction:
    """Return the correction that subtracts weight * text_scores.

    Args:
        text_scores: t(x) of the n rows, in [0, 1], shape (n,).
        weight: lambda >= 0, in units of cosine: what a picture that is all text loses.
    """
    text_scores = np.asarray(text_scores, dtype=np.float32)
    weight = real("the weight", weight, "it must be 0 or more", least=0)
    if not ((text_scores >= 0) & (text_scores <= 1)).all():
        raise ValueError("text scores must lie in [0, 1]; bring them there with to_unit_range")
    return Correction(np.float32(weight) * text_scores)
