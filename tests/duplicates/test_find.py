"""Copies of drawn pictures are found, and other pictures of the same kind are not."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFont
from small_gallery import small_gallery

from sigscope.datasets.load import load_gallery
from sigscope.duplicates.compare import gathered
from sigscope.duplicates.find import find_duplicates, leaks, mark_duplicates, without_duplicates
from sigscope.duplicates.near import CloserLook
from sigscope.duplicates.signatures import read_signatures
from sigscope.duplicates.splits import LeakError, check_splits
from sigscope.embeddings.load import Embeddings


def drawing(seed: int, size: int = 240) -> Image.Image:
    """A picture of a dozen coloured shapes on a background of a colour."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (size, size), tuple(rng.integers(150, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for number in range(12):
        (x, y), side = rng.integers(0, size, 2), rng.integers(size // 8, size // 3)
        shape = (draw.ellipse, draw.rectangle)[number % 2]
        colour = tuple(rng.integers(0, 256, 3).tolist())
        shape((x, y, x + side, y + side), fill=colour, outline="black", width=3)
    return picture


def cropped(picture: Image.Image, left=0.0, top=0.0, right=0.0, bottom=0.0) -> Image.Image:
    w, h = picture.size
    return picture.crop(
        (round(w * left), round(h * top), round(w * (1 - right)), round(h * (1 - bottom)))
    )


def pairs(folder: Path, **options) -> dict[str, tuple[str, str]]:
    """Return what was found in a folder: the copy's id -> the kept id and the kind."""
    found = find_duplicates(load_gallery(folder), **options)
    return {row.id: (row.kept, row.kind) for row in found.itertuples()}


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> Path:
    """A folder of thirty different drawings."""
    folder = tmp_path_factory.mktemp("drawings")
    for seed in range(30):
        drawing(seed).save(folder / f"{seed:02}.png")
    return folder


def with_one_more(others: Path, folder: Path, name: str, picture: Image.Image, **how) -> Path:
    for file in others.iterdir():
        (folder / file.name).hardlink_to(file)
    picture.save(folder / name, **how)
    return folder


def test_different_drawings_are_no_duplicates(others):
    assert pairs(others) == {}


COPIES = {
    "half the size": (lambda p: p.resize((120, 120)), {}),
    "a third": (lambda p: p.resize((80, 80), Image.Resampling.BILINEAR), {}),
    "grey": (lambda p: p.convert("L"), {}),
    "cut all round": (lambda p: cropped(p, 0.02, 0.03, 0.03, 0.02), {}),
    "cut on one side": (lambda p: cropped(p, left=0.06), {}),
    "poor JPEG": (lambda p: p, {"format": "JPEG", "quality": 30}),
    "small, cut and poor": (lambda p: cropped(p, 0.02, 0, 0, 0.02).resize((120, 120)),
                            {"format": "JPEG", "quality": 50}),
}  # fmt: skip


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_and_nothing_else_is(others, tmp_path, kind):
    change, how = COPIES[kind]
    folder = with_one_more(others, tmp_path, "copy.png", change(drawing(7)), **how)
    found = find_duplicates(load_gallery(folder))
    assert [{row.id, row.kept} for row in found.itertuples()] == [{"07.png", "copy.png"}]
    assert found["kind"].tolist() == ["near"]


def test_the_largest_is_kept_whatever_its_name(others, tmp_path):
    folder = with_one_more(others, tmp_path, "zz.png", drawing(7).resize((300, 300)))
    assert pairs(folder) == {"07.png": ("zz.png", "near")}


def test_the_same_file_is_found_without_decoding_anything(tmp_path):
    for name in ("b.jpg", "a.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"no picture, but the same" if name != "c.jpg" else b"other")
    gallery = small_gallery()
    items = gallery.items.head(3).assign(path=["b.jpg", "a.jpg", "c.jpg"])
    found = find_duplicates(type(gallery)("files", tmp_path, items, gallery.problems), near=False)
    assert found.values.tolist() == [["01", "00", "same file", 1.0, False]]


def test_a_content_column_is_believed_and_only_files_of_equal_size_are_read(tmp_path, monkeypatch):
    for name in "abcd":
        (tmp_path / name).write_bytes(b"1234" if name != "d" else b"12345")
    read = []
    monkeypatch.setattr(
        "sigscope.duplicates.signatures.content_of", lambda file: read.append(file.name) or "x"
    )
    gallery = small_gallery()
    known = hashlib.sha256(b"1234").hexdigest()
    items = gallery.items.head(4).assign(path=list("abcd"), content=[known, known, "", ""])
    found = find_duplicates(type(gallery)("files", tmp_path, items, gallery.problems), near=False)
    assert found[["id", "kept"]].values.tolist() == [["01", "00"]] and read == ["c"]


def test_files_that_cannot_be_hashed_are_the_same_as_no_other(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).write_bytes(b"1234")
    monkeypatch.setattr("sigscope.duplicates.signatures.content_of", lambda file: "")
    gallery = small_gallery()
    items = gallery.items.head(2).assign(path=list("ab"))
    files = type(gallery)("files", tmp_path, items, gallery.problems)
    assert find_duplicates(files, near=False).empty


def test_the_same_pixels_in_another_format_are_told_from_near_ones(others, tmp_path):
    folder = with_one_more(others, tmp_path, "same.bmp", drawing(3))
    assert pairs(folder) == {"03.png": ("same.bmp", "same pixels")}, "the larger file is kept"


def test_plain_pictures_are_duplicates_only_when_their_pixels_are(tmp_path):
    for name, colour in {"a.png": "white", "b.bmp": "white", "c.png": "#fefefe"}.items():
        Image.new("RGB", (90, 90), colour).save(tmp_path / name)
    nearly = Image.new("RGB", (90, 90), "white")
    ImageDraw.Draw(nearly).line((20, 40, 70, 41), fill="#dddddd")
    nearly.save(tmp_path / "faint.png")
    assert pairs(tmp_path) == {"a.png": ("b.bmp", "same pixels")}


def flag(colours: str, across: bool = False) -> Image.Image:
    picture = Image.new("RGB", (240, 160))
    for number, colour in enumerate(colours.split()):
        box = (80 * number, 0, 80 * number + 79, 160) if across else (0, 53 * number, 240, 160)
        picture.paste(colour, box)
    return picture


def test_flags_of_one_layout_are_no_duplicates(tmp_path):
    flags = {
        "chad": flag("#002664 #FECB00 #C60C30", across=True),
        "romania": flag("#002B7F #FCD116 #CE1126", across=True),
        "italy": flag("#009246 #FFFFFF #CE2B37", across=True),
        "ireland": flag("#169B62 #FFFFFF #FF883E", across=True),
        "netherlands": flag("#AE1C28 #FFFFFF #21468B"),
        "luxembourg": flag("#ED2939 #FFFFFF #00A1DE"),
    }
    for name, picture in flags.items():
        picture.save(tmp_path / f"{name}.png")
    assert pairs(tmp_path) == {}


def test_a_series_of_numbered_pictures_is_no_set_of_duplicates(tmp_path):
    for number in range(1, 13):
        picture = drawing(1)
        draw = ImageDraw.Draw(picture)
        draw.rectangle((70, 80, 170, 160), fill="white", outline="black", width=3)
        font = ImageFont.load_default(size=60)
        draw.text((85, 85), f"{number:02}", fill="black", font=font)
        picture.save(tmp_path / f"{number:02}.png")
    assert pairs(tmp_path) == {}


def test_pictures_of_one_luma_and_other_colours_are_told_apart(tmp_path):
    for name, colour in {"a": (200, 0, 0), "b": (0, 102, 0), "c": (1, 102, 0)}.items():
        picture = Image.new("RGB", (128, 128), "white")
        ImageDraw.Draw(picture).rectangle((20, 32, 91, 99), fill=colour)
        picture.save(tmp_path / f"{name}.png")
    ((one, (kept, kind)),) = pairs(tmp_path).items()
    assert {one, kept} == {"b.png", "c.png"} and kind == "near"


def test_a_broken_file_is_compared_as_a_file_alone(others, tmp_path, caplog):
    folder = with_one_more(others, tmp_path, "copy.png", drawing(7).convert("L"))
    for name in ("broken.png", "broken-too.png"):
        (folder / name).write_bytes((others / "02.png").read_bytes()[:900])
    assert pairs(folder)["broken.png"] == ("broken-too.png", "same file")
    assert "1 pictures cannot be read" in caplog.text


def test_a_file_that_vanishes_while_looking_is_like_nothing(others):
    files = [others / "01.png", others / "gone.png"]
    luma = read_signatures([others / "01.png"] * 2).luma
    look = CloserLook(files, luma, np.ones(2))
    assert np.isinf(look.differences(np.array([0]), np.array([1])))


def test_a_chain_of_small_changes_joins_nothing_that_differs():
    def apart(best, rows):
        return np.where(np.abs(rows - best) <= 1, 0.25, np.inf)

    pairs = np.array([(0, 1), (1, 2), (2, 3)])
    kept, alike = gathered(5, pairs, lambda row: -row, apart)
    assert kept.tolist() == [0, 0, 2, 2, 4] and alike.tolist() == [1, 0.8, 1, 0.8, 1]


def test_embeddings_propose_and_pixels_decide(others, tmp_path, monkeypatch):
    nobody = np.empty((2, 0), np.int64)
    monkeypatch.setattr("sigscope.duplicates.compare.candidates", lambda luma: tuple(nobody))
    change = cropped(drawing(7), 0.04, 0.03, 0.04, 0.04)
    gallery = load_gallery(with_one_more(others, tmp_path, "copy.png", change))
    x = np.eye(31, dtype=np.float32)
    ids = gallery.items["id"].to_numpy(object)
    x[ids == "copy.png"] = x[ids == "07.png"]
    x[ids == "01.png"] = x[ids == "02.png"]
    nothing = np.empty(0)
    close = Embeddings(tmp_path, ids, x, nothing, nothing, nothing, {}, pd.DataFrame())
    assert find_duplicates(gallery).empty
    assert find_duplicates(gallery, close)["kept"].tolist() == ["07.png"]


def found(*rows, kind="near") -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["id", "kept"])
    return table.assign(kind=kind, likeness=0.7, across_splits=False)


def test_marks_end_at_one_kept_picture_and_those_there_stay():
    gallery = small_gallery()
    gallery.items.loc[2, "duplicate_of"] = "01"
    marked = mark_duplicates(gallery, found(("01", "00"), ("05", "04"), ("04", "03")))
    marks = marked.items.set_index("id")["duplicate_of"]
    assert marks[marks != ""].to_dict() == {"01": "00", "02": "00", "04": "03", "05": "03"}
    assert gallery.items.loc[1, "duplicate_of"] == "" and marked.fingerprint == gallery.fingerprint
    assert without_duplicates(marked).items["id"].tolist()[:3] == ["00", "03", "06"]
    with pytest.raises(ValueError, match="small has no item 'x' to mark"):
        mark_duplicates(gallery, found(("x", "00")))


def test_a_marked_copy_that_is_found_again_takes_its_group_along():
    gallery = small_gallery()
    gallery.items.loc[2, "duplicate_of"] = "01"
    marks = mark_duplicates(gallery, found(("02", "07"))).items.set_index("id")["duplicate_of"]
    assert marks[marks != ""].to_dict() == {"01": "07", "02": "07"}


def test_marks_in_a_circle_come_to_an_end():
    gallery = small_gallery()
    gallery.items.loc[[0, 1], "duplicate_of"] = ["01", "00"]
    marked = mark_duplicates(gallery, found(("02", "00")))
    assert len(marked) == 60


def test_leaks_are_the_pairs_on_two_sides():
    gallery = small_gallery()
    table = leaks(gallery, found(("01", "00"), ("03", "00"), ("04", "05")))
    assert table[["id", "split", "twin", "twin_split"]].values.tolist() == [
        ["03", "train", "00", "test"]
    ]
    assert table["kind"].tolist() == ["near"]
    assert leaks(gallery).empty


def test_a_kept_picture_in_no_split_hides_no_leak_between_its_duplicates():
    gallery = small_gallery()
    gallery.items.loc[0, "split"] = ""
    table = leaks(gallery, found(("01", "00"), ("03", "00")))
    assert table[["id", "twin"]].values.tolist() == [["03", "01"]]


def test_splits_with_a_leak_are_refused_and_others_are_not():
    gallery = small_gallery()
    check_splits(gallery)
    check_splits(mark_duplicates(gallery, found(("01", "00"))))
    leaky = mark_duplicates(gallery, found(("03", "00"), ("04", "00")))
    with pytest.raises(LeakError, match=r"2 pictures of .* first '03' \(train\) and '00'"):
        check_splits(leaky)
    with pytest.raises(LeakError):
        check_splits(leaky, "test")
    check_splits(leaky, "val")
    check_splits(without_duplicates(leaky))


def test_files_are_not_touched(others):
    before = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in others.iterdir()}
    find_duplicates(load_gallery(others))
    after = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in others.iterdir()}
    assert before == after
