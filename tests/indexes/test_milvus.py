"""Milvus Lite, started for real: what is found, what is loaded, and every way it can go wrong."""

import logging
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from toy import unit

from sigscope.indexes.index import VectorIndex
from sigscope.indexes.milvus import Address, MilvusError, connected
from sigscope.indexes.milvus_loading import AT_ONCE, open_milvus

needs_milvus = pytest.mark.skipif(
    not (find_spec("pymilvus") and find_spec("milvus_lite")),
    reason="pymilvus and milvus-lite are not installed; make test-extras has them",
)
N, D = 2500, 24
ABOUT = {"gallery": "toys", "model": "toy", "encoder": {"model": "toy", "weights": 1}}
KINDS = ["a cat", 'two "cats"', "back\\slash", "新しい", "line\nbreak", "\x01"]


@pytest.fixture
def store(tmp_path):
    return f"milvus://{tmp_path}/photos.db/sigscope"


@pytest.fixture(scope="module")
def xb():
    return unit(np.random.default_rng(0).normal(size=(N, D)))


def items(n=N):
    numbers = np.arange(n)
    return pd.DataFrame(
        {
            "id": [f"it's {row:04}.png" for row in numbers],
            "caption": [f"caption {row}" for row in numbers],
            "category": np.take(KINDS, numbers % len(KINDS)),
            "split": np.take(["train", "test", ""], numbers % 3),
        }
    )


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("milvus://photos.db", ("photos.db", "", "ours")),
        ("milvus:///a/b c.db/mine", ("/a/b c.db", "", "mine")),
        ("milvus://host:19530", ("http://host:19530", "", "ours")),
        ("milvus://me:secret@host:19530/mine", ("http://host:19530", "me:secret", "mine")),
    ],
)
def test_an_address_says_where_and_which_collection(store, expected):
    at = Address.of(store, "ours")
    assert (at.uri, at.token, at.collection) == expected
    assert "secret" not in at.shown


@pytest.mark.parametrize("store", ["photos.db", "milvus://", "milvus://a:b@h/x y", "qdrant://x"])
def test_what_is_no_address_is_refused_without_its_password(store):
    with pytest.raises(ValueError, match="is no store; give milvus://FILE.db") as error:
        Address.of(store)
    assert "a:b" not in str(error.value)


@pytest.mark.skipif(bool(find_spec("pymilvus")), reason="pymilvus is installed")
def test_without_its_packages_the_sentence_says_what_to_install(store, xb):
    with pytest.raises(MilvusError, match=r"pip install 'sigscope\[milvus\]'"):
        open_milvus(store, "flat", xb, items(), ABOUT)


@needs_milvus
def test_200_filtered_queries_find_what_faiss_finds(store, xb):
    found, exact = (
        open_milvus(store, "flat", xb, items(), ABOUT),
        VectorIndex.build("flat", xb, items()["id"]),
    )
    table, rng = items(), np.random.default_rng(1)
    for number, query in enumerate(unit(rng.normal(size=(200, D)))):
        filters = [
            {},
            {"category": KINDS[number % len(KINDS)]},
            {"split": ["train", ""], "category": None},
            {"category": KINDS[:3], "split": "test"},
            {"ids": list(table["id"].sample(40, random_state=number))},
        ][number % 5]
        columns = {"category": "category", "split": "split", "ids": "id"}
        mask = np.ones(N, bool)
        for name, value in filters.items():
            if value is not None:
                mask &= table[columns[name]].isin([value] if isinstance(value, str) else value)
        rows = np.flatnonzero(mask) if filters else None
        scores, expected = exact.search(query[None], 10, rows=rows)
        for given in (filters, None):  # as an expression, and as the numbers of rows
            close, same = found.search(query[None], 10, rows=rows, filters=given)
            np.testing.assert_allclose(close, scores, atol=1e-5)
            apart = np.abs(np.diff(scores[0], append=-2, prepend=2)) > 1e-5
            told = apart[:-1] & apart[1:]
            np.testing.assert_array_equal(same[0][told], expected[0][told])
            assert same.shape == expected.shape


@needs_milvus
def test_a_filter_that_milvus_cannot_say_goes_by_rows(store, xb):
    found, rows = open_milvus(store, "flat", xb, items(), ABOUT), np.arange(7)
    for filters in ({"max_text": 0.2}, {"category": "\x01"}, {"without": ["a"]}):
        assert set(found.search(xb[:1], 9, rows=rows, filters=filters)[1][0]) == set(range(7))
    assert found.search(xb[:1], 9, rows=rows[:0])[1].shape == (1, 0)


@needs_milvus
def test_without_a_name_each_gallery_and_model_has_its_own_collection(tmp_path, xb):
    store = f"milvus://{tmp_path}/photos.db"
    for gallery, weights in (("toys", 1), ("toys", 2), ("新しい 1", 1), ("新しい 2", 1)):
        about = {"gallery": gallery, "model": "to/y", "encoder": {"weights": weights}}
        found = open_milvus(store, "flat", xb[:9], items(9), about)
    names = found.index.list_collections()
    assert len(names) == 4 and all(name.startswith("sigscope_") for name in names)


@needs_milvus
@pytest.mark.parametrize("index", ["hnsw", "ivf", "ivf-sq8"])
def test_each_index_that_lite_has_finds_most_and_may_take_anothers_place(index, store, xb):
    open_milvus(store, "flat", xb, items(), ABOUT)
    found = open_milvus(store, index, xb, items(), ABOUT)
    told = found.index.describe_index("sigscope", "vector")["index_type"]
    assert told == {"hnsw": "HNSW", "ivf": "IVF_FLAT", "ivf-sq8": "IVF_SQ8"}[index]
    for effort in (None, found.efforts[-1]):
        assert (
            np.mean(found.search(xb[::50], 3, effort=effort)[1][:, 0] == np.arange(0, N, 50)) > 0.9
        )
    assert found.search(xb[:1], 300)[1].min() >= 0
    assert found.name == f"{index} in Milvus"


@needs_milvus
@pytest.mark.parametrize("index", ["pq-fast", "hnsw-l2", "ivf-rabitq", "numpy"])
def test_an_index_that_lite_has_not_is_refused(index, store, xb):
    with pytest.raises(ValueError, match="no index like .*; choose from flat, hnsw, ivf, ivf-sq8$"):
        open_milvus(store, index, xb, items(), ABOUT)


@needs_milvus
def test_what_is_there_is_not_loaded_again_and_what_changed_is(store, xb, monkeypatch, caplog):
    open_milvus(store, "flat", xb[:100], items(100), ABOUT)
    at = Address.of(store)
    given, client = [], connected(at)
    upsert = client.upsert
    monkeypatch.setattr(
        client, "upsert", lambda name, rows: given.append(rows) or upsert(name, rows)
    )
    open_milvus(store, "flat", xb[:100], items(100), ABOUT)
    assert not given and not caplog.text
    table, rows = items(110), xb[:110].copy()
    table.loc[5, "category"] = "another"
    rows[6] = -rows[6]
    table, rows = table.drop(index=7), np.delete(rows, 7, axis=0)
    found = open_milvus(store, "flat", rows, table, ABOUT)
    assert sorted(row["id"][5:9] for row in given[0]) == [
        "0005",
        "0006",
        *(f"01{n:02}" for n in range(10)),
    ]
    assert found.index.query("sigscope", output_fields=["count(*)"])[0]["count(*)"] == 109
    assert found.search(rows[6:7], 1)[1].item() == 6
    assert found.search(xb[7:8], 1)[0].item() < 0.99


@needs_milvus
def test_a_loading_that_was_killed_is_gone_on_with_and_said(store, xb, monkeypatch, caplog):
    client = connected(Address.of(store))
    upsert, calls = client.upsert, []

    def killed(name, rows):
        calls.append(len(rows))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return upsert(name, rows)

    monkeypatch.setattr(client, "upsert", killed)
    with pytest.raises(KeyboardInterrupt):
        open_milvus(store, "flat", xb, items(), ABOUT)
    found = open_milvus(store, "flat", xb, items(), ABOUT)
    assert calls == [AT_ONCE, AT_ONCE, 500, 500] and len(found) == N
    assert f"sigscope in {Address.of(store).uri} holds 2000 of 2500 pictures" in caplog.text
    assert found.search(xb[-1:], 1)[1].item() == N - 1


@needs_milvus
@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        ("model", "holds pictures of toys by toy, not by or of big; name another collection"),
        ("encoder", "not by or of another version of it"),
        ("gallery", "not by or of others"),
        ("dimension", "holds vectors of 24 dimensions, and these have 12"),
        ("pictures", "none of the 50 rows of .* is of these pictures"),
        ("not ours", "was not made by sigscope, and is left alone"),
        ("lost", "holds 40 rows where 50 were loaded"),
    ],
)
def test_what_is_wrong_with_a_collection_is_one_sentence(harm, sentence, store, xb, monkeypatch):
    table, about, rows = items(50), dict(ABOUT), xb[:50]
    if harm == "lost":
        client = connected(Address.of(store))
        upsert = client.upsert
        monkeypatch.setattr(client, "upsert", lambda name, rows: upsert(name, rows[10:]))
    elif harm == "not ours":
        connected(Address.of(store)).create_collection("sigscope", dimension=D)
    else:
        open_milvus(store, "flat", rows, table, ABOUT)
    about |= {"model": {"model": "big"}, "gallery": {"gallery": "others"}}.get(harm, {})
    if harm == "encoder":
        about["encoder"] = {"model": "toy", "weights": 2}
    if harm == "dimension":
        rows = unit(xb[:50, :12])
    if harm == "pictures":
        rows = xb[50:100]
    with pytest.raises(MilvusError, match=sentence) as error:
        open_milvus(store, "flat", rows, table, about)
    assert "\n" not in str(error.value)


@needs_milvus
def test_vectors_that_are_not_as_loaded_are_seen(store, xb, monkeypatch):
    client = connected(Address.of(store))
    upsert = client.upsert

    def turned(name, rows):
        return upsert(name, [row | {"vector": row["vector"][::-1]} for row in rows])

    monkeypatch.setattr(client, "upsert", turned)
    with pytest.raises(MilvusError, match="100 of 100 vectors read again are not as they were"):
        open_milvus(store, "flat", xb[:300], items(300), ABOUT)


@needs_milvus
@pytest.mark.parametrize("store", ["milvus://127.0.0.1:9", "milvus:///nowhere/photos.db"])
def test_what_cannot_be_reached_is_one_sentence(store, xb, caplog):
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(MilvusError, match="cannot serve") as error,
    ):
        open_milvus(store, "flat", xb, items(), ABOUT)
    assert "check the address" in str(error.value) and "\n" not in str(error.value)


@needs_milvus
def test_a_file_that_another_process_has_open_is_one_sentence(store, xb):
    file = Address.of(store).uri
    code = f"import pymilvus as p; c = p.MilvusClient({file!r}); print(1, flush=True); input()"
    how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **how) as other, closing(other.stdin):
        other.stdout.readline()
        with pytest.raises(MilvusError, match="that no other process has it open"):
            open_milvus(store, "flat", xb, items(), ABOUT)
        other.communicate("\n")
