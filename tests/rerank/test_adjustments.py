"""What a search takes off a cosine when asked, and that it takes off nothing otherwise."""

from dataclasses import replace

import numpy as np
import pytest
from toy import ToyEncoder, write_gallery

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.indexes.specs import INDEXES
from sigscope.rerank import adjustments, text_areas
from sigscope.rerank.adjustments import Adjustments
from sigscope.rerank.corrections import Correction
from sigscope.search.searcher import Searcher

N = 48


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return load_gallery(write_gallery(tmp_path_factory.mktemp("adjust") / "gallery", N))


@pytest.fixture(scope="module")
def embeddings(gallery):
    return embed_gallery(gallery, ToyEncoder(), gallery.root.parent / "store")


@pytest.fixture
def searcher(gallery, embeddings):
    return Searcher(gallery, embeddings, ToyEncoder())


@pytest.fixture
def first_is_text(searcher):
    """The searcher, told that the first red picture is all text and no other is."""
    scores = np.zeros(N, np.float32)
    scores[list(searcher.embeddings.ids).index(searcher.by_text("red", k=1)["id"][0])] = 1
    searcher.adjustments.text_scores = scores
    return searcher


class HalfOff:
    """A reduction that takes 0.5 off the first row."""

    def fit(self, bank, xb, right=None):
        self.bank, self.right = bank, right
        return Correction(np.eye(1, len(xb), dtype=np.float32)[0] / 2)


def with_split(gallery, every):
    """Return the gallery with every so-many-th item in train and the others in test."""
    sides = ["train" if row % every == 0 else "test" for row in range(len(gallery))]
    return replace(gallery, items=gallery.items.assign(split=sides))


def test_nothing_is_taken_off_unless_asked(searcher):
    assert searcher.adjustments.of("red", tame_hubs=False, less_text=0.0) == []
    assert "hubs" not in vars(searcher.adjustments)


def test_a_picture_of_text_loses_its_weight(first_is_text):
    plain = first_is_text.by_text("red", k=N).set_index("id")["score"]
    lowered = first_is_text.by_text("red", k=N, less_text=0.25).set_index("id")["score"]
    lost = (plain - lowered.loc[plain.index]).to_numpy()
    np.testing.assert_allclose(lost, [0.25] + [0] * (N - 1), atol=1e-5)
    assert lowered.index[0] != plain.index[0]


def test_words_that_ask_for_text_keep_pictures_of_text(first_is_text):
    asked = first_is_text.by_text("red letter", k=3, less_text=0.25)
    assert asked["score"].tolist() == first_is_text.by_text("red letter", k=3)["score"].tolist()


def test_the_weight_holds_within_a_filter(first_is_text):
    items = first_is_text.gallery.items
    first = first_is_text.by_text("red", k=1)["id"][0]
    category = items.set_index("id").loc[first, "category"]
    inside = first_is_text.by_text("red", k=N, category=category, less_text=0.5)
    assert set(inside["category"]) == {category}
    assert inside["id"].iloc[0] != first


def test_a_negative_weight_is_refused(searcher):
    with pytest.raises(ValueError, match="less_text is -0.1; it must be 0 or more"):
        searcher.by_text("red", less_text=-0.1)


def test_hubs_are_tamed_over_the_rows_they_belong_to(gallery, embeddings):
    part = replace(gallery, items=gallery.items.iloc[::-1].iloc[:30])
    searcher = Searcher(part, embeddings, ToyEncoder())
    searcher.adjustments.reduction = HalfOff()
    ids = list(embeddings.ids)
    kept = searcher.by_text("red", k=30, tame_hubs=True).set_index("id")["score"]
    plain = searcher.by_text("red", k=30).set_index("id")["score"]
    lost = {id for id in plain.index if plain[id] - kept[id] > 0.4}
    assert lost == {ids[0]} & set(part.items["id"])


@pytest.mark.parametrize(("every", "share"), [(2, 0.5), (N + 1, 1 / N)])
def test_the_bank_is_the_train_split_with_its_own_pictures_left_out(
    every, share, gallery, embeddings
):
    split, reduction = with_split(gallery, every), HalfOff()
    made = Adjustments(split, embeddings, ToyEncoder().encode_texts, reduction)
    assert made.hubs.offsets[0] == 0.5
    trained = set(split.items.loc[split.items["split"] == "train", "id"])
    owners = [owner for owner in embeddings.caption_ids if owner in trained]
    assert len(reduction.bank) == len(owners) == pytest.approx(share * len(embeddings.caption_ids))
    rows = [set(embeddings.ids[row] for row in own) for own in reduction.right]
    assert all(owner in own for owner, own in zip(owners, rows, strict=True))


def test_a_gallery_without_a_split_uses_all_its_captions(gallery, embeddings, monkeypatch):
    bare, reduction = replace(gallery, items=gallery.items.assign(split="")), HalfOff()
    monkeypatch.setattr(adjustments, "MOST_ASKED", 10)
    assert Adjustments(bare, embeddings, None, reduction).hubs.offsets[0] == 0.5
    assert 5 <= len(reduction.bank) <= 10


def test_a_gallery_without_captions_cannot_tame_its_hubs(searcher):
    nothing = replace(
        searcher.embeddings,
        caption_ids=searcher.embeddings.caption_ids[:0],
        caption_texts=searcher.embeddings.caption_texts[:0],
        captions=searcher.embeddings.captions[:0],
    )
    with pytest.raises(ValueError, match="has no captions to find its hubs with"):
        _ = Adjustments(searcher.gallery, nothing, None).hubs


@pytest.mark.parametrize("name", INDEXES)
def test_every_index_serves_a_searcher_with_adjustments(name, gallery, embeddings):
    searcher = Searcher(gallery, embeddings, ToyEncoder(), index=name)
    searcher.adjustments.reduction = HalfOff()
    table = searcher.by_text("red", k=5, tame_hubs=True)
    assert table["score"].is_monotonic_decreasing
    assert set(table["id"]) <= set(embeddings.ids)


def test_effort_reaches_the_index_and_is_no_one_elses(gallery, embeddings):
    asked = []
    searcher = Searcher(gallery, embeddings, ToyEncoder(), index="hnsw", effort=16)
    index = searcher.index
    object.__setattr__(index, "_how", lambda effort, candidates: asked.append(effort) or (effort,))
    searcher.by_text("red")
    searcher.at(64).by_text("blue")
    searcher.by_text("green")
    assert asked == [16, 64, 16]


@pytest.fixture
def with_reader(tmp_path, monkeypatch):
    """A reader, as if installed, that finds writing on all of a red picture and on no other."""

    def read(picture):
        red, green, blue = picture.getpixel((0, 0))
        whole = np.array([[0, 0], [99, 0], [99, 99], [0, 99]], float)
        is_red = red > 150 and not green and not blue
        return [text_areas.Line(whole, "STOP", 1.0)] if is_red else []

    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(adjustments, "ocr_is_installed", lambda: True)
    monkeypatch.setattr(text_areas, "_rules", lambda: {"rapidocr": "made up"})
    monkeypatch.setattr(text_areas, "_rapid_reader", lambda: read)


def test_the_limit_on_text_goes_by_what_was_measured_once_it_is(searcher, with_reader):
    reds = {id for id in searcher.embeddings.ids if "red" in id}
    searcher.adjustments.text_scores = np.linspace(0, 1, N, dtype=np.float32)
    assert len(searcher.by_text("red", N, max_text=0.5)) == N // 2
    searcher.adjustments.measure_text()
    assert set(searcher.adjustments.limit_scores) == {0, 1}
    assert (
        set(searcher.by_text("red", N, max_text=0.5)["id"]) == set(searcher.embeddings.ids) - reds
    )
    assert len(searcher.by_text("red", N, max_text=1)) == N


def test_another_searcher_of_the_gallery_knows_what_was_measured(
    searcher, with_reader, gallery, embeddings, monkeypatch
):
    told = []
    searcher.adjustments.measure_text(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (N, N)
    monkeypatch.setattr(text_areas, "_rapid_reader", lambda: pytest.fail("measured again"))
    other = Searcher(gallery, embeddings, ToyEncoder(), index="hnsw")
    other.adjustments.measure_text()
    assert not {"red"} & {id.split("-")[1] for id in other.by_text("red", N, max_text=0.5)["id"]}
    (file,) = (paths.CACHE / "text-areas").glob("*.json")
    file.write_text("{")
    broken = Searcher(gallery, embeddings, ToyEncoder())
    assert broken.adjustments.limit_scores is broken.adjustments.text_scores


def test_without_the_extra_text_is_estimated(searcher, monkeypatch):
    monkeypatch.setattr(adjustments, "ocr_is_installed", lambda: False)
    assert searcher.adjustments.limit_scores is searcher.adjustments.text_scores
