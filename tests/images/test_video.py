import builtins
import sys
from itertools import pairwise

import numpy as np
import pytest
from films import BLUE, GREEN, RED, film, sound, turn

from sigscope.images import video
from sigscope.images.video import VideoError, moments

SUFFIXES = sorted(video.SUFFIXES)


def colours(found):
    """Return the name of the colour in the middle of each moment."""
    middles = [np.array(each.picture)[48:, 64:].mean(axis=(0, 1)) for each in found]
    return ["RGB"[int(middle.argmax())] for middle in middles]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_sort_of_film_gives_its_scenes(tmp_path, suffix):
    found = list(moments(film(tmp_path / f"clip{suffix}")))
    assert colours(found) == ["R", "G", "B"]
    assert [round(each.seconds) for each in found] == [0, 2, 4]
    assert found[0].picture.size == (128, 96) and found[0].picture.mode == "RGB"


def test_moments_are_apart_by_the_seconds_asked_for(tmp_path):
    file = film(tmp_path / "clip.mp4", (RED, GREEN, BLUE, RED, GREEN), scene_s=0.4)
    seconds = [each.seconds for each in moments(file)]
    assert len(seconds) == 2 and all(b - a >= 1 for a, b in pairwise(seconds))
    assert len(list(moments(file, 0.1))) == 5


def test_scene_that_stays_is_one_moment_and_a_flat_one_is_none(tmp_path):
    assert len(list(moments(film(tmp_path / "still.mp4", (RED,), scene_s=8)))) == 1
    flat = film(tmp_path / "white.mp4", ((255, 255, 255), BLUE))
    assert colours(moments(flat)) == ["B"]


def test_times_are_those_of_a_film_of_uneven_frames(tmp_path):
    times = (0, 0.1, 3, 3.05, 9, 9.5)
    file = film(tmp_path / "clip.mkv", scene_s=2, fps=1, times=times)
    assert [each.seconds for each in moments(file)] == pytest.approx([0, 3, 9], abs=0.01)


def test_turned_film_is_shown_upright(tmp_path):
    (found,) = moments(turn(film(tmp_path / "phone.mp4", (RED,))))
    picture = np.array(found.picture)
    assert found.picture.size == (96, 128)
    assert picture[:20, -20:].mean() > 240 and picture[:20, :20].mean() < 150


def test_ten_bits_are_read(tmp_path):
    file = film(tmp_path / "deep.mkv", pixels="yuv420p10le", codec="ffv1")
    assert colours(moments(file)) == ["R", "G", "B"]


def test_of_long_films_key_frames_alone_count(tmp_path, monkeypatch):
    decoded = []
    thumbnail = video._thumbnail
    monkeypatch.setattr(video, "_thumbnail", lambda f: decoded.append(f) or thumbnail(f))
    file = film(tmp_path / "clip.mp4", (RED, GREEN), scene_s=6)
    whole = len(list(moments(file))), len(decoded)
    decoded.clear()
    monkeypatch.setattr(video, "LONG_S", 5)
    assert len(list(moments(file))) <= whole[0] and 1 <= len(decoded) < whole[1]


def test_film_that_is_cut_short_gives_what_comes_before(tmp_path):
    file = film(tmp_path / "clip.mkv", (RED, GREEN, BLUE), scene_s=4)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    found = []
    try:
        for each in moments(file):
            found.append(each)
    except VideoError as reason:
        assert "cut short" in str(reason)
    assert colours(found)[:1] == ["R"] and len(found) < 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no film"),
        (b"hello, I am a text " * 9, "no film"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "no film"),
        (b"\0\0\0\x20ftypisom" + bytes(200), "damaged or cut short"),
        (b"\x1a\x45\xdf\xa3" + bytes(200), "damaged or cut short"),
        (b"RIFF\0\0\0\0AVI LIST" + bytes(99), "damaged|no pictures"),
    ],
)
def test_what_is_no_film_is_said_in_a_sentence(tmp_path, content, said):
    file = tmp_path / "clip.mp4"
    file.write_bytes(content)
    with pytest.raises(VideoError, match=said):
        list(moments(file))


def test_sound_alone_shows_nothing(tmp_path):
    with pytest.raises(VideoError, match="sound and no pictures"):
        list(moments(sound(tmp_path / "song.mp4")))


def test_any_bytes_of_a_film_may_be_wrong(tmp_path):
    good = film(tmp_path / "clip.mkv", scene_s=1).read_bytes()
    rng = np.random.default_rng(0)
    for number in range(40):
        data = bytearray(good)
        for at in rng.integers(0, len(data), 1 + number % 9):
            data[at] = rng.integers(256)
        file = tmp_path / f"{number}.mkv"
        file.write_bytes(bytes(data))
        try:
            assert len(list(moments(file))) <= 15
        except VideoError as reason:
            assert str(reason)


def test_without_pyav_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "av":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    file = film(tmp_path / "clip.mp4")
    monkeypatch.delitem(sys.modules, "av")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(VideoError, match=r"sigscope\[video\]"):
        list(moments(file))


@pytest.mark.parametrize("every_s", [0, -1, float("nan")])
def test_moments_lie_apart(tmp_path, every_s):
    with pytest.raises(ValueError, match="seconds above 0"):
        list(moments(tmp_path / "clip.mp4", every_s))
