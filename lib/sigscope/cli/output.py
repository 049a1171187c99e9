"""What commands print: drawn on a terminal, plain text or JSON in a pipe."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sigscope.spreadsheets import csv_of

if TYPE_CHECKING:
    import pandas as pd


def print_table(
    table: "pd.DataFrame",
    *,
    as_json: bool = False,
    columns: Sequence[str] = (),
    digits: Mapping[str, str] | None = None,
) -> None:
    """Print a table: drawn on a terminal, as JSON, or with a tab between columns.

    Args:
        table: one row a line.
        as_json: print a list with an object for each row; what is not known is null.
        columns: those drawn on a terminal, where there is less room; all others see every one.
        digits: how to write the numbers of a column on a terminal, as {"score": ".3f"}.
    """
    if as_json:
        print_json(json.loads(table.to_json(orient="records", double_precision=6)))
    elif sys.stdout.isatty():
        _draw(table[list(columns or table)], digits or {})
    else:
        sys.stdout.write(csv_of(table, sep="\t", float_format="%.6g"))


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=1))


def shows_bars() -> bool:
    """Return whether somebody sees a progress bar: in a pipe or a file it is only noise."""
    return sys.stderr.isatty()


@contextmanager
def waiting(doing: str) -> Iterator[None]:
    """Say on a terminal's stderr what is being done, with something that moves, until it is."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(doing):
        yield


def _draw(table: "pd.DataFrame", digits: Mapping[str, str]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE, pad_edge=False)
    for name in table:
        is_number = table[name].dtype.kind in "iuf"
        drawn.add_column(str(name), justify="right" if is_number else "left", overflow="fold")
    written = [digits.get(name, ".3g" if table[name].dtype.kind == "f" else "") for name in table]
    for row in table.itertuples(index=False):
        cells = [_cell(value, how) for value, how in zip(row, written, strict=True)]
        drawn.add_row(*(Text(cell) for cell in cells))
    Console().print(drawn)


def _cell(value: Any, how: str) -> str:
    if isinstance(value, float) and math.isnan(value):
        return ""
    return format(value, how)
