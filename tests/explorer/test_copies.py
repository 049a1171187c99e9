"""Copies: hidden behind the best in a search, and side by side on a page of their own."""

import pytest
import streamlit as st
from PIL import Image
from visiting import cards, grid, on_list, press, visitor

from sigscope import load_gallery, paths
from sigscope.duplicates import open_duplicates

KEY = "with-copies"


@pytest.fixture(scope="module", autouse=True)
def found(tmp_path_factory):
    """What is found in a gallery of one picture three times, one twice, and three others."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "CACHE", tmp_path_factory.mktemp("cache"))
        folder = tmp_path_factory.mktemp(KEY)
        shipped = sorted((paths.GALLERY / "images" / "animals").glob("*.webp"))
        for file, times in zip(shipped, (3, 2, 1, 1, 1), strict=False):
            picture = Image.open(file).convert("RGB")
            for n in range(times):
                small = picture.resize([side - 20 * n for side in picture.size])
                small.save(folder / f"{file.stem}-{n}.png")
        with on_list(KEY, folder):
            yield open_duplicates(load_gallery(folder))


def alike(app) -> dict[str, int]:
    return {row[0]: row[4]["alike"] for row in grid(app)["rows"] if row[4].get("alike")}


def test_copies_hide_behind_the_best_until_they_are_asked_for(found):
    app = visitor(gallery=KEY, q="an animal")
    assert len(cards(app)) == 5 and sorted(alike(app).values()) == [1, 2]
    app.toggle(key="copies").set_value(True).run()
    assert len(cards(app)) == 8 and not alike(app)
    assert app.query_params["copies"] == "1"


def test_best_of_a_group_is_shown_in_its_place():
    hidden, whole = (visitor(gallery=KEY, q="an animal", **how) for how in ({}, {"copies": "1"}))
    firsts = dict.fromkeys(name.rpartition("-")[0] for name in cards(whole))
    assert [name.rpartition("-")[0] for name in cards(hidden)] == list(firsts)


def test_as_many_are_shown_as_were_asked_for():
    assert len(cards(visitor(gallery=KEY, q="an animal", k="4"))) == 4


def test_page_shows_groups_side_by_side_the_largest_first(found):
    app = visitor("duplicates", gallery=KEY)
    assert not app.exception and not app.error
    rows = grid(app)["rows"]
    assert [row[4]["heading"] for row in rows] == ["3 alike", "", "", "2 alike", ""]
    assert [row[4]["kind"] == "" for row in rows] == [True, False, False, True, False]
    assert rows[0][2].startswith("keep · ") and "pixels" in rows[0][2]
    assert rows[1][2].startswith("near copy · 0.") and set(found["id"]) < {row[0] for row in rows}


def test_group_that_the_address_names_comes_first(found):
    app = visitor("duplicates", gallery=KEY, group=found["id"].iat[-1])
    assert grid(app)["rows"][0][4]["heading"] == "2 alike"
    app = visitor("duplicates", gallery=KEY, group="nobody.png")
    assert "nobody.png" in app.error[0].value and len(cards(app)) == 5


def test_who_asks_for_copies_is_told_when_they_are_found(monkeypatch):
    from parts import copies

    begun = []
    monkeypatch.setattr(copies.Looking, "go", lambda self, key: begun.append(key))
    app = press(visitor("duplicates"), "Look for copies")
    assert len(begun) == 1 and "compared" in app.info[0].value
    st.cache_resource.clear()
