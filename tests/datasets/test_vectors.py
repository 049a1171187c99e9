import csv
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from dataset_files import items, pictures, problems, write
from toy import ToyEncoder

from sigscope.datasets.load import load_gallery
from sigscope.datasets.vector_tables import load_vectors
from sigscope.datasets.vectors import import_vectors
from sigscope.datasets.written_vectors import parse_vector
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.gallery.folder import GalleryError
from sigscope.search.searcher import Searcher

ENCODER = ToyEncoder()
COLOURS = ["a red car", "a green tree", "a blue sky", "a yellow sun"]


def r5_table(path, texts=COLOURS, scale=7.0, description="Description"):
    """Write the table as R5's script does: pandas, lists of floats of no particular length."""
    vectors = scale * ENCODER.encode_texts(texts)
    table = pd.DataFrame(
        {
            description: texts,
            "Image Embedding": [row.tolist() for row in vectors],
            "Text Embedding": [(2 * row).tolist() for row in vectors],
        }
    )
    table.to_csv(path, index=False)
    return path


# --- one cell


@pytest.mark.parametrize(
    "cell",
    [
        "[3.0, 4.0]",
        "[3. 4.]",
        "[[3.\n  4.]]",
        " [ 3e0,\r\n4E+0 ] ",
        "tensor([[3., 4.]], device='cuda:0')",
        "array([3., 4.], dtype=float32)",
        "3 4",
        [3, 4],
        np.array([[3.0, 4.0]], np.float16),
    ],
)
def test_a_vector_is_read_however_it_was_written(cell):
    vector = parse_vector(cell, 2)
    assert vector.dtype == np.float32
    assert vector.tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("[1.0, nan]", "number 1 is nan"),
        ("[inf, 1.0]", "number 0 is inf"),
        ("[0.0, 0.0]", "all zeros"),
        ("[1.0]", "it has 1 numbers, not 2"),
        ("[1.0 2.0 ... 3.0]", "cut short"),
        ("[1.0, None]", "no list of numbers .*'None'"),
        ("[]", "it is empty"),
        ("", "it is empty"),
        (None, "it is empty"),
    ],
)
def test_what_is_no_vector_is_refused_with_its_reason(cell, reason):
    with pytest.raises(ValueError, match=reason):
        parse_vector(cell, 2)


def test_an_array_that_numpy_printed_is_read_whole():
    rng = np.random.default_rng(0)
    vector = rng.normal(size=512).astype(np.float32)
    assert parse_vector(str(vector), 512) @ vector == pytest.approx(
        np.linalg.norm(vector), abs=1e-5
    )
    with pytest.raises(ValueError, match="cut short"):
        parse_vector(str(np.tile(vector, 3)))


# --- R5's table


def test_r5s_table_can_be_searched_without_its_pictures(tmp_path):
    found = import_vectors(r5_table(tmp_path / "dsd.csv"), tmp_path / "into", encoder=ENCODER)
    searcher = Searcher(found.gallery, found.embeddings, ENCODER)
    assert searcher.by_text("a blue whale", 1)["caption"].tolist() == ["a blue sky"]
    assert searcher.like("0", 3)["id"].tolist() != []
    assert searcher.captions_for("1", 1)["caption"].tolist() == ["a green tree"]
    assert np.linalg.norm(found.embeddings.images, axis=1) == pytest.approx(np.ones(4), abs=1e-6)


def test_absent_pictures_are_one_problem_and_say_so_when_shown(tmp_path):
    found = load_vectors(r5_table(tmp_path / "dsd.csv"))
    assert problems(found) == {"dsd.csv": "4 of its 4 pictures are not there: found, but not shown"}
    with pytest.raises(ValueError, match="There is no file .*2.jpg"):
        found.picture("2")


def test_r5s_pictures_are_called_by_the_number_of_the_row(tmp_path):
    table = r5_table(tmp_path / "dsd.csv", description="Text Description")
    pictures(tmp_path, *(f"images/kaggle/working/dsd_images/{n}.jpg" for n in (0, 2, 3)))
    found = load_gallery(f"dsd:{table}")
    assert items(found, "path", "caption")["2"] == (
        "images/kaggle/working/dsd_images/2.jpg",
        "a blue sky",
    )
    assert found.picture("2").size == (8, 6)
    assert problems(found)["dsd.csv"].startswith("1 of its 4 pictures")


def test_a_folder_stands_for_its_one_table(tmp_path):
    r5_table(tmp_path / "vectors.csv")
    write(tmp_path / "other.csv", "file_name,text\n")
    assert len(load_gallery(f"vectors:{tmp_path}")) == 4
    assert len(load_gallery(f"dsd:{tmp_path}")) == 4
    r5_table(tmp_path / "more.csv")
    with pytest.raises(GalleryError, match="several tables of vectors; give one of more.csv, vec"):
        load_vectors(tmp_path)


def test_paths_urls_and_ids_of_a_table_are_taken(tmp_path):
    rows = [
        ["id", "image_path", "url", "Description", "Image Embedding"],
        ["x1", "pics/a.jpg", "http://example.org/a", "one", "[1, 0]"],
        ["x2", r"C:\work\pics\b.jpg", "http://example.org/b", "two", "[0, 1]"],
        ["x1", "pics/a.jpg", "", "again", "[1, 1]"],
    ]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    found = load_vectors(pictures(tmp_path, "pics/a.jpg", "pics/b.jpg", "zoo/a.jpg") / "t.csv")
    assert items(found, "path", "url") == {
        "x1": ("pics/a.jpg", "http://example.org/a"),
        "x2": ("pics/b.jpg", "http://example.org/b"),
    }
    assert problems(found) == {"t.csv": "row 2: the id x1 stands in an earlier row as well"}


BAD = ["[1, 2, 3]", "[nan, 1, 1, 1]", "[0, 0, 0, 0]", "[1. 1. ... 1. 1.]", "", "oops"]


def test_rows_whose_vectors_cannot_be_used_are_left_out_one_by_one(tmp_path):
    good = "[1, 2, 3, 4]"
    rows = [[f"no {n}", good if n % 2 else bad, good] for n, bad in enumerate(np.repeat(BAD, 2))]
    rows += [["bad text", good, "[1]"], ["no text", good, ""], ["short row", good]]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["Description", "Image Embedding", "Text Embedding"], *rows])
    found = import_vectors(tmp_path / "t.csv", tmp_path / "into", shard_size=4)
    assert found.embeddings.ids.tolist() == [str(n) for n in (1, 3, 5, 7, 9, 11, 13)]
    assert found.embeddings.caption_ids.tolist() == [str(n) for n in (1, 3, 5, 7, 9, 11)]
    reasons = found.embeddings.failed.set_index("id")["reason"]
    assert reasons["0"] == "row 0: its picture's vector cannot be used: it has 3 numbers, not 4"
    assert reasons["12"] == "row 12: its text's vector cannot be used: it has 1 numbers, not 4"
    assert len(reasons) == 7
    assert "row 14: it has 2 cells, and the heading 3" in found.gallery.problems["reason"].tolist()


def test_numpys_arrays_with_newlines_are_read_from_csv_and_lists_from_parquet(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    table = pd.DataFrame({"Image Embedding": list(vectors), "Description": list("abcde")})
    table.to_csv(tmp_path / "t.csv")
    table.to_parquet(tmp_path / "t.parquet")
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for name in ("t.csv", "t.parquet"):
        found = import_vectors(tmp_path / name, tmp_path / f"into-{name}")
        assert found.embeddings.images == pytest.approx(units, abs=2e-3), name  # float16 on disk
        assert found.gallery.items["caption"].tolist() == list("abcde")


def test_a_second_import_reads_no_vector_again(tmp_path, monkeypatch):
    table = r5_table(tmp_path / "dsd.csv")
    first = import_vectors(table, tmp_path / "into")
    monkeypatch.setattr("sigscope.datasets.vectors._shard", lambda *_: pytest.fail("made again"))
    again = import_vectors(table, tmp_path / "into")
    assert (again.embeddings.images == first.embeddings.images).all()


def test_a_picture_that_has_come_is_known_to_the_next_import(tmp_path):
    table = r5_table(tmp_path / "dsd.csv")
    import_vectors(table, tmp_path / "into")
    pictures(tmp_path, "pictures/0.jpg")
    found = import_vectors(table, tmp_path / "into")
    assert found.embeddings.manifest["gallery"]["fingerprint"] == found.gallery.fingerprint
    listed = pd.read_parquet(tmp_path / "into" / "metadata")["image_path"].tolist()
    assert listed == ["pictures/0.jpg", "1.jpg", "2.jpg", "3.jpg"]


def test_an_import_that_was_stopped_goes_on(tmp_path, monkeypatch):
    from sigscope.datasets import vectors

    table = r5_table(tmp_path / "dsd.csv", COLOURS * 5)
    made, real = [], vectors._shard

    def stops(*given):
        made.append(1)
        if len(made) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(vectors, "_shard", stops)
    with pytest.raises(KeyboardInterrupt):
        import_vectors(table, tmp_path / "into", shard_size=4)
    with pytest.raises(StaleEmbeddings):
        vectors.load_embeddings(tmp_path / "into")
    found = import_vectors(table, tmp_path / "into", shard_size=4)
    assert len(made) == 3 + 3 and len(found.embeddings) == 20


def test_another_table_in_the_same_place_replaces_it(tmp_path):
    into = tmp_path / "into"
    import_vectors(r5_table(tmp_path / "t.csv"), into)
    found = import_vectors(r5_table(tmp_path / "t.csv", COLOURS[::-1]), into)
    assert found.embeddings.caption_texts.tolist() == COLOURS[::-1]


# --- which model


class Another(ToyEncoder):
    def encode_texts(self, texts, batch_size=64):
        return super().encode_texts(texts)[:, ::-1].copy()


def test_a_model_that_did_not_make_the_vectors_is_refused(tmp_path):
    with pytest.raises(ValueError, match="did not make the text vectors .* name the right model"):
        import_vectors(r5_table(tmp_path / "t.csv"), tmp_path / "into", encoder=Another("other"))


def test_vectors_of_another_model_are_not_mixed_in(tmp_path):
    table = r5_table(tmp_path / "t.csv")
    import_vectors(table, tmp_path / "into", encoder=ENCODER)
    with pytest.raises(ValueError, match="holds embeddings by toy; choose another folder"):
        import_vectors(table, tmp_path / "into")
    import_vectors(table, tmp_path / "unnamed")
    with pytest.raises(ValueError, match="by a model that is not named"):
        import_vectors(table, tmp_path / "unnamed", encoder=ENCODER)


def test_texts_of_another_space_are_refused(tmp_path):
    text = 'Description,Image Embedding,Text Embedding\na,"[1, 2]","[1, 2, 3]"\n'
    with pytest.raises(GalleryError, match="2 numbers for a picture and 3 for a text"):
        import_vectors(write(tmp_path / "t.csv", text), tmp_path / "into")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file_name,text\na.jpg,b\n", "no column Image Embedding .it has file_name, text"),
        ("", "no column Image Embedding .it has none"),
        ('Image Embedding,Description\n"[1, 2]', "cannot be read .* quotes"),
        ("Image Embedding,Description\n", "no row that can be used"),
        ("Image Embedding,Description\nx,y\n", "None of the first 1 rows .* holds a vector"),
    ],
)
def test_what_is_no_table_of_vectors_is_refused(tmp_path, text, reason):
    with pytest.raises(GalleryError, match=reason):
        import_vectors(write(tmp_path / "t.csv", text), tmp_path / "into")


def test_memory_does_not_grow_with_the_table(tmp_path):
    from sigscope.datasets.written_vectors import read_rows

    cell = str(np.linspace(0, 1, 512).tolist())
    peaks = []
    for count in (50, 500):
        rows = "".join(f'{n},"{cell}"\n' for n in range(count))
        path = write(tmp_path / "t.csv", f"Description,Image Embedding\n{rows}")
        tracemalloc.start()
        assert sum(1 for _ in read_rows(path)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
