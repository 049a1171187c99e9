"""Composed scores: which way of joining a picture and words finds what was asked for.

Measured on triples (`evaluation.composed_queries`): the whole gallery is ranked but for the query
picture and its twins, and a hit is one of the right pictures among the first k. Weights are chosen
on the val split and reported on the test split. Intervals and tests draw things, since the triples
of one thing succeed and fail together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.composed_queries import Triples, find_triples
from sigscope.evaluation.intervals import interval, paired_difference
from sigscope.evaluation.rankings import rank_relevant
from sigscope.evaluation.tasks import check_and_describe
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.twins import twins
from sigscope.indexes.exact import cosines_float64
from sigscope.search.compose import ModalityGap, raw_sum
from sigscope.search.merging import by_template
from sigscope.types import EncoderLike

CHOSEN_ON = "val"
KS = (1, 5, 10)
WEIGHTS = (0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)  # of the words; the picture's is 1
TEXT, PICTURE, TITLE = "words only", "picture only", "the right title"
RAW, RAW_TUNED = "raw sum, 1 : 1", "raw sum, weight from val"
GAP, GAP_TUNED = "gap corrected, 1 : 1", "gap corrected, weight from val"
SENTENCE = "caption + words"
PAIRS = (
    (PICTURE, GAP),
    (TEXT, GAP),
    (RAW, GAP),
    (RAW_TUNED, GAP),
    (RAW_TUNED, GAP_TUNED),
    (SENTENCE, GAP),
)


@dataclass(frozen=True, eq=False)
class ComposedScores:
    """What was measured.

    Attributes:
        table: one row per system, kind ("all" first) and k: system, kind, k, hit_rate, low, high
            (95 %), triples, things.
        pairs: one row per pair of systems and k, over all kinds: first, second, k, difference
            (second - first), low, high, p, triples, things.
        weights: one row per way of summing and weight of the words on val: way, weight, hit_rate
            (the mean over ks), chosen.
        queries: one row per triple: its columns, and the place of the first right picture under
            each system, from 0.
        about: model, weights, gallery, fingerprint, split.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    weights: pd.DataFrame
    queries: pd.DataFrame
    about: dict


def evaluate_composed(
    gallery: Gallery,
    embeddings: Embeddings,
    encoder: EncoderLike,
    *,
    split: str = "test",
    captions: Mapping[str, str] | None = None,
    seed: int = 0,
) -> ComposedScores:
    """Return how well each way answers the gallery's triples.

    Args:
        gallery: what the triples are found in.
        embeddings: of the whole gallery.
        encoder: the model that made them.
        split: whose pictures are the queries.
        captions: a caption by id for "caption + words"; None takes the gallery's nearest title
            that is not the query's own or its twin's.
        seed: of the bootstrap and the permutation test.

    Raises:
        ValueError: one of the splits has no triples.
        StaleEmbeddings: the embeddings are of another gallery or by another model.
    """
    about = check_and_describe(gallery, embeddings, split, encoder)
    triples = find_triples(gallery)
    tuning, asked = (
        _Asked.of(gallery, embeddings, encoder, triples, name) for name in (CHOSEN_ON, split)
    )
    gap = ModalityGap.of(embeddings.images, embeddings.captions)
    tuned = _tuned(tuning, {RAW_TUNED: raw_sum, GAP_TUNED: gap.compose})
    weight = tuned[tuned["chosen"]].set_index("way")["weight"]
    ways = {
        TEXT: asked.words,
        PICTURE: asked.pictures,
        RAW: raw_sum(asked.parts(1.0)),
        RAW_TUNED: raw_sum(asked.parts(weight[RAW_TUNED])),
        GAP: gap.compose(asked.parts(1.0)),
        GAP_TUNED: gap.compose(asked.parts(weight[GAP_TUNED])),
        SENTENCE: asked.sentences(captions),
        TITLE: encoder.encode_texts(list(asked.triples["target"])),
    }
    places = {name: asked.places(xq) for name, xq in ways.items()}
    queries = asked.triples.assign(**places)
    table = pd.DataFrame([row for name in ways for row in _rows(queries, name, seed)])
    return ComposedScores(table, _pairs(queries, seed), tuned, queries, about)


@dataclass(frozen=True, eq=False)
class _Asked:
    """The triples of one split, as vectors."""

    gallery: Gallery
    embeddings: Embeddings
    encoder: EncoderLike
    triples: pd.DataFrame

    @classmethod
    def of(
        cls,
        gallery: Gallery,
        embeddings: Embeddings,
        encoder: EncoderLike,
        triples: Triples,
        split: str,
    ) -> "_Asked":
        known = set(embeddings.ids)
        table = triples.of(split)
        table = table.assign(right=[tuple(known.intersection(ids)) for ids in table["right"]])
        usable = table["id"].isin(known) & table["right"].map(bool)
        if not usable.any():
            raise ValueError(f"{gallery.name} has no composed triples in its split {split!r}")
        return cls(gallery, embeddings, encoder, table[usable].reset_index(drop=True))

    @cached_property
    def row_of(self) -> dict[str, int]:
        return {id: row for row, id in enumerate(self.embeddings.ids)}

    @cached_property
    def rows(self) -> np.ndarray:
        return np.array([self.row_of[id] for id in self.triples["id"]])

    @cached_property
    def stands_for(self) -> np.ndarray:
        return twins(self.gallery, self.embeddings.ids)

    @cached_property
    def pictures(self) -> np.ndarray:
        return self.embeddings.images[self.rows]

    @cached_property
    def words(self) -> np.ndarray:
        return self.encoder.encode_texts(list(self.triples["words"]))

    def parts(self, weight: float) -> list[tuple[np.ndarray, str, float]]:
        return [(self.pictures, "picture", 1.0), (self.words, "text", float(weight))]

    def sentences(self, captions: Mapping[str, str] | None) -> np.ndarray:
        ids = self.triples["id"]
        shown = self._nearest_titles() if captions is None else [captions[id] for id in ids]
        merged = [by_template(a, b) for a, b in zip(shown, self.triples["words"], strict=True)]
        return self.encoder.encode_texts(merged)

    def places(self, xq: np.ndarray) -> np.ndarray:
        """Return how many pictures rank before the best right one, int64, (q,); ties do."""
        right = [np.array([self.row_of[id] for id in ids]) for ids in self.triples["right"]]
        own = [np.flatnonzero(self.stands_for == self.stands_for[row]) for row in self.rows]
        found = rank_relevant(xq, self.embeddings.images, right, without=own)
        return found.first.astype(np.int64) - 1

    def _nearest_titles(self) -> list[str]:
        of = self.embeddings
        first = dict(zip(self.gallery.items["id"], self.gallery.items["caption"], strict=True))
        pairs = zip(of.caption_ids, of.caption_texts, strict=True)
        titles = np.flatnonzero([first.get(id) == text for id, text in pairs])
        owners = np.array([self.row_of[id] for id in of.caption_ids[titles]])
        scores = cosines_float64(self.pictures, of.captions[titles])
        own = self.stands_for[owners][None] == self.stands_for[self.rows][:, None]
        nearest = np.where(own, -np.inf, scores).argmax(axis=1)
        return list(of.caption_texts[titles][nearest])


def _tuned(asked: _Asked, ways: Mapping[str, Callable]) -> pd.DataFrame:
    """Return each way's hit rate at each weight; the first of equal weights is chosen."""
    rows = []
    for way, compose in ways.items():
        for weight in WEIGHTS:
            places = asked.places(compose(asked.parts(weight)))
            rate = float(np.mean([(places < k).mean() for k in KS]))
            rows.append({"way": way, "weight": weight, "hit_rate": rate})
    table = pd.DataFrame(rows)
    best = table.groupby("way")["hit_rate"].idxmax()
    return table.assign(chosen=table.index.isin(best))


def _rows(queries: pd.DataFrame, system: str, seed: int) -> list[dict]:
    """Return a system's rows of the table."""
    rows = []
    for kind, some in [("all", queries), *queries.groupby("kind")]:
        things = some["thing"].to_numpy()
        for k in KS:
            hits = (some[system] < k).to_numpy(float)
            low, high = interval(hits, things, np.random.default_rng(seed))
            row = {"system": system, "kind": kind, "k": k, "hit_rate": hits.mean()}
            row |= {"low": low, "high": high, "triples": len(some)}
            rows.append(row | {"things": len(set(things))})
    return rows


def _pairs(queries: pd.DataFrame, seed: int) -> pd.DataFrame:
    rows = []
    for first, second in PAIRS:
        for k in KS:
            hits = [(queries[name] < k).to_numpy(float) for name in (first, second)]
            rng = np.random.default_rng(seed)
            found = paired_difference(*hits, queries["thing"].to_numpy(), rng)
            rows.append(vars(found) | {"first": first, "second": second, "k": k})
    columns = ["first", "second", "k", "difference", "low", "high", "p", "queries", "pictures"]
    table = pd.DataFrame(rows, columns=columns)
    return table.rename(columns={"queries": "triples", "pictures": "things"})
