"""Captions in the layouts of other programs: each lands on its own picture, or is told."""

import json
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import items, pictures, problems, write

from sigscope import paths
from sigscope.datasets.load import load_gallery

ONE, TWO = "a cat on a mat", "two dogs in the snow"
BOTH = {"a.jpg": [ONE], "b.jpg": [TWO]}
NAMES = {"1": {"file_name": "a.jpg"}, "2": {"file_name": "b.jpg"}}
IMAGES = [{"id": int(id), **each} for id, each in NAMES.items()]
ROWS = [{"image": "a.jpg", "text": ONE}, {"image": "b.jpg", "text": TWO}]
POSTS = [{"title": row["text"], "media": [{"uri": row["image"], "title": ""}]} for row in ROWS]
STEMS = [{"image_id": "a", "caption": ONE}, {"image_id": "b", "caption": TWO}]
NOTES = [{"image_id": 1, "caption": ONE}, {"image_id": 2, "caption": TWO}]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def loaded(tmp_path, name, content):
    pictures(tmp_path / "x", "a.jpg", "b.jpg")
    write(tmp_path / "x" / name, content)
    return load_gallery(tmp_path / "x")


def captions(gallery):
    return {id: list(texts) for id, texts in items(gallery, "captions").items()}


def asked(file, answer, *more, who="gpt", words="value", by="from"):
    turns = [{by: "human", words: "<image>\nDescribe it."}, {by: who, words: answer}]
    return {"image": file, "conversations" if by == "from" else "messages": [*turns, *more]}


CHAT = {"who": "assistant", "words": "content", "by": "role"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.jsonl", f'["a.jpg", "{ONE}"]\n["b.jpg", "{TWO}"]\n'),
        ("rows.jsonl", f'["a.jpg", "{ONE}", 1],\n["b.jpg", "{TWO}", 1]\n'),
        ("lines.jsonl", f'{{"a.jpg": "{ONE}"}}\n{{"b.jpg": ["{TWO}"]}}\n'),
        ("wrapped.json", [{"data": each} for each in ROWS]),
        ("within.json", {"data": {"a.jpg": {"caption": ONE}, "b.jpg": {"caption": TWO}}}),
        ("lists.json", {"a": [ONE, ONE], "b": [TWO]}),
        ("docci.jsonlines", "\n".join(map(json.dumps, ROWS))),
        ("xm.json", [{"image/key": row["image"], "en": {"raw": row["text"]}} for row in ROWS]),
        ("llava.json", [asked("a.jpg", ONE), asked("b.jpg", TWO)]),
        ("chat.jsonl", "\n".join(json.dumps(asked(*each, **CHAT)) for each in BOTH.items())),
        ("by_id.json", {"images": NAMES, "annotations": NOTES}),
        ("notes.json", {"images": IMAGES, "annotations": dict(enumerate(NOTES))}),
        ("stems.json", {"images": IMAGES, "annotations": STEMS}),
        ("captions.txt", f"a.jpg: {ONE}\nb.jpg: {TWO}\n"),
        ("captions.txt", f"a.jpg#0 {ONE}\nb.jpg#0 {TWO}\n"),
        ("captions.csv", f"image^caption\na.jpg^{ONE}\nb.jpg^{TWO}\n"),
        ("export.csv", f"Pictures of May\n\nimage,caption\na.jpg,{ONE}\nb.jpg,{TWO}\n"),
        ("fetched.csv", f"url,caption\nhttps://x.test/a.jpg?w=9,{ONE}\nhttps://x.test/b.jpg,{TWO}\n"),
        ("cc.tsv", f"{ONE}\thttps://x.test/a.jpg\n{TWO}\thttps://x.test/b.jpg\n"),
        ("captions.txt", f"a\t{ONE}\nb\t{TWO}\n"),
        ("shop.csv", f"product_id,caption\na,{ONE}\nb,{TWO}\n"),
        ("posts.json", POSTS),
        ("en.csv", f"image,en\na.jpg,{ONE}\nb.jpg,{TWO}\n"),
        ("shop.csv", f"id,productDisplayName\na,{ONE}\nb,{TWO}\n"),
    ],
)  # fmt: skip
def test_captions_land_on_their_pictures(tmp_path, name, content):
    assert captions(loaded(tmp_path, name, content)) == BOTH


def test_the_answers_of_a_long_conversation_are_no_captions(tmp_path):
    again = [{"from": "human", "value": "Is it red?"}, {"from": "gpt", "value": "Yes."}]
    found = loaded(tmp_path, "llava.json", [asked("a.jpg", ONE, *again), asked("b.jpg", TWO)])
    assert captions(found) == {"a.jpg": [], "b.jpg": [TWO]}


@pytest.mark.parametrize(
    ("said", "expected", "told"),
    [
        (asked("", ONE)["conversations"], [ONE], ""),
        (
            [{"user": "Describe it.", "assistant": ONE, "source": "x"}],
            [],
            "said reads like captions",
        ),
        (ONE, [], "said reads like captions"),
    ],
)
def test_what_is_said_in_a_packed_table_is_read_or_told(tmp_path, said, expected, told):
    image = {"bytes": (pictures(tmp_path, "a.jpg") / "a.jpg").read_bytes(), "path": None}
    name = "said" if told else "conversations"
    pq.write_table(pa.Table.from_pylist([{"image": image, name: said}]), tmp_path / "x.parquet")
    found = load_gallery(tmp_path / "x.parquet")
    assert captions(found) == {"0": expected}
    assert told in " ".join(found.problems["reason"])


def test_of_questions_and_answers_the_answers_are_captions(tmp_path):
    texts = [{"user": "Describe it.", "assistant": ONE, "source": "x"}]
    found = loaded(tmp_path, "x.json", [{"image": "a.jpg", "texts": texts}])
    assert captions(found)["a.jpg"] == [ONE]


@pytest.mark.parametrize(
    ("ids", "note", "expected"),
    [
        ((1, 1), {"image_id": 1}, {}),
        ((1, 1), {"image_id": 1, "file_name": "b.jpg"}, {"b.jpg"}),
        ((1, "01"), {"image_id": "01"}, {"b.jpg"}),
        ((1, 2), {"image_id": "b.jpg"}, {"b.jpg"}),
        ((1, 2), {"image_id": 3}, {}),
    ],
)
@pytest.mark.parametrize("dataset", ["", "coco:"])
def test_a_caption_goes_to_the_one_picture_that_it_means(tmp_path, dataset, ids, note, expected):
    images = [{"id": id, "file_name": f"{name}.jpg"} for id, name in zip(ids, "ab", strict=True)]
    said = {"images": images, "annotations": [{**note, "caption": ONE}]}
    loaded(tmp_path, "captions_val2017.json", said)
    found = load_gallery(f"{dataset}{tmp_path / 'x'}")
    by_path = items(found, "path", "captions").values()
    assert {path for path, texts in by_path if list(texts) == [ONE]} == set(expected)
    assert len(by_path) == 2
    told = " ".join(found.problems["reason"])
    assert expected or "image 1, as a.jpg and b.jpg are called" in told or "no picture" in told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("captions.yaml", "save captions as CSV"),
        ("data-00000-of-00001.arrow", "export it as parquet"),
        ("boxes.xml", "it is XML"),
        ("captions.docx", "save captions as .txt"),
        ("images.h5", "records of another program"),
    ],
)
def test_what_else_lies_in_the_folder_is_called_what_it_is(tmp_path, name, words):
    assert words in problems(loaded(tmp_path, name, b"\x89 x"))[name]


def test_pictures_as_text_in_a_table_are_told_in_few_words(tmp_path):
    found = loaded(tmp_path, "x.csv", f"file_name,text\n{'/9j/4AAQ' * 200},{ONE}\n")
    (path, reason), *_ = problems(found).items()
    assert len(path) < 50 and "base64" in reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("imagesource:GoogleEarth\ngsd:0.1\n1 2 3 4 5 6 7 8 plane 0\n", "names and values"),
        ("x,y,w,h\n1,2,3,4\n", "numbers"),
        ("Attribution-ShareAlike 4.0 International", "a licence"),
        ("\\documentclass{article}\n", "a program or the like"),
    ],
)
def test_what_reads_like_data_is_no_caption(tmp_path, text, words):
    found = loaded(tmp_path, "a.txt", text)
    assert captions(found)["a.jpg"] == [] and words in problems(found)["a.txt"]


def test_letters_that_were_read_as_others_are_put_right(tmp_path):
    found = loaded(tmp_path, "posts.json", [{"image": "a.jpg", "text": "Stra\u00c3\u009fe"}])
    assert captions(found)["a.jpg"] == ["Stra\u00dfe"]


def test_a_side_car_of_two_bytes_a_letter_is_read(tmp_path):
    xmp = f"<a xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>{ONE}, Straße</dc:title></a>"
    found = loaded(tmp_path, "a.xmp", xmp.encode("utf-16"))
    assert captions(found)["a.jpg"] == [f"{ONE}, Straße"]


def test_names_of_classes_come_before_their_numbers(tmp_path):
    found = loaded(tmp_path, "x.csv", "file,label,label_name\na.jpg,0,bird\nb.jpg,1,cat\n")
    assert list(items(found, "category").values()) == ["bird", "cat"]


@pytest.mark.parametrize("name", ["x.cbz", "x", "X.ZIP"])
def test_a_zip_is_known_by_its_bytes(tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.write(pictures(tmp_path / "y", "a.jpg") / "a.jpg", "a.jpg")
    assert captions(load_gallery(tmp_path / name)) == {"a.jpg": []}


def test_a_tar_that_is_cut_within_a_heading_is_told(tmp_path):
    with tarfile.open(tmp_path / "0.tar", "w") as archive:
        for name in "ab":
            archive.add(pictures(tmp_path / "y", "a.jpg") / "a.jpg", f"{name}.jpg")
    with tarfile.open(tmp_path / "0.tar") as archive:
        place = archive.getmember("b.jpg").offset
    write(tmp_path / "x" / "0.tar", (tmp_path / "0.tar").read_bytes()[: place + 100])
    found = load_gallery(tmp_path / "x")
    assert len(found) == 1 and "cut short" in problems(found)["0.tar"]


def test_lists_of_files_and_numbers_are_classes(tmp_path):
    found = loaded(tmp_path, "train.txt", "a.jpg 0\nb.jpg 1\n")
    assert items(found, "category", "split") == {"a.jpg": ("0", "train"), "b.jpg": ("1", "train")}


def test_a_saved_data_set_is_to_be_exported(tmp_path):
    write(tmp_path / "x/data-00000-of-00001.arrow", b"x")
    write(tmp_path / "x/state.json", {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})
    write(tmp_path / "x/dataset_info.json", {"citation": "", "features": {}})
    with pytest.raises(ValueError, match="export it as parquet"):
        load_gallery(tmp_path / "x")


def test_a_folder_that_begins_with_a_tilde_is_no_home(tmp_path, monkeypatch):
    pictures(tmp_path / "~nobody", "a.jpg")
    monkeypatch.chdir(tmp_path)
    assert len(load_gallery("~nobody")) == 1
    with pytest.raises(ValueError, match="There is no folder"):
        load_gallery("~nobody-else")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.csv", "image,de,fr\na.jpg,0.3,0.2\nb.jpg,0.1,0.9\n"),
        ("orders.csv", f"url,comment\nhttps://x.test/a.jpg,{ONE}\nhttps://x.test/z.jpg,{TWO}\n"),
        ("llava.json", [asked("a.jpg", "No."), asked("b.jpg", "Yes.")]),
        ("captions_of_what.txt", "See a.jpg for details.\n"),
        ("train.txt", "n01440764\ttench, Tinca tinca\n"),
        ("names.json", {"images": ["a.jpg", {}], "annotations": [ONE, {"caption": TWO}]}),
    ],
)  # fmt: skip
def test_what_is_not_said_of_a_picture_is_no_caption_of_it(tmp_path, name, content):
    found = loaded(tmp_path, name, content)
    assert captions(found) == {"a.jpg": [], "b.jpg": []} and len(found.problems)


@pytest.mark.parametrize(
    ("name", "words"),
    [("x.xlsx", "save it as CSV"), ("x.mp4", "videos:FOLDER"), ("x.jpg", "give the folder")],
)
def test_a_file_that_is_no_gallery_is_called_what_it_is(tmp_path, name, words):
    content = b"PK\3\4" if name == "x.xlsx" else b"\xff\xd8\xff" if name == "x.jpg" else b"0"
    with pytest.raises(ValueError, match=words):
        load_gallery(write(tmp_path / name, content))


@pytest.mark.parametrize("suffix", [".zst", ".7z", ".rar"])
def test_an_archive_that_is_not_read_is_to_be_unpacked(tmp_path, suffix):
    file = write(tmp_path / f"x{suffix}", b"7z")
    with pytest.raises(ValueError, match="unpack it"):
        load_gallery(file)
