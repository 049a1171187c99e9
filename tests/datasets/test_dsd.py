from io import BytesIO

import pandas as pd
import pytest
from dataset_files import items
from PIL import Image

from sigscope import paths
from sigscope.datasets import parquet
from sigscope.datasets.dsd import load_dsd
from sigscope.datasets.load import load_gallery
from sigscope.gallery.folder import GalleryError


def picture(colour, kind="PNG"):
    buffer = BytesIO()
    Image.new("RGB", (6, 6), colour).save(buffer, kind)
    return {"bytes": buffer.getvalue(), "path": None}


@pytest.fixture
def dsd(tmp_path, monkeypatch):
    """Two parquet files with the pictures in them, the second with a row that has none."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    folder = tmp_path / "dsd" / "data"
    folder.mkdir(parents=True)
    rows = [
        [(picture("red"), "a red cat "), (picture("blue", "JPEG"), "a blue cat")],
        [({"bytes": None, "path": None}, "gone"), (picture("green"), None)],
    ]
    for number, part in enumerate(rows):
        conditioning, caption = zip(*part, strict=True)
        table = pd.DataFrame({"image": [picture("white")] * 2, "conditioning": conditioning})
        table.assign(caption=caption).to_parquet(folder / f"train-{number:05}-of-00002.parquet")
    return tmp_path / "dsd"


def test_pictures_and_captions_come_out_of_the_parquet_files(dsd):
    found = load_gallery(f"dsd:{dsd}")
    assert items(found, "captions") == {"0": ["a red cat"], "1": ["a blue cat"], "3": []}
    assert [found.picture(id).getpixel((3, 3))[:3] for id in ("0", "3")] == [
        (255, 0, 0),
        (0, 128, 0),
    ]
    assert found.file("1").suffix == ".jpg"
    told = found.problems["reason"].tolist()
    assert told.count("its column image holds pictures as well, which are not taken") == 2
    assert told.count("row 0 holds no picture") == 1 and len(told) == 3


def test_the_folder_of_the_data_set_is_not_written_to(dsd):
    before = sorted(dsd.rglob("*"))
    assert load_dsd(dsd).root.is_relative_to(paths.CACHE)
    assert sorted(dsd.rglob("*")) == before


def test_pictures_are_written_once(dsd, monkeypatch):
    first = load_dsd(dsd)
    monkeypatch.setattr(parquet, "_extract", lambda *_: pytest.fail("written again"))
    assert load_dsd(dsd).items.equals(first.items)


@pytest.mark.parametrize(("rows", "ids"), [(1, ["0"]), (4, ["0", "1", "3"])])
def test_only_the_first_rows_are_taken(dsd, monkeypatch, rows, ids):
    monkeypatch.setattr("sigscope.datasets.dsd.R5_ROWS", rows)
    assert list(items(load_dsd(dsd), "caption")) == ids
    assert items(load_dsd(dsd), "caption")["0"] == "a red cat"


def test_a_stopped_extraction_leaves_no_folder(dsd, monkeypatch):
    def stops(*_):
        yield 0, picture("red")["bytes"]
        raise KeyboardInterrupt

    monkeypatch.setattr("sigscope.datasets.parquet._pictures", stops)
    with pytest.raises(KeyboardInterrupt):
        load_dsd(dsd)
    assert not [path for path in paths.CACHE.rglob("*") if path.is_file()]
    monkeypatch.undo()


def test_a_folder_without_its_files_says_what_is_expected(tmp_path):
    with pytest.raises(
        GalleryError, match=r"no parquet files of DSD .*https://huggingface.co/datasets/pri"
    ):
        load_dsd(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(GalleryError, match="a.parquet is not whole .* download it again"):
        load_dsd(tmp_path)
