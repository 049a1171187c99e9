"""Delimited text: CSV and TSV of any maker become records, each with its line.

A row whose quotes are broken costs itself alone, and mostly not even that.
"""

import csv
import re
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from sigscope.gallery.columns import (
    A_WORD,
    CAPTIONS,
    FILES,
    NUMBERED,
    WORDS,
    Record,
    caption_columns,
    first_of,
    normal,
)
from sigscope.gallery.folder import Problems, suffix_of
from sigscope.gallery.texts import all_lines, lines_of
from sigscope.images.formats import SUFFIXES

Placed = tuple[str, Record]  # where in the file, and what

DELIMITERS = ",\t;|^~"
ADDRESS = re.compile("https?://", re.IGNORECASE)
SPACED = re.compile(  # a.jpg: a cat, or a.jpg a cat
    rf"(.+?(?:{'|'.join(map(re.escape, sorted(SUFFIXES)))})(?:#\d+)?):?[ \t]+(\S.*)", re.IGNORECASE
)
MOST_TITLES = 5  # lines above a heading
MOST_LINES = 1_000  # that a cell in quotes may have
csv.field_size_limit(sys.maxsize)  # of this process; vectors and packed pictures are long


def read_csv(path: Path, problems: Problems) -> Iterator[Placed]:
    """Yield the rows of a CSV; the csv module leaves every cell the text it is.

    Captions in the last column may hold the delimiter without quotes.

    Args:
        path: The file; its delimiter and its encoding are found out.
        problems: Is added to, with the name of the file.
    """
    names, delimiter, lines = _opened(path, problems)
    last_is_rest = bool(caption_columns(names[1:][-1:]))
    for number, cells in _rows(lines, delimiter, len(names)):
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()
        if len(cells) > len(names) and last_is_rest:
            rest = delimiter.join(cells[len(names) - 1 :])
            cells = [*cells[: len(names) - 1], rest]
        if len(cells) > len(names):
            reason = 'has more cells than the heading; put "…" around text that holds '
            what = {",": "commas", "\t": "tabs"}.get(delimiter, delimiter)
            problems.append((path.name, f"line {number} {reason}{what}"))
        elif any(cell.strip() for cell in cells):
            cells += [""] * (len(names) - len(cells))
            yield f"line {number}", dict(zip(names, cells, strict=True))


def heading_of(path: Path) -> list[str]:
    """Return the names of the columns of a CSV."""
    return _opened(path)[0]


def _opened(
    path: Path, problems: Problems | None = None
) -> tuple[list[str], str, Iterator[tuple[int, str]]]:
    """Return the names of a CSV's columns, its delimiter, and the lines below the heading."""
    lines = all_lines(path, problems)
    filled = (line for _, line in lines if line.strip() and not _is_comment(line))
    heading = next(filled, "")
    if found := re.fullmatch(r'"?sep=(.)"?', heading.strip()):  # for Excel
        delimiter, heading = found[1], next(filled, "")
    else:
        delimiter = _delimiter(heading)
    if _spaced(heading):
        lines = ((number, SPACED.sub(r"\1\t\2", line)) for number, line in lines)
        heading, delimiter = SPACED.sub(r"\1\t\2", heading), "\t"
    cells = _cells(heading, delimiter) or _bare_cells(heading, delimiter)
    if len(cells) == 1 and not found:
        above = [*islice(lines, MOST_TITLES)]
        at = next((at for at, (_, line) in enumerate(above) if _is_heading(line)), None)
        if at is not None:
            heading, above = above[at][1], above[at + 1 :]
            delimiter = _delimiter(heading)
            cells = _cells(heading, delimiter) or []
        lines = chain(above, lines)
    names = _distinct(cells) if heading.strip() else []
    if any(_is_file_name(name) or ADDRESS.match(name) for name in names):  # there is no heading
        return _guessed(names), delimiter, chain([(1, heading)], lines)
    if _is_pair(heading):
        return ["id", "text"], "\t", chain([(1, heading)], lines)
    return names, delimiter, lines


def _rows(
    lines: Iterator[tuple[int, str]], delimiter: str, count: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells); a quote that is opened and not closed costs no row but its own."""
    ahead: list[tuple[int, str]] = []
    for number, line in _with(ahead, lines):
        if '"' not in line:
            yield number, line.split(delimiter)
            continue
        cells, taken = _cells(line, delimiter), []
        text = line
        while cells is None and len(taken) < MOST_LINES:
            following = next(_with(ahead, lines), None)
            if following is None:
                break
            taken.append(following)
            text = f"{text}\n{following[1]}"
            if '"' in following[1]:
                cells = _cells(text, delimiter)
        if not cells or len(cells) > count and taken:
            ahead[:0], cells = taken, None
        yield number, cells or _bare_cells(line, delimiter, count)


def _with(ahead: list, lines: Iterator) -> Iterator:
    """Yield what was put back, and then what follows."""
    while True:
        if ahead:
            yield ahead.pop(0)
        elif (following := next(lines, None)) is not None:
            yield following
        else:
            return


def _cells(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of a row; None while a quote is open, and [] where quotes are broken."""
    escapes = [{}, {"escapechar": "\\", "doublequote": False}]  # ""…"" as in Excel, or \"…\"
    for further in escapes[: 1 + ('\\"' in text)]:
        try:
            options = {"delimiter": delimiter, "strict": True, "skipinitialspace": True}
            return next(csv.reader([text], **options, **further), [])
        except csv.Error as error:
            is_open = "unexpected end" in str(error)
    return None if is_open else []


def _bare_cells(line: str, delimiter: str, count: int = 0) -> list[str]:
    """Return the cells of a row whose quotes are signs like others."""
    cells = [_unquoted(cell) for cell in line.split(delimiter)]
    if count and len(cells) > count:
        lenient = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        return lenient if len(lenient) == count else cells
    return cells


def _unquoted(cell: str) -> str:
    bare = cell.strip()
    if re.fullmatch(r'"(?:[^"]|"")*"', bare):
        return bare[1:-1].replace('""', '"')
    return bare[1:] if bare.startswith('"') and bare.count('"') == 1 else cell


def _delimiter(heading: str) -> str:
    """Return the delimiter that cuts a heading into the most columns; a comma if none does."""
    return max(DELIMITERS, key=lambda each: len(_cells(heading, each) or ()))


def _distinct(heading: list[str]) -> list[str]:
    """Return the names of the columns; a second one of a name is called text (2)."""
    names: list[str] = []
    for number, name in enumerate(heading, start=1):
        name, again = name.strip() or f"column {number}", 2
        while name in names:
            name, again = f"{heading[number - 1].strip()} ({again})", again + 1
        names.append(name)
    return names


def _is_comment(line: str) -> bool:
    return line.startswith("#") and all(each not in line for each in DELIMITERS)


def _is_file_name(cell: str) -> bool:
    return suffix_of(NUMBERED.sub("", cell)) in SUFFIXES and "://" not in cell


def _guessed(cells: list[str]) -> list[str]:
    """Return names of columns for a table without a heading, by its first row."""
    other = "text" if len(cells) == 2 else ""
    other = "label" if other and any(cell.strip().isdecimal() for cell in cells) else other
    known = [
        "url" if ADDRESS.match(cell) else "file_name" if _is_file_name(cell) else other
        for cell in cells
    ]
    return _distinct(known)


def _spaced(line: str) -> bool:
    """Return whether a line is a file's name, perhaps a colon, and then a caption or a label."""
    if any(map(_is_file_name, _cells(line, _delimiter(line)) or ())):
        return False
    found = SPACED.fullmatch(line)
    return found is not None and bool(A_WORD.search(found[2]) or found[2].strip().isdecimal())


def _is_pair(line: str) -> bool:
    """Return whether a line is an id without blanks, a tab and words."""
    id, _, said = line.partition("\t")
    is_id = bool(id) and not re.search(r"\s", id) and not first_of((*FILES, *CAPTIONS), [id])
    return is_id and "\t" not in said and len(A_WORD.findall(said)) >= WORDS


def _is_heading(line: str) -> bool:
    """Return whether a line names a column of files and further ones."""
    cells = _cells(line, _delimiter(line)) or []
    return len(cells) > 1 and bool(first_of(FILES, cells))


def looks_like_table(path: Path) -> bool:
    """Return whether a text file begins with a heading, or with a file's name."""
    try:
        heading = next((line for _, line in lines_of(path)), "")
    except (OSError, ValueError):
        return False
    cells = _cells(heading, _delimiter(heading)) or []
    is_known = any(normal(cell) in CAPTIONS or _is_file_name(cell) for cell in cells)
    return len(cells) > 1 and is_known or _spaced(heading) or _is_pair(heading)
