"""What programs export and download leaves: read as it was meant, or told."""

import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import items, pictures, problems, r5_table, write
from hostile_server import encoded
from img2dataset_files import write_tar
from PIL import ExifTags, Image, PngImagePlugin

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.gallery.folder import GalleryError
from sigscope.images.captions import embedded_captions, xmp_texts

SETTINGS = "\nNegative prompt: lowres, bad\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 512x512"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def captions(root):
    return {id: list(texts) for id, texts in items(load_gallery(root), "captions").items()}


def test_a_table_by_image_id_as_openimages_writes_it_is_read(tmp_path):
    pictures(tmp_path / "x", "0001eeaf.jpg", "000595fe.jpg")
    text = "ImageID,Source,LabelName\n0001eeaf,verification,/m/0cmf2\n000595fe,machine,/m/04bcr3\n"
    write(tmp_path / "x/train-annotations-human-imagelabels.csv", text)
    found = items(load_gallery(tmp_path / "x"), "category")
    assert found == {"0001eeaf.jpg": "/m/0cmf2", "000595fe.jpg": "/m/04bcr3"}


def test_what_an_address_has_behind_a_name_does_not_matter(tmp_path):
    pictures(tmp_path / "x", "my cat.jpg")
    write(tmp_path / "x/list.csv", "file,caption\nmy%20cat.jpg?w=3,two\n")
    assert captions(tmp_path / "x") == {"my cat.jpg": ["two"]}


def test_paths_in_a_parquet_file_without_the_pictures_themselves_find_them(tmp_path):
    pictures(tmp_path / "x", "images/a.jpg", "images/b.jpg")
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    rows = [{"image": {"bytes": None, "path": f"images/{name}.jpg"}, "text": name} for name in "ab"]
    schema = pa.schema({"image": kind, "text": pa.string()})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "x/train.parquet")
    assert captions(tmp_path / "x") == {"images/a.jpg": ["a"], "images/b.jpg": ["b"]}


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (lambda text: text[:-14], {"c.jpg"}),
        (lambda text: text.replace('"two"', '"two'), {"b.jpg"}),
        (lambda text: text.replace('"one"', "one"), {"a.jpg"}),
    ],
)
def test_one_fault_in_an_array_costs_one_object_and_is_told(tmp_path, damage, lost):
    pictures(tmp_path / "x", "a.jpg", "b.jpg", "c.jpg")
    said = dict(zip(("a.jpg", "b.jpg", "c.jpg"), ("one", "two", "three"), strict=True))
    rows = [{"image": name, "text": text} for name, text in said.items()]
    write(tmp_path / "x/data.json", damage(json.dumps(rows)))
    found = load_gallery(tmp_path / "x")
    assert {id for id, text in items(found, "caption").items() if not text} == lost
    assert "is broken, and is left out" in problems(found)["data.json"]


def test_of_a_generators_text_the_prompt_alone_is_a_caption(tmp_path):
    pictures(tmp_path / "x", "a.jpg")
    write(tmp_path / "x/a.txt", f"a cat on a mat{SETTINGS}")
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", f"a dog in the snow{SETTINGS}")
    Image.new("RGB", (8, 8)).save(tmp_path / "x/b.png", pnginfo=info)
    assert captions(tmp_path / "x") == {"a.jpg": ["a cat on a mat"], "b.png": ["a dog in the snow"]}


@pytest.mark.parametrize("text", ["Katze auf dem Dach", "Ein K\u00e4tzchen schl\u00e4ft hier"])
def test_utf_8_after_a_promise_of_utf_16_is_read_as_what_it_is(tmp_path, text):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + text.encode()
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert embedded_captions(tmp_path / "a.jpg") == [text]


def test_a_description_in_the_words_of_tiff_is_read_from_xmp():
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><tiff:ImageDescription><rdf:Alt>'
        '<rdf:li xml:lang="x-default">A heron</rdf:li></rdf:Alt></tiff:ImageDescription>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    assert xmp_texts(packet.encode()) == ["A heron"]


def test_a_name_that_google_cut_belongs_to_the_picture_that_begins_so(tmp_path):
    name = "a picture whose long name is cut by the export as it is written"
    pictures(tmp_path / "x", f"{name[:47]}.jpg")
    write(tmp_path / "x" / f"{name[:46]}.json", {"title": f"{name}.jpg", "description": "one"})
    assert captions(tmp_path / "x") == {f"{name[:47]}.jpg": ["one"]}


def test_entities_in_a_table_are_the_signs_they_stand_for(tmp_path):
    pictures(tmp_path / "x", "a.jpg")
    write(tmp_path / "x/c.csv", "image,caption\na.jpg,Tom &amp; Jerry at the caf&eacute; R&D\n")
    assert captions(tmp_path / "x") == {"a.jpg": ["Tom & Jerry at the caf\u00e9 R&D"]}


@pytest.mark.parametrize("folder", [True, False])
def test_a_table_of_vectors_without_pictures_says_how_it_is_searched(tmp_path, folder):
    r5_table(tmp_path / "v.csv")
    with pytest.raises(GalleryError, match=r"holds vectors .* give vectors:.*"):
        load_gallery(tmp_path if folder else tmp_path / "v.csv")


def test_folders_called_images_below_a_split_are_no_class(tmp_path):
    pictures(tmp_path / "x", "train/images/a.jpg", "valid/images/b.jpg")
    found = items(load_gallery(tmp_path / "x"), "category", "split")
    assert set(found.values()) == {("", "train"), ("", "val")}


def test_a_picture_under_another_kinds_suffix_is_said_to_be_one(tmp_path):
    pictures(tmp_path / "x", "a.jpg")
    for name in ("b.xml", "c.txt", "d.db"):
        write(tmp_path / "x" / name, encoded("JPEG", (8, 8)))
    told = problems(load_gallery(tmp_path / "x"))
    assert told.keys() == {"b.xml", "c.txt", "d.db"}
    assert all("begins like JPEG" in reason and "suffix" in reason for reason in told.values())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("2020-01-01_UTC.txt", "rain"),
        ("2020-01-01_UTC.json", {"node": {"edge_media_to_caption": {"edges": [{"text": "rain"}]}}}),
    ],
)
def test_a_text_of_several_numbered_pictures_is_about_each(tmp_path, name, text):
    pictures(tmp_path / "x", "2020-01-01_UTC_1.jpg", "2020-01-01_UTC_2.jpg")
    write(tmp_path / "x" / name, text)
    assert list(captions(tmp_path / "x").values()) == [["rain"], ["rain"]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "x.json",
            [{"image": "x_1.jpg", "caption": "one"}, {"image": "x_2.jpg", "caption": "two"}],
        ),
        ("x.json", {"image": ["x_1.jpg", "x_2.jpg"], "caption": ["one", "two"]}),
    ],
)
def test_a_list_called_like_numbered_pictures_is_a_list(tmp_path, name, text):
    pictures(tmp_path / "x", "x_1.jpg", "x_2.jpg")
    write(tmp_path / "x" / name, text)
    assert captions(tmp_path / "x") == {"x_1.jpg": ["one"], "x_2.jpg": ["two"]}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("IMG.jpg.supplemental-metadata.json", ["IMG.jpg", "IMG-edited.jpg"]),
        ("IMG.jpg.supplemental-metadata(1).json", ["IMG(1).jpg", "IMG-bearbeitet(1).jpg"]),
        ("IMG.jpg.json", ["IMG-modifie\u0301.jpg"]),
    ],
)
def test_what_google_edited_has_the_text_of_its_original(tmp_path, text, names):
    pictures(tmp_path / "x", *names, "IMG-left.jpg")
    write(tmp_path / "x" / text, {"title": "IMG.jpg", "description": "the harbour"})
    expected = dict.fromkeys(names, ["the harbour"])
    assert captions(tmp_path / "x") == {**expected, "IMG-left.jpg": []}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WEBVTT\n\n00:00.000 --> 00:04.000\nHello\n", []),
        ("1\n00:00:00,000 --> 00:00:04,000\nHello\n", []),
        ("[00:12.00]Line of a song\n", []),
        ("Camera: Canon\nISO: 100\n", []),
        ("Title: My day\nISO: 100\n", ["My day"]),
        ("---\ndate: 2020\n---\nA cat\n", ["A cat"]),
        ("He: Hello!\nShe: Hello!\n", ["He: Hello!", "She: Hello!"]),
    ],
)
def test_what_is_written_for_programs_is_no_caption_and_is_told(tmp_path, text, expected):
    pictures(tmp_path / "x", "a.jpg")
    write(tmp_path / "x/a.txt", text)
    assert captions(tmp_path / "x") == {"a.jpg": expected}
    assert bool(problems(load_gallery(tmp_path / "x"))) != bool(expected)


def test_an_empty_text_is_told(tmp_path):
    pictures(tmp_path / "x", "a.jpg")
    write(tmp_path / "x/a.txt", " \n")
    assert problems(load_gallery(tmp_path / "x")) == {"a.txt": "it is empty"}


def test_all_texts_of_a_sample_are_its_captions(tmp_path):
    texts = ("a.txt", b"one"), ("a.en.txt", b"two"), ("a.json", b'{"caption": "three"}')
    write_tar(tmp_path / "x", "0", [], ("a.jpg", encoded("JPEG", (8, 8))), *texts)
    assert captions(tmp_path / "x") == {"a": ["two", "one"]}


def test_files_within_a_post_of_instagrams_export_have_their_own_words(tmp_path):
    pictures(tmp_path / "x", "media/posts/1.jpg", "media/posts/2.jpg")
    files = [{"uri": f"media/posts/{n}.jpg", "title": text} for n, text in ((1, "one"), (2, "two"))]
    write(tmp_path / "x/content/posts_1.json", [{"media": files}])
    assert list(captions(tmp_path / "x").values()) == [["one"], ["two"]]


def test_names_of_exiftool_with_their_group_are_known(tmp_path):
    pictures(tmp_path / "x", "a.jpg")
    row = {"SourceFile": "a.jpg", "IPTC:Caption-Abstract": "the old mill", "File:MIMEType": "image"}
    write(tmp_path / "x/out.json", [row])
    assert captions(tmp_path / "x") == {"a.jpg": ["the old mill"]}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("e.json", [{"image": "/data/local-files/?d=a.jpg", "caption": "a cat"}], ("a cat", "")),
        ("c.csv", "Image Name (jpg),Caption (English)\na.jpg,a cat\n", ("a cat", "")),
        ("labels.csv", "a.jpg,3\n", ("", "3")),
    ],
)
def test_names_headings_and_numbers_mean_what_they_say(tmp_path, name, text, expected):
    pictures(tmp_path / "x", "a.jpg")
    write(tmp_path / "x" / name, text)
    assert items(load_gallery(tmp_path / "x"), "caption", "category") == {"a.jpg": expected}


def test_what_lies_beside_a_shard_and_begins_like_it_is_told(tmp_path):
    write_tar(tmp_path / "x", "0", [], ("a.jpg", encoded("JPEG", (8, 8))))
    for name in ("0.idx", "0.tar.md5"):
        write(tmp_path / "x" / name, "x")
    write(tmp_path / "x/1.tar", b"")
    told = problems(load_gallery(tmp_path / "x"))
    assert told.keys() == {"0.idx", "0.tar.md5", "1.tar"}
    assert "\n" not in told["1.tar"]


def test_of_a_zip_without_pictures_the_zip_is_named_and_what_was_left_in_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("inner.zip", "PK")
    with pytest.raises(GalleryError, match=r"x\.zip holds no pictures .*inner\.zip: it is an arch"):
        load_gallery(tmp_path / "x.zip")


def test_pairs_of_files_and_labels_are_read(tmp_path):
    pictures(tmp_path / "x", "a.jpg", "b.jpg")
    write(tmp_path / "x/dataset.json", {"labels": [["a.jpg", 3], ["b.jpg", "a cat"]]})
    found = items(load_gallery(tmp_path / "x"), "caption", "category")
    assert found == {"a.jpg": ("", "3"), "b.jpg": ("a cat", "")}


def test_further_pictures_in_the_lists_of_a_parquet_file_are_told(tmp_path):
    packed = [{"bytes": encoded("JPEG", (8, 8)), "path": None}] * 3
    (tmp_path / "x").mkdir()
    table = pa.Table.from_pylist([{"images": packed, "text": "a"}])
    pq.write_table(table, tmp_path / "x/train.parquet")
    found = load_gallery(tmp_path / "x")
    assert len(found) == 1
    assert "not 2 further" in problems(found)["train.parquet"]


def test_captions_of_pictures_that_coco_does_not_list_are_told(tmp_path):
    pictures(tmp_path / "x", "a.jpg")
    notes = [{"image_id": 1, "captions": ["one", "two"]}, {"image_id": 2, "caption": "stray"}]
    said = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": notes}
    write(tmp_path / "x/captions_val.json", said)
    assert captions(tmp_path / "x") == {"a.jpg": ["one", "two"]}
    reason = "1 caption of no picture that is listed: not used"
    assert problems(load_gallery(tmp_path / "x")) == {"captions_val.json": reason}
