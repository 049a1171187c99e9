"""Films are played from the moment that was found; nothing else of their folder is served."""

from urllib.parse import quote

import pytest
from films import film
from starlette.applications import Starlette
from starlette.testclient import TestClient

from sigscope import paths
from sigscope.datasets.load import load_gallery


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    home = tmp_path / "films"
    home.mkdir()
    film(home / "clip.mp4")
    (home / "notes.txt").write_text("private")
    (home / "AllVideoDescriptions.txt").write_text("clip three walls\n")
    return home


@pytest.fixture(params=["videos", "msvd"])
def ask(home, monkeypatch, request):
    """A function from an item's id to the answer about its film."""
    import playing
    import resources

    source = f"{request.param}:{home}"
    gallery = load_gallery(source)
    monkeypatch.setattr(resources, "sources", lambda: {"main": source, "other": None})
    monkeypatch.setattr(resources, "_gallery", lambda key: gallery)
    client = TestClient(Starlette(routes=[playing.ROUTE]))
    return lambda id, key="main", **headers: client.get(
        f"/films/{key}/{quote(id, safe='')}", headers=headers
    )


def test_film_of_a_moment_is_sent_in_the_range_that_was_asked_for(ask, home):
    whole = (home / "clip.mp4").read_bytes()
    answer = ask("clip.mp4#t=2")
    assert answer.status_code == 200 and answer.content == whole
    assert answer.headers["content-type"] == "video/mp4"
    part = ask("clip.mp4#t=2", range="bytes=10-19")
    assert part.status_code == 206 and part.content == whole[10:20]


@pytest.mark.parametrize(
    "id", ["notes.txt", "clip.mp4", "../films/clip.mp4#t=2", "/etc/hostname", "clip.mp4#t=3"]
)
def test_what_is_no_moment_is_not_sent(ask, id):
    assert ask(id).status_code == 404


def test_gallery_of_pictures_has_no_films_and_a_lost_film_is_a_sentence(ask, home):
    assert ask("clip.mp4#t=2", key="other").status_code == 404
    (home / "clip.mp4").unlink()
    assert "no such file" in ask("clip.mp4#t=2").text


def test_link_that_leads_out_of_the_folder_is_not_followed(ask, home, tmp_path):
    secret = tmp_path / "private.mp4"
    (home / "clip.mp4").rename(secret)
    (home / "clip.mp4").symlink_to(secret)
    assert ask("clip.mp4#t=2").status_code == 404
