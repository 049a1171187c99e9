import json

import pandas as pd
import pytest

from sigscope.gallery.columns import CAPTIONS, CATEGORIES, FILES
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.listing import list_folder
from sigscope.gallery.metadata import list_table


def folder(root, *pictures):
    """Make a folder of empty pictures."""
    for name in pictures:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def listed(root, content, kind="jsonl"):
    """Return the listing of metadata with this content: lines, records, a text or bytes."""
    path = root / f"metadata.{kind}"
    if isinstance(content, list):
        content = "\n".join(json.dumps(record) for record in content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list_folder(root)


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
    assert captions(list_folder(tmp_path)) == CAPTIONED


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


def test_pictures_that_metadata_does_not_name_are_told_and_counted(tmp_path):
    listing = listed(folder(tmp_path, "a.jpg", "b.jpg", "sub/c.jpg"), [{"file_name": "a.jpg"}])
    assert list(captions(listing)) == ["a.jpg"]
    told = "metadata.jsonl does not name it"
    assert [("b.jpg", told), ("sub/c.jpg", told)] == listing.problems
    assert listing.counts["not listed"] == 2 and sum(listing.counts.values()) == 4


@pytest.mark.parametrize("name", ["../secret.jpg", "sub/../../secret.jpg", "/etc/secret.jpg"])
def test_a_file_name_may_not_lead_out_of_the_folder(tmp_path, name):
    root = folder(tmp_path, "secret.jpg", "root/a.jpg") / "root"
    listing = listed(root, [{"file_name": name}, {"file_name": "a.jpg"}])
    assert list(captions(listing)) == ["a.jpg"]
    assert dict(listing.problems)[name].startswith("metadata.jsonl, line 1: ")


@pytest.mark.parametrize("name", [None, "", "  ", float("nan"), []])
def test_a_row_without_a_file_name_is_told(tmp_path, name):
    listing = listed(folder(tmp_path, "a.jpg"), [{"file_name": name}, {"file_name": "a.jpg"}])
    assert list(captions(listing)) == ["a.jpg"]
    assert "metadata.jsonl, line 1: it has no file_name" in dict(listing.problems).values()


@pytest.mark.parametrize("name", ["\ud83d.jpg", "a\0b.jpg", "sub", "x" * 300 + ".jpg", "b.svg"])
def test_an_impossible_file_name_is_told(tmp_path, name):
    root = folder(tmp_path, "a.jpg", "sub/c.jpg", "b.svg")
    listing = listed(root, [{"file_name": name}, {"file_name": "a.jpg"}])
    assert list(captions(listing)) == ["a.jpg"]
    assert [reason for _, reason in listing.problems if "line 1" in reason]


@pytest.mark.parametrize("line", ["{", "[1]", '"a.jpg"', "null", "[" * 99_999])
def test_a_line_that_is_no_json_object_is_told_and_the_rest_read(tmp_path, line):
    content = f'{{"file_name": "a.jpg"}}\n{line}\n\n{{"file_name": "b.jpg"}}\n'
    listing = listed(folder(tmp_path, "a.jpg", "b.jpg"), content)
    assert list(captions(listing)) == ["a.jpg", "b.jpg"]
    assert dict(listing.problems)["metadata.jsonl"].startswith("line 2 is no JSON object like")


def test_a_csv_row_with_too_many_cells_is_told_and_the_rest_read(tmp_path):
    content = "file_name,text,n\na.jpg,a cat, on a mat,1\nb.jpg,a dog,2\n"
    listing = listed(folder(tmp_path, "a.jpg", "b.jpg"), content, "csv")
    assert captions(listing) == {"b.jpg": ["a dog"]}
    reasons = [reason for _, reason in listing.problems]
    assert any(each.startswith("line 2 has more cells than the heading") for each in reasons)


def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path):
    content = 'file_name,text\na.jpg,"a cat\nb.jpg,a 12" dog\nc.jpg,"two\nlines"\n'
    found = captions(listed(folder(tmp_path, "a.jpg", "b.jpg", "c.jpg"), content, "csv"))
    assert found == {"a.jpg": ["a cat"], "b.jpg": ['a 12" dog'], "c.jpg": ["two lines"]}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("json", b'[{"file_name": '),
        ("csv", bytes(range(256))),
        ("csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        ("parquet", b"PAR1"),
        ("parquet", b""),
    ],
)
def test_a_metadata_file_that_cannot_be_read_is_named(tmp_path, kind, content):
    listing = listed(folder(tmp_path, "a.jpg"), content, kind)
    assert captions(listing) == {"a.jpg": []}
    assert f"metadata.{kind} cannot be read" in dict(listing.problems)[f"metadata.{kind}"]
    with pytest.raises(GalleryError, match=rf"metadata\.{kind} cannot be read"):
        list_table(tmp_path / f"metadata.{kind}")


@pytest.mark.parametrize(
    ("kind", "content"), [("csv", "who;text\na;b"), ("jsonl", [{"text": 1, "who": 2}])]
)
def test_a_missing_file_name_column_lists_those_there_are(tmp_path, kind, content):
    listing = listed(folder(tmp_path, "a.jpg"), content, kind)
    said = dict(listing.problems)[f"metadata.{kind}"]
    assert captions(listing) == {"a.jpg": []} and "no column of file names" in said
    assert "it has who, text" in said or "it has text, who" in said


def test_a_table_that_names_no_picture_is_told_and_ignored(tmp_path):
    listing = listed(folder(tmp_path, "a.jpg"), "id,text\n9.jpg,a dog\n", "csv")
    assert captions(listing) == {"a.jpg": []}
    assert ("metadata.csv", "it names no picture that is here, and is not used") in listing.problems


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


def test_metadata_is_found_at_any_depth_and_in_any_capitals(tmp_path):
    root = folder(tmp_path, "train/a.jpg", "data/validation/a.jpg", "other/b.jpg", "other/c.jpg")
    for part, name in (("train", "metadata.csv"), ("data/validation", "Metadata.CSV")):
        (root / part / name).write_text("file_name,text\na.jpg,one\n")
    listing = list_folder(root)
    found = {row["id"]: (row["split"], row["captions"]) for row in listing.rows[:2]}
    assert found == {
        "train/a.jpg": ("train", ["one"]),
        "data/validation/a.jpg": ("val", ["one"]),
    }
    assert [row["id"] for row in listing.rows[2:]] == ["other/b.jpg", "other/c.jpg"]


def test_metadata_of_the_root_comes_before_any_other(tmp_path):
    root = folder(tmp_path, "train/a.jpg", "b.jpg")
    (root / "train/metadata.csv").write_text("file_name,text\na.jpg,second\n")
    (root / "metadata.csv").write_text("file_name,text\nb.jpg,one\ntrain/a.jpg,first\n")
    assert captions(list_folder(root)) == {"b.jpg": ["one"], "train/a.jpg": ["first", "second"]}


def test_two_metadata_files_in_one_folder_are_refused(tmp_path):
    folder(tmp_path, "a.jpg")
    (tmp_path / "metadata.csv").write_text("file_name\na.jpg\n")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.jpg"}\n')
    with pytest.raises(GalleryError, match=r"metadata\.csv and metadata\.jsonl; keep the one"):
        list_folder(tmp_path)


def test_a_stray_metadata_file_beside_another_does_no_harm(tmp_path):
    (tmp_path / "metadata.csv").write_text("run,loss\n1,0.5\n")
    listing = listed(folder(tmp_path, "a.jpg"), [{"file_name": "a.jpg", "text": "one"}])
    assert captions(listing) == {"a.jpg": ["one"]}
    assert "metadata.csv" in dict(listing.problems)


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
    listing = listed(folder(tmp_path, "a.jpg", "b.jpg"), [record])
    assert "call the one that counts file_name" in dict(listing.problems)["metadata.jsonl"]
    assert captions(listing) == {"a.jpg": [], "b.jpg": []}


@pytest.mark.parametrize(
    ("lies", "listed_as"),
    [
        ("cafe\u0301.jpg", "caf\u00e9.jpg"),  # a Mac has taken the accent apart
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),
        ("sub/a.jpg", "sub\\a.jpg"),  # Windows
        ("sub/A.JPG", "Sub/a.jpg"),
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


@pytest.mark.parametrize(
    "column", [*FILES, "Image", " FILENAME ", "imagePath", "picture_file_name", "a b"]
)
def test_the_usual_names_of_the_column_of_files_are_known(tmp_path, column):
    assert captions(table(tmp_path, f"{column},text\na.jpg,one\n")) == {"a.jpg": ["one"]}


def test_the_first_of_the_known_columns_counts(tmp_path):
    content = "name,image,text\nAnna,a.jpg,one\n"
    (row,) = table(tmp_path, content).rows
    assert (row["id"], row["name"]) == ("a.jpg", "Anna")


@pytest.mark.parametrize(
    "column",
    [*CAPTIONS, "Caption", "caption_0", "sentence12", "text_en", "blip_caption", " imageCaption "],
)
def test_the_usual_names_of_captions_are_known(tmp_path, column):
    assert captions(table(tmp_path, f"image,{column}\na.jpg,one\n")) == {"a.jpg": ["one"]}


def test_all_columns_and_rows_of_captions_are_taken_in_order(tmp_path):
    content = "image,caption_2,caption_1,title,text\na.jpg,4,3,2,1\nb.jpg,,,,x\na.jpg,,,,5\n"
    found = captions(table(tmp_path, content))
    assert found == {"a.jpg": ["1", "2", "3", "4", "5"], "b.jpg": ["x"]}


@pytest.mark.parametrize("label", [*CATEGORIES, "Class Name"])
def test_a_label_is_the_category_and_further_columns_stay(tmp_path, label):
    (row,) = table(tmp_path, f"image,{label},split,views\na.jpg,cat,dev,7\n").rows
    assert (row["category"], row["split"], row["views"]) == ("cat", "val", "7")


def test_absolute_names_inside_the_folder_are_taken_and_those_outside_refused(tmp_path):
    listing = table(tmp_path, f"image,text\n{tmp_path / 'a.jpg'},one\n../b.jpg,two\n")
    assert captions(listing) == {"a.jpg": ["one"]}
    ((name, reason),) = listing.problems
    assert name == "../b.jpg" and "leads out of the folder" in reason


@pytest.mark.parametrize("name", ["/home/anna/x/a.jpg", r"C:\Photos\a.jpg", "old/a.jpg", "a", "A"])
def test_another_machines_names_are_matched_by_the_file_alone_and_that_is_said(tmp_path, name):
    listing = table(tmp_path, f"image,text\n{name},one\n")
    assert captions(listing) == {"a.jpg": ["one"]}
    ((_, reason),) = listing.problems
    assert reason.startswith("1 file found by name alone: ")


def test_a_number_finds_the_picture_that_is_called_so_with_zeros_before_it(tmp_path):
    folder(tmp_path, "images/000000000139.jpg")
    assert captions(table(tmp_path, "id,text\n139,one\n")) == {"images/000000000139.jpg": ["one"]}


def test_a_name_that_two_files_have_is_not_chosen_between(tmp_path):
    folder(tmp_path, "x/c.jpg", "y/c.jpg")
    listing = table(tmp_path, "image,text\n/home/anna/c.jpg,one\n/home/anna/y/c.jpg,two\na.jpg,3\n")
    assert captions(listing) == {"y/c.jpg": ["two"], "a.jpg": ["3"]}
    assert "2 files are called so" in dict(listing.problems)["/home/anna/c.jpg"]


@pytest.mark.parametrize("column", ["url", "image", "TEXT"])
def test_a_table_of_addresses_says_how_to_fetch_them(tmp_path, column):
    with pytest.raises(GalleryError, match="not files; fetch them first with `python -m sigscope"):
        table(tmp_path, f"{column},caption\nhttps://example.org/not-here.jpg,one\n")


def test_files_beside_addresses_are_taken(tmp_path):
    content = "image,path,caption\nhttp://example.org/1,a.jpg,one\n"
    assert captions(table(tmp_path, content)) == {"a.jpg": ["one"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [("z,a cat\nb,a dog\n", "add a heading"), ("x,y\n1,2\n", r"it has x, y")],
)
def test_a_table_without_file_names_says_what_it_has(tmp_path, content, words):
    with pytest.raises(GalleryError, match=words):
        table(tmp_path, content)


def test_a_table_without_a_heading_is_read_by_its_first_row(tmp_path):
    content = "a.jpg,a cat\nb.jpg,a dog\n"
    assert captions(table(tmp_path, content)) == {"a.jpg": ["a cat"], "b.jpg": ["a dog"]}


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


def test_a_column_of_paths_does_not_read_like_captions(tmp_path):
    cells = "a.jpg,one,animals/wild cats/lion_asleep.png,a lion that sleeps"
    ((_, reason),) = table(tmp_path, f"image,text,origin,words\n{cells}\n").problems
    assert reason.startswith("its column words reads like captions")
