"""A gallery that has changed: only what is new is embedded, and the store is as if made afresh."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from toy import ToyEncoder, write_gallery

from sigscope import files, paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery, open_embeddings
from sigscope.embeddings.load import load_embeddings
from sigscope.embeddings.reuse import VectorCache

SIZES = {"batch_size": 3, "shard_size": 8}


@pytest.fixture(autouse=True)
def _own_homes(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "shipped")


class Counting(ToyEncoder):
    """Counts the pictures and the texts that it encodes."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def preprocess(self, pictures):
        self.batches.append(len(pictures))
        return super().preprocess(pictures)

    @property
    def work(self):
        return sum(self.batches), len(self.texts_encoded)


@pytest.fixture
def root(tmp_path):
    """Twenty pictures in three shards, with captions in text files."""
    folder = write_gallery(tmp_path / "photos", 20)
    for line in (folder / "metadata.jsonl").read_text().splitlines():
        row = json.loads(line)
        (folder / row["file_name"]).with_suffix(".txt").write_text("\n".join(row["captions"]))
    (folder / "metadata.jsonl").unlink()
    return folder


@pytest.fixture
def store(root, tmp_path):
    embed_gallery(load_gallery(root), ToyEncoder(), tmp_path / "store", **SIZES)
    return tmp_path / "store"


def updated(root, store):
    """Bring the store up to date; return how many pictures and texts were encoded."""
    encoder = Counting()
    embed_gallery(load_gallery(root), encoder, store, **SIZES)
    return encoder.work


def hashes(folder):
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): files.sha256(path) for path in found}


def add_at_the_front(root):
    Image.new("RGB", (8, 8), (1, 2, 3)).save(root / "000.png")


def delete_the_first(root):
    (root / "000-red.png").unlink()


def rename(root):
    (root / "000-red.png").rename(root / "zzz.png")
    (root / "000-red.txt").rename(root / "zzz.txt")


def copy(root):
    shutil.copy(root / "003-yellow.png", root / "000-copy.png")


def change_without_changing_its_size(root):
    path, other = root / "007-white.png", root / "other.bmp"
    Image.new("RGB", (8, 8), "red").save(other)
    path.with_suffix(".bmp").write_bytes(other.read_bytes())
    other.unlink()
    path.unlink()


def change_a_caption(root):
    (root / "005-magenta.txt").write_text("a magenta square\na magenta cat")


def swap_captions(root):
    one, two = root / "000-red.txt", root / "011-yellow.txt"
    texts = one.read_text(), two.read_text()
    one.write_text(texts[1])
    two.write_text(texts[0])


def move_into_a_folder(root):
    (root / "summer").mkdir()
    for path in root.glob("01*"):
        path.rename(root / "summer" / path.name)


def touch(root):
    os.utime(root / "000-red.png", (1, 1))


@pytest.mark.parametrize(
    "change, expected",
    [
        (add_at_the_front, (1, 0)),
        (delete_the_first, (0, 0)),
        (rename, (0, 0)),
        (copy, (0, 0)),
        (change_without_changing_its_size, (1, 0)),
        (change_a_caption, (0, 1)),
        (swap_captions, (0, 0)),
        (move_into_a_folder, (0, 0)),
        (touch, (0, 0)),
    ],
)
def test_only_what_is_new_is_embedded_and_the_store_is_as_if_made_afresh(
    change, expected, root, store, tmp_path
):
    change(root)
    assert updated(root, store) == expected
    embed_gallery(load_gallery(root), ToyEncoder(), tmp_path / "fresh", **SIZES)
    assert hashes(store) == hashes(tmp_path / "fresh")


def test_a_picture_whose_bytes_but_neither_name_nor_size_have_changed_is_embedded_again(tmp_path):
    (tmp_path / "g").mkdir()
    file = tmp_path / "g" / "a.bmp"
    for colour, seconds in (("red", 5), ("blue", 9)):
        Image.new("RGB", (8, 8), colour).save(file)
        os.utime(file, (seconds, seconds))
        found = open_embeddings(load_gallery(tmp_path / "g"), ToyEncoder())
    np.testing.assert_allclose(found.images[0], [0, 0, 0.995, 0.0995], atol=1e-3)


def test_it_is_said_how_many_are_new_changed_renamed_gone_and_kept(root, store, capsys):
    add_at_the_front(root)
    rename(root)
    (root / "001-green.png").unlink()
    Image.new("RGB", (8, 8), (9, 9, 9)).save(root / "002-blue.png")
    (root / "003-yellow.png").write_bytes(b"<html>")
    embed_gallery(load_gallery(root), ToyEncoder(), store, **SIZES, progress=True)
    said = capsys.readouterr().err
    numbers = "1 new, 1 changed, 1 renamed or copied, 2 gone, 16 kept, 1 that cannot be read"
    assert f"photos: {numbers}." in said


def test_bad_pictures_are_tried_again_when_something_changes(root, store):
    good = (root / "004-cyan.png").read_bytes()
    (root / "004-cyan.png").write_bytes(good[:40])
    assert updated(root, store) == (0, 0)
    assert load_embeddings(store).failed["id"].tolist() == ["004-cyan.png"]
    (root / "004-cyan.png").write_bytes(good)
    assert updated(root, store) == (1, 1), "its second caption was nobody else's"
    assert load_embeddings(store).failed.empty and len(load_embeddings(store)) == 20


def test_a_gallery_that_nobody_has_looked_into_is_updated_by_its_bytes_as_well(root, store):
    gallery = load_gallery(root)
    plain = gallery.items.drop(columns="content").iloc[3:].reset_index(drop=True)
    object.__setattr__(gallery, "items", plain)
    encoder = Counting()
    embed_gallery(gallery, encoder, store, **SIZES)
    assert encoder.work == (0, 0) and len(load_embeddings(store, gallery=gallery)) == 17


def test_a_store_of_before_contents_were_stored_is_kept_shard_by_shard(root, store):
    for path in (store / "metadata").iterdir():
        pd.read_parquet(path).drop(columns="content").to_parquet(path)
    manifest = json.loads((store / "manifest.json").read_text())
    for shard in manifest["shards"]:
        shard["files"] = {name: files.sha256(store / name) for name in shard["files"]}
    (store / "manifest.json").write_text(json.dumps(manifest))
    change_a_caption(root)
    assert updated(root, store) == (8, 1), "the pictures of its shard are not known by content"


def test_a_file_that_has_changed_since_it_was_listed_waits_for_the_next_time(root, store):
    Image.new("RGB", (8, 8), (250, 5, 5)).save(root / "001-green.png")
    listed = load_gallery(root)
    Image.new("RGB", (8, 8), (5, 5, 250)).save(root / "001-green.png")
    found = embed_gallery(listed, ToyEncoder(), store, **SIZES)
    assert found.failed["id"].tolist() == ["001-green.png"]
    assert "changed since the folder was listed" in found.failed["reason"][0]
    assert updated(root, store) == (1, 1)
    found = load_embeddings(store)
    assert found.images[found.ids.tolist().index("001-green.png")][2] > 0.9


# --- in the cache


def test_a_folder_has_one_place_in_the_cache_whatever_changes_in_it(root):
    first = open_embeddings(load_gallery(root), ToyEncoder())
    add_at_the_front(root)
    encoder = Counting()
    second = open_embeddings(load_gallery(root), encoder)
    assert first.folder == second.folder and encoder.work == (1, 0) and len(second) == 21


def test_subsets_and_folders_that_have_moved_take_vectors_from_where_they_are(root, tmp_path):
    gallery = load_gallery(root)
    open_embeddings(gallery, ToyEncoder())
    (tmp_path / "elsewhere").mkdir()
    moved = load_gallery(root.rename(tmp_path / "elsewhere" / "photos"))
    for other in (moved, moved.subset(split="")):
        encoder = Counting()
        assert len(open_embeddings(other, encoder)) == 20 and encoder.work == (0, 0)


def test_another_models_vectors_are_never_taken(root):
    open_embeddings(load_gallery(root), ToyEncoder(weights="others"))
    encoder = Counting()
    open_embeddings(load_gallery(root), encoder)
    assert encoder.work[0] == 20


def test_what_another_model_has_left_unfinished_is_not_taken_either(root, tmp_path):
    class Stopping(ToyEncoder):
        def encode_texts(self, texts):
            if self.texts_encoded:
                raise KeyboardInterrupt
            return super().encode_texts(texts)

    with pytest.raises(KeyboardInterrupt):
        embed_gallery(load_gallery(root), Stopping("others"), tmp_path / "new", **SIZES)
    assert list((tmp_path / "new" / "making").iterdir()), "a shard of theirs is there"
    assert updated(root, tmp_path / "new")[0] == 20
    assert len(hashes(tmp_path / "new")) == 3 * 5 + 1


# --- what is known


def test_known_rows_are_found_by_digest_whatever_their_order(tmp_path):
    digests = [files.hashlib.sha256(b"%d" % i).hexdigest() for i in range(6)]
    for number, values in enumerate(([0, 1, 2], [3, 4])):
        np.save(tmp_path / f"{number}.npy", np.array(values, np.float16)[:, None])
    stored = [tmp_path / "0.npy", tmp_path / "1.npy"]
    known = VectorCache(stored, [digests[:3], ["", digests[4]]])
    places = known.find([digests[4], digests[5], "", digests[0], digests[2]])
    assert (places >= 0).tolist() == [True, False, False, True, True]
    assert [known.vector(place)[0] for place in places[places >= 0]] == [4, 0, 2]
    assert len(known) == 4


def test_nothing_is_known_from_nothing():
    assert VectorCache([], []).find(["ab" * 32, ""]).tolist() == [-1, -1]
