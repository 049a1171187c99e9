"""Cells: what a table, a JSON file or a program's printout holds, as the texts a person meant.

What is missing (None, nan, and these written out) is "". NA and null are words like others.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sigscope.gallery.texts import decoded
from sigscope.images.captions import distinct
from sigscope.images.read import plain

MISSING = ("nan", "NaN", "None", "<NA>", "NaT", "#N/A")
SAID = (
    *("raw", "text", "caption", "captions", "sentence", "value", "sentences", "description"),
    "assistant",  # in answer to a question
)
SHELL = re.compile(r"(?:np\.)?(?:array|str_?|list)\((.*?)(?:,\s*dtype=[^()]*)?\)", re.DOTALL)
NO_COMMA = re.compile(r"""(?<=["'])\s+(?=["'])""")  # between two texts, as numpy prints them


def text_of(cell: Any) -> str:
    """Return a cell as one text; of several the first."""
    if not isinstance(cell, str):
        if cell is None or isinstance(cell, float) and cell != cell:
            return ""
        if isinstance(cell, bytes):
            return decoded(cell)
        if isinstance(cell, Mapping | list | tuple):
            return next(_texts(cell), "")
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)  # a whole number in a column that has a gap
    text = plain(str(cell)).strip()
    return "" if text in MISSING else text


def number_of(cell: Any) -> str:
    """Return an id as it is compared: 7, 7.0, "7" and "000000000007" are one."""
    text = text_of(cell) if isinstance(cell, str | int | float) else ""
    return text.lstrip("0") or "0" if text.isdecimal() else text


def texts_of(cell: Any) -> list[str]:
    """Return the captions in a cell, without blanks and doubles.

    Args:
        cell: A text, a number, a list of them, a dict by language or with the key raw, text or
            caption (or of tokens alone), or any of these written out as JSON, by Python or numpy.
    """
    return distinct(_texts(cell))


def _texts(cell: Any) -> Iterator[str]:
    if isinstance(cell, str):
        cell = _written_out(cell)
    if isinstance(cell, Mapping):
        yield from _of_mapping(cell)
    elif isinstance(cell, list | tuple):
        for each in cell:
            yield from _texts(each)
    elif text := text_of(cell):
        yield " ".join(text.split()) if "\n" in text or "\r" in text else text


def _of_mapping(cell: Mapping) -> Iterator[str]:
    by_name = {str(key).strip().lower(): value for key, value in cell.items()}
    named = [by_name[name] for name in SAID if name in by_name]
    found = [text for value in named for text in _texts(value)]
    tokens = by_name.get("tokens")
    tokens = tokens.split() if isinstance(tokens, str) else tokens
    if not found and tokens and isinstance(tokens, list | tuple):
        several = [words for words in tokens if isinstance(words, list | tuple)] or [tokens]
        found = [" ".join(map(text_of, words)) for words in several]
    if not named and not found:
        found = [text for value in cell.values() if not _is_number(value) for text in _texts(value)]
    yield from found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _written_out(text: str) -> Any:
    """Return the list or dict that a text spells out, or the text when it is only a text."""
    bare = text.strip()
    while found := SHELL.fullmatch(bare):
        bare = found[1].strip()
    if bare[:1] not in ("[", "{", "(") or len(bare) < 2:
        return text
    if not re.search(r"""["']\s*,""", bare):
        bare = NO_COMMA.sub(", ", bare)
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(bare)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if isinstance(value, Mapping) or isinstance(value, list | tuple) and _holds_text(value):
            return value
    return text


def _holds_text(values: list | tuple) -> bool:
    """Return whether a list is one of captions: a list of numbers alone is a text like others."""
    return not values or any(
        isinstance(each, str | Mapping) or isinstance(each, list | tuple) and _holds_text(each)
        for each in values
    )
