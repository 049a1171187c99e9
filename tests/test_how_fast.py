import json
import sys

import pytest

from sigscope.paths import ROOT

sys.path.insert(0, str(ROOT / "tests/benchmarks"))
from marks import Mark, as_table
from run import BEGIN, END, README, RESULT, section, with_section

ROWS = [
    {"name": "a query", "value": 12.3, "unit": "ms", "mark": 10, "limit": 6.15, "peer": None},
    {"name": "  over the loop", "value": 4.0, "unit": "x", "mark": 5, "at_least": True},
    {"name": "for information", "value": 3.0, "unit": "GB/s"},
]
RUN = {"date": "2026-11-29", "machine": {"processor": "one", "threads": "2"}, "marks": ROWS}


def test_mark_says_whether_it_is_kept_and_its_ratios():
    row = as_table([Mark(**row) for row in ROWS]).iloc[0]
    assert row["of the limit"] == "2.00 x" and row["of the peer"] == "" and row["kept"] == "NO"
    assert [Mark(**row).ok for row in ROWS] == [False, False, True]


def test_section_has_each_mark_and_the_machine():
    made = section(RUN)
    assert "2026-11-29" in made and "processor: one" in made and "for information" not in made
    assert "| a query: over the loop | 4 x |" in made and "| ≥ 5 | NO |" in made


def test_section_takes_the_place_of_the_one_before_it():
    readme = f"above\n{BEGIN}old\n{END}below\n"
    once = with_section(readme, RUN)
    assert once.startswith("above\n") and once.endswith("below\n") and "old" not in once
    assert with_section(once, RUN) == once


@pytest.mark.skipif(not RESULT.is_file(), reason="make bench has not been run in full yet")
def test_readme_says_what_the_last_full_bench_measured():
    result, readme = json.loads(RESULT.read_text("utf-8")), README.read_text("utf-8")
    assert with_section(readme, result) == readme
