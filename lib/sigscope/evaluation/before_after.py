"""What tuning bought, and what it cost elsewhere: two models on the same queries, pair by pair.

Everything here compares a model before with a model after, or any two; a difference is after less
before, and comes with a 95 % interval and the p of a paired test, both of which draw whole pictures
(`sigscope.evaluation.intervals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.evaluate import Result, compare, evaluate
from sigscope.evaluation.intervals import paired_difference
from sigscope.evaluation.tasks import DIRECTIONS, items_of
from sigscope.gallery.gallery import Gallery
from sigscope.indexes.exact import cosines_float64
from sigscope.types import EncoderLike

R2_PROMPT = "The photo of …"
PROMPTS: dict[str, tuple[str, ...]] = {  # the unit vectors of several are averaged
    R2_PROMPT: ("The photo of {}",),
    "the name alone": ("{}",),
    "ensemble": (
        "{}",
        "a photo of {}",
        "a picture of {}",
        "a drawing of {}",
        "an illustration of {}",
        "clip art of {}",
        "an icon of {}",
    ),
}
MEASURE = "hit rate@10"
ZERO_SHOT = "zero-shot"
NAMES = {"first": "before", "second": "after"}


def only_train_on(
    gallery: Gallery,
    column: str,
    values: str | Sequence[str],
    splits: Sequence[str] = ("train",),
    *,
    at_most: int | None = None,
    seed: int = 0,
) -> Gallery:
    """Return the gallery with only these items left to learn from; all of it is still searched.

    Args:
        gallery: whose items have the column, such as ``kind``: "drawing" or "photo".
        column: what to choose by.
        values: one or several values of it.
        splits: of which splits the other items are taken out; add "val" so that the best epoch is
            chosen on this kind too. The test split stays as it is.
        at_most: of each split; where there are more, so many are drawn, so that two kinds may be
            compared that are not equally frequent. None means all.
        seed: of that draw.

    Raises:
        ValueError: the gallery has no such column, or no such items to learn from.
    """
    items, wanted = gallery.items, [values] if isinstance(values, str) else list(values)
    if column not in items:
        raise ValueError(f"{gallery.name} has no column {column!r}; it has {', '.join(items)}")
    other = items["split"].isin(list(splits)) & ~items[column].isin(wanted)
    rng = np.random.default_rng(seed)
    for split in splits:
        own = items.index[(items["split"] == split) & ~other]
        if own.empty:
            raise ValueError(
                f"{gallery.name} has no item in split {split!r} with {column} in {wanted}; "
                f"choose from {sorted(set(items[column]))}"
            )
        if at_most is not None:
            other[rng.permutation(own)[at_most:]] = True
    part = f"{gallery.part}{column}={'+'.join(wanted)} in {'+'.join(splits)}"
    part += "" if at_most is None else f", at most {at_most} by {seed}"
    return replace(gallery, items=items.assign(split=items["split"].mask(other, "")), part=part)


def gains_by(
    before: Result,
    after: Result,
    labels: Mapping[str, str] | pd.Series,
    *,
    measure: str = MEASURE,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the difference for the text queries of each label, such as each category.

    Args:
        before: one evaluation.
        after: another of the same queries; see `evaluate.compare`.
        labels: the label of each picture, by id.
        measure: one that both have.
        seed: of the bootstrap and the permutation test.

    Returns:
        Columns label, before, after, difference, low, high, p, p_holm (p as it counts when so many
        labels are looked at: Holm 1979), queries, pictures; the greatest gain first.
    """
    compare(before, after, [measure], seed=seed)  # refuses what cannot be paired
    rows = _text_queries(before)
    label = rows["id"].map(dict(labels))
    records = [
        {"label": name} | _paired(rows[measure][part], after.queries[measure], rows["id"], seed)
        for name, part in rows.groupby(label, sort=True).groups.items()
    ]
    table = pd.DataFrame(records).rename(columns=NAMES)
    table.insert(table.columns.get_loc("p") + 1, "p_holm", _holm(table["p"].to_numpy()))
    return table.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def most_changed(before: Result, after: Result, n: int = 10) -> pd.DataFrame:
    """Return the text queries whose first right answer moved most, n upwards and n downwards.

    How far is counted in halvings of the rank: from 64 to 1 is as far as from 640 to 10.

    Returns:
        Columns id, caption, rank_before, rank_after, halvings (> 0: better); best first. Queries
        that did not move are not listed, and a caption that several pictures have is listed once.
    """
    compare(before, after, [before.measures[0]])
    rows = _text_queries(before)
    ranks = rows["rank"], after.queries.loc[rows.index, "rank"]
    table = pd.DataFrame(
        {
            "id": rows["id"],
            "caption": rows["caption"],
            "rank_before": ranks[0],
            "rank_after": ranks[1],
            "halvings": np.log2(ranks[0].to_numpy(float) / ranks[1].to_numpy(float)),
        }
    ).sort_values("halvings", ascending=False, kind="stable")
    table = table[~table["caption"].str.casefold().duplicated()]
    up, down = table[table["halvings"] > 0].head(n), table[table["halvings"] < 0].tail(n)
    return pd.concat([up, down], ignore_index=True)


def class_vectors(encoder: EncoderLike, names: Sequence[str], prompts: Sequence[str]) -> np.ndarray:
    """Return one unit vector per class, float32, (c, d): the mean of its name's in each prompt.

    Radford et al. 2021, "Learning transferable visual models from natural language supervision".
    """
    texts = [prompt.format(name) for name in names for prompt in prompts]
    vectors = encoder.encode_texts(texts).reshape(len(names), len(prompts), -1).mean(axis=1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def zero_shot(
    gallery: Gallery, embeddings: Embeddings, encoder: EncoderLike, *, split: str = "test"
) -> pd.DataFrame:
    """Return how each picture of a split is classified by the names of all categories.

    Args:
        gallery: whose items have a category; those without one are left out.
        embeddings: of the gallery.
        encoder: what encodes the names; the model of the embeddings.
        split: whose pictures.

    Returns:
        Columns id, class, rank (of the right class, from 1), hit (1.0 where the rank is 1).
    """
    of = gallery.items.set_index("id")["category"]
    names = sorted(set(of) - {""})
    asked = items_of(gallery, split)
    rows = [row for row, id in enumerate(embeddings.ids) if id in asked and of[id]]
    classes = class_vectors(encoder, names, PROMPTS["ensemble"])
    scores = cosines_float64(embeddings.images[rows], classes)
    truth = np.array([names.index(of[id]) for id in embeddings.ids[rows]])
    own = scores[np.arange(len(rows)), truth]
    rank = (scores >= own[:, None]).sum(axis=1)  # a tie counts against the model
    ids = embeddings.ids[rows]
    return pd.DataFrame({"id": ids, "class": of[ids].to_numpy(), "rank": rank, "hit": rank == 1.0})


def gains_and_losses(
    gallery: Gallery,
    before: tuple[Embeddings, EncoderLike],
    after: tuple[Embeddings, EncoderLike],
    *,
    by: str = "kind",
    seed: int = 0,
) -> pd.DataFrame:
    """Return one table of what was won and lost: both directions, each kind, and zero-shot.

    Queries are of the test split, and the whole gallery is searched. Retrieval has the hit rate@10;
    zero-shot is the share classified rightly, and is left out where there are no two categories.

    Args:
        gallery: as it was embedded.
        before: embeddings and encoder of the model before.
        after: the same of the model after.
        by: a column of the items, such as ``kind`` or ``source``; one that is not there leaves
            that out.
        seed: of bootstrap and test.

    Returns:
        Columns test, before, after, difference, low, high, p, queries, pictures.
    """
    results = [evaluate(gallery, one, "test", [MEASURE]) for one, _ in (before, after)]
    overall = compare(*results, [MEASURE], seed=seed).drop(columns="measure")
    tables = [overall.rename(columns={"direction": "test", **NAMES})]
    if by in gallery.items:
        labels = gallery.items.set_index("id")[by]
        found = gains_by(*results, labels, seed=seed).sort_values("label")
        found["test"] = f"{DIRECTIONS[0]}, {by} " + found["label"]
        tables.append(found.drop(columns=["label", "p_holm"]))
    if gallery.items["category"].replace("", np.nan).nunique() > 1:
        classified = [zero_shot(gallery, *one) for one in (before, after)]
        hits = _paired(*(table["hit"] for table in classified), classified[0]["id"], seed)
        tables.append(pd.DataFrame([{"test": ZERO_SHOT, **hits}]).rename(columns=NAMES))
    columns = ["test", "before", "after", "difference", "low", "high", "p", "queries", "pictures"]
    return pd.concat(tables, ignore_index=True)[columns]


def _text_queries(result: Result) -> pd.DataFrame:
    queries = result.queries
    return queries[(queries["direction"] == DIRECTIONS[0]) & (queries["n_right"] > 0)]


def _paired(before: pd.Series, after: pd.Series, pictures: pd.Series, seed: int) -> dict:
    """Return the difference on the rows of before, which the other two have as well."""
    rng, rows = np.random.default_rng(seed), before.index
    return vars(paired_difference(before, after[rows], pictures[rows], rng))


def _holm(p: np.ndarray) -> np.ndarray:
    """Return p values adjusted for their number (Holm 1979), in the order given."""
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
