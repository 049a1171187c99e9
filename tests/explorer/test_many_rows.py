"""The explorer on a gallery whose rows and vectors stay on disk, with the map of a sample."""

import json

import pytest
from toy import ToyEncoder, write_gallery
from vector_folders import of_gallery
from visiting import cards, given, grid, on_list, said, visitor

from sigscope import INDEXES, paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import open_embeddings
from sigscope.gallery import rows
from sigscope.maps import sampling
from sigscope.maps.projection import open_map
from sigscope.models import checkpoints

N, SAMPLE = 80, 30


class _Toy(ToyEncoder):
    folder = paths.MINI  # whose card the page Data shows

    def describe(self):
        return "a toy"


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    import resources

    home = tmp_path_factory.mktemp("stored")
    pictures = write_gallery(home / "pictures", N)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "CACHE", home / "cache")
        patch.setenv("SIGSCOPE_VECTORS", "disk")
        patch.setenv("SIGSCOPE_RATINGS", str(home / "ratings.sqlite"))
        patch.setattr(rows, "MANY", 5)
        patch.setattr(sampling, "MOST", 40)
        patch.setattr(sampling, "SAMPLE", SAMPLE)
        patch.setattr(resources, "_encoder", lambda model: _Toy())
        patch.setattr(checkpoints, "called", lambda model=None: "toy")
        source = f"vectors:{of_gallery(pictures, pictures / 'vectors')}"
        found = load_gallery(source)
        open_map(open_embeddings(found, _Toy()))  # as the process that makes it would
        with on_list("stored", source) as key:
            yield key


@pytest.mark.parametrize(
    "page", ["search", "map", "compare", "duplicates", "rate", "data", "report"]
)
def test_every_page_is_shown(gallery, page):
    app = visitor(page, gallery=gallery, q="a red square")
    assert not app.exception, app.exception[0].stack_trace


def test_only_indexes_that_need_no_vectors_in_memory_are_offered(gallery):
    app = visitor(gallery=gallery, q="a red square")
    (index,) = (box for box in app.selectbox if box.label == "Index")
    assert index.options == [INDEXES["flat"].label]  # the one on disk is for 50,000 and more
    refused = visitor(gallery=gallery, q="a red square", index="hnsw")
    assert not refused.exception and len(cards(refused)) > 0
    assert "Index=hnsw cannot be had here" in refused.error[0].value


def test_words_find_pictures_and_a_card_says_how_many(gallery):
    app = visitor(gallery=gallery, q="a red square", category="warm")
    assert len(cards(app)) > 0 and all("red" in id for id in cards(app)[:5])
    assert not app.exception and grid(app)


def test_the_map_draws_the_sample_and_what_is_found_and_says_so(gallery):
    app = visitor("map", gallery=gallery)
    assert f"{SAMPLE} of {N} pictures are drawn and were laid out" in said(app)
    assert drawn(app) == SAMPLE
    found = visitor("map", gallery=gallery, q="a red square")
    assert not found.exception and SAMPLE < drawn(found) <= SAMPLE + 60


def drawn(app) -> int:
    """Return how many different pictures are points of the map."""
    figure = json.loads(given(app, "map")["figure"])
    ids = [id for trace in figure["data"] if trace.get("customdata") for id in trace["customdata"]]
    return len({id if isinstance(id, str) else id[0] for id in ids})
