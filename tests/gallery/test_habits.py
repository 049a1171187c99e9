"""What real programs and people write: each is read as it was meant.

The inputs are small ones of the kinds that spreadsheets, scripts, photo programs and hubs leave.
"""

import io
import json
import zipfile

import pytest
from dataset_files import items, karpathy_file, pictures, write
from hostile_server import encoded
from img2dataset_files import write_tar

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.gallery.vectors import parse_vector, usable_rows

JPEG = encoded("JPEG", (32, 24))
ONE, TWO = {"image": "a.jpg", "caption": "one"}, {"image": "b.jpg", "caption": "two"}
BOTH = {"a.jpg": ["one"], "b.jpg": ["two"]}


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def captions(source):
    return {id: list(texts) for id, texts in items(load_gallery(source), "captions").items()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("splits.json", {"train": [ONE], "test": [TWO]}),
        ("nested.json", {"data": {"train": [ONE], "test": [TWO]}}),
        ("records.json", {"info": {}, "images": [ONE, TWO]}),
        ("pandas.json", {"image": {"0": "a.jpg", "1": "b.jpg"}, "text": {"0": "one", "1": "two"}}),
        ("by.json", {"columns": ["image", "text"], "data": [["a.jpg", "one"], ["b.jpg", "two"]]}),
        ("ids.json", {"a": {"caption": "one"}, "b": {"caption": "two"}}),
        ("mixed.json", {"a": "one", "b.jpg": {"captions": ["two"]}}),
        ("pretty.jsonl", f"{json.dumps(ONE, indent=1)}\n{json.dumps(TWO, indent=1)}\n"),
        ("commas.jsonl", f"{json.dumps(ONE)},\r\n{json.dumps(TWO)}\r\n"),
        ("mark.jsonl", f"\ufeff{json.dumps(ONE)}\n\n{json.dumps(TWO)}"),
        ("notes.csv", "# exported in May\nimage,caption\na.jpg,one\nb.jpg,two\n"),
        ("address.csv", "image,caption\nfile:///home/x/%61.jpg,one\nb%2Ejpg,two\n"),
        ("studio.csv", "image,caption\n/data/3/0f2e3d4c-a.jpg,one\n/data/3/1a2b3c4d-b.jpg,two\n"),
        ("excel.csv", "sep=;\r\nimage;caption\r\na.jpg;one\r\nb.jpg;two\r\n".encode("utf-16")),
    ],
)  # fmt: skip
def test_a_table_as_others_lay_it_out_gives_its_captions(tmp_path, name, content):
    pictures(tmp_path / "x", "a.jpg", "b.jpg")
    write(tmp_path / "x" / name, content)
    assert captions(tmp_path / "x") == BOTH


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a.jpg,a man , a hat", ["a man , a hat"]),
        ('a.jpg,"he said \\"go, now\\", and went"', ['he said "go, now", and went']),
        ('a.jpg,"he said ""go, now"", and went"', ['he said "go, now", and went']),
        ('a.jpg,a 5" pipe', ['a 5" pipe']),
        ("""a.jpg,"['one', ""two's""]\"""", ["one", "two's"]),
    ],
)
def test_captions_at_the_end_of_a_row_keep_commas_and_quotes(tmp_path, row, expected):
    pictures(tmp_path / "x", "a.jpg")
    write(tmp_path / "x/captions.csv", f"image,caption\n{row}\n")
    assert captions(tmp_path / "x") == {"a.jpg": expected}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Straße – „schön“"),
        ("cp1250", "Żółta łódź na jeziorze"),
        ("cp1254", "Güneşli bir gün"),
        ("cp1251", "кошка спит на диване"),
        ("cp932", "猫がソファで寝ている"),
        ("gb18030", "一只猫睡在沙发上"),
        ("utf-16-le", "é und ß"),
    ],
)
def test_a_spreadsheet_of_any_country_is_read(tmp_path, encoding, text):
    pictures(tmp_path / "x", "a.jpg")
    write(tmp_path / "x/captions.csv", f"image,caption\r\na.jpg,{text}\r\n".encode(encoding))
    assert captions(tmp_path / "x") == {"a.jpg": [text]}


def test_a_table_called_like_a_split_is_one(tmp_path):
    pictures(tmp_path / "x", "img/a.jpg", "img/b.jpg")
    for name, picture in {"train.csv": "a", "captions_val2017.json": "b"}.items():
        row = {"file_name": f"img/{picture}.jpg", "text": "one"}
        content = [row] if name.endswith("json") else "\n".join(map(",".join, (row, row.values())))
        write(tmp_path / "x" / name, content)
    assert items(load_gallery(tmp_path / "x"), "split") == {
        "img/a.jpg": "train",
        "img/b.jpg": "val",
    }


def test_photo_programs_texts_are_captions_of_the_photo_they_mean(tmp_path):
    names = ("a.jpg", "b.jpg", "c.jpg", "c(1).jpg", "d.jpg", "e.jpg")
    pictures(tmp_path / "x", *names)
    for name, content in {
        "a.jpg.supplemental-metada.json": {"title": "a.jpg", "description": "cut by Takeout"},
        "b.de.txt": "auf Deutsch",
        "c.jpg(1).json": {"title": "c.jpg", "description": "the second c"},
        "d.caption.txt": "a caption",
        "e.text": "a text",
    }.items():
        write(tmp_path / "x" / name, content)
    said = ["cut by Takeout", "auf Deutsch", None, "the second c", "a caption", "a text"]
    expected = {name: [text] if text else [] for name, text in zip(names, said, strict=True)}
    assert captions(tmp_path / "x") == expected


def test_other_programs_files_are_called_what_they_are(tmp_path):
    pictures(tmp_path / "x", "upload/a.jpg", "thumbs/b.jpg", "RECYCLED/c.jpg")
    pictures(
        tmp_path / "x", "CaptureOne/Cache/a.jpg", "appdata_oc1/a.jpg", "a.cocatalog/Cache/a.jpg"
    )
    for name in ("sheet.xlsx", "weights.npz", "more.zip"):
        write(tmp_path / "x" / name, b"PK\3\4")
    write(tmp_path / "x/a.AAE", "<?xml version='1.0'?><plist/>")
    found = load_gallery(tmp_path / "x")
    told = dict(found.problems.itertuples(index=False))
    assert found.items["id"].tolist() == ["upload/a.jpg"]
    assert told["a.AAE"] == "it is no picture" and "arrays" in told["weights.npz"]
    assert "CSV" in told["sheet.xlsx"] and "unpack" in told["more.zip"]
    assert found.counts["hidden or other programs'"] == 5


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp437", "Bäume"), ("cp1252", "Bäume"), ("cp850", "Müller"), ("cp866", "кошка"),
        ("cp932", "猫の写真"), ("gbk", "一只猫睡在沙发上"), ("utf-8", "Bäume"),
    ],
)  # fmt: skip
def test_a_zip_of_any_windows_has_its_names(tmp_path, encoding, name):
    raw = name.encode(encoding)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("x" * len(raw) + ".jpg", JPEG)
    file = write(tmp_path / "x.zip", packed.getvalue().replace(b"x" * len(raw), raw))
    assert list(captions(file)) == [f"{name}.jpg"]


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "A.TGZ", "a.tar.bz2", "a.tar.xz"])
def test_a_tar_may_be_packed_and_lie_in_any_folder(tmp_path, name):
    write_tar(tmp_path / "made", "a", [], ("x.jpg", JPEG), ("x.text", b"one"))
    place = tmp_path / "x/cc3m/train" / name
    write(place, (tmp_path / "made/a.tar").read_bytes())
    found = load_gallery(tmp_path / "x")
    assert items(found, "caption", "split") == {"x": ("one", "train")}
    assert found.counted() == "2 files: 1 picture, 1 text or table"


def test_coco_compares_numbers_whatever_they_are_written_as(tmp_path):
    images = [{"id": "000000000007", "file_name": "a.jpg"}, {"id": 8.0, "file_name": "b.jpg"}]
    notes = [{"image_id": 7, "caption": "one"}, {"image_id": "8", "caption": "two"}]
    write(tmp_path / "captions_val2017.json", {"images": images, "annotations": notes})
    pictures(tmp_path, "val2017/a.jpg", "val2017/b.jpg")
    assert captions(f"coco:{tmp_path}") == {"000000000007": ["one"], "8": ["two"]}


@pytest.mark.parametrize("annotations", [None, {}, "x", 7])
def test_coco_without_a_list_of_annotations_is_told(tmp_path, annotations):
    said = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": annotations}
    write(tmp_path / "captions_val2017.json", said)
    pictures(tmp_path, "a.jpg")
    with pytest.raises(ValueError, match="no file of COCO captions"):
        load_gallery(f"coco:{tmp_path}")


def test_a_split_file_may_have_any_name_and_lack_splits(tmp_path):
    karpathy_file(tmp_path / "mine.json", [{"filename": "a.jpg", "raw": ["one"]}])
    pictures(tmp_path, "a.jpg")
    assert items(load_gallery(f"flickr8k:{tmp_path}"), "caption", "split") == {"a.jpg": ("one", "")}


def test_vectors_with_decimal_commas_and_under_a_models_name_are_read(tmp_path):
    spread = write(tmp_path / "a.csv", "id;f0;f1;f2;f3\nx;0,5;0,5;0,5;0,5\n")
    named = write(tmp_path / "b.jsonl", {"id": "x", "clip_embedding": [1, 1, 1, 1]})
    for file in (spread, named):
        ((row, id),) = usable_rows(file)
        assert id == "x" and parse_vector(row.image).tolist() == [0.5] * 4


SAID = ("file_name,text\n", "a.jpg,one\n", "b.jpg,two\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"image,caption\na.jpg,caf\xe9\nb.jpg,\xc3\xa9t\xc3\xa9\n", ["café", "été"]),
        (b"image,caption\na.jpg,on\0e\nb.jpg,two\n", ["one", "two"]),
        ("Image Name;Caption Text\na.jpg;one\nb.jpg;two\n", ["one", "two"]),
        ("image,caption_id,caption\na.jpg,7,one\nb.jpg,8,two\n", ["one", "two"]),
        ("file,width\na.jpeg,7\n", ["", ""]),
        ("a.jpg#0\tone\nb.jpg#0\ttwo\n", ["one", "two"]),
        ("image,caption\na.jpeg,one\nb.JPE,two\n", ["one", "two"]),
    ],
)  # fmt: skip
def test_one_odd_byte_heading_or_name_costs_no_caption(tmp_path, content, expected):
    pictures(tmp_path / "x", "a.jpg", "b.jpg")
    write(tmp_path / "x/captions.csv", content)
    found = captions(tmp_path / "x")
    assert found == {id: [text] if text else [] for id, text in zip(found, expected, strict=True)}


def test_one_byte_in_a_long_line_of_json_changes_no_other_caption(tmp_path):
    pictures(tmp_path / "x", "a.jpg", "b.jpg", "c.jpg")
    said = '[{"file_name":"a.jpg","text":"caf?"},{"file_name":"b.jpg","text":"\u00e9t\u00e9"},'
    said += '{"file_name":"c.jpg","text":"Stra\u00dfe"}]'
    write(tmp_path / "x/metadata.json", said.encode().replace(b"?", b"\xe9"))
    assert [text for (text,) in captions(tmp_path / "x").values()] == [
        "caf\u00e9",
        "\u00e9t\u00e9",
        "Stra\u00dfe",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "7"), ("a.txt", "0\n1\n"), ("a.txt", "1e-5"), ("a.txt", "License: CC0"),
        ("a.txt", "Photo by Anna, CC BY 2.0"), ("a.txt", "https://x.test/a"),
        ("a.txt", "IMG_1234.jpg"), ("a.txt", "2023-05-01 12:00:00"), ("a.txt", "{\\rtf1 hello}"),
        ("a.json", "[1, 2]"), ("a.json", '{"tags": ["x"]}'), ("a.json", "{broken"),
    ],
)  # fmt: skip
def test_a_text_that_reads_like_data_is_no_caption_and_is_told_once(tmp_path, name, text):
    pictures(tmp_path / "x", "a.jpg")
    write(tmp_path / "x" / name, text)
    found = load_gallery(tmp_path / "x")
    assert captions(tmp_path / "x") == {"a.jpg": []}
    assert found.problems["path"].tolist() == [name]
    assert found.counted() == "2 files: 1 picture, 1 not pictures"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["one", "two words"]', ["one", "two words"]),
        ('"one"', ["one"]),
        ('[{"caption": "one"}, {"text": "two"}]', ["one", "two"]),
    ],
)
def test_a_list_beside_a_picture_is_its_captions(tmp_path, text, expected):
    pictures(tmp_path / "x", "a.jpg")
    write(tmp_path / "x/a.json", text)
    assert captions(tmp_path / "x") == {"a.jpg": expected}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train/cat/a", "test/dog/a", "logo"], [("", ""), ("test", "dog"), ("train", "cat")]),
        (["train/cat/a", "val/dog/a", "docs/b"], [("", "docs"), ("train", "cat"), ("val", "dog")]),
        (["training_set/training_set/cat/a", "test_set/test_set/dog/a"],
         [("test", "dog"), ("train", "cat")]),
        (["train2017/a", "val2017/a"], [("train", ""), ("val", "")]),
        (["bus/a", "plane/a", "train/a"], [("", "bus"), ("", "plane"), ("", "train")]),
        (["test results/a", "train station/a"], [("", "test results"), ("", "train station")]),
    ],
)  # fmt: skip
def test_splits_are_seen_beside_other_folders_and_under_longer_names(tmp_path, names, expected):
    pictures(tmp_path / "x", *(f"{name}.jpg" for name in names))
    assert sorted(items(load_gallery(tmp_path / "x"), "split", "category").values()) == expected


@pytest.mark.parametrize(
    "tables",
    [
        {"train.csv": "image,caption\na.jpg,one\n", "test.csv": "image,caption\na.jpg,two\n"},
        {"c.csv": "image,caption,split\na.jpg,one,train\na.jpg,two,test\n"},
        {"c.csv": "image,caption,label\na.jpg,one,train\na.jpg,two,test\n"},
    ],
)
def test_one_name_in_two_folders_is_told_apart_by_split_or_class(tmp_path, tables):
    pictures(tmp_path / "x", "train/a.jpg", "test/a.jpg")
    for name, content in tables.items():
        write(tmp_path / "x" / name, content)
    assert captions(tmp_path / "x") == {"train/a.jpg": ["one"], "test/a.jpg": ["two"]}


def test_ids_of_a_column_with_gaps_and_cocos_numbers_find_their_pictures(tmp_path):
    pictures(tmp_path / "x", "COCO_val2014_000000000007.jpg", "2.jpg")
    write(tmp_path / "x/c.csv", "image_id,caption\n7,one\n2.0,two\n")
    found = load_gallery(tmp_path / "x")
    assert sorted(items(found, "caption").values()) == ["one", "two"]
    assert "7 is taken to be COCO_val2014_000000000007.jpg" in found.problems["reason"][0]


@pytest.mark.parametrize(
    "files",
    [
        {"metadata.csv": "".join(SAID)}, {"pics/metadata.csv": "".join(SAID)},
        {"captions.txt": "image,caption\na.jpg,one\nb.jpg,two\n"},
        {"metadata.json": json.dumps([ONE, TWO])},
    ],
)  # fmt: skip
def test_a_tar_of_a_folder_has_the_captions_of_its_table(tmp_path, files):
    (folder,) = {name.rpartition("/")[0] for name in files}
    names = [f"{folder}/{name}".removeprefix("/") for name in ("a.jpg", "b.jpg")]
    members = [*((name, JPEG) for name in names), *((k, v.encode()) for k, v in files.items())]
    write_tar(tmp_path / "x", "pics", [], *members)
    assert captions(tmp_path / "x/pics.tar") == captions(tmp_path / "x") == BOTH


def test_a_tar_of_folders_of_classes_has_splits_and_classes(tmp_path):
    write_tar(tmp_path / "x", "pics", [], ("train/cat/a.jpg", JPEG), ("test/dog/b.jpg", JPEG))
    found = items(load_gallery(tmp_path / "x"), "split", "category")
    assert found == {"train/cat/a.jpg": ("train", "cat"), "test/dog/b.jpg": ("test", "dog")}


def test_samples_with_dots_in_their_names_keep_their_own_texts(tmp_path):
    texts = [(f"my.photo.{n}.txt", text) for n, text in ((1, b"one"), (2, b"two"))]
    members = [*texts, *((f"my.photo.{n}.jpg", JPEG) for n in (1, 2))]
    write_tar(tmp_path / "x", "0", [], *members)
    assert captions(tmp_path / "x") == {"my.photo.1": ["one"], "my.photo.2": ["two"]}


def test_what_is_beside_or_inside_tars_and_not_read_is_called_what_it_is(tmp_path):
    names = ("a.jpg", "@eaDir/a.jpg", "__MACOSX/a.jpg", "b.ppm")
    write_tar(
        tmp_path / "x",
        "0",
        [],
        *((name, JPEG) for name in names[:3]),
        ("b.ppm", b"P6\n1"),
        ("a.cls", b"0"),
    )
    pictures(tmp_path / "x", "z.jpg", size=(2, 2))
    write(tmp_path / "x/classnames.txt", "cat\n")
    found = load_gallery(tmp_path / "x")
    told = dict(found.problems.itertuples(index=False))
    assert items(found, "category") == {"a": "cat"}
    assert told.keys() == {"@eaDir/", "__MACOSX/", "0/b.ppm", "z.jpg"}
    assert "save it as PNG" in told["0/b.ppm"] and "lies beside" in told["z.jpg"]


def test_a_zip_counts_what_was_left_in_it(tmp_path):
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("a.jpg", "@eaDir/a.jpg", "__MACOSX/._a.jpg", "README.md"):
            archive.writestr(name, JPEG if name == "a.jpg" else b"x")
    assert load_gallery(file).counted() == "4 files: 1 picture, 3 left in the archive"


def test_coco_of_one_file_a_split_may_use_an_id_twice(tmp_path):
    for split, text in (("train", "one"), ("valid", "two")):
        said = {
            "images": [{"id": 1, "file_name": "a.jpg"}],
            "annotations": [{"image_id": 1, "caption": text}],
        }
        write(tmp_path / split / "_annotations.coco.json", said)
        pictures(tmp_path, f"{split}/a.jpg")
    found = load_gallery(f"coco:{tmp_path}")
    assert items(found, "caption", "split") == {
        "1": ("one", "train"),
        "valid/a.jpg": ("two", "val"),
    }
    assert "are those of other pictures" in found.problems["reason"][0]


@pytest.mark.parametrize("name", ["captions_mine.json", "results.csv", "Flickr8k.token.txt"])
@pytest.mark.parametrize("dataset", ["coco", "flickr30k", "flickr8k"])
def test_a_list_that_is_an_lfs_pointer_is_said_to_be_one(tmp_path, dataset, name):
    pictures(tmp_path, "a.jpg")
    write(tmp_path / name, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    with pytest.raises(ValueError, match="git lfs pull"):
        load_gallery(f"{dataset}:{tmp_path}")


def test_decimal_commas_within_a_vector_are_no_delimiters(tmp_path):
    assert parse_vector("[0,5; -0,5; 0,5; 0,5]").tolist() == [0.5, -0.5, 0.5, 0.5]


@pytest.mark.parametrize("classes", [["cat", "dog"], None])
def test_fiftyones_labels_are_classes(tmp_path, classes):
    pictures(tmp_path / "x", "data/a.jpg", "data/b.jpg")
    labels = {"a": 0, "b": 1} if classes else {"a": "cat", "b": "dog"}
    write(tmp_path / "x/labels.json", {"classes": classes, "labels": labels})
    found = items(load_gallery(tmp_path / "x"), "category")
    assert found == {"data/a.jpg": "cat", "data/b.jpg": "dog"}


def test_the_classification_of_a_sample_of_fiftyone_is_its_class(tmp_path):
    pictures(tmp_path / "x", "data/a.jpg")
    truth = {"_cls": "Classification", "label": "cat"}
    sample = {"filepath": "data/a.jpg", "ground_truth": truth, "tags": ["checked"]}
    write(tmp_path / "x/samples.json", {"samples": [sample]})
    assert items(load_gallery(tmp_path / "x"), "category") == {"data/a.jpg": "cat"}


def test_texts_in_a_folder_of_their_own_are_captions_of_the_pictures_of_their_names(tmp_path):
    pictures(tmp_path / "x", "train/images/a.jpg", "train/images/b.jpg", "test/images/a.jpg")
    write(tmp_path / "x/train/captions/a.txt", "one")
    write(tmp_path / "x/train/labels/b.txt", "0 0.5 0.5 0.1 0.1")
    write(tmp_path / "x/about/a.txt", "of neither")
    found = load_gallery(tmp_path / "x")
    told = dict(found.problems.itertuples(index=False))
    assert items(found, "caption") == {
        "test/images/a.jpg": "",
        "train/images/a.jpg": "one",
        "train/images/b.jpg": "",
    }
    assert "train/captions/a.txt is taken to be about train/images/a.jpg" in told["train/captions/"]
    assert "boxes" in told["train/labels/b.txt"] and "no picture" in told["about/a.txt"]


@pytest.mark.parametrize("folder", ["", "images/", "data/images/"])
def test_a_folder_of_all_that_is_called_after_nothing_is_no_category(tmp_path, folder):
    pictures(tmp_path / "x", f"{folder}cat/a.jpg", f"{folder}dog/b.jpg")
    assert set(items(load_gallery(tmp_path / "x"), "category").values()) == {"cat", "dog"}
    pictures(tmp_path / "y", f"{folder}a.jpg")
    assert set(items(load_gallery(tmp_path / "y"), "category").values()) == {""}


def test_classes_in_the_layout_of_coco_are_categories_where_a_picture_has_one(tmp_path):
    pictures(tmp_path / "x", "a.jpg", "b.jpg")
    images = [{"id": 0, "file_name": "a.jpg"}, {"id": "1", "file_name": "b.jpg"}]
    marks = [{"image_id": "0", "category_id": 5}, {"image_id": 0, "category_id": 5}]
    marks += [{"image_id": 1, "category_id": 5}, {"image_id": 1, "category_id": 6}]
    kinds = [{"id": 5, "name": "Felis catus"}, {"id": 6, "name": "Canis lupus"}]
    content = {"images": images, "annotations": marks, "categories": kinds}
    write(tmp_path / "x/instances.json", content)
    assert items(load_gallery(tmp_path / "x"), "category") == {"a.jpg": "Felis catus", "b.jpg": ""}
