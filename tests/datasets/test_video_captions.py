"""MSR-VTT and MSVD from their publishers' files: which film has which sentences and split."""

import json

import pytest
from films import BLUE, GREEN, RED, film

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.gallery.folder import GalleryError

pytest.importorskip("av")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def msrvtt(root):
    (root / "TrainValVideo").mkdir(parents=True)
    film(root / "TrainValVideo" / "video0.mp4", (RED, GREEN))
    film(root / "TrainValVideo" / "video1.mp4", (BLUE,))
    film(root / "video2.mp4", (GREEN,))
    film(root / "holiday.mp4", (GREEN,))
    splits = {"video0": "train", "video1": "validate", "video2": "test", "video9": "test"}
    said = [("video0", "A red wall"), ("video0", "a green wall "), ("video0", "A red wall"),
            ("video1", "blue"), ("video2", "green"), ("video9", "lost")]  # fmt: skip
    data = {
        "info": {"year": "2016"},
        "videos": [{"video_id": name, "split": split} for name, split in splits.items()],
        "sentences": [{"video_id": n, "caption": c, "sen_id": i} for i, (n, c) in enumerate(said)],
    }
    (root / "MSRVTT_data.json").write_text(json.dumps(data))
    return root


def table(gallery):
    items = gallery.items
    return {
        id: (list(captions), split)
        for id, captions, split in zip(items["id"], items["captions"], items["split"], strict=True)
    }


def test_all_sentences_are_captions_of_the_first_moment_and_one_of_the_others(tmp_path):
    gallery = load_gallery(f"msrvtt:{msrvtt(tmp_path / 'msr')}")
    assert gallery.name == "msrvtt"
    assert table(gallery) == {
        "TrainValVideo/video0.mp4#t=0": (["A red wall", "a green wall"], "train"),
        "TrainValVideo/video0.mp4#t=2": (["A red wall"], "train"),
        "TrainValVideo/video1.mp4#t=0": (["blue"], "val"),
        "holiday.mp4#t=0": ([], ""),
        "video2.mp4#t=0": (["green"], "test"),
    }
    assert list(gallery.items["caption"])[:2] == ["A red wall", "A red wall"]
    assert gallery.problems.to_numpy().tolist() == [
        ["video9", "sentences are there, and its film is not"]
    ]
    assert gallery.counts["texts"] == 1 and gallery.counts["not films"] == 0


def test_the_1000_films_that_papers_ask_are_the_test_split_with_one_sentence_each(tmp_path):
    root = msrvtt(tmp_path / "msr")
    (root / "MSRVTT_JSFUSION_test.csv").write_text(
        "key,vid_key,video_id,sentence\nret0,msr1,video1,a blue screen\n"
    )
    found = table(load_gallery(f"msrvtt:{root}"))
    assert found["TrainValVideo/video1.mp4#t=0"] == (["a blue screen"], "test")
    assert found["video2.mp4#t=0"] == (["green"], "train")
    (root / "MSRVTT_data.json").unlink()
    found = table(load_gallery(f"msrvtt:{root}"))
    assert found["TrainValVideo/video1.mp4#t=0"] == (["a blue screen"], "test")
    assert found["video2.mp4#t=0"] == ([], "")


@pytest.mark.parametrize("form", ["lines", "corpus"])
def test_msvd_says_its_films_by_their_place_in_youtubes(form, tmp_path):
    root = tmp_path / "msvd"
    root.mkdir()
    film(root / "mv89psg6zh4_33_46.avi", (RED,))
    film(root / "-4wsuPCjDBc_5_15.avi", (BLUE,))
    if form == "lines":
        (root / "AllVideoDescriptions.txt").write_text(
            "-4wsuPCjDBc_5_15 a squirrel eats\nmv89psg6zh4_33_46 a bird bathes\n"
            "mv89psg6zh4_33_46 a parrot in a sink\n"
        )
    else:
        (root / "video_corpus.csv").write_text(
            "VideoID,Start,End,WorkerID,Source,AnnotationTime,Language,Description\n"
            "-4wsuPCjDBc,5,15,1,clean,9,English,a squirrel eats\n"
            "mv89psg6zh4,33,46,1,clean,9,German,ein Vogel badet\n"
            "mv89psg6zh4,33,46,1,clean,9,English,a bird bathes\n"
            "mv89psg6zh4,33,46,2,clean,9,English,a parrot in a sink\n"
        )
    (root / "train_list.txt").write_text("-4wsuPCjDBc_5_15\n")
    (root / "test_list.txt").write_text("mv89psg6zh4_33_46.avi\n")
    gallery = load_gallery(f"msvd:{root}")
    assert table(gallery) == {
        "-4wsuPCjDBc_5_15.avi#t=0": (["a squirrel eats"], "train"),
        "mv89psg6zh4_33_46.avi#t=0": (["a bird bathes", "a parrot in a sink"], "test"),
    }
    assert gallery.problems.empty


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("no sentences", "has none of the files of sentences.*CLIP4Clip"),
        ("other films", "No film in .* is one of the 1 with sentences"),
        ("other keys", "is not as it was published"),
    ],
)
def test_what_is_not_as_published_is_a_sentence(damage, sentence, tmp_path):
    root = tmp_path / "msr"
    root.mkdir()
    film(root / "video0.mp4", (RED,))
    if damage != "no sentences":
        name = "name" if damage == "other keys" else "video_id"
        one = {"video_id": "video7", name: "video7", "caption": "x"}
        if damage == "other keys":
            one.pop("caption")
        data = {"videos": [], "sentences": [one]}
        (root / "MSRVTT_data.json").write_text(json.dumps(data))
    with pytest.raises(GalleryError, match=sentence):
        load_gallery(f"msrvtt:{root}")
