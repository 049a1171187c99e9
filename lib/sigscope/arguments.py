"""Arguments: the numbers that callers hand in pass one door before anything is computed with them.

A text, a truth value, nan and infinity are no numbers there.
"""

from math import inf, isfinite
from numbers import Integral, Real
from reprlib import repr as shortened
from typing import Any


def whole(name: str, value: Any, hint: str, *, least: int = 1, most: float = inf) -> int:
    """Return a whole number, also one of numpy's, as an int.

    Args:
        name: what it is called, for the sentence.
        value: what was handed in.
        hint: what to give instead, the rest of the sentence.
        least: the smallest that is taken.
        most: the largest that is taken.

    Raises:
        ValueError: It is none, or beyond these.
    """
    is_whole = type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))
    if is_whole and least <= value <= most:
        return int(value)
    raise ValueError(f"{name} is {shortened(value)}; {hint}")


def real(
    name: str, value: Any, hint: str, *, least: float = -inf, above: float = -inf, most: float = inf
) -> float:
    """Return a finite number as a float; what it must not fall below, lie above and not exceed.

    Args:
        name: what it is called, for the sentence.
        value: what was handed in.
        hint: what to give instead, the rest of the sentence.
        least: the smallest that is taken.
        above: what it must be more than.
        most: the largest that is taken.

    Raises:
        ValueError: It is none, or beyond these.
    """
    is_real = isinstance(value, Real) and not isinstance(value, bool) and _is_finite(value)
    if is_real and least <= value <= most and (value > above or above == -inf):
        return float(value)
    raise ValueError(f"{name} is {shortened(value)}; {hint}")


def _is_finite(value: Real) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an int beyond every float
        return False
