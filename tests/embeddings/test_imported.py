import csv

import numpy as np
import pandas as pd
import pytest
from dataset_files import COLOURS, pictures, r5_table, write
from toy import ToyEncoder, unit

from sigscope import paths
from sigscope.cli.embed import make_searchable
from sigscope.datasets.load import load_gallery
from sigscope.datasets.vector_tables import load_vectors
from sigscope.embeddings import imported
from sigscope.embeddings.embed import open_embeddings
from sigscope.gallery.folder import GalleryError
from sigscope.models.encoder import Encoder
from sigscope.search.searcher import Searcher

ENCODER = ToyEncoder()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


class Fits(ToyEncoder):
    """Every text is (1, 2, ... d), whatever it says."""

    def __init__(self, d):
        super().__init__()
        self.dimension = self.identity["dimension"] = d

    def encode_texts(self, texts, batch_size=64):
        return unit(np.tile(np.arange(1, self.dimension + 1), (len(texts), 1)))


def opened(table, encoder=ENCODER):
    return open_embeddings(load_vectors(table), encoder)


# --- from the table to a search


@pytest.mark.parametrize("kind", ["vectors", "dsd"])
def test_r5s_table_is_searched_by_its_name_and_needs_no_picture(tmp_path, kind):
    encoder = Encoder.load(towers=("text",))
    table = r5_table(tmp_path / "dsd.csv", encoder=encoder)
    searcher = Searcher.open(f"{kind}:{table}")
    assert len(searcher) == 4
    for text in COLOURS:
        found = searcher.by_text(text, 1)
        assert found["caption"].tolist() == [text]
        assert found["score"].tolist() == pytest.approx([1], abs=0.01)
    assert searcher.like("0", 3)["id"].tolist() != []
    assert searcher.captions_for("1", 1)["caption"].tolist() == ["a green tree"]
    images = searcher.embeddings.images
    assert np.linalg.norm(images, axis=1) == pytest.approx(np.ones(4), abs=1e-6)


def test_the_command_line_says_that_a_table_is_searchable_and_then_that_it_was(tmp_path):
    table = r5_table(tmp_path / "dsd.csv", encoder=Encoder.load(towers=("text",)))
    said = list(make_searchable(f"vectors:{table}"))
    assert said[1].startswith("4 pictures are searchable with siglit-mini")
    assert next(make_searchable(f"vectors:{table}")).endswith("nothing has changed.")


def test_a_model_of_other_dimensions_is_refused_and_the_right_one_asked_for(tmp_path):
    table = r5_table(tmp_path / "dsd.csv")
    with pytest.raises(ValueError, match="have 4 dimensions, and those of siglit-mini .*name the "):
        Searcher.open(f"vectors:{table}")


def test_a_part_of_the_table_is_a_gallery_too(tmp_path):
    gallery = load_vectors(r5_table(tmp_path / "t.csv"))
    gallery.items["split"] = ["train", "test", "test", "train"]
    found = open_embeddings(gallery.subset(split="test"), ENCODER)
    assert found.ids.tolist() == ["1", "2"]
    assert found.caption_texts.tolist() == COLOURS[1:3]


# --- what cannot be used

BAD = ["[1, 2, 3]", "[nan, 1, 1, 1]", "[0, 0, 0, 0]", "[1. 1. ... 1. 1.]", "", "oops"]


def test_rows_whose_vectors_cannot_be_used_are_left_out_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(imported, "SHARD_SIZE", 4)
    good = "[1, 2, 3, 4]"
    rows = [[f"no {n}", good if n % 2 else bad, good] for n, bad in enumerate(np.repeat(BAD, 2))]
    rows += [["bad text", good, "[1]"], ["no text", good, ""], ["short row", good]]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["Description", "Image Embedding", "Text Embedding"], *rows])
    found = opened(tmp_path / "t.csv", Fits(4))
    assert found.ids.tolist() == [str(n) for n in (1, 3, 5, 7, 9, 11, 13, 14)]
    assert found.caption_ids.tolist() == [str(n) for n in (1, 3, 5, 7, 9, 11)]
    reasons = found.failed.set_index("id")["reason"]
    assert reasons["0"] == "row 0: its picture's vector cannot be used: it has 3 numbers, not 4"
    assert reasons["12"] == "row 12: its text's vector cannot be used: it has 1 numbers, not 4"
    assert len(reasons) == 7


def test_numpys_arrays_with_newlines_are_read_from_csv_and_lists_from_parquet(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    table = pd.DataFrame({"Image Embedding": list(vectors), "Description": list("abcde")})
    table.to_csv(tmp_path / "t.csv")
    table.to_parquet(tmp_path / "t.parquet")
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for name in ("t.csv", "t.parquet"):
        found = opened(tmp_path / name, Fits(64))
        assert found.images == pytest.approx(units, abs=2e-3), name  # float16 on disk
        captions = load_vectors(tmp_path / name).items["caption"]
        assert captions.tolist() == list("abcde")


def test_texts_of_another_space_are_refused(tmp_path):
    text = 'Description,Image Embedding,Text Embedding\na,"[1, 2]","[1, 2, 3]"\n'
    with pytest.raises(GalleryError, match="2 numbers for a picture and 3 for a text"):
        opened(write(tmp_path / "t.csv", text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file_name,text\na.jpg,b\n", "no column Image Embedding .it has file_name, text"),
        ("", "no column Image Embedding .it has none"),
        ('Image Embedding,Description\n"[1, 2]', "None of the first 1 rows .* holds a vector"),
        ("Image Embedding,Description\n", "no row that can be used"),
        ("Image Embedding,Description\nx,y\n", "None of the first 1 rows .* holds a vector"),
    ],
)
def test_what_is_no_table_of_vectors_is_refused(tmp_path, text, reason):
    with pytest.raises(GalleryError, match=reason):
        opened(write(tmp_path / "t.csv", text))


# --- once, and again


def test_a_second_import_reads_no_vector_again(tmp_path, monkeypatch):
    table = r5_table(tmp_path / "dsd.csv")
    first = opened(table)
    monkeypatch.setattr(imported, "_shard", lambda *_: pytest.fail("made again"))
    assert (opened(table).images == first.images).all()


def test_a_picture_that_has_come_is_known_to_the_next_import(tmp_path):
    table = r5_table(tmp_path / "dsd.csv")
    opened(table)
    pictures(tmp_path, "pictures/0.jpg")
    found = opened(table)
    assert found.manifest["gallery"]["fingerprint"] == load_vectors(table).fingerprint
    listed = pd.read_parquet(found.folder / "metadata")["image_path"].tolist()
    assert listed == ["pictures/0.jpg", "1.jpg", "2.jpg", "3.jpg"]


def test_an_import_that_was_stopped_goes_on(tmp_path, monkeypatch):
    table = r5_table(tmp_path / "dsd.csv", COLOURS * 5)
    made, real = [], imported._shard

    def stops(*given):
        made.append(1)
        if len(made) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(imported, "SHARD_SIZE", 4)
    monkeypatch.setattr(imported, "_shard", stops)
    with pytest.raises(KeyboardInterrupt):
        opened(table)
    found = opened(table)
    assert len(made) == 3 + 3 and len(found) == 20


def test_another_table_of_the_same_name_is_imported_anew(tmp_path):
    opened(r5_table(tmp_path / "t.csv"))
    found = opened(r5_table(tmp_path / "t.csv", COLOURS[::-1]))
    assert found.caption_texts.tolist() == COLOURS[::-1]


# --- which model


class Another(ToyEncoder):
    def encode_texts(self, texts, batch_size=64):
        return super().encode_texts(texts)[:, ::-1].copy()


def test_a_model_that_did_not_make_the_vectors_is_refused(tmp_path):
    with pytest.raises(ValueError, match="did not make the text vectors .* name the model that"):
        opened(r5_table(tmp_path / "t.csv"), Another("other"))


def test_vectors_by_another_model_are_not_mixed_in(tmp_path):
    table = r5_table(tmp_path / "t.csv")
    one, other = opened(table), opened(table, ToyEncoder("other weights"))
    assert one.folder != other.folder
    assert one.manifest["encoder"] != other.manifest["encoder"]


def test_the_gallery_names_its_table(tmp_path):
    table = r5_table(tmp_path / "t.csv")
    assert load_gallery(f"vectors:{table}").vectors == table
