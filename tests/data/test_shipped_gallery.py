"""The gallery in data/gallery keeps its promises, and its cleaning rules do what they say."""

import csv
import json
import re
import sys
from collections import Counter
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from sigscope.paths import DATA, GALLERY

sys.path.insert(0, str(DATA))

from gallery_categories import CATEGORIES, category, dropped  # noqa: E402
from gallery_cleaning import (  # noqa: E402
    BANNED,
    clean_author,
    clean_keywords,
    clean_title,
    is_generic,
    same_thing,
    sentence,
    series_key,
    slug,
    with_article,
)
from gallery_twins import groups, split, thumbnail, twins  # noqa: E402

FIELDS = {"file_name", "text", "captions", "category", "split", "source", "licence", "author"}
FIELDS |= {"origin", "kind", "duplicate_of", "series", "edited"}


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    lines = (GALLERY / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def by_id(rows) -> dict[str, dict]:
    return {row["file_name"]: row for row in rows}


@pytest.fixture(scope="module")
def translations() -> list[dict]:
    with (GALLERY / "translations.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_holds_at_least_3000_pictures_once_each(rows, by_id):
    assert len(rows) >= 3000
    assert len(by_id) == len(rows) == len({row["origin"] + row["source"] for row in rows})


def test_every_listed_picture_is_there_and_no_other(by_id):
    files = {path.relative_to(GALLERY).as_posix() for path in GALLERY.glob("images/**/*.*")}
    assert files == set(by_id)


@pytest.mark.slow
def test_every_picture_opens_within_256_pixels_and_is_not_blank(rows):
    for row in rows:
        with Image.open(GALLERY / row["file_name"]) as picture:
            assert picture.format == "WEBP" and picture.mode == "RGB", row["file_name"]
            assert min(picture.size) >= 8 and max(picture.size) <= 256, row["file_name"]
            dark = np.asarray(picture.convert("L").resize((32, 32))).min()
        assert dark < 240, row["file_name"]


def test_the_whole_is_under_40_mb():
    assert sum(path.stat().st_size for path in GALLERY.rglob("*") if path.is_file()) < 40e6


def test_every_row_has_every_field_and_owner(rows):
    for row in rows:
        assert set(row) == FIELDS
        assert row["licence"] and row["author"] and "@" not in row["author"], row["file_name"]
        assert row["kind"] in {"drawing", "photo"} and row["split"] in {"train", "val", "test"}
    owners = {(row["source"], row["licence"]) for row in rows}
    assert owners == {("openclipart", "public domain"), ("tuxpaint", "GPL-2.0-or-later")}


def test_licence_texts_lie_beside_the_pictures():
    texts = {path.name: path.read_text() for path in (GALLERY / "licences").iterdir()}
    assert "Public Domain" in texts["openclipart-svg.txt"]
    assert "version 2 of the License, or" in texts["tuxpaint-stamps-default.txt"]
    assert "GNU GENERAL PUBLIC LICENSE" in texts["GPL-2.txt"]


def test_categories_are_15_to_25_of_at_least_40_pictures(rows):
    counts = Counter(row["category"] for row in rows)
    assert 15 <= len(counts) <= 25 and min(counts.values()) >= 40
    assert set(counts) == set(CATEGORIES)
    assert counts["signs and text"] >= 300


def test_captions_are_short_plain_english_without_junk(rows):
    for row in rows:
        assert row["text"] == row["captions"][0]
        assert len(set(row["captions"])) == len(row["captions"])
        for caption in row["captions"]:
            assert caption == " ".join(caption.split()) and caption.isascii(), caption
            assert 1 <= len(caption.split()) <= 40 and "_" not in caption, caption
            assert not BANNED.search(caption), caption


def test_titles_do_not_name_a_collection_or_its_author(rows):
    for row in rows:
        assert not is_generic(row["text"]), row["origin"]
        assert row["author"].lower() not in row["text"].lower().split(), row["origin"]


def test_most_pictures_have_two_captions(rows):
    assert sum(len(row["captions"]) > 1 for row in rows) > len(rows) / 2


def test_no_series_lies_on_two_sides_of_the_split(rows):
    sides: dict[str, set] = {}
    for row in rows:
        sides.setdefault(row["series"], set()).add(row["split"])
    assert not [name for name, where in sides.items() if len(where) > 1]


def test_the_split_is_about_70_10_20(rows):
    counts = Counter(row["split"] for row in rows)
    shares = [counts[side] / len(rows) for side in ("train", "val", "test")]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.04)


def test_every_category_is_in_every_split(rows):
    assert len({(row["category"], row["split"]) for row in rows}) == 3 * len(CATEGORIES)


def test_a_duplicate_points_to_a_kept_picture_of_its_series(rows, by_id):
    marked = [row for row in rows if row["duplicate_of"]]
    assert marked
    for row in marked:
        kept = by_id[row["duplicate_of"]]
        assert not kept["duplicate_of"] and kept["file_name"] != row["file_name"]
        assert (kept["series"], kept["split"]) == (row["series"], row["split"])


def test_no_two_pictures_are_the_same_file(rows):
    seen: dict[bytes, str] = {}
    for row in rows:
        data = (GALLERY / row["file_name"]).read_bytes()
        assert data not in seen, f"{row['file_name']} repeats {seen[data]}"
        seen[data] = row["file_name"]


def test_translations_belong_to_pictures_and_span_60_languages(translations, by_id):
    assert len({row["language"] for row in translations}) >= 60
    assert all(by_id[row["id"]]["source"] == "tuxpaint" for row in translations)
    assert all(row["caption"].strip() for row in translations)


def test_the_card_counts_what_is_there(rows):
    card = (GALLERY / "README.md").read_text(encoding="utf-8")
    for kind in CATEGORIES:
        counts = Counter(row["split"] for row in rows if row["category"] == kind)
        numbers = [counts["train"], counts["val"], counts["test"], counts.total()]
        assert f"| {kind} | {' | '.join(map(str, numbers))} |" in card
    assert f"{len(rows)} pictures have {sum(len(row['captions']) for row in rows)} captions" in card
    assert card.startswith("---\nlicense:")


def test_only_one_table_is_called_metadata():
    assert [path.name for path in GALLERY.glob("metadata.*")] == ["metadata.jsonl"]


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("Another Apple", "apple"),
        ("apple 01", "apple"),
        ("An Apple", "apple"),
        ("big_truck", "big truck"),
        ("FlowerAndPot", "flower and pot"),
        ("sleeping_cat", "sleeping cat"),
        ("Baseball (B and W)", "baseball in black and white"),
        ("Croissant (B & W)", "croissant in black and white"),
        ("Violin (Colour)", "violin in colour"),
        ("Burger v0.1", "burger"),
        ("horse#2", "horse"),
        ("Musical Note 3", "musical note"),
        ("45 RPM Record", "45 RPM record"),
        ("USB Memory Stick", "USB memory stick"),
        ("Eiffel Tower", "Eiffel tower"),
        ("Christmas Tree", "Christmas tree"),
        ("Duck (Yellow) II", "duck, yellow"),
        ("Bussiness  woman", "business woman"),
        ("Clipart by Rob Adams - Hawaii", "hawaii"),
        ("Orca!", "orca"),
    ],
)
def test_a_title_is_cleaned(typed, cleaned):
    assert clean_title(typed) == cleaned


@pytest.mark.parametrize(
    "title", ["", "Various Cliparts", "AIGA_Symbol_Signs", "R16 sibmission", "me@here.org", "7"]
)
def test_a_title_that_names_no_picture_is_recognised(title):
    assert is_generic(title) and not is_generic("Alarm Clock")


def test_keywords_lose_junk_doubles_and_the_author():
    typed = ("hash(0x8a3ecd4)", "", "unsorted", "Fruit", "roadsign", "11", "fruit", "park", "xmas")
    assert clean_keywords(typed, "Benji Park") == ["fruit", "road sign", "Christmas"]


def test_the_sentence_says_only_what_the_title_does_not():
    said = sentence("red apple", ["apple", "fruit", "healthy"], "drawing")
    assert said == "A drawing of a red apple: fruit, healthy."
    assert sentence("red apple", ["apple", "apples"], "drawing") == ""
    assert sentence("an owl", ["birds"], "photograph") == "A photograph of an owl: birds."


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("owl on branch", "an owl on branch"),
        ("USB memory stick", "a USB memory stick"),
        ("tennis shoes", "tennis shoes"),
        ("glass of beer", "a glass of beer"),
        ("bread and wine", "bread and wine"),
        ("Jupiter", "Jupiter"),
        ("the docks", "the docks"),
        ("two red dice", "two red dice"),
        ("woman doing yoga", "a woman doing yoga"),
        ("unit", "a unit"),
    ],
)
def test_a_singular_thing_gets_its_article(title, said):
    assert with_article(title) == said


def test_an_author_is_a_name_without_an_address():
    assert clean_author("Jakob [chaosinfaith@hotmail.com]") == "Jakob"
    assert clean_author("HASH(0x88fde)") == ""


def test_titles_that_differ_by_number_or_colour_are_one_series():
    assert series_key("a red apple") == series_key("green apples 2") == "apple"
    assert series_key("apple pie") != series_key("apple")
    assert series_key("the uppercase letter A in outline") == series_key("the lowercase letter a")


def test_two_titles_name_one_thing_unless_they_contradict():
    assert same_thing("an inkjet printer", "printer")
    assert not same_thing("a brown eye", "a green eye")
    assert not same_thing("flag of Chad", "flag of Romania")


def test_file_names_are_ascii():
    assert slug("Château-fort, été!") == "chateau-fort-ete"


def test_the_title_may_move_a_picture_to_another_category():
    assert category("animals/birds/gull.svg", "gull", {}) == "birds"
    assert category("transportation/stop.svg", "stop sign", {}) == "signs and text"
    assert category("a/b.svg", "stop sign", {"a/b.svg": "music"}) == "music"


def test_icon_themes_swatches_and_the_like_are_left_out():
    assert dropped("computer/icons/flat-theme/action/abort.svg") == "icon theme"
    assert dropped("special/gradients/blue.svg") and dropped("shapes/stars/star-9.svg")
    assert dropped("animals/birds/gull.svg") == ""


def _picture(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((120, 160), Image.Resampling.BILINEAR)


def test_a_recompressed_picture_is_a_twin_and_another_is_not():
    buffer = BytesIO()
    _picture(1).save(buffer, "WEBP", quality=70)
    shown = [_picture(1), Image.open(buffer).convert("RGB"), _picture(2)]
    assert twins(np.stack([thumbnail(picture) for picture in shown])) == [(0, 1)]


def test_pairs_and_keys_join_into_groups():
    found = groups(5, [(0, 3)], ["a", "b", "b", "c", "d"])
    assert found[0] == found[3] and found[1] == found[2]
    assert len(set(found.tolist())) == 3


def test_the_split_keeps_series_whole_and_repeats_with_its_seed():
    series = [f"s{i % 300}" for i in range(900)]
    sides = split(series, seed=1)
    assert sides == split(series, seed=1) != split(series, seed=2)
    assert len(set(zip(series, sides, strict=True))) == 300
    assert Counter(sides)["train"] / 900 == pytest.approx(0.7, abs=0.08)


def test_a_series_stays_on_its_side_when_others_come_and_go():
    few, many = ["a", "b", "c"], ["a", "b", "c", *(f"new{i}" for i in range(50))]
    assert split(few, seed=3) == split(many, seed=3)[:3]


def test_a_large_set_is_trained_on():
    assert set(split(["deck of cards"] * 54, seed=0)) == {"train"}


def test_file_names_carry_no_number_of_their_origin(rows):
    assert all(re.fullmatch(r"images/[a-z-]+/[a-z0-9-]+\.webp", row["file_name"]) for row in rows)
