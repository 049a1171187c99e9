"""Captions and lists as publishers write them: entities, odd blanks, marks of byte order, CRLF."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")


def tidy(text: object) -> str:
    """Return a caption on one line: entities (&amp;) read, blanks of any kind single, ends cut.

    What is no text (None, nan) is "". An ampersand that opens no entity is left alone, and an
    entity is read once: &amp;lt; is &lt;.
    """
    if not isinstance(text, str):
        return ""
    if "&" in text:
        text = ENTITY.sub(lambda found: unescape(found[0]), text)
    if not text.isascii():
        text = text.replace("\ufeff", "").encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line) of a text file, blank lines left out, line by line.

    It is read as UTF-8, and a line that is not is read as Windows-1252. Only LF and CRLF end a
    line: a caption may hold a form feed or a line separator.
    """
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            raw = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError:
                line = raw.decode("cp1252", "replace")
            if line.strip():
                yield number, line.rstrip("\r\n")
