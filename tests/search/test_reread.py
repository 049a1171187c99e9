"""Results in a reader's order: each pair once, the rest as before, and what cannot be read last."""

import os

import numpy as np
import pytest
from reader_checkpoints import blip
from toy import ToyEncoder, write_gallery

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.models.readers import Reader
from sigscope.search.reread import by_reading
from sigscope.search.searcher import Searcher

TEXT = "a red square"


@pytest.fixture
def searcher(tmp_path):
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 24, size=32))
    return Searcher(gallery, embed_gallery(gallery, ToyEncoder(), tmp_path / "e"), ToyEncoder())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return blip(tmp_path_factory.mktemp("blip"))


@pytest.fixture
def reader(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return Reader(folder, device="cpu")


def test_the_first_results_are_in_the_order_of_the_reader_and_the_rest_as_before(searcher, reader):
    before, after = searcher.by_text(TEXT, 24), by_reading(
        searcher, TEXT, 24, rerank=reader, depth=10
    )  # fmt: skip
    first, rest = after.head(10), after.iloc[10:]
    assert set(first["id"]) == set(before["id"][:10]) and first["read"].all()
    assert rest["id"].tolist() == before["id"].tolist()[10:] and not rest["read"].any()
    assert after["rank"].tolist() == list(range(1, 25))
    pictures = [searcher.gallery.picture(id) for id in first["id"]]
    np.testing.assert_allclose(first["score"], reader.probabilities(TEXT, pictures), atol=1e-5)
    assert first["score"].is_monotonic_decreasing
    assert after.attrs["encode_ms"] >= 0 and after.attrs["reread_ms"] > 0


def test_a_pair_is_read_once_also_by_the_next_process(searcher, folder, reader, monkeypatch):
    told = []
    first = by_reading(searcher, TEXT, 5, rerank=reader, progress=lambda *n: told.append(n))
    assert first.attrs["reread"] == 24 and told[-1] == (24, 24) and len(first) == 5
    other = Reader(folder, device="cpu")
    monkeypatch.setattr(other, "_judge", pytest.fail)
    again = by_reading(searcher, TEXT, 5, rerank=other)
    assert again.attrs["reread"] == 0 and again["id"].tolist() == first["id"].tolist()


def test_a_picture_that_cannot_be_read_any_more_stands_after_those_that_can(searcher, reader):
    gone = searcher.by_text(TEXT, 1)["id"][0]
    searcher.gallery.file(gone).write_bytes(b"<html>")
    found = by_reading(searcher, TEXT, 24, rerank=reader)
    assert found["id"].iloc[-1] == gone and found["read"].sum() == 23


def test_a_picture_that_changed_is_read_again(searcher, reader):
    first = by_reading(searcher, TEXT, 24, rerank=reader)
    changed = first["id"].iloc[-1]
    os.utime(searcher.gallery.file(changed), ns=(1, 1))
    assert by_reading(searcher, TEXT, 24, rerank=reader).attrs["reread"] == 1
