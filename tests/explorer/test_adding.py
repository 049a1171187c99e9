"""Folders of a visitor's own: embedded by the server, whoever asked, and listed from then on."""

import json
import time
from pathlib import Path

import pytest
import streamlit as st
from PIL import Image
from visiting import embed_some, on_list, press, visitor

from sigscope import paths

pytestmark = pytest.mark.slow

SLOW = """import json, sys, time
for done in range(0, 1000, 10):
    print(json.dumps([done, 1000]), flush=True)
    time.sleep(0.2)
"""
STILL = "import time; print('[1, 4]', flush=True); time.sleep(600)"
QUICK = "print('[3, 3]')"
BAD = "import sys; sys.exit('The folder holds nothing that can be read.')"


@pytest.fixture(autouse=True)
def adding(tmp_path, monkeypatch):
    """The module, with a cache of its own and nothing added."""
    monkeypatch.syspath_prepend(str(paths.EXPLORER))
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("SIGSCOPE_CACHE", str(tmp_path / "cache"))
    from parts import adding

    monkeypatch.setattr(type(st.context), "ip_address", property(lambda self: None))
    restart(adding)
    yield adding
    restart(adding)


def restart(adding):
    """Do what the end of a server and the start of another do."""
    import resources

    for key, job in list(adding.jobs().items()):
        adding.cancel(key)
        if job.process:
            job.process.kill()
            job.process.wait()
    for kept in (adding.jobs, adding.failures, adding.recall, resources.sources):
        kept.clear()


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "mine" / "colours"
    folder.mkdir(parents=True)
    for name in ("red", "green", "blue"):
        Image.new("RGB", (32, 32), name).save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    return folder.parent


def embeds_by(script: str, adding, tmp_path, monkeypatch):
    file = tmp_path / "embedder.py"
    file.write_text(script)
    monkeypatch.setattr(adding, "EMBEDDER", file)


def add(source) -> "AppTest":  # noqa: F821
    app = visitor("data")
    app.text_input(key="source").set_value(str(source))
    return press(app, "Add")


def wait_for(condition):
    for _ in range(6_000):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to pass within ten minutes")


def progress(app) -> str:
    return " ".join(one.proto.text for one in app.get("progress"))


def test_folder_is_embedded_listed_and_searched(adding, folder):
    import resources

    add(folder)
    wait_for(lambda: not adding.jobs())
    [key] = set(resources.sources()) - {resources.MAIN}
    app = visitor("data", gallery=key)
    assert [metric.value for metric in app.metric] == ["4", "0", "3", "1"]
    assert app.dataframe[1].value["path"].tolist() == ["colours/broken.png"]


def test_every_visitor_sees_how_far_it_is_and_can_cancel(adding, folder, tmp_path, monkeypatch):
    embeds_by(SLOW, adding, tmp_path, monkeypatch)
    add(folder)
    wait_for(lambda: next(iter(adding.jobs().values())).done >= 20)
    other = visitor("data")
    assert "of 1,000 pictures" in progress(other) and "a second" in progress(other)
    assert "left" in progress(other)
    process = next(iter(adding.jobs().values())).process
    press(other, "Cancel")
    process.wait(60)
    assert not adding.jobs() and not progress(visitor("data"))


def test_gallery_is_listed_though_its_tab_was_closed_and_after_a_restart(
    adding, folder, tmp_path, monkeypatch
):
    import resources

    embeds_by(QUICK, adding, tmp_path, monkeypatch)
    add(folder)
    wait_for(lambda: not adding.jobs())  # nobody's page is open any more
    key = adding.key_of(str(folder))
    assert resources.sources()[key] == str(folder)
    restart(adding)
    assert key in adding.galleries()


def test_restart_goes_on_with_what_was_under_way(adding, folder, tmp_path, monkeypatch):
    embeds_by(SLOW, adding, tmp_path, monkeypatch)
    add(folder)
    kept = (paths.CACHE / adding.KEPT).read_text()
    restart(adding)
    wait_for(lambda: (paths.CACHE / adding.KEPT).read_text() != kept)  # a server that ends writes
    (paths.CACHE / adding.KEPT).write_text(kept)  # no more, and here the thread does
    assert not adding.jobs()
    visitor()
    assert [job.source for job in adding.jobs().values()] == [str(folder)]


def test_one_folder_in_three_spellings_is_one_gallery(adding, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "x")
    spellings = ("~/x", f"{tmp_path}/x", "x/", "x", "./x/.", "link", " x ")
    assert {adding.canonical(source) for source in spellings} == {str(tmp_path / "x")}
    assert len({adding.canonical(source) for source in ("coco:~/x", "COCO:x/")}) == 1


def test_data_set_by_name_survives_a_restart(adding, folder):
    import resources

    resources.sources()["coco-1"] = f"coco:{folder}"
    adding._keep()
    restart(adding)
    adding.recall()
    assert resources.sources()["coco-1"] == f"coco:{folder}"


@pytest.mark.parametrize("source", ["/", "/proc", "/tmp", "/proc/self", "~", "{above}", "/usr/"])
def test_doubtful_folder_is_asked_about_with_a_count(adding, tmp_path, monkeypatch, folder, source):
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(adding, "COUNTED_S", 0.2)
    app = add(source.format(above=tmp_path))
    assert not adding.jobs() and "pictures lie in it" in app.warning[0].value
    press(app, "Leave it")
    assert not adding.jobs() and not app.warning


def test_doubtful_folder_is_added_once_that_is_confirmed(adding, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(adding, "MANY", 2)
    embeds_by(SLOW, adding, tmp_path, monkeypatch)
    app = add(folder)
    assert "is large: 4 pictures lie in it" in app.warning[0].value and not adding.jobs()
    press(app, "Add it all the same")
    assert [job.source for job in adding.jobs().values()] == [str(folder)]


@pytest.mark.parametrize("source", ["no/such/folder", "nonsense:/path", "README.md", "coco:"])
def test_what_is_no_folder_is_refused_in_a_sentence(adding, source):
    app = add(source)
    assert not app.exception and app.error[0].value.endswith(".") and not adding.jobs()


def test_why_a_folder_could_not_be_added_is_said_to_everybody(
    adding, folder, tmp_path, monkeypatch
):
    embeds_by(BAD, adding, tmp_path, monkeypatch)
    add(folder)
    wait_for(lambda: not adding.jobs())
    app = visitor("data")
    assert "holds nothing that can be read" in app.error[0].value
    press(app, "Put away")
    assert not app.error


def test_removed_gallery_leaves_the_list_and_its_folder_stays(adding, folder):
    import resources

    key = adding.key_of(str(folder))
    resources.sources()[key] = str(folder)
    adding._keep()
    app = visitor("data")
    app.button(key=f"forget-{key}").click().run()
    assert key not in resources.sources() and len(list(folder.rglob("*.png"))) == 4
    kept = json.loads((paths.CACHE / adding.KEPT).read_text())
    assert kept["added"] == {}


@pytest.fixture
def from_elsewhere(monkeypatch):
    monkeypatch.setattr(type(st.context), "ip_address", property(lambda self: "192.0.2.7"))


def test_visitor_from_elsewhere_may_not_add(adding, from_elsewhere):
    app = visitor("data")
    assert "on the machine itself only" in app.info[0].value
    assert not [box for box in app.text_input if box.key == "source"]


def test_visitor_from_elsewhere_may_add_below_the_stated_root_only(
    adding, from_elsewhere, folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("SIGSCOPE_ADD_BELOW", str(folder))
    embeds_by(SLOW, adding, tmp_path, monkeypatch)
    for source in (tmp_path, folder / ".." / "..", f"coco:{tmp_path}"):
        assert "can be added" in add(source).error[0].value and not adding.jobs()
    (folder / "way out").symlink_to(tmp_path)
    assert "can be added" in add(folder / "way out").error[0].value and not adding.jobs()
    add(folder / "colours")
    assert len(adding.jobs()) == 1


def test_two_are_embedded_at_once_and_the_others_wait_for_their_turn(adding, tmp_path, monkeypatch):
    embeds_by(SLOW, adding, tmp_path, monkeypatch)
    folders = [tmp_path / name for name in "abcd"]
    for one in folders:
        one.mkdir()
    keys = [adding.begin(str(one)) for one in folders]
    jobs = adding.jobs()
    wait_for(lambda: sum(job.process is not None for job in jobs.values()) == adding.AT_ONCE)
    waiting = [key for key in keys if jobs[key].process is None]
    assert len(waiting) == 2
    assert all(jobs[key].told() == "waiting for its turn" for key in waiting)
    adding.cancel(waiting[0])
    adding.cancel(next(key for key in keys if key not in waiting))
    wait_for(lambda: jobs[waiting[1]].process is not None)
    assert len(jobs) == 2 and waiting[0] not in jobs


@pytest.fixture
def listed(adding, folder):
    """A folder on the list, by its key, with nothing under way."""
    import resources

    key = adding.key_of(str(folder))
    with on_list(key, folder):
        yield key
    from parts import living

    living.tend(resources.MAIN)  # ends the watch of what is not listed


def searchable(app) -> str:
    return next(metric.value for metric in app.metric if metric.label == "Searchable")


def test_what_is_done_so_far_is_searched_and_said(adding, folder, listed, tmp_path, monkeypatch):
    import resources

    monkeypatch.setattr(resources, "AT_ONCE", 0)
    embeds_by(STILL, adding, tmp_path, monkeypatch)
    app = visitor("data", gallery=listed)
    assert "None of the 4 pictures" in app.error[0].value and "searchable yet" in app.error[0].value
    embed_some(resources.gallery(listed), resources._encoder(""), batches=2, size=1)
    resources.has_changed(listed)
    app = visitor("data", gallery=listed)
    assert not app.error and searchable(app) in ("1", "2")
    assert "Searchable while it is embedded: " in progress(app.run())
    assert adding.jobs()[listed].source == str(folder)


def test_new_changed_and_deleted_pictures_are_noticed(adding, folder, listed):
    import resources

    def found():
        return set(resources.searcher(key=listed).embeddings.ids)

    assert searchable(visitor("data", gallery=listed)) == "3"  # and its folder is watched soon
    Image.new("RGB", (32, 32), "yellow").save(folder / "new.png")
    wait_for(lambda: "new.png" in found())
    (folder / "colours" / "red.png").unlink()
    Image.new("RGB", (32, 32), "white").save(folder / "colours" / "broken.png")
    left = {"new.png", *(f"colours/{name}.png" for name in ("green", "blue", "broken"))}
    wait_for(lambda: found() == left)
    assert searchable(visitor("data", gallery=listed)) == "4"


def test_cancelled_update_is_not_begun_again_by_itself(adding, listed, tmp_path, monkeypatch):
    import resources

    monkeypatch.setattr(resources, "AT_ONCE", 0)
    embeds_by(SLOW, adding, tmp_path, monkeypatch)
    visitor("data", gallery=listed)
    assert listed in adding.jobs()
    adding.cancel(listed)
    app = visitor("data", gallery=listed)
    assert listed not in adding.jobs() and listed in resources.sources()
    press(app, "Try again")
    assert listed in adding.jobs()
