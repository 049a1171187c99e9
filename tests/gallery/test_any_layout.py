"""Layouts made at random of what people have: nothing vanishes, nothing but a sentence is raised.

SIGSCOPE_FUZZ says how many layouts are tried; few are in the quick tests.
"""

import os
import zipfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.gallery.folder import GalleryError
from sigscope.images.read import plain

TRIES = int(os.environ.get("SIGSCOPE_FUZZ", 40))
FOLDERS = [
    *("", "train/", "train/cat/", "test/dog/", "data/", "images/", "labels/", "a b/"),
    *("@eaDir/", "__MACOSX/", ".git/", "x.photoslibrary/resources/", "x.photoslibrary/originals/"),
]
NAMES = [
    *("a", "b", "00000", "IMG_1", "Mu\u0308ll", "M\u00fcll", "metadata", "captions", "classes"),
    *("train-00000-of-00001", "LICENSE", "captions_val2017", "._a", "dataset_coco", "\udce9"),
]
SUFFIXES = [
    *(".jpg", ".JPG", ".png", "", ".jpg_large", ".heic", ".txt", ".jpg.txt", ".caption", ".json"),
    *(".jsonl", ".csv", ".tsv", ".parquet", ".xmp", ".tar", ".zip", ".jpg.part", ".npy", ".mp4"),
]


def _picture(format: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, format)
    return file.getvalue()


TEXTS = [
    *('file_name,text\na.jpg,a cat\nb.jpg,"a "" dog"\n', "file_name;text\r\na.jpg;Stra\u00dfe\r\n"),
    *("sep=;\nimage;caption;caption\n/home/x/a.jpg;one;two\n", "0 0.5 0.5 0.1 0.1\n", "a red ball"),
    *(
        '{"file_name": "a.jpg", "text": ["a\\ud800", null, NaN]}\n',
        '[{"image": "a.png", "title": "x"}]',
    ),
    *('{"images": [{"id": "1", "file_name": "a.jpg"}], "annotations": [{"image_id": 1}]}', "{"),
    *("a.jpg a cat, asleep\nb.jpg 1\n", '["a.jpg", "one"]\n["b.jpg"]\n', "a\tone two three\n"),
    *("My pictures\n\nimage^caption\na.jpg^one\n", '[{"a.jpg": {"conversations": [{}]}}]'),
    '{"images": ["a.jpg", {}], "annotations": ["x", {"caption": "y"}]}',
    '{"images": {"1": {"file_name": "a.jpg"}, "01": {}}, "annotations": {"x": {"image_id": 1}}}',
    *("version https://git-lfs.github.com/spec/v1\n", 'file_name,text\na.jpg,"never closed\n', ""),
]
CONTENTS = st.one_of(
    st.sampled_from([_picture("JPEG"), _picture("PNG"), _picture("JPEG")[:-2], b"", b"PK\3\4"]),
    st.tuples(
        st.sampled_from(TEXTS), st.sampled_from(["utf-8", "utf-16", "cp1252", "utf-8-sig"])
    ).map(lambda pair: pair[0].encode(pair[1], "replace")),
    st.binary(max_size=80),
)
LAYOUTS = st.dictionaries(
    st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES), st.sampled_from(SUFFIXES)).map(
        "".join
    ),
    CONTENTS,
    min_size=1,
    max_size=9,
)
ANY = settings(
    max_examples=TRIES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def written(root, layout):
    """Write a layout as far as one name is no folder of another, and return what was written."""
    for name, data in layout.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return {plain(name) for name in layout}


@ANY
@given(layout=LAYOUTS)
def test_every_file_is_an_item_a_part_of_one_or_a_problem(layout):
    with TemporaryDirectory() as folder:
        names = written(Path(folder, "layout"), layout)
        try:
            found = load_gallery(Path(folder, "layout"))
        except GalleryError as error:
            assert len(str(error)) > 20
            return
    told = set(found.problems["path"])
    items = set(found.items["path"])
    if found.counts:
        assert sum(found.counts.values()) == len(names)
        assert found.counts["pictures"] == len(items)
        unexplained = {name for name in names - items - told if not _is_below(name, told)}
        assert len(unexplained) <= found.counts["texts and tables"]
    "".join(text for texts in found.items["captions"] for text in texts).encode()
    "".join([*found.items["id"], *found.problems.stack()]).encode()


def _is_below(name: str, told: set[str]) -> bool:
    """Return whether a folder above a file stands for it among the problems."""
    parts = name.split("/")
    above = {"/".join(parts[:n]) + "/" for n in range(1, len(parts))}
    is_hidden = parts[-1].startswith(".")
    return bool(above & told) or (is_hidden and "./" in told)


@ANY
@given(layout=LAYOUTS)
def test_any_zip_is_a_gallery_or_a_sentence(layout):
    with TemporaryDirectory() as folder:
        file = Path(folder, "x.zip")
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in layout.items():
                archive.writestr(name.encode("utf-8", "replace").decode(), data)
        try:
            assert len(load_gallery(file))
        except GalleryError as error:
            assert len(str(error)) > 20
