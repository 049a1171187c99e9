"""What is embedded by now, while the rest is still being embedded or has changed."""

import numpy as np
import pytest
from PIL import Image
from toy import ToyEncoder, write_gallery

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import _cached_store, embed_gallery, embeddings_so_far
from sigscope.search.searcher import Searcher


class Stopping(ToyEncoder):
    """Stops, as a killed process does, after some pictures."""

    def __init__(self, after: int):
        super().__init__()
        self.left = after

    def encode_batch(self, batch):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().encode_batch(batch)


@pytest.fixture(autouse=True)
def homes(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


@pytest.fixture
def root(tmp_path):
    return write_gallery(tmp_path / "gallery", 20)


def embed(root, after: int = 99):
    gallery = load_gallery(root)
    encoder = Stopping(after)
    return embed_gallery(
        gallery, encoder, _cached_store(gallery, encoder), batch_size=1, shard_size=4
    )


def so_far(root):
    gallery = load_gallery(root)
    return gallery, embeddings_so_far(gallery, ToyEncoder())


def test_nothing_is_searchable_before_the_first_shard_and_all_at_the_end(root):
    assert len(so_far(root)[1]) == 0
    whole = embed(root)
    assert so_far(root)[1].manifest["complete"]
    assert so_far(root)[1].ids.tolist() == whole.ids.tolist()


def test_whole_shards_are_searchable_while_others_are_made(root):
    with pytest.raises(KeyboardInterrupt):
        embed(root, after=10)
    gallery, found = so_far(root)
    assert not found.manifest["complete"]
    assert set(found.ids) == set(gallery.items["id"][:8])
    assert set(found.caption_ids) <= set(found.ids)
    assert len(Searcher(gallery, found, ToyEncoder()).by_text("red square", 20)) == 8
    whole = embed(root)
    rows = [whole.ids.tolist().index(id) for id in found.ids]
    np.testing.assert_array_equal(found.images, whole.images[rows])


def test_what_is_gone_or_changed_leaves_at_once_and_the_rest_stays(root):
    whole = embed(root)
    gone, changed, *rest = [load_gallery(root).file(id) for id in whole.ids]
    gone.unlink()
    Image.new("RGB", (9, 9), "green").save(changed)
    _, found = so_far(root)
    assert not found.manifest["complete"]
    assert sorted(found.ids) == sorted(whole.ids[2:])
