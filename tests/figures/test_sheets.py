import base64
from io import BytesIO

import pandas as pd
import pytest
from PIL import Image, ImageOps

from sigscope.figures import sheets
from sigscope.figures.sheets import picture_sheet, table_sheet, text_card

RED = Image.new("RGB", (50, 50), "red")


def test_a_sheet_has_as_many_columns_as_asked_and_rows_as_needed():
    sheet = picture_sheet([RED] * 5, ["a"] * 5, columns=2, size=64)
    assert sheet.image.width == 10 + 2 * (64 + 10)
    assert sheet.image.height == 10 + 3 * (64 + 6 + 15 + 10)
    assert picture_sheet([RED], ["a"], columns=5, size=64).image.width == 10 + 64 + 10


def test_each_picture_stands_in_its_place_on_white():
    blue = Image.new("RGB", (100, 20), "blue")
    page = picture_sheet([RED, blue], ["", ""], size=64).image
    assert page.getpixel((10 + 32, 10 + 32)) == (255, 0, 0)
    assert page.getpixel((10 + 64 + 10 + 32, 10 + 32)) == (0, 0, 255)
    assert page.getpixel((10 + 64 + 10 + 32, 10 + 8)) == (255, 255, 255), "a wide one is not cut"


def test_the_second_row_stands_below_the_captions_of_the_first():
    blue = Image.new("RGB", (50, 50), "blue")
    page = picture_sheet([RED, blue], ["a\nb", ""], columns=1, size=64).image
    below = 10 + 64 + 6 + 2 * 15 + 10
    assert page.getpixel((42, below - 2)) == (255, 255, 255)
    assert page.getpixel((42, below + 4)) == (0, 0, 255)


def test_a_tiny_picture_keeps_its_hard_edges():
    two = Image.new("RGB", (2, 2), "red")
    two.paste("blue", (1, 0, 2, 2))
    page = picture_sheet([two], [""], size=64).image
    assert page.getpixel((40, 42)) == (255, 0, 0)
    assert page.getpixel((43, 42)) == (0, 0, 255)


def test_a_single_pixel_is_enlarged_to_be_seen():
    page = picture_sheet([Image.new("RGB", (1, 1), "red")], [""], size=64).image
    assert page.getpixel((14, 14)) == page.getpixel((70, 70)) == (255, 0, 0)


def test_a_text_card_carries_its_words_in_the_middle():
    card = text_card("a red car", 64)
    assert card.size == (64, 64)
    left, top, right, bottom = ImageOps.invert(card).getbbox()
    assert left == pytest.approx(64 - right, abs=3), "centred"
    assert top > 16 and bottom < 48


def test_marked_pictures_have_a_green_frame_and_others_have_not():
    page = picture_sheet([RED, RED], ["", ""], size=64, marked=[True, False]).image
    assert page.getpixel((11, 11)) == (0x00, 0x9E, 0x73)
    assert page.getpixel((10 + 74 + 1, 11)) != (0x00, 0x9E, 0x73)


def test_a_notebook_gets_a_small_jpeg_and_the_same_words_each_time():
    sheet = picture_sheet([RED] * 4, ["one", "two\nlines", "three", "four"])
    data, metadata = sheet._repr_mimebundle_()
    assert Image.open(BytesIO(base64.b64decode(data["image/jpeg"]))).size == sheet.image.size
    assert base64.b64decode(data["image/jpeg"]) == sheet._repr_jpeg_()
    assert repr(sheet) == data["text/plain"] == "Sheet: 4 pictures: one; two lines; three; …"
    assert metadata["image/jpeg"]["alt"] == sheet.alt


@pytest.mark.parametrize(
    "caption", ["word " * 50, "unbreakable" * 20, "one\ntwo\nthree\nfour\nfive"]
)
def test_a_long_caption_ends_in_dots_and_stays_below_its_picture(caption):
    lines = sheets._wrapped(caption, 128)
    assert len(lines) <= sheets.MAX_LINES
    assert lines[-1].endswith("…")
    assert all(sheets._font(line).getlength(line) <= 128 for line in lines)


def test_a_short_caption_is_left_as_it_is():
    assert sheets._wrapped("a red car", 128) == ["a red car"]


@pytest.mark.parametrize(
    ("caption", "drawn"), [("café Łódź", "cafe ?odz"), ("中 ok", "? ok"), ("plain", "plain")]
)
def test_letters_that_no_font_has_fall_back_to_what_can_be_drawn(caption, drawn, monkeypatch):
    monkeypatch.setattr(sheets, "_other_fonts", list)
    assert sheets._wrapped(caption, 200) == [drawn]


def test_results_that_are_none_are_said_to_be_none():
    sheet = table_sheet(None, pd.DataFrame({"id": [], "caption": []}), size=64)
    assert "no picture" in repr(sheet) and sheet.image.size == (64, 64)


def test_results_stand_in_their_order_with_their_scores():
    class Gallery:
        def picture(self, id):
            return Image.new("RGB", (9, 9), id)

    results = pd.DataFrame({"id": ["red", "blue"], "score": [0.314, 0.2], "caption": ["a", "b"]})
    sheet = table_sheet(Gallery(), results, size=64)
    assert sheet.alt == "2 pictures: 0.31 a; 0.20 b"
    assert table_sheet(Gallery(), results[["id", "caption"]]).alt == "2 pictures: a; b"
    assert sheet.image.getpixel((10 + 32, 10 + 32)) == (255, 0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"captions": ["only one"]},
        {"pictures": [], "captions": []},
        {"columns": 0},
        {"size": 4},
        {"marked": [True]},
    ],
)
def test_what_cannot_be_laid_out_is_refused_in_a_sentence(wrong):
    with pytest.raises(ValueError, match=r"a sheet needs|columns is"):
        picture_sheet(**({"pictures": [RED] * 2, "captions": ["a", "b"]} | wrong))
