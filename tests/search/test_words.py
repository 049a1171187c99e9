import numpy as np
import pandas as pd
import pytest
from toy import ToyEncoder, write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.models.encoder import Encoder
from sigscope.search.compose import Part
from sigscope.search.searcher import Searcher
from sigscope.search.words import GalleryWords, gallery_words, unknown_words

N = 16
TRANSLATIONS = (
    "id,language,caption\n003-yellow.png,de,Ein gelbes Häuschen\n003-yellow.png,ja,黄色い家\n"
)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    folder = write_gallery(tmp_path_factory.mktemp("words") / "gallery", N)
    (folder / "translations.csv").write_text(TRANSLATIONS, encoding="utf-8")
    return load_gallery(folder)


@pytest.fixture(scope="module")
def words(gallery):
    return GalleryWords(gallery)


@pytest.fixture(scope="module")
def searcher(gallery):
    embeddings = embed_gallery(gallery, ToyEncoder(), gallery.root.parent / "store")
    return Searcher(gallery, embeddings, ToyEncoder())


def a_gallery(folder, files):
    """Return a gallery of pictures without captions, in these files."""
    source = write_gallery(folder.parent / "source", 1)
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((source / "000-red.png").read_bytes())
    return load_gallery(folder)


def rows(held):
    return np.flatnonzero(held).tolist()


# --- what words are


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("The black CATS", "a black cat"),
        ("two cherries", "Cherry"),
        ("the glass", "GLASS"),
        ("Äpfel im Café", "apfel cafe"),
        ("cafe\u0301", "caf\u00e9"),
        ("黄色い家", "黄色"),
        ("बिल्ली", "बिल्ली"),
        ("to be or not", "to be"),
    ],
)
def test_a_text_is_found_by_its_words_however_they_are_written(written, asked, tmp_path):
    words = GalleryWords(a_gallery(tmp_path / "pictures", [f"{written}.png", "other.png"]))
    assert [words.holds(asked).sum(), words.holds("other").sum()] == [1, 1]


# --- what is found


@pytest.mark.parametrize("text", ["yellow number 3", "ein gelbes Hauschen", "黄色い家", "003"])
def test_captions_translations_and_names_are_found(text, words):
    assert rows(words.holds(text)) == [3]
    assert words.lift(text).argmax() == 3


def test_words_of_two_places_are_not_held_together(words):
    assert not words.holds("gelbes square").any()
    assert words.lift("gelbes square")[3] > 0


def test_a_category_is_written_of_its_pictures(words, gallery):
    assert rows(words.holds("cold")) == np.flatnonzero(gallery.items["category"] == "cold").tolist()


def test_names_of_files_and_folders_are_found_split_at_all_that_joins_words(tmp_path):
    files = ["all/Holidays 2019/redBus_03.png", "all/family/IMG.grand-ma.png"]
    gallery = a_gallery(tmp_path / "pictures", files)
    words = GalleryWords(gallery)
    for number, asked in ((0, "holidays"), (0, "bus red"), (1, "grand ma"), (1, "family img")):
        assert gallery.items["id"][words.holds(asked)].tolist() == [files[number]]


def test_a_gallery_of_one_file_without_a_word_can_be_asked(tmp_path):
    words = GalleryWords(a_gallery(tmp_path / "pictures", ["_.png"]))
    assert not words.lift("a cat").any() and words.suggestion("elefant") == ""


@pytest.mark.parametrize("table", ["", "a,b\n1,2\n", "id,language,caption\nnobody,de,Haus\n"])
def test_a_table_that_is_none_of_translations_does_no_harm(table, tmp_path):
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 2))
    (gallery.root / "translations.csv").write_text(table)
    assert not GalleryWords(gallery).holds("haus").any()


def test_words_are_read_once_for_a_gallery(gallery):
    assert gallery_words(gallery) is gallery_words(gallery)


# --- spelling


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("a yelow square", "a yellow square"),
        ("YELOW things", "yellow things"),
        ("oranje", "orange"),
        ("orange", ""),
        ("squares", ""),
        ("red", ""),
        ("qwertzuiop", ""),
        ("12345", ""),
        ("", ""),
    ],
)
def test_a_misspelt_word_is_replaced_by_the_gallery_s_own(text, suggestion, words):
    assert words.suggestion(text) == suggestion


def test_ph_is_heard_as_f(tmp_path):
    files = ["an elephant.png", "an elegant lady.png"]
    words = GalleryWords(a_gallery(tmp_path / "pictures", files))
    assert words.suggestion("elefant") == "elephant"


def test_a_foreign_word_is_misspelt_only_where_its_picture_is_called_so(tmp_path):
    gallery = a_gallery(tmp_path / "pictures", ["fish.png", "poison.png", "elephant.png"])
    table = [("fish.png", "fr", "poisson"), ("elephant.png", "de", "Elefant")]
    path = gallery.root / "translations.csv"
    pd.DataFrame(table, columns=["id", "language", "caption"]).to_csv(path, index=False)
    words = GalleryWords(gallery)
    assert (words.suggestion("poisson"), words.suggestion("Elefant")) == ("", "elephant")


# --- search by them


def test_words_find_what_the_model_does_not_know(searcher):
    by_meaning, by_both = (searcher.by_text("number 5", 3, by=by) for by in ("meaning", "both"))
    assert "005-magenta.png" not in by_meaning["id"].tolist()
    assert by_both["id"][0] == "005-magenta.png" and by_both["found_by"][0] == "words"


def test_meaning_is_what_it_was_and_says_nothing_of_words(searcher):
    assert "found_by" not in searcher.by_text("red") and "by" not in searcher.by_text("red").attrs


def test_by_words_only_what_has_them_is_found(searcher):
    table = searcher.by_text("yellow", N, by="words")
    assert table["caption"].tolist() == ["a yellow square"] * 2
    assert searcher.by_text("zeppelin", by="words").empty


def test_both_finds_first_what_has_all_the_words_and_is_like_it(searcher):
    table = searcher.by_text("yellow", N, by="both")
    assert table["found_by"].tolist() == ["both"] * 2 + ["meaning"] * (N - 2)
    assert table["score"].is_monotonic_decreasing and len(set(table["id"])) == N
    assert table["rank"].tolist() == list(range(1, N + 1))


@pytest.mark.parametrize("by", ["both", "words"])
@pytest.mark.parametrize("only", [{"category": "cold"}, {"split": "test"}, {"max_text": 0.9}])
def test_filters_hold_for_what_words_find(by, only, searcher):
    table = searcher.by_text("square number", N, by=by, **only)
    meant = searcher.by_text("square number", N, **only)
    assert set(table["id"]) == set(meant["id"]) and len(table)


def test_fewer_results_are_the_first_of_more(searcher):
    some, more = (searcher.by_text("a cyan square", k, by="both")["id"].tolist() for k in (3, N))
    assert some == more[:3]


def test_less_like_this_leaves_words_in_their_place(searcher):
    parts = [Part("text", "number 5"), Part("text", "blue", -0.5)]
    assert searcher.by_parts(parts, 3, by="both")["id"][0] == "005-magenta.png"


def test_a_picture_has_no_words_to_find(searcher):
    parts = [Part("item", "000-red.png"), Part("text", "number 5")]
    both, meant = (searcher.by_parts(parts, N, by=by)["id"].tolist() for by in ("both", "meaning"))
    assert both == meant


def test_an_unknown_way_is_answered_with_those_there_are(searcher):
    with pytest.raises(ValueError, match="by 'luck'; choose from both, meaning, words"):
        searcher.by_text("red", by="luck")


def test_a_subset_is_found_by_its_own_words_alone(gallery, searcher):
    part = Searcher(gallery.subset(category="cold"), searcher.embeddings, ToyEncoder())
    assert set(part.by_text("square", N, by="words")["category"]) == {"cold"}


# --- what is said of it


@pytest.fixture(scope="module")
def reader():
    return Encoder.load(towers=("text",))


@pytest.mark.parametrize("text", ["a red bus", "zebra", "xqzt bus", "ab 12", "", "BUS"])
def test_a_model_that_knows_a_word_is_not_said_to_guess(text, reader):
    assert unknown_words(reader, text) == ""


@pytest.mark.parametrize("text", ["xqzt vvvw blorp", "żółw", "яблоко"])
def test_a_model_that_knows_no_word_is_said_to_guess(text, reader):
    assert "can only guess" in unknown_words(reader, text)


def test_of_an_encoder_that_cannot_say_nothing_is_said():
    assert unknown_words(ToyEncoder(), "xqzt vvvw blorp") == ""


def test_what_words_find_is_not_denied(searcher):
    table = searcher.by_text("number 5", 3, by="both")
    match = searcher.match(table)
    assert match.label == "good" and "names of 1 picture." in match.sentence
    kept = pd.DataFrame(table)
    kept.attrs = dict(table.attrs)
    assert searcher.match(kept).sentence == match.sentence


def test_words_that_are_filtered_out_are_not_said_to_be_here(searcher):
    found = searcher.by_text("number 5", 3, by="both", category="cold")
    assert "names of" not in searcher.match(found).sentence


def test_a_word_of_several_promises_nothing(searcher):
    found = [searcher.by_text("number zeppelin", 3, by=by) for by in ("both", "meaning")]
    assert searcher.match(found[0]).sentence == searcher.match(found[1]).sentence
