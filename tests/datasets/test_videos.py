import json

import pytest
from films import BLUE, GREEN, RED, film
from toy import ToyEncoder

from sigscope import paths
from sigscope.cli.main import main
from sigscope.datasets import videos
from sigscope.datasets.load import load_gallery
from sigscope.datasets.videos import by_video
from sigscope.embeddings.embed import embed_gallery
from sigscope.gallery.folder import GalleryError
from sigscope.models import checkpoints, encoder
from sigscope.search.searcher import Searcher

SRT = "1\n00:00:00,500 --> 00:00:01,500\nA <i>red</i> wall\n\n2\n00:00:02,500 --> 00:00:05,000\n"
SRT += "caf\xe9\nau lait\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "films"
    (home / "walls").mkdir(parents=True)
    film(home / "clip.mp4")
    film(home / "walls" / "blue.MKV", (BLUE,))
    return home


def test_moments_are_items_with_their_film_and_their_seconds(home):
    gallery = load_gallery(f"videos:{home}")
    items = gallery.items
    assert list(items["id"]) == ["clip.mp4#t=0", "clip.mp4#t=2", "clip.mp4#t=4",
                                 "walls/blue.MKV#t=0"]  # fmt: skip
    assert list(items["video"]) == ["clip.mp4"] * 3 + ["walls/blue.MKV"]
    assert list(items["seconds"]) == [0, 2, 4, 0] and list(items["category"])[-1] == "walls"
    assert gallery.picture("clip.mp4#t=4").size == (128, 96) and gallery.problems.empty


def test_lines_are_captions_of_the_moments_they_are_read_at(home):
    (home / "clip.srt").write_bytes(SRT.encode("cp1252"))
    (home / "clip.txt").write_text("three walls of different colours")
    (home / "clip.de.vtt").write_text("WEBVTT\n\n00:04.500 --> 00:05.000\neine Wand\n")
    captions = load_gallery(f"videos:{home}").items["captions"]
    walls = "three walls of different colours"
    assert list(captions)[:3] == [[walls, "A red wall"], [walls, "caf\xe9 au lait"],
                                  [walls, "eine Wand", "caf\xe9 au lait"]]  # fmt: skip


def test_film_is_looked_at_once_until_it_changes(home, monkeypatch):
    first = load_gallery(f"videos:{home}")
    looked = []
    real = videos.moments
    monkeypatch.setattr(videos, "moments", lambda *a: looked.append(a[0].name) or real(*a))
    again = load_gallery(f"videos:{home}")
    assert not looked and again.fingerprint == first.fingerprint
    film(home / "clip.mp4", (GREEN, RED))
    assert list(load_gallery(f"videos:{home}").items["video"]).count("clip.mp4") == 2
    assert looked == ["clip.mp4"]


def test_moment_that_is_lost_from_the_cache_is_made_again(home):
    gallery = load_gallery(f"videos:{home}")
    gallery.file("clip.mp4#t=2").unlink()
    assert load_gallery(f"videos:{home}").picture("clip.mp4#t=2")


def test_what_cannot_be_seen_is_a_problem_and_no_more(home):
    (home / "bad.mp4").write_bytes((home / "clip.mp4").read_bytes()[:900])
    (home / "text.avi").write_text("hello")
    gallery = load_gallery(f"videos:{home}")
    said = dict(zip(gallery.problems["path"], gallery.problems["reason"], strict=True))
    assert len(gallery) == 4 and set(said) == {"bad.mp4", "text.avi"}
    for content in (b"no lines at all", b"\xff\xfe\x00", b"", b"1\n" * 600_000):
        (home / "clip.srt").write_bytes(content)
        assert "clip.srt" in set(load_gallery(f"videos:{home}").problems["path"])


def test_folder_without_films_is_a_sentence(tmp_path, home):
    (tmp_path / "empty").mkdir()
    with pytest.raises(GalleryError, match="no films"):
        load_gallery(f"videos:{tmp_path / 'empty'}")
    with pytest.raises(GalleryError, match="no folder"):
        load_gallery("videos:/nowhere")
    (home / "clip.mp4").write_bytes(b"")
    (home / "walls" / "blue.MKV").unlink()
    with pytest.raises(GalleryError):
        load_gallery(f"videos:{home}")


def test_setting_says_how_far_apart_moments_are(home, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_VIDEO_EVERY", "3")
    assert len(load_gallery(f"videos:{home}/clip.mp4")) == 2
    monkeypatch.setenv("SIGSCOPE_VIDEO_EVERY", "often")
    with pytest.raises(GalleryError, match="SIGSCOPE_VIDEO_EVERY"):
        load_gallery(f"videos:{home}")


def test_film_in_an_ordinary_folder_says_how_it_is_searched(home, tmp_path):
    gallery = load_gallery(f"videos:{home}")
    gallery.picture("clip.mp4#t=0").save(home / "still.png")
    reasons = load_gallery(home).problems.set_index("path")["reason"]
    assert "videos:" in reasons["clip.mp4"]


def test_search_finds_moments_and_groups_them_by_film(home, tmp_path):
    gallery = load_gallery(f"videos:{home}")
    embeddings = embed_gallery(gallery, ToyEncoder(), tmp_path / "store")
    table = Searcher(gallery, embeddings, ToyEncoder()).by_text("blue", 4)
    films = by_video(table)
    assert set(films["video"][:2]) == {"clip.mp4", "walls/blue.MKV"}
    clip = films.set_index("video").loc["clip.mp4"]
    assert clip["seconds"] == 4 and clip["moments"] == 3 and films["score"].is_monotonic_decreasing


def test_command_names_films_and_seconds(home, capsys, monkeypatch):
    monkeypatch.setattr(encoder.Encoder, "load", lambda *a, **k: ToyEncoder())
    monkeypatch.setattr(checkpoints, "called", lambda model=None: ToyEncoder().model)
    words = ["search", "blue", "--pictures", f"videos:{home}", "--by", "meaning"]
    assert main([*words, "--json"]) == 0
    assert {row["id"] for row in json.loads(capsys.readouterr().out)[:2]} == {
        "clip.mp4#t=4",
        "walls/blue.MKV#t=0",
    }
    assert main([*words, "--json", "--by-film"]) == 0
    films = {row["video"]: row for row in json.loads(capsys.readouterr().out)}
    assert films["clip.mp4"]["seconds"] == 4 and films["clip.mp4"]["moments"] == 3
    (home / "still.png").write_bytes(load_gallery(f"videos:{home}").original("clip.mp4#t=0"))
    assert main(["search", "blue", "--pictures", str(home), "--by-film"]) == 1
    assert "videos:FOLDER" in capsys.readouterr().err
