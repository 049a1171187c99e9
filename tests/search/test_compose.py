import numpy as np
import pytest
from toy import ToyEncoder, unit, write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.search.compose import Composer, ModalityGap, Part, checked, evenly, parts_of, raw_sum
from sigscope.search.searcher import Searcher

N = 24


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return load_gallery(write_gallery(tmp_path_factory.mktemp("compose") / "gallery", N))


@pytest.fixture(scope="module")
def searcher(gallery):
    embeddings = embed_gallery(gallery, ToyEncoder(), gallery.root.parent / "store")
    return Searcher(gallery, embeddings, ToyEncoder())


def two_sides(n=400, d=16, seed=0):
    """Pictures about one pole and spread wide, captions about another and spread little."""
    rng = np.random.default_rng(seed)
    wide, poles = np.r_[0.02, 0.02, np.linspace(0.3, 0.1, d - 2)], np.eye(d)
    images = unit(poles[0] + wide * rng.normal(size=(n, d)))
    captions = unit(poles[1] + 0.3 * wide * rng.normal(size=(n, d)))
    return images, captions


# --- the formula


def test_a_part_loses_the_mean_of_its_side_and_moves_scores_by_one_deviation():
    images, captions = two_sides()
    gap = ModalityGap.of(images, captions)
    for vectors, side in ((captions, "text"), (images, "picture")):
        freed = gap.freed(vectors[:20], side)
        assert np.allclose((images @ freed.T).std(axis=0), 1, atol=1e-4)
        off = vectors[:20] - vectors.mean(axis=0)
        assert np.allclose(unit(freed), unit(off), atol=1e-5)


def test_one_to_one_is_balanced_where_a_raw_sum_is_not():
    images, captions = two_sides()
    gap = ModalityGap.of(images, captions)
    parts = [(images[:50], "picture", 1.0), (captions[50:100], "text", 1.0)]

    def moved(xq):
        """Return how far each part moves the scores of a mixture: the mean correlation of both."""
        alone = [gap.freed(vectors, side) @ images.T for vectors, side, _ in parts]
        return [np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(xq @ images.T, one, strict=True)])
                for one in alone]  # fmt: skip

    picture, text = moved(gap.compose(parts))
    assert abs(picture - text) < 0.1 and min(picture, text) > 0.5
    picture, text = moved(raw_sum(parts))
    assert picture - text > 0.3


def test_a_composed_vector_worked_by_hand():
    images = unit([[1, 0.5, 0], [1, -0.5, 0], [1, 0, 0.25], [1, 0, -0.25]])
    captions = unit([[0, 0.5, 1], [0, -0.5, 1]])
    gap = ModalityGap.of(images, captions)
    length = np.sqrt(1.25)
    assert gap.means["text"] == pytest.approx([0, 0, 1 / length], abs=1e-6)
    up = gap.compose([(captions[:1], "text", 1.0)])[0]
    centre = images.mean(axis=0)
    expected = centre + gap.radius * np.array([0, 1, 0])
    assert up == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
    assert gap.radius == pytest.approx(np.sqrt(((images - centre) ** 2).sum(axis=1).mean()))


def test_weights_count_relative_to_each_other():
    images, captions = two_sides()
    gap = ModalityGap.of(images, captions)

    def mixed(a, b):
        return gap.compose([(images[:5], "picture", a), (captions[5:10], "text", b)])

    assert np.allclose(mixed(1, 2), mixed(10, 20), atol=1e-6)
    scores = [np.sum(mixed(1, b) * gap.freed(captions[5:10], "text"), axis=1) for b in (0.5, 2)]
    assert (scores[1] > scores[0]).all()


def test_parts_that_cancel_each_other_are_a_sentence():
    images, captions = two_sides()
    same = [(images[:1], "picture", 1.0), (images[:1], "picture", -1.0)]
    for compose in (ModalityGap.of(images, captions).compose, raw_sum):
        with pytest.raises(ValueError, match="cancel each other; change a weight"):
            compose(same)


def test_without_captions_general_texts_stand_in_and_it_says_so():
    images, captions = two_sides()
    gap = ModalityGap.of(images, captions[:0], lambda texts: captions[: len(texts)])
    assert (
        "no captions" in gap.note and np.isfinite(gap.compose([(captions[:1], "text", 1.0)])).all()
    )
    with pytest.raises(ValueError, match="no captions"):
        ModalityGap.of(images, captions[:0])


def test_many_rows_are_sampled_evenly():
    assert evenly(np.arange(10), 5).tolist() == [0, 2, 4, 6, 8]
    assert evenly(np.arange(11), 5).tolist() == [0, 3, 6, 9] and len(evenly(np.arange(3), 5)) == 3


# --- parts


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (("sound", "moo"), "no kind of part 'sound'"),
        (("text", " "), "text is empty"),
        (("text", None), "text is empty"),
        (("item", "a", 0), "weight is 0"),
        (("item", "a", float("nan")), "weight is nan"),
    ],
)
def test_what_is_no_part_is_a_sentence(part, sentence):
    with pytest.raises(ValueError, match=sentence):
        Part(*part)


def test_a_query_must_ask_for_something():
    with pytest.raises(ValueError, match="no parts"):
        checked([])
    with pytest.raises(ValueError, match="add one that says what they should be like"):
        checked([Part("text", "red", -1), Part("item", "a", -0.5)])


# --- searching


def colours(table):
    return [id_.split("-")[1].removesuffix(".png") for id_ in table["id"]]


def test_a_single_part_gives_exactly_what_the_plain_search_gives(searcher, gallery):
    id_, picture = gallery.items["id"][3], gallery.picture(gallery.items["id"][4])
    pairs = [
        (Part("text", "a red thing"), searcher.by_text("a red thing", 7)),
        (Part("picture", picture, 0.3), searcher.by_picture(picture, 7)),
        (Part("item", id_, 5), searcher.like(id_, 7)),
    ]
    for part, plain in pairs:
        found = searcher.by_parts([part], 7)
        assert found.equals(plain) and "composed" not in found.attrs
        assert np.array_equal(found.asked.vector, plain.asked.vector)
        assert (found.asked.kind, found.asked.without) == (plain.asked.kind, plain.asked.without)


def test_a_mixture_is_changed_by_both_of_its_parts(searcher):
    mixed = searcher.by_parts([Part("item", "000-red.png"), Part("text", "green")], 6)
    assert set(colours(mixed)[:3]) == {"yellow"}, "red and green light"
    assert mixed.attrs["composed"] and mixed.attrs["encode_ms"] >= 0 < mixed.attrs["search_ms"]


def rank_of(table, colour):
    return np.mean([rank for rank, name in enumerate(colours(table)) if name == colour])


@pytest.mark.parametrize("less", [Part("text", "red", -1), Part("item", "000-red.png", -1)])
def test_less_like_this_pushes_away(less, searcher):
    plain = searcher.by_text("white", N)
    pushed = searcher.by_parts([Part("text", "white"), less], N)
    for colour in ("red", "orange", "magenta", "yellow"):
        assert rank_of(pushed, colour) > rank_of(pushed, "cyan")
    assert rank_of(pushed, "cyan") < rank_of(plain, "cyan")
    assert rank_of(pushed, "red") > rank_of(plain, "red") - 2 and pushed.attrs["composed"]


def test_items_of_the_query_are_not_among_its_results(searcher, gallery):
    ids = ["000-red.png", "001-green.png", "002-blue.png"]
    parts = [Part("item", id_, weight) for id_, weight in zip(ids, (1, 1, -0.2), strict=True)]
    everything = searcher.by_parts(parts, N)
    assert set(everything["id"]) == set(gallery.items["id"]) - set(ids)
    few = searcher.by_parts(parts, 4)
    assert (
        few["rank"].tolist() == [1, 2, 3, 4] and few["id"].tolist() == everything["id"][:4].tolist()
    )


def test_items_near_the_top_leave_room_for_as_many_results_as_asked_for(searcher):
    reds = ["000-red.png", "008-red.png", "016-red.png"]
    table = searcher.by_parts([Part("item", id_) for id_ in reds], 4)
    assert len(table) == 4 and not set(reds) & set(table["id"])


def test_filters_hold_for_mixtures(searcher):
    parts = [Part("text", "red"), Part("text", "white")]
    table = searcher.by_parts(parts, N, category="warm", split=["test", "val"])
    assert set(table["category"]) == {"warm"} and 0 < len(table) < N
    with pytest.raises(ValueError, match="ask for at least one"):
        searcher.by_parts([Part("item", i) for i in table["id"][:3]], 0)


def test_the_gap_is_worked_out_once_and_shared(searcher):
    other = searcher.at(None)
    parts = [Part("text", "red"), Part("text", "white")]
    other.by_parts(parts)
    assert other.composer.gap is searcher.composer.gap


def test_the_gap_is_of_the_gallery_searched(searcher, gallery):
    some = np.arange(0, N, 2)
    ours = Composer(searcher.embeddings, some, None).gap
    images = searcher.embeddings.images[some]
    assert ours.means["picture"] == pytest.approx(images.mean(axis=0), abs=1e-6)
    owners = np.isin(searcher.embeddings.caption_ids, searcher.embeddings.ids[some])
    texts = searcher.embeddings.captions[owners]
    assert ours.means["text"] == pytest.approx(texts.mean(axis=0), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("a dog", "a dog", []),
        ("a dog but not a drawing", "a dog", ["a drawing"]),
        ("A house, not red and not small", "A house", ["red", "small"]),
        ("tea WITHOUT milk", "tea", ["milk"]),
        ("a knot", "a knot", []),
        (", not a cat", ", not a cat", []),
        ("a nothing without", "a nothing without", []),
    ],
)
def test_what_follows_not_is_what_to_be_less_like(text, wanted, unwanted):
    first, *others = parts_of(text)
    assert (first.value, first.weight) == (wanted, 1)
    assert [part.value for part in others] == unwanted
    assert all(part.weight < 0 for part in others)
