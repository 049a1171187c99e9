"""Texts of galleries, files and visitors, shown as they are: what looks like Markdown is none."""

import re

INLINE = re.compile(r"([\\`*_\[\]<$~]|:(?=\w)|&(?=#?\w+;))")
BEGINNING = re.compile(r"^(\d*)([-+.)#>=|])")  # of a list, a heading, a quotation


def literal(text: object) -> str:
    """Return a text, on one line, for where Streamlit reads Markdown: labels, captions, tooltips.

    Newlines are gone, so what counts at the beginning of a line counts at its beginning alone.
    """
    escaped = INLINE.sub(r"\\\1", " ".join(str(text).split()))
    return BEGINNING.sub(r"\1\\\2", escaped)
