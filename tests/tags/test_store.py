"""Tags, selections and searches are kept, whoever keeps them and however many do at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from small_gallery import small_gallery

from sigscope.spreadsheets import csv_of
from sigscope.tags import STAR, TagsError, TagStore

GALLERY = small_gallery()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tags.sqlite"


@pytest.fixture
def store(path):
    return TagStore(GALLERY, path)


def pairs(store) -> set[tuple[str, str]]:
    table = store.tags()
    return set(zip(table["id"], table["tag"], strict=True))


def test_newer_act_counts(store):
    assert store.tag(["01", "02"], "  Old  Ship ") == "old ship"
    store.tag(["02"], STAR)
    store.untag(["01"], "OLD ship")
    assert pairs(store) == {("02", "old ship"), ("02", STAR)}
    store.tag(["01"], "old ship")
    assert ("01", "old ship") in pairs(store)


def test_tags_stay_when_pictures_come_and_go_but_are_of_one_gallery_alone(store, path):
    store.tag(["01"], "ship")
    assert pairs(TagStore(small_gallery(30), path)) == {("01", "ship")}
    assert not pairs(TagStore(replace(GALLERY, root=Path("elsewhere")), path))


@pytest.mark.parametrize("name", ["", "  ", "=1+1", "-x", "a" * 41, "a\u202eb"])
def test_what_is_no_name_gets_a_sentence_and_tags_nothing(store, name):
    with pytest.raises(TagsError):
        store.tag(["01"], name)
    with pytest.raises(TagsError):
        store.save_search(name, {})
    assert not pairs(store) and not store.searches()


def test_many_visitors_at_once_lose_nothing(path):
    def visit(n: int) -> None:
        mine = TagStore(GALLERY, path)
        for id in range(10):
            mine.tag([f"{id:02}"], f"visitor {n}")
        mine.untag(["00"], f"visitor {n}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(8)))
    assert len(pairs(TagStore(GALLERY, path))) == 8 * 9


def test_tags_leave_and_come_back_as_a_table(store, tmp_path):
    store.tag(["01", "02"], "ship")
    store.tag(["01"], STAR)
    other = TagStore(GALLERY, tmp_path / "other.sqlite")
    assert other.take_in(csv_of(store.tags()).encode("utf-8-sig")) == (3, 0)
    assert pairs(other) == pairs(store)
    assert other.take_in(b"id,tag\n01,new\nnobody.png,new\n") == (1, 1)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"a,b\n1,2\n", b"id,tag\n01,ok\n02,=1\n"])
def test_what_is_no_table_of_tags_is_refused_whole(store, data):
    with pytest.raises(TagsError):
        store.take_in(data)
    assert not pairs(store)


def test_selection_is_kept_once_by_its_name(store, path):
    name = store.select(["03", "01", "03"])
    assert store.select(["03", "01"]) == name != store.select(["01", "03"])
    assert TagStore(GALLERY, path).selection(name) == ["03", "01"]
    with pytest.raises(TagsError, match="no selection 'gone'"):
        store.selection("gone")


def test_searches_are_kept_by_name_until_they_are_forgotten(store):
    store.save_search("Red ships", {"q": "a ship", "category": ["boats"]})
    store.save_search("red  SHIPS", {"q": "a red ship"})
    store.save_search("a dog", {"q": "a dog"})
    assert store.searches() == {"a dog": {"q": "a dog"}, "red ships": {"q": "a red ship"}}
    store.forget_search("a dog")
    assert list(store.searches()) == ["red ships"]


def test_damaged_file_is_refused_and_the_copy_named(store, path):
    store.tag(["01"], "ship")
    store.back_up()
    path.write_bytes(path.read_bytes().replace(b"ship", b"shop"))
    for use in (lambda: TagStore(GALLERY, path), store.check):
        with pytest.raises(TagsError, match=r"copy tags\.backup\.sqlite over it"):
            use()


def test_a_file_of_ratings_is_no_file_of_tags(path):
    from sigscope.ratings import RatingStore

    RatingStore(path)
    with pytest.raises(TagsError, match="another program's"):
        TagStore(GALLERY, path)
