"""Spreadsheets: tables that leave as text, in which no cell can pass for a formula.

A spreadsheet runs what begins with = + - @, also after blanks, and a caption or the name of a file
may come from anywhere. An apostrophe before it makes it a text (OWASP, "CSV Injection").
"""

import re
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile(r"[\s\x00-\x1f\u200b-\u200f\ufeff]*[=+\-@＝＋－＠]|[\t\n]")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def csv_of(table: "pd.DataFrame", *, sep: str = ",", float_format: str | None = None) -> str:
    """Return a table as text with a heading and without row numbers, lines ended by LF.

    Args:
        table: any; its texts and the names of its columns are made safe.
        sep: what parts the cells.
        float_format: how numbers are written, as "%.6g".
    """
    safe = table.rename(columns=_safe)
    for place, dtype in enumerate(table.dtypes):
        if dtype.kind not in "biuf":
            safe.isetitem(place, table.iloc[:, place].map(_safe))
    return safe.to_csv(index=False, lineterminator="\n", sep=sep, float_format=float_format)


def table_of(text: str) -> "pd.DataFrame":
    """Return the table that `csv_of` made a text of, each cell a text.

    A cell that was an apostrophe and a formula from the beginning comes back without the former.

    Raises:
        ValueError: It is no table.
    """
    import pandas as pd

    read = pd.read_csv(StringIO(text.removeprefix("\ufeff")), dtype=str, keep_default_na=False)
    return read.map(lambda cell: cell[1:] if cell[:1] == "'" and _safe(cell[1:]) == cell else cell)


def _safe(value: Any) -> Any:
    """Return a cell; of a text that would run, one that does not.

    A lone CR, which is written without quotes and begins a row to some readers, becomes LF.
    """
    if not isinstance(value, str):
        return value
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{value}" if FORMULA.match(value) and not NUMBER.fullmatch(value) else value
