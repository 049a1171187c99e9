import json

import pandas as pd
import pytest

from sigscope.gallery.folder import GalleryError
from sigscope.gallery.metadata import (
    ANY_CAPTIONS,
    FILES,
    find_metadata,
    list_metadata,
    list_table,
)


def folder(root, *pictures):
    """Make a folder of empty pictures."""
    for name in pictures:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def listed(root, content, kind="jsonl"):
    """Return the listing of a metadata file with this content: lines, records, a text or bytes."""
    path = root / f"metadata.{kind}"
    if isinstance(content, list):
        content = "\n".join(json.dumps(record) for record in content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list_metadata(root, path)


def captions(listing):
    return {row["id"]: row["captions"] for row in listing.rows}


CAPTIONED = {"a.jpg": ["NA", "null"], "b.jpg": ["001"], "c.jpg": []}


def test_jsonl_captions_survive_as_they_are(tmp_path):
    records = [
        {"file_name": "a.jpg", "text": "NA", "captions": ["NA", "null", " "]},
        {"file_name": "b.jpg", "text": "001", "captions": None},
        {"file_name": "c.jpg", "text": float("nan")},
    ]
    assert captions(listed(folder(tmp_path, *CAPTIONED), records)) == CAPTIONED


def test_csv_captions_survive_as_they_are(tmp_path):
    rows = ["file_name,text,captions", 'a.jpg,NA,"[""NA"", ""null""]"', "b.jpg,001,", "c.jpg,,"]
    content = "\ufeff" + "\r\n".join(rows)  # as a spreadsheet saves it
    assert captions(listed(folder(tmp_path, *CAPTIONED), content, "csv")) == CAPTIONED


def test_parquet_captions_survive_as_they_are(tmp_path):
    table = pd.DataFrame({"file_name": CAPTIONED.keys(), "captions": CAPTIONED.values()})
    table["text"] = ["NA", "001", None]
    table.to_parquet(folder(tmp_path, *CAPTIONED) / "metadata.parquet")
    assert captions(list_metadata(tmp_path, tmp_path / "metadata.parquet")) == CAPTIONED


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('["a cat", "two"]', ["a cat", "two"]),  # JSON
        ("['a cat', \"it's\"]", ["a cat", "it's"]),  # what pandas writes for a list
        ("[sic] a cat", ["[sic] a cat"]),  # only a text
        ("[1, 2]", ["[1, 2]"]),
        ("[" * 9999, ["[" * 9999]),
        (7, ["7"]),
        (["a", None, 2], ["a", "2"]),
    ],
)
def test_a_cell_of_captions_may_be_a_list_or_a_text(tmp_path, cell, expected):
    record = {"file_name": "a.jpg", "captions": cell}
    assert captions(listed(folder(tmp_path, "a.jpg"), [record])) == {"a.jpg": expected}


def test_the_text_comes_before_the_other_captions(tmp_path):
    record = {"file_name": "a.jpg", "captions": ["second", "first"], "text": "first"}
    assert captions(listed(folder(tmp_path, "a.jpg"), [record])) == {"a.jpg": ["first", "second"]}


def test_rows_of_one_picture_become_one_with_all_captions(tmp_path):
    records = [
        {"file_name": "a.jpg", "text": "one", "category": ""},
        {"file_name": "b.jpg", "text": "other"},
        {"file_name": "./a.jpg", "text": "two", "category": "cats"},
        {"file_name": "a.jpg", "text": "one", "category": "dogs"},
    ]
    listing = listed(folder(tmp_path, "a.jpg", "b.jpg"), records)
    assert captions(listing) == {"a.jpg": ["one", "two"], "b.jpg": ["other"]}
    assert [row["category"] for row in listing.rows] == ["cats", ""], "the first that says one"


def test_a_missing_file_is_told_and_nothing_shifts(tmp_path):
    records = [{"file_name": f"{name}.jpg", "text": name} for name in "abc"]
    listing = listed(folder(tmp_path, "a.jpg", "c.jpg"), records)
    assert captions(listing) == {"a.jpg": ["a"], "c.jpg": ["c"]}
    assert listing.problems == [("b.jpg", "metadata.jsonl, line 2: there is no such file")]


@pytest.mark.parametrize("name", ["../secret.jpg", "sub/../../secret.jpg", "/etc/secret.jpg"])
def test_a_file_name_may_not_lead_out_of_the_folder(tmp_path, name):
    root = folder(tmp_path, "secret.jpg", "root/a.jpg") / "root"
    listing = listed(root, [{"file_name": name}, {"file_name": "a.jpg"}])
    assert list(captions(listing)) == ["a.jpg"]
    (problem,) = listing.problems
    assert problem[0] == name and "leads out of the folder" in problem[1]


@pytest.mark.parametrize("name", [None, "", "  ", 7, ["a.jpg"]])
def test_a_row_without_a_file_name_is_told(tmp_path, name):
    listing = listed(folder(tmp_path, "a.jpg"), [{"file_name": name}, {"file_name": "a.jpg"}])
    assert list(captions(listing)) == ["a.jpg"]
    assert listing.problems[0][1] == "metadata.jsonl, line 1: it has no file_name"


@pytest.mark.parametrize("name", ["\ud83d.jpg", "a\0b.jpg", "sub", "x" * 300 + ".jpg", "b.heic"])
def test_an_impossible_file_name_is_told(tmp_path, name):
    root = folder(tmp_path, "a.jpg", "sub/c.jpg", "b.heic")
    listing = listed(root, [{"file_name": name}, {"file_name": "a.jpg"}])
    assert list(captions(listing)) == ["a.jpg"] and len(listing.problems) == 1


@pytest.mark.parametrize("line", ["{", "[1]", '"a.jpg"', "null", "[" * 99_999])
def test_a_line_that_is_no_json_object_is_told_and_the_rest_read(tmp_path, line):
    content = f'{{"file_name": "a.jpg"}}\n{line}\n\n{{"file_name": "b.jpg"}}\n'
    listing = listed(folder(tmp_path, "a.jpg", "b.jpg"), content)
    assert list(captions(listing)) == ["a.jpg", "b.jpg"]
    assert listing.problems[0][1].startswith("line 2 is no JSON object like")


def test_a_csv_row_with_too_many_cells_is_told_and_the_rest_read(tmp_path):
    content = "file_name,text\na.jpg,a cat, on a mat\nb.jpg,a dog\n"
    listing = listed(folder(tmp_path, "a.jpg", "b.jpg"), content, "csv")
    assert captions(listing) == {"b.jpg": ["a dog"]}
    assert listing.problems[0][1].startswith("line 2 has more cells than the heading")


def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path):
    content = 'file_name,text\na.jpg,"a cat\nb.jpg,a dog\n'
    with pytest.raises(GalleryError, match="look at its quotes"):
        listed(folder(tmp_path, "a.jpg", "b.jpg"), content, "csv")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("jsonl", b'{"text": "\xe9"}'),
        ("csv", b"file_name\n\xe9"),
        ("parquet", b"PAR1"),
        ("parquet", b""),
    ],
)
def test_a_metadata_file_that_cannot_be_read_is_named(tmp_path, kind, content):
    with pytest.raises(GalleryError, match=rf"metadata\.{kind} cannot be read"):
        listed(tmp_path, content, kind)


@pytest.mark.parametrize(
    ("kind", "content"), [("csv", "name;text\na;b"), ("jsonl", [{"text": 1, "name": 2}])]
)
def test_a_missing_file_name_column_lists_those_there_are(tmp_path, kind, content):
    with pytest.raises(GalleryError, match=r"no column file_name \(it has name, text\)"):
        listed(tmp_path, content, kind)


def test_fields_are_text_and_further_columns_stay_as_they_are(tmp_path):
    record = {
        "file_name": "a.jpg",
        "author": None,
        "source": 7,
        "series": "s1",
        "size": [3, 4],
        "id": 9,
    }
    (row,) = listed(folder(tmp_path, "a.jpg"), [record]).rows
    assert (row["id"], row["author"], row["source"]) == ("a.jpg", "", "7")
    assert (row["series"], row["size"], row["metadata_id"]) == ("s1", [3, 4], 9)


def test_letters_that_utf8_cannot_hold_are_spelt_out(tmp_path):
    record = {"file_name": "a.jpg", "text": "half \ud83d", "captions": ["\udce9"], "kind": "\udce9"}
    (row,) = listed(folder(tmp_path, "a.jpg"), [record]).rows
    assert (row["captions"], row["kind"]) == ([r"half \ud83d", r"\udce9"], r"\udce9")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("validation", "val"), ("Train", "train"), ("restval", "train"), ("fold3", "fold3"), ("", "")],
)
def test_a_split_gets_its_usual_name(tmp_path, given, expected):
    (row,) = listed(folder(tmp_path, "a.jpg"), [{"file_name": "a.jpg", "split": given}]).rows
    assert row["split"] == expected


def test_metadata_in_the_folders_of_the_splits_is_found(tmp_path):
    root = folder(tmp_path, "train/a.jpg", "validation/a.jpg", "other/b.jpg")
    for part in ("train", "validation", "other"):
        (root / part / "metadata.csv").write_text("file_name\na.jpg\n")
    rows = [row for path in find_metadata(root) for row in list_metadata(root, path).rows]
    found = [(row["id"], row["split"]) for row in rows]
    assert found == [("train/a.jpg", "train"), ("validation/a.jpg", "val")]


def test_metadata_in_the_root_comes_before_any_other(tmp_path):
    for path in (tmp_path / "metadata.csv", folder(tmp_path, "train/a.jpg") / "train/metadata.csv"):
        path.touch()
    assert find_metadata(tmp_path) == [tmp_path / "metadata.csv"]


def test_two_metadata_files_in_one_folder_are_refused(tmp_path):
    folder(tmp_path, "metadata.csv", "metadata.jsonl")
    with pytest.raises(GalleryError, match=r"metadata\.jsonl and metadata\.csv; keep the one"):
        find_metadata(tmp_path)


# --- Hugging Face's further columns, and names as other machines spell them


@pytest.mark.parametrize(
    "record",
    [
        {"image_file_name": "a.jpg", "text": "one"},
        {"file_names": ["a.jpg"], "text": "one"},
        {"photo_file_names": "['a.jpg']", "text": "one"},
        {"file_name": "a.jpg", "mask_file_name": "b.jpg", "text": "one"},
    ],
)
def test_hugging_faces_columns_of_files_are_read(tmp_path, record):
    assert captions(listed(folder(tmp_path, "a.jpg", "b.jpg"), [record])) == {"a.jpg": ["one"]}


def test_several_files_of_a_row_share_its_captions(tmp_path):
    record = {"file_names": ["a.jpg", "gone.jpg", "b.jpg"], "text": "one"}
    listing = listed(folder(tmp_path, "a.jpg", "b.jpg"), [record])
    assert captions(listing) == {"a.jpg": ["one"], "b.jpg": ["one"]}
    assert [name for name, _ in listing.problems] == ["gone.jpg"]


def test_two_columns_of_files_are_not_chosen_between(tmp_path):
    record = {"before_file_name": "a.jpg", "after_file_name": "b.jpg"}
    with pytest.raises(GalleryError, match="call the one that counts file_name"):
        listed(folder(tmp_path, "a.jpg", "b.jpg"), [record])


@pytest.mark.parametrize(
    ("lies", "listed_as"),
    [
        ("cafe\u0301.jpg", "caf\u00e9.jpg"),  # a Mac has taken the accent apart
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),
        ("sub/a.jpg", "sub\\a.jpg"),  # Windows
    ],
)
def test_a_name_spelt_otherwise_is_found(tmp_path, lies, listed_as):
    listing = listed(folder(tmp_path, lies), [{"file_name": listed_as, "text": "one"}])
    assert captions(listing) == {lies: ["one"]}


def test_the_spelling_that_is_there_is_taken(tmp_path):
    both = ["caf\u00e9.jpg", "cafe\u0301.jpg"]
    listing = listed(folder(tmp_path, *both), [{"file_name": name, "text": name} for name in both])
    assert captions(listing) == {name: [name] for name in both}


# --- any table


def table(root, content, name="pairs.csv"):
    """Return the listing of a table with this content beside the pictures a.jpg and b.jpg."""
    path = folder(root, "a.jpg", "b.jpg") / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list_table(path)


PAIRS = {"a.jpg": ["one, two"], "b.jpg": ["NA"]}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["pairs.csv", "pairs.tsv", "PAIRS.CSV"])
def test_the_delimiter_of_a_table_is_found_out(tmp_path, delimiter, name):
    rows = [("image", "caption"), ("a.jpg", '"one, two"'), ("b.jpg", "NA")]
    content = "\r\n".join(delimiter.join(row) for row in rows)
    assert captions(table(tmp_path, content, name)) == PAIRS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_table_from_a_spreadsheet_is_read(tmp_path, encoding):
    content = "file_name\ttext\na.jpg\tdrei Äpfel\n".encode(encoding)
    assert captions(table(tmp_path, content, "pairs.tsv")) == {"a.jpg": ["drei Äpfel"]}


def test_jsonl_and_parquet_tables_are_read(tmp_path):
    rows = pd.DataFrame({"filename": PAIRS.keys(), "caption": [text for (text,) in PAIRS.values()]})
    rows["thumbnail"] = [b"not", b"read"]
    rows.to_parquet(folder(tmp_path, *PAIRS) / "pairs.parquet")
    assert captions(list_table(tmp_path / "pairs.parquet")) == PAIRS
    lines = rows.drop(columns="thumbnail").to_json(orient="records", lines=True)
    assert captions(table(tmp_path, lines, "pairs.jsonl")) == PAIRS


@pytest.mark.parametrize("column", [*FILES, "Image", " FILENAME ", "picture_file_name"])
def test_the_usual_names_of_the_column_of_files_are_known(tmp_path, column):
    assert captions(table(tmp_path, f"{column},text\na.jpg,one\n")) == {"a.jpg": ["one"]}


def test_the_first_of_the_known_columns_counts(tmp_path):
    content = "name,image,text\nAnna,a.jpg,one\n"
    (row,) = table(tmp_path, content).rows
    assert (row["id"], row["name"]) == ("a.jpg", "Anna")


@pytest.mark.parametrize("column", [*ANY_CAPTIONS, "Caption", "caption_0", "sentence12"])
def test_the_usual_names_of_captions_are_known(tmp_path, column):
    assert captions(table(tmp_path, f"image,{column}\na.jpg,one\n")) == {"a.jpg": ["one"]}


def test_all_columns_and_rows_of_captions_are_taken_in_order(tmp_path):
    content = "image,caption_2,caption_1,title,text\na.jpg,4,3,2,1\nb.jpg,,,,x\na.jpg,,,,5\n"
    found = captions(table(tmp_path, content))
    assert found == {"a.jpg": ["1", "2", "3", "4", "5"], "b.jpg": ["x"]}


def test_a_label_is_the_category_and_further_columns_stay(tmp_path):
    (row,) = table(tmp_path, "image,label,split,views\na.jpg,cat,dev,7\n").rows
    assert (row["category"], row["split"], row["views"]) == ("cat", "val", "7")


def test_absolute_names_inside_the_folder_are_taken_and_others_refused(tmp_path):
    content = f"image\n{tmp_path / 'a.jpg'}\n{tmp_path.parent / 'b.jpg'}\n../b.jpg\n"
    listing = table(tmp_path, content)
    assert list(captions(listing)) == ["a.jpg"]
    assert all("leads out of the folder" in reason for _, reason in listing.problems)
    assert len(listing.problems) == 2


@pytest.mark.parametrize("column", ["url", "image", "TEXT"])
def test_a_table_of_addresses_says_how_to_fetch_them(tmp_path, column):
    with pytest.raises(GalleryError, match="not files; fetch them first with `python -m sigscope"):
        table(tmp_path, f"{column},caption\nhttps://example.org/a.jpg,one\n")


def test_files_beside_addresses_are_taken(tmp_path):
    content = "image,path,caption\nhttp://example.org/1,a.jpg,one\n"
    assert captions(table(tmp_path, content)) == {"a.jpg": ["one"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [("a.jpg,a cat\nb.jpg,a dog\n", "add a heading"), ("x,y\n1,2\n", r"it has x, y")],
)
def test_a_table_without_file_names_says_what_it_has(tmp_path, content, words):
    with pytest.raises(GalleryError, match=words):
        table(tmp_path, content)


def test_a_parquet_of_the_pictures_themselves_is_told(tmp_path):
    pd.DataFrame({"image": [{"bytes": b"x", "path": "a.jpg"}], "text": ["a"]}).to_parquet(
        tmp_path / "hub.parquet"
    )
    with pytest.raises(GalleryError, match=r"holds the pictures themselves \(its column image\)"):
        list_table(tmp_path / "hub.parquet")


def test_an_empty_table_lists_nothing_and_another_kind_of_file_is_refused(tmp_path):
    assert table(tmp_path, "").rows == table(tmp_path, "image,text\n").rows == []
    with pytest.raises(GalleryError, match="is no table that is read here"):
        list_table(tmp_path / "pairs.xlsx")
