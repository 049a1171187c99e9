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
    for name in ("sheet.xlsx", "weights.npz", "more.zip"):
        write(tmp_path / "x" / name, b"PK\3\4")
    write(tmp_path / "x/a.AAE", "<?xml version='1.0'?><plist/>")
    found = load_gallery(tmp_path / "x")
    told = dict(found.problems.itertuples(index=False))
    assert found.items["id"].tolist() == ["upload/a.jpg"]
    assert told["a.AAE"] == told["weights.npz"] == "it is no picture"
    assert "CSV" in told["sheet.xlsx"] and "unpack" in told["more.zip"]
    assert found.counts["hidden or other programs'"] == 2


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
    assert found.counted() == "2 files: 1 pictures, 1 texts and tables"


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
