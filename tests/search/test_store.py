"""A Searcher on Milvus Lite answers as one on Faiss does, in everything that it can be asked."""

import zlib
from importlib.util import find_spec

import numpy as np
import pytest
from toy import ToyEncoder, unit, write_gallery

from sigscope.cli import main as commands
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.models.encoder import Encoder
from sigscope.search import Part
from sigscope.search.searcher import Searcher

pytestmark = pytest.mark.skipif(
    not (find_spec("pymilvus") and find_spec("milvus_lite")),
    reason="pymilvus and milvus-lite are not installed; make test-extras has them",
)
WORDS = ["a red square", "something blue", "number 7", "warm and cyan", "white", "nothing at all"]


class Scattered(ToyEncoder):
    """Every picture and text has a direction of its own, so that no two results tie."""

    def preprocess(self, pictures):
        return [picture.tobytes() for picture in pictures]

    def encode_batch(self, batch):
        seeds = (zlib.crc32(each if isinstance(each, bytes) else each.encode()) for each in batch)
        return unit([np.random.default_rng(seed).normal(size=4) for seed in seeds])

    def encode_texts(self, texts, batch_size=64):
        return self.encode_batch(texts)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return load_gallery(write_gallery(tmp_path_factory.mktemp("pictures") / "toys", 72))


@pytest.fixture(scope="module")
def two(gallery, tmp_path_factory):
    """The same searcher on Faiss, and on Milvus."""
    folder = tmp_path_factory.mktemp("store")
    held = embed_gallery(gallery, Scattered(), folder / "vectors")
    store = f"milvus://{folder}/toys.db"
    return [Searcher(gallery, held, Scattered(), store=each) for each in (None, store)]


def test_a_searcher_says_where_it_searches(two):
    assert [one.index_name for one in two] == ["flat", "flat in Milvus"]
    assert len(two[0]) == len(two[1]) == 72


@pytest.mark.parametrize("number", range(200))
def test_200_filtered_questions_have_the_same_table(number, two):
    rng = np.random.default_rng(number)
    ids = [id for id in two[0].index.ids if rng.random() < 0.5]
    filters = {
        name: value
        for name, value in {
            "category": ["warm", "cold", ["warm", "cold"]][number % 3],
            "split": ["test", ["train", "val"], "val"][number // 3 % 3],
            "ids": ids,
        }.items()
        if rng.random() < 0.6
    }
    text, k = f"{WORDS[number % len(WORDS)]} {number}", int(rng.integers(1, 90))
    ask = [
        lambda one: one.by_text(text, k, **filters),
        lambda one: one.by_text(text, k, tame_hubs=True, **filters),
        lambda one: one.by_text(WORDS[number % len(WORDS)], k, by="both", **filters),
        lambda one: one.by_text(WORDS[number % len(WORDS)], k, by="words", **filters),
        lambda one: one.like(one.index.ids[number % 72], k, **filters),
        lambda one: one.by_parts([Part("text", text), Part("item", ids[0], -0.5)], k, **filters),
    ][number % 6]
    faiss, milvus = (ask(one) for one in two)
    assert list(milvus.columns) == list(faiss.columns) and milvus["id"].is_unique
    np.testing.assert_allclose(milvus["score"], faiss["score"], atol=1e-5)
    apart = np.abs(np.diff(faiss["score"], append=-9, prepend=9)) > 1e-5
    told = apart[:-1] & apart[1:]
    assert milvus["id"][told].tolist() == faiss["id"][told].tolist()
    assert milvus["caption"][told].tolist() == faiss["caption"][told].tolist()


def test_captions_lie_beside_the_pictures_and_are_found_and_filtered(two):
    for how in ({}, {"category": "cold"}, {"split": ["test"]}):
        faiss, milvus = (one.captions_for("003-yellow.png", 999, **how) for one in two)
        assert milvus["caption"].tolist() == faiss["caption"].tolist()
        assert set(milvus["id"] + milvus["caption"]) == set(faiss["id"] + faiss["caption"])


def test_the_match_of_a_result_is_the_same(two):
    tables = [one.by_text("a red square", 5, category="warm") for one in two]
    one, other = (each.match(table) for each, table in zip(two, tables, strict=True))
    assert one == other


@pytest.mark.parametrize("index", ["flat", "hnsw"])
def test_the_command_searches_in_a_store_that_grows_with_the_folder(
    index, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("sigscope.paths.CACHE", tmp_path / "cache")
    monkeypatch.setenv("SIGSCOPE_GALLERY", "")
    monkeypatch.setenv("SIGSCOPE_STORE", "")
    monkeypatch.setattr(Encoder, "load", lambda *_, **__: ToyEncoder())
    root, store = tmp_path / "toys", f"milvus://{tmp_path}/toys.db"
    words = ["search", "red", "--by", "meaning", "--pictures", str(root), "--store", store]
    words += ["--index", index, "-k", "1"]
    write_gallery(root, 20, size=4)
    assert commands.main(words) == 0
    write_gallery(root, 24, size=4)
    assert commands.main(words) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 4 and "red.png" in rows[-1]
    assert commands.main([*words[:-5], "http://x", "-k", "1"]) == 1
    assert "http://x is no store; give milvus://FILE.db" in capsys.readouterr().err
