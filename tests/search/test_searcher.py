import threading
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from toy import COLOURS, ToyEncoder, write_gallery

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.embeddings.load import load_embeddings
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.images.read import PictureError
from sigscope.indexes.specs import INDEXES
from sigscope.models.encoder import Encoder
from sigscope.search.compose import Part
from sigscope.search.searcher import Searcher

COLUMNS = ["rank", "id", "score", "caption", "category", "path"]
N = 24  # three of each of eight colours, the second and third a little darker


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return load_gallery(write_gallery(tmp_path_factory.mktemp("search") / "gallery", N))


@pytest.fixture(scope="module")
def embeddings(gallery):
    return embed_gallery(gallery, ToyEncoder(), gallery.root.parent / "store")


@pytest.fixture
def searcher(gallery, embeddings):
    return Searcher(gallery, embeddings, ToyEncoder())


def colours(table):
    """Return the colour in each result's id."""
    return [id_.split("-")[1].removesuffix(".png") for id_ in table["id"]]


# --- the four ways


@pytest.mark.parametrize("name", COLOURS)
def test_words_find_the_pictures_they_describe(name, searcher):
    assert colours(searcher.by_text(f"a {name} thing", k=3)) == [name] * 3


def test_words_are_ranked_by_cosine(searcher):
    table = searcher.by_text("red", k=N)
    vectors = ToyEncoder().encode_pictures([searcher.gallery.picture(id_) for id_ in table["id"]])
    red = ToyEncoder().encode_texts(["red"])[0]
    np.testing.assert_allclose(table["score"], vectors @ red, atol=1e-3)
    assert colours(table)[:4] == ["red", "red", "red", "orange"]
    assert table["score"].is_monotonic_decreasing


def png(picture):
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["path", "text path", "bytes", "file", "PIL"])
def test_a_picture_finds_its_like_however_it_is_handed_over(kind, searcher, tmp_path):
    picture = Image.new("RGB", (5, 9), COLOURS["cyan"])
    path = tmp_path / "query.png"
    path.write_bytes(png(picture))
    given = {
        "path": path,
        "text path": str(path),
        "bytes": path.read_bytes(),
        "file": BytesIO(path.read_bytes()),
        "PIL": picture,
    }[kind]
    assert colours(searcher.by_picture(given, k=3)) == ["cyan"] * 3


def test_more_like_this_never_returns_the_item_itself(searcher, gallery):
    for id_ in gallery.items["id"]:
        table = searcher.like(id_, k=2)
        assert colours(table) == colours(table.assign(id=id_)) and id_ not in set(table["id"])


def test_more_like_this_with_everything_asked_for_is_everything_else(searcher, gallery):
    id_ = gallery.items["id"][5]
    assert set(searcher.like(id_, k=N)["id"]) == set(gallery.items["id"]) - {id_}


def test_an_exact_copy_does_not_stand_in_for_the_item_itself(tmp_path):
    folder = write_gallery(tmp_path / "gallery", 4)
    for name in ("000-red.png", "002-blue.png", "003-yellow.png"):
        (folder / name).write_bytes((folder / "001-green.png").read_bytes())
    gallery = load_gallery(folder)
    searcher = Searcher(gallery, embed_gallery(gallery, ToyEncoder(), tmp_path / "s"), ToyEncoder())
    for id_ in gallery.items["id"]:
        assert set(searcher.like(id_, k=3)["id"]) == set(gallery.items["id"]) - {id_}
        assert len(searcher.like(id_, k=1)) == 1


@pytest.mark.parametrize("name", COLOURS)
def test_an_item_finds_the_captions_that_fit(name, searcher, gallery):
    id_ = next(id_ for id_ in gallery.items["id"] if name in id_)
    table = searcher.captions_for(id_, k=6)
    assert all(name in caption for caption in table["caption"])
    assert sorted(table["caption"])[0] == f"a {name} square"
    assert list(table.columns) == COLUMNS


def test_a_picture_of_ones_own_finds_captions(searcher):
    table = searcher.captions_for(Image.new("RGB", (3, 3), COLOURS["magenta"]), k=6)
    assert all("magenta" in caption for caption in table["caption"])


def test_each_caption_of_an_item_is_a_result_of_its_own(searcher):
    table = searcher.captions_for("000-red.png", k=2 * N + 5)
    assert len(table) == 2 * N and table["id"].value_counts().eq(2).all()


# --- the table


def test_the_table_shows_the_item_that_was_found(searcher, gallery):
    table = searcher.by_text("something orange", k=5)
    assert list(table.columns) == COLUMNS and table["rank"].tolist() == [1, 2, 3, 4, 5]
    items = gallery.items.set_index("id").loc[table["id"]]
    for column in ("caption", "category", "path"):
        assert table[column].tolist() == items[column].tolist()
    assert table["score"].dtype == np.float32


def test_the_time_is_split_into_encode_and_search(searcher):
    for table in (searcher.by_text("red"), searcher.like("000-red.png")):
        assert table.attrs["encode_ms"] >= 0 and table.attrs["search_ms"] > 0


def test_a_table_is_the_callers_own(searcher):
    mine = searcher.by_text("red")
    mine.loc[0, "id"] = "changed"
    assert searcher.by_text("red").loc[0, "id"] == "000-red.png"


@pytest.mark.parametrize("k", [N, N + 1, 10**9])
def test_more_than_there_are_means_all_of_them(k, searcher, gallery):
    assert set(searcher.by_text("red", k=k)["id"]) == set(gallery.items["id"])


@pytest.mark.parametrize("k", [0, -3])
def test_fewer_than_one_is_refused_by_every_search(k, searcher):
    for search, query in (
        (searcher.by_text, "red"),
        (searcher.by_picture, Image.new("RGB", (2, 2))),
        (searcher.like, "000-red.png"),
        (searcher.captions_for, "000-red.png"),
    ):
        with pytest.raises(ValueError, match="ask for at least one"):
            search(query, k=k)


# --- filters


def test_a_category_keeps_the_order_of_the_rest(searcher):
    whole = searcher.by_text("a red and white thing", k=N)
    cold = searcher.by_text("a red and white thing", k=N, category="cold")
    assert cold["id"].tolist() == whole.loc[whole["category"] == "cold", "id"].tolist()
    assert cold["rank"].tolist() == list(range(1, len(cold) + 1))


def test_several_categories_are_searched_together(searcher):
    assert len(searcher.by_text("red", k=N, category=["cold", "warm"])) == N


def test_category_and_split_are_both_kept_to(searcher, gallery):
    table = searcher.like("000-red.png", k=N, category="warm", split=["val", "test"])
    items = gallery.items.query("category == 'warm' and split != 'train'")
    assert set(table["id"]) == set(items["id"])


def test_captions_are_filtered_by_their_item(searcher):
    table = searcher.captions_for("000-red.png", k=99, category="cold")
    assert set(table["category"]) == {"cold"}


def test_an_unknown_category_lists_the_known(searcher):
    with pytest.raises(ValueError, match="no category 'dogs'; choose from cold, warm"):
        searcher.by_text("red", category=["warm", "dogs"])
    with pytest.raises(ValueError, match="no split 'dev'; choose from test, train, val"):
        searcher.by_text("red", split="dev")


def test_nothing_found_is_an_empty_table_with_the_right_columns(searcher):
    full, empty = searcher.by_text("red"), searcher.by_text("red", category=[])
    assert empty.empty and empty.dtypes.equals(full.dtypes)
    assert empty.attrs.keys() == full.attrs.keys()


@pytest.fixture
def texts(searcher, monkeypatch):
    """Text scores by colour: red pictures are all text, green ones half, the others none."""
    by_colour = {"red": 1.0, "green": 0.5}
    scores = [by_colour.get(id_.split("-")[1][:-4], 0) for id_ in searcher.embeddings.ids]
    searcher.adjustments.text_scores = np.array(scores, np.float32)
    return searcher


@pytest.mark.parametrize(("most", "kept"), [(1, 24), (0.5, 21), (0.49, 18), (0, 18)])
def test_pictures_of_more_text_than_asked_for_are_left_out(most, kept, texts):
    whole, table = texts.by_text("red", N), texts.by_text("red", N, max_text=most)
    assert len(table) == kept and "adjusted" not in table.attrs
    assert table["rank"].tolist() == list(range(1, kept + 1))
    left = whole[whole["id"].isin(set(table["id"]))].reset_index(drop=True)
    assert table["id"].tolist() == left["id"].tolist()
    assert np.allclose(table["score"], left["score"])


def test_every_search_keeps_to_the_limit_on_text(texts):
    picture = Image.new("RGB", (3, 3), COLOURS["red"])
    for table in (
        texts.by_text("red", 5, max_text=0.2, category="warm"),
        texts.by_picture(picture, 5, max_text=0.2),
        texts.like("000-red.png", 5, max_text=0.2),
        texts.by_text("red", 5, max_text=0.2, less_text=0.1),
    ):
        assert len(table) == 5 and not {"red", "green"} & set(colours(table))


def test_a_limit_that_is_no_text_score_is_a_sentence(texts):
    for most in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="a text score lies from 0 to 1"):
            texts.by_text("red", max_text=most)


def test_a_limit_holds_for_every_index(gallery, embeddings):
    searcher = Searcher(gallery, embeddings, ToyEncoder(), index="hnsw")
    searcher.adjustments.text_scores = np.arange(N, dtype=np.float32) / N
    assert set(searcher.by_text("red", N, max_text=0.5)["id"]) == set(gallery.items["id"][:13])


EXACT = ["flat", "flat-l2", "numpy", "knn"]
KEPT = [
    {"category": "cold"},
    {"split": ["val", "test"], "category": "warm"},
    {"max_text": 0.3},
    {"max_text": 0.6, "category": ["warm", "cold"], "split": "train"},
]


@pytest.mark.parametrize("filters", KEPT, ids=str)
@pytest.mark.parametrize("name", EXACT)
def test_an_exact_filtered_search_is_the_whole_one_cut_afterwards(
    name, filters, gallery, embeddings
):
    searcher = Searcher(gallery, embeddings, ToyEncoder(), index=name)
    searcher.adjustments.text_scores = np.linspace(0, 1, N, dtype=np.float32)
    parts = [Part("text", "orange"), Part("item", "000-red.png", 0.4), Part("text", "blue", -0.3)]
    for ask in (
        lambda **only: searcher.by_text("a red and white thing", N, **only),
        lambda **only: searcher.by_text("red", N, less_text=0.2, tame_hubs=True, **only),
        lambda **only: searcher.like("003-yellow.png", N, **only),
        lambda **only: searcher.by_parts(parts, N, **only),
    ):
        whole, found = ask(), ask(**filters)
        may = pd.Series(searcher._among(searcher._pictures, **filters), searcher.index.ids)
        left = whole[may[whole["id"]].to_numpy()]
        assert set(found["id"]) == set(left["id"]) and len(found)  # equal scores may swap places
        np.testing.assert_allclose(found["score"], left["score"], atol=1e-6)
        of_id = found.set_index("id")["score"].loc[left["id"]]
        np.testing.assert_allclose(of_id, left["score"], atol=1e-6)
        assert found["rank"].tolist() == list(range(1, len(found) + 1))


# --- what cannot be searched for


@pytest.mark.parametrize("text", ["", "  \n", None, 5])
def test_an_empty_text_is_a_sentence(text, searcher):
    with pytest.raises(ValueError, match="the query is empty; write a few words"):
        searcher.by_text(text)


def test_an_unknown_item_is_a_sentence(searcher):
    with pytest.raises(ValueError, match="no item 'cat.png' in gallery"):
        searcher.like("cat.png")


def test_a_missing_or_broken_picture_is_a_sentence(searcher):
    for picture in ("nowhere.png", b"", b"<html>"):
        for search in (searcher.by_picture, searcher.captions_for):
            with pytest.raises(PictureError):
                search(picture)


# --- what is searched


def test_items_are_joined_by_id_not_by_row(gallery, embeddings):
    order = np.random.default_rng(0).permutation(N)
    items = gallery.items.iloc[order].reset_index(drop=True)
    shuffled = type(gallery)(gallery.name, gallery.root, items, gallery.problems)
    ours = Searcher(shuffled, embeddings, ToyEncoder()).by_text("red", k=3)
    pd.testing.assert_frame_equal(
        ours, Searcher(gallery, embeddings, ToyEncoder()).by_text("red", k=3)
    )


def test_a_subset_is_searched_with_the_embeddings_of_the_whole(gallery, embeddings):
    test = gallery.subset(split="test")
    searcher = Searcher(test, embeddings, ToyEncoder())
    assert len(searcher) == len(test) == len(searcher.index)
    assert set(searcher.by_text("red", k=N)["id"]) == set(test.items["id"])
    assert len(searcher.captions_for("000-red.png", k=999)) == 2 * len(test)


def test_an_item_that_failed_is_not_found_and_says_why(tmp_path):
    folder = write_gallery(tmp_path / "gallery", 8)
    (folder / "001-green.png").write_bytes(b"")
    gallery = load_gallery(folder)
    embeddings = embed_gallery(gallery, ToyEncoder(), tmp_path / "store")
    searcher = Searcher(gallery, embeddings, ToyEncoder())
    assert "001-green.png" not in set(searcher.by_text("green", k=99)["id"])
    assert colours(searcher.by_text("blue", k=1)) == ["blue"], "and nothing has shifted"
    with pytest.raises(ValueError, match="was not embedded.*empty"):
        searcher.like("001-green.png")


def test_embeddings_of_another_gallery_are_a_sentence(embeddings, tmp_path):
    Image.new("RGB", (2, 2)).save(write_gallery(tmp_path / "other", 0) / "other.png")
    (tmp_path / "other" / "metadata.jsonl").unlink()
    with pytest.raises(ValueError, match="embed this gallery first"):
        Searcher(load_gallery(tmp_path / "other"), embeddings, ToyEncoder())


def test_another_model_than_the_one_that_embedded_is_refused(gallery, embeddings):
    other = ToyEncoder(weights="others")
    with pytest.raises(StaleEmbeddings, match="other weights"):
        Searcher(gallery, embeddings, other)
    lazy = Searcher(gallery, embeddings, lambda: other)
    assert len(lazy.like("000-red.png")) == 10
    with pytest.raises(StaleEmbeddings, match="other weights"):
        lazy.by_text("red")


# --- the encoder is loaded late, and asked little


def test_the_encoder_is_loaded_once_when_first_needed(gallery, embeddings):
    loaded = []

    def load():
        loaded.append(ToyEncoder())
        return loaded[-1]

    searcher = Searcher(gallery, embeddings, load)
    searcher.like("000-red.png")
    searcher.captions_for("000-red.png")
    assert not loaded
    threads = [threading.Thread(target=searcher.by_text, args=(name,)) for name in COLOURS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 1


def test_an_encoder_that_fails_to_load_is_tried_again(gallery, embeddings):
    answers = [OSError("no model"), ToyEncoder()]

    def load():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    searcher = Searcher(gallery, embeddings, load)
    with pytest.raises(OSError, match="no model"):
        searcher.by_text("red")
    assert colours(searcher.by_text("red", k=1)) == ["red"]


def test_a_text_asked_again_is_not_encoded_again(gallery, embeddings):
    encoder = ToyEncoder()
    searcher = Searcher(gallery, embeddings, encoder)
    first, second = searcher.by_text("red"), searcher.by_text("red", k=3)
    searcher.by_text("blue")
    assert encoder.texts_encoded == ["red", "blue"]
    assert first["id"].tolist()[:3] == second["id"].tolist()


# --- with a real, small encoder


@pytest.fixture(scope="module")
def real(gallery, checkpoint):
    encoder = Encoder.load(checkpoint("siglip"), dtype="float32", device="cpu")
    embeddings = embed_gallery(gallery, encoder, gallery.root.parent / "real")
    return Searcher(gallery, embeddings, encoder)


def strange_pictures():
    frames = [Image.new("RGB", (9, 9), COLOURS[name]) for name in ("red", "blue")]
    gif = BytesIO()
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:])
    red = Image.new("RGB", (9, 9), COLOURS["red"])
    deep = Image.fromarray(np.full((9, 9), 65535, np.uint16))
    return {
        "1 x 1": (Image.new("RGB", (1, 1), COLOURS["red"]), "red"),
        "1 x 900": (Image.new("RGB", (1, 900), COLOURS["red"]), "red"),
        "animated": (gif.getvalue(), "red"),
        "16-bit": (png(deep), "white"),
        "CMYK": (red.convert("CMYK"), "red"),
        "transparent": (Image.new("RGBA", (9, 9), (0, 0, 0, 0)), "white"),
        "palette": (red.convert("P"), "red"),
    }


@pytest.mark.parametrize("name", strange_pictures())
def test_a_strange_picture_finds_what_it_looks_like(name, real):
    picture, colour = strange_pictures()[name]
    table = real.by_picture(picture, k=3)
    assert table["id"][0].endswith(f"-{colour}.png"), table
    assert table["score"][0] > 0.999


def test_a_text_of_5000_words_is_cut_not_refused(real):
    words = "a red bicycle leaning on a wall " * 715
    assert real.by_text(words, k=3)["id"].tolist() == real.by_text(words[:2000], k=3)["id"].tolist()


def test_a_stored_vector_is_what_the_encoder_says_of_the_same_file(real, gallery):
    for id_ in gallery.items["id"][:4]:
        table = real.by_picture(gallery.file(id_), k=1)
        assert table["score"][0] == pytest.approx(1, abs=1e-4)


def test_many_visitors_get_what_one_would_get(real):
    queries = [f"a {name} thing number {number}" for name in COLOURS for number in range(4)]
    alone = {query: real.encoder.encode_texts([query])[0] for query in queries}
    fresh, wrong = Searcher(real.gallery, real.embeddings, real.encoder), []

    def ask(offset):
        for query in queries[offset:] + queries[:offset]:
            found = fresh.by_text(query, k=5)["score"].to_numpy()
            expected = np.sort(fresh.embeddings.images @ alone[query])[::-1][:5]
            wrong.extend([] if np.allclose(found, expected, atol=1e-5) else [query])

    threads = [threading.Thread(target=ask, args=(4 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_open_makes_what_is_missing_and_finds_it_again(gallery, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    first = Searcher.open(gallery.root, checkpoint("siglip"))
    second = Searcher.open(gallery, checkpoint("siglip"))
    assert first.embeddings.folder == second.embeddings.folder
    assert len(first) == N and load_embeddings(first.embeddings.folder, gallery=gallery)


def test_a_spec_serves_as_well_as_a_name(gallery, embeddings):
    spec = replace(INDEXES["hnsw"], factory="HNSW16", label="hnsw-16")
    searcher = Searcher(gallery, embeddings, ToyEncoder(), index=spec, effort=32)
    assert (searcher.index_name, searcher.index.spec) == ("hnsw-16", spec)
    assert colours(searcher.by_text("a red thing", k=3)) == ["red"] * 3
    assert searcher.captions_for(searcher.embeddings.ids[0], k=1)["caption"].str.contains("red")[0]


def test_the_vector_that_was_asked_for_ranks_the_same_again(searcher):
    found = searcher.by_text("red", 5)
    scores = searcher.embeddings.images @ found.asked.vector
    assert np.allclose(np.sort(scores)[::-1][:5], found["score"])
    assert "vector" not in str(found.attrs)


def test_a_picture_that_was_shown_is_not_kept_with_the_table(searcher, tmp_path):
    found = searcher.by_picture(Image.new("RGB", (3, 3), COLOURS["red"]))
    found.to_parquet(tmp_path / "found.parquet")
    assert searcher.match(found) and "query" not in found.attrs
    with pytest.raises(ValueError, match="no result of a search for pictures; search first"):
        searcher.match(pd.read_parquet(tmp_path / "found.parquet"))
