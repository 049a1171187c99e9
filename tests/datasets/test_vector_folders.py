import os
import shutil

import numpy as np
import pandas as pd
import pytest
from dataset_files import pictures
from toy import COLOURS, ToyEncoder, unit
from vector_folders import of_gallery, write_vector_folder

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings import catalogue
from sigscope.embeddings.embed import open_embeddings
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.gallery.folder import GalleryError
from sigscope.search.searcher import Searcher

NAMES = list(COLOURS)[:6]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(catalogue, "BATCH", 2)
    return tmp_path / "cache"


def table(**columns):
    return pd.DataFrame({"image_path": [f"{name}.png" for name in NAMES], **columns})


def folder_of(tmp_path, rows, images=None, *, texts=True):
    encoded = ToyEncoder().encode_texts(NAMES)
    images = encoded if images is None else images
    return write_vector_folder(tmp_path / "emb", rows, images, encoded if texts else None)


def gallery_of(*args, **how):
    return load_gallery(f"vectors:{folder_of(*args, **how)}")


def test_the_metadata_become_items(tmp_path):
    said = table(
        caption=["one", None, " two ", "nan", "['three', 'four']", "fünf"],
        url=[f"http://example.org/{n}" for n in range(6)],
        label=["warm", "cold", "cold", "warm", "", None],
        split=["training", "dev", "test", "other", "", "val"],
        similarity=np.arange(6) / 8,
        vector=["a"] * 6,
        exif=[{"a": 1}] * 6,
    )
    items = gallery_of(tmp_path, said).items
    assert items["id"].tolist() == items["path"].tolist() == said["image_path"].tolist()
    assert items["caption"].tolist() == ["one", "", "two", "", "three", "fünf"]
    assert (
        items["captions"].tolist()[4] == ["three", "four"] and items["captions"].tolist()[1] == []
    )
    assert items["category"].tolist() == ["warm", "cold", "cold", "warm", "", ""]
    assert items["split"].tolist() == ["train", "val", "test", "other", "", "val"]
    assert items["source"].tolist()[5] == "http://example.org/5"
    assert items["similarity"].tolist() == said["similarity"].tolist()
    assert items["metadata_vector"].tolist() == ["a"] * 6 and "exif" not in items
    assert (items[["licence", "author", "duplicate_of"]] == "").all(axis=None)


def test_ids_that_come_again_have_the_number_of_their_row(tmp_path):
    rows = table().assign(image_path=["a", "b", "a", "", "a", "b"])
    found = gallery_of(tmp_path, rows).items
    assert found["id"].tolist() == ["a", "b", "a#2", "3", "a#4", "b#5"]
    assert found["path"].tolist() == ["a", "b", "a", "3", "a", "b"]


def test_a_row_without_a_direction_is_left_out_with_its_reason(tmp_path):
    images = ToyEncoder().encode_texts(NAMES)
    images[1], images[4] = np.nan, 0
    gallery = gallery_of(tmp_path, table(caption=NAMES), images)
    assert gallery.items["id"].tolist() == [f"{NAMES[n]}.png" for n in (0, 2, 3, 5)]
    told = gallery.problems.loc[gallery.problems["path"] == "img_emb", "reason"].tolist()
    assert told == [f"row {n} has a vector that is no number, or all zeros" for n in (1, 4)]
    searcher = Searcher(gallery, open_embeddings(gallery, ToyEncoder()), ToyEncoder())
    assert searcher.by_text(NAMES[5], 1)["id"].tolist() == [f"{NAMES[5]}.png"]
    assert searcher.captions_for(f"{NAMES[5]}.png", 1)["caption"].tolist() == [NAMES[5]]


def test_rows_without_a_text_have_no_caption_to_search(tmp_path):
    gallery = gallery_of(tmp_path, table(caption=[*NAMES[:3], None, "", NAMES[5]]))
    found = open_embeddings(gallery, ToyEncoder())
    assert list(found.caption_texts) == [*NAMES[:3], NAMES[5]]
    assert found.owners.tolist() == [0, 1, 2, 5]
    shutil.rmtree(tmp_path / "emb/text_emb")
    gallery = load_gallery(f"vectors:{tmp_path / 'emb'}")
    assert open_embeddings(gallery, ToyEncoder()).captions.shape == (0, 0)
    assert gallery.items["caption"].tolist() == [*NAMES[:3], "", "", NAMES[5]]


def test_vectors_of_any_length_and_kind_are_unit_rows(tmp_path):
    long = 7 * ToyEncoder().encode_texts(NAMES)
    folder = folder_of(tmp_path, table(), long, texts=False)
    for file in (folder / "img_emb").iterdir():
        np.save(file, np.load(file).astype(np.float32))
    gallery = load_gallery(f"vectors:{folder}")
    searcher = Searcher(gallery, open_embeddings(gallery, ToyEncoder()), ToyEncoder())
    found = searcher.by_text(NAMES[2], 6)
    assert found["id"].iat[0] == f"{NAMES[2]}.png"
    expected = np.sort(unit(long) @ ToyEncoder().encode_texts([NAMES[2]])[0])[::-1]
    np.testing.assert_allclose(found["score"], expected, atol=1e-3)


def test_pictures_beside_the_folder_are_shown(tmp_path):
    folder_of(tmp_path, table())
    pictures(tmp_path, *(f"{name}.png" for name in NAMES[:4]))
    gallery = load_gallery(f"vectors:{tmp_path / 'emb'}")
    assert gallery.root == tmp_path and gallery.picture(f"{NAMES[0]}.png").size == (8, 6)
    assert gallery.problems["reason"].tolist() == [
        "2 of 6 of its pictures that were looked for are not there: found, but not shown"
    ]


def test_the_catalogue_is_made_once_and_anew_when_a_file_has_changed(tmp_path, cache, monkeypatch):
    first = gallery_of(tmp_path, table(caption=NAMES))
    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "_write", None)
        assert load_gallery(f"vectors:{tmp_path / 'emb'}").fingerprint == first.fingerprint
    os.utime(tmp_path / "emb/img_emb/img_emb_0.npy", (1, 1))
    assert load_gallery(f"vectors:{tmp_path / 'emb'}").fingerprint != first.fingerprint
    with pytest.raises(StaleEmbeddings, match="emb has changed since it was read; read it again"):
        open_embeddings(first, ToyEncoder())
    (kept, *_) = cache.glob("catalogues/*/items.arrow")
    kept.write_bytes(kept.read_bytes()[:-100])
    assert len(load_gallery(f"vectors:{tmp_path / 'emb'}")) == 6


@pytest.mark.parametrize("part", ["img_emb", "text_emb", "metadata"])
def test_a_missing_shard_is_one_sentence(tmp_path, part):
    folder = folder_of(tmp_path, table())
    next((folder / part).iterdir()).unlink()
    with pytest.raises(
        GalleryError, match=r"emb has [46] vectors of pictures and [46] of texts for"
    ):
        load_gallery(f"vectors:{folder}")


def test_another_model_is_refused(tmp_path):
    gallery = gallery_of(tmp_path, table(caption=NAMES[::-1]))
    with pytest.raises(ValueError, match="toy did not make the text vectors in .*emb: the cosine"):
        open_embeddings(gallery, ToyEncoder())


def test_a_folder_given_without_its_name_says_how_to_name_it(tmp_path):
    folder = folder_of(tmp_path, table())
    with pytest.raises(GalleryError, match=f"to search them give vectors:{folder}"):
        load_gallery(folder)


def test_a_gallery_of_our_own_is_one_as_well(tmp_path):
    from toy import write_gallery

    pictures_of = write_gallery(tmp_path / "pictures", 9)
    gallery = load_gallery(f"vectors:{of_gallery(pictures_of, tmp_path / 'emb')}")
    assert len(gallery) == 9 and len(gallery.captions) == 9
    assert gallery.captions["number"].tolist() == [0] * 9
