"""The explorer searches in the vector database that it is told, beside Faiss."""

from importlib.util import find_spec

import pytest
from visiting import said, visitor

pytestmark = pytest.mark.skipif(
    not (find_spec("pymilvus") and find_spec("milvus_lite")),
    reason="pymilvus and milvus-lite are not installed; make test-extras has them",
)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    import address

    monkeypatch.setenv("SIGSCOPE_STORE", f"milvus://{tmp_path}/shipped.db")
    monkeypatch.setenv("SIGSCOPE_STORE_INDEX", "hnsw")
    choice = address.Choice("milvus", address.CHOICES["index"].read)
    monkeypatch.setitem(address.CHOICES, "index", choice)


def test_search_asks_the_database_first_and_says_so(stored):
    app = visitor("search", "a red bus")
    assert not app.exception
    assert "Index: hnsw in Milvus, efSearch" in said(app)


def test_compare_shows_it_beside_faiss_with_the_same_results(stored):
    app = visitor("compare", "a red bus")
    next(box for box in app.selectbox if box.key == "index 1").set_value("milvus").run()
    assert not app.exception
    both = [part.value for part in app.markdown if "that exact search finds" in part.value]
    assert len(both) == 2 and both[0].startswith("**10 of 10**")
