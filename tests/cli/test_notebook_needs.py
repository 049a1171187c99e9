"""Cells that need what a gallery has not are skipped, and so is what hangs on them."""

from dataclasses import replace

import pytest
from nbformat.v4 import new_code_cell
from small_gallery import small_gallery

from sigscope.cli import notebook_needs
from sigscope.cli.notebook_needs import NEEDS, SKIP, mark_skipped, unmet
from sigscope.datasets.load import load_gallery
from sigscope.paths import GALLERY


def skipped(*sources):
    """Mark cells of which the first needs captions; return the numbers of those skipped."""
    cells = [new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["needs-captions"]
    mark_skipped(cells, {"needs-captions"})
    return [n for n, cell in enumerate(cells) if SKIP in cell.metadata.get("tags", [])]


def test_a_skipped_cell_says_what_it_needs():
    cell = new_code_cell("x = 1", metadata={"tags": ["needs-captions"]})
    mark_skipped([cell], {"needs-captions"})
    assert cell.outputs[0].text == "Not run here: it needs captions.\n"


@pytest.mark.parametrize(
    "reader",
    ["y = x", "def f():\n    return x", "[x for _ in 'ab']", "x += 1", "print(f'{x}')"],
)
def test_a_cell_is_skipped_that_reads_what_a_skipped_one_makes(reader):
    assert skipped("x = 1", reader) == [0, 1]


def test_what_hangs_on_it_at_second_hand_is_skipped_too():
    assert skipped("x = 1", "y = x", "print(y)") == [0, 1, 2]


@pytest.mark.parametrize(
    "other",
    ["x = 2", "z = 1", "[x for x in 'ab']", "for x in 'ab':\n    print(x)", "x = 1\nprint(x)"],
)
def test_a_cell_runs_that_reads_nothing_of_it(other):
    assert skipped("x = 1", other) == [0]


def test_a_name_made_anew_by_a_cell_that_runs_is_there_again():
    assert skipped("x = 1", "x = 2", "print(x)") == [0]


def test_the_shipped_gallery_lacks_nothing():
    assert unmet(load_gallery(GALLERY)) == set()


def test_plain_pictures_lack_all_that_is_told_of_pictures():
    gallery = small_gallery()
    bare = {"captions": [[]] * len(gallery), "caption": "", "category": "", "split": ""}
    lacking = unmet(replace(gallery, items=gallery.items.assign(**bare)))
    assert lacking == set(NEEDS) - {"needs-video"}


def test_without_pyav_what_reads_films_is_skipped(monkeypatch):
    monkeypatch.setattr(notebook_needs, "find_spec", lambda name: None)
    assert unmet(load_gallery(GALLERY)) == {"needs-video"}


def test_a_test_split_alone_is_enough_to_test():
    gallery = small_gallery()
    lacking = unmet(gallery.subset(split="test"))
    assert "needs-test-split" not in lacking and "needs-splits" in lacking
