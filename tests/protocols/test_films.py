"""Text to film: ranks by mean and by best moment, as by hand, and from the command line."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from films import BLUE, GREEN, RED, film
from toy import ToyEncoder

from sigscope import paths
from sigscope.cli.main import main
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.gallery.folder import GalleryError
from sigscope.models import checkpoints, encoder
from sigscope.protocols.films import film_recall
from sigscope.protocols.run import default_protocol, run_protocol

pytest.importorskip("av")
FILMS = {"video0": (RED, GREEN, BLUE), "video1": (RED, RED), "video2": (GREEN,), "video3": (BLUE,)}
SAID = [("video0", "blue"), ("video0", "red"), ("video1", "red"), ("video2", "green"),
        ("video3", "blue"), ("video3", "blue green")]  # fmt: skip


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    root = tmp_path / "msr"
    root.mkdir()
    for name, scenes in FILMS.items():
        film(root / f"{name}.mp4", scenes)
    data = {
        "videos": [{"video_id": name, "split": "test"} for name in FILMS],
        "sentences": [{"video_id": name, "caption": text} for name, text in SAID],
    }
    (root / "MSRVTT_data.json").write_text(json.dumps(data))
    return root


def by_hand(held, text, film, pooling):
    """Return the place of a film, one film and moment at a time."""
    query, scores = ToyEncoder().encode_texts([text])[0], {}
    for name in FILMS:
        moments = [x for x, id in zip(held.images, held.ids, strict=True) if id.startswith(name)]
        mean = np.mean(moments, axis=0)
        mean = mean / np.linalg.norm(mean)
        scores[name] = max(x @ query for x in moments) if pooling == "max" else mean @ query
    return sum(score >= scores[film] - 1e-7 for score in scores.values())


def test_recall_is_that_of_the_ranks_by_hand(root, tmp_path):
    gallery = load_gallery(f"msrvtt:{root}")
    held = embed_gallery(gallery, ToyEncoder(), tmp_path / "store")
    table = film_recall(gallery, held)
    for pooling in ("mean", "max"):
        ranks = np.array([by_hand(held, text, name, pooling) for name, text in SAID])
        for k in (1, 5, 10):
            row = table[(table["pooling"] == pooling) & (table["k"] == k)].iloc[0]
            assert row["here"] == pytest.approx((ranks <= k).mean())
            assert row["low"] <= row["here"] <= row["high"]
            assert row["chance"] == pytest.approx(min(1, k / 4))
    apart = table[table["pooling"] == "max less mean"].set_index("k")["here"]
    here = table.pivot(index="k", columns="pooling", values="here")
    pd.testing.assert_series_equal(apart, here["max"] - here["mean"], check_names=False)
    assert "4 films; 6 sentences" in table["depends_on"][0]


def test_films_with_sentences_are_evaluated_so_by_default(root, tmp_path):
    gallery = load_gallery(f"msrvtt:{root}")
    assert default_protocol(gallery) == "films"
    held = embed_gallery(gallery, ToyEncoder(), tmp_path / "store")
    assert len(run_protocol("films", gallery, held, ToyEncoder())) == 9


def test_a_gallery_without_films_is_refused(root, tmp_path):
    gallery = load_gallery(f"msrvtt:{root}")
    held = embed_gallery(gallery, ToyEncoder(), tmp_path / "store")
    gallery = replace(gallery, items=gallery.items.drop(columns="video"))
    with pytest.raises(GalleryError, match="holds no films; give videos:"):
        film_recall(gallery, held)


def test_the_command_evaluates_them(root, monkeypatch, capsys):
    toy = ToyEncoder()
    toy.describe = lambda: "a toy"
    monkeypatch.setattr(encoder.Encoder, "load", lambda *_, **__: toy)
    monkeypatch.setattr(checkpoints, "called", lambda model=None: "toy")
    assert main(["evaluate", f"msrvtt:{root}", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["figure"] for row in rows[:3]] == [
        "R@1, text to film, mean", "R@1, text to film, max", "R@1, max less mean",
    ]  # fmt: skip
