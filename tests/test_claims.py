"""A claim is held of what is shipped; of others it is printed whether it holds."""

import linecache

import pytest

from sigscope import claim, paths
from sigscope.claims import is_shipped


@pytest.fixture(autouse=True)
def _shipped(monkeypatch):
    for name in ("SIGSCOPE_GALLERY", "SIGSCOPE_MODEL"):
        monkeypatch.delenv(name, raising=False)


def test_a_claim_that_fails_of_the_shipped_gallery_stops_and_says_what_failed():
    with pytest.raises(AssertionError, match=r"^1 \+ 1 == 3$"):
        claim(1 + 1 == 3)


def test_a_claim_that_holds_of_the_shipped_gallery_prints_nothing(capsys):
    claim(1 + 1 == 2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["SIGSCOPE_GALLERY", "SIGSCOPE_MODEL"])
def test_with_others_a_claim_says_whether_it_holds_and_never_stops(name, monkeypatch, capsys):
    monkeypatch.setenv(name, "another")
    claim(max([1, 2]) == 2)
    claim(
        len("é") > 1
    )  # fmt: skip
    assert capsys.readouterr().out == 'here too: max([1, 2]) == 2\nnot here: len("é") > 1\n'


def test_a_claim_in_a_cell_is_quoted_from_the_cell(monkeypatch, capsys):
    monkeypatch.setenv("SIGSCOPE_MODEL", "another")
    cell = "x = 1\nfor _ in 'é':  claim(x > 1)\n"
    monkeypatch.setitem(
        linecache.cache, "<cell>", (len(cell), None, cell.splitlines(True), "<cell>")
    )
    exec(compile(cell, "<cell>", "exec"), {"claim": claim})
    assert capsys.readouterr().out == "not here: x > 1\n"


@pytest.mark.parametrize("model", [paths.MINI.name, str(paths.MINI)])
def test_the_shipped_model_by_its_name_is_the_shipped_model(model, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_MODEL", model)
    assert is_shipped()
