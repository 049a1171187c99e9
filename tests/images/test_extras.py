"""HEIC photographs and the previews of raw files, with the extras and without them."""

import random
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from raw_files import dng

from sigscope.datasets.load import load_gallery
from sigscope.downloads.pictures import Saving, keep
from sigscope.gallery.archives import unpacked
from sigscope.images.read import PictureError, open_picture

HALVES = Image.fromarray(np.repeat(np.array([[[200, 30, 30]], [[30, 30, 200]]], np.uint8), 160, 1))
HALVES = HALVES.resize((320, 200), Image.Resampling.NEAREST)  # red above, blue below


def heic(picture: Image.Image = HALVES) -> bytes:
    file = BytesIO()
    pillow_heif.from_pillow(picture).save(file, quality=90)
    return file.getvalue()


KINDS = {"photo.heic": heic(), "photo.dng": dng(HALVES)}


def is_red(picture: Image.Image, x: int, y: int) -> bool:
    red, _, blue = picture.getpixel((x, y))
    return red > 150 and blue < 80


@pytest.mark.parametrize("name", KINDS)
def test_picture_is_read_from_a_file_and_from_bytes(tmp_path, name):
    (tmp_path / name).write_bytes(KINDS[name])
    for source in (tmp_path / name, KINDS[name]):
        picture = open_picture(source)
        assert picture.size == (320, 200) and picture.mode == "RGB"
        assert is_red(picture, 160, 20) and not is_red(picture, 160, 180)


@pytest.mark.parametrize(("orientation", "red"), [(3, (160, 180)), (6, (180, 160)), (8, (20, 160))])
def test_preview_stands_as_the_raw_file_says(orientation, red):
    picture = open_picture(dng(HALVES, orientation))
    assert picture.size == ((320, 200) if orientation == 3 else (200, 320))
    assert is_red(picture, *red)


def test_ordinary_tiff_is_no_raw_file():
    file = BytesIO()
    HALVES.save(file, "TIFF", tiffinfo={271: "Maker"})
    assert open_picture(file.getvalue()).size == (320, 200)


def test_folder_zip_and_downloader_take_the_same_kinds(tmp_path):
    from zipfile import ZipFile

    folder = tmp_path / "photographs"
    folder.mkdir()
    with ZipFile(tmp_path / "photographs.zip", "w") as archive:
        for name, data in KINDS.items():
            (folder / name).write_bytes(data)
            archive.writestr(name, data)
            assert keep(data, Saving(format="original"), 10**6).suffix == Path(name).suffix
    for place in (folder, unpacked(tmp_path / "photographs.zip")):
        gallery = load_gallery(place)
        assert gallery.items["id"].tolist() == sorted(KINDS) and gallery.problems.empty
        assert all(gallery.picture(id).size == (320, 200) for id in KINDS)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", KINDS)
def test_hostile_file_is_a_picture_or_a_sentence(name):
    rng, data = random.Random(0), KINDS[name]
    cut = [data[: len(data) * part // 20] for part in range(1, 20)]
    broken = []
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 30)):
            changed[rng.randrange(min(len(data), 900))] = rng.randrange(256)
        broken.append(bytes(changed))
    refused = 0
    for attack in [*cut, *broken]:
        try:
            assert open_picture(attack).mode == "RGB"
        except PictureError as reason:
            refused += 1
            known = ("cannot be read: it is", "million pixels", "has no pixels")
            assert any(words in str(reason) for words in known) and "\n" not in str(reason)
    assert refused > 10


WITHOUT = """
import sys
sys.modules["pillow_heif"] = sys.modules["rawpy"] = None
from sigscope.datasets.load import load_gallery
gallery = load_gallery(sys.argv[1])
print(gallery.items["id"].tolist())
for row in gallery.problems.itertuples():
    print(row.path, row.reason)
"""


def test_missing_extra_is_named_in_the_row_of_each_file(tmp_path):
    HALVES.save(tmp_path / "a.png")
    for name in ("b.heic", "c.cr2", "d.nef", "e.dng"):
        (tmp_path / name).write_bytes(KINDS["photo.heic" if name == "b.heic" else "photo.dng"])
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, tmp_path], capture_output=True, text=True, check=True
    )
    listed, *rows = done.stdout.splitlines()
    assert listed == "['a.png']" and [row.split()[0] for row in rows] == [
        "b.heic", "c.cr2", "d.nef", "e.dng",
    ]  # fmt: skip
    extras = ["heif", "raw", "raw", "raw"]
    for row, extra in zip(rows, extras, strict=True):
        assert f"pip install 'sigscope[{extra}]'" in row
