"""Text to image by the language of the caption: what a multilingual model buys.

The queries of every language are captions of the same pictures, so each language is held against
English picture by picture. They are the gallery's own translations, or Multi30k's where its table
lies beside Flickr's pictures.
"""

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.evaluate import Result, scored, summary
from sigscope.evaluation.intervals import paired_difference
from sigscope.evaluation.tasks import Task, check_and_describe, items_of
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.translations import MULTI30K, multi30k, translations
from sigscope.gallery.twins import right_pictures, twins
from sigscope.types import EncoderLike

ENGLISH = "en"
COLUMNS = ["language", "k", "hit_rate", "low", "high", "chance", "behind", "behind_low"]
COLUMNS += ["behind_high", "p", "queries", "pictures", "searched"]


def by_language(
    gallery: Gallery,
    embeddings: Embeddings,
    encoder: EncoderLike,
    *,
    split: str = "test",
    k: int = 10,
    languages: list[str] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the hit rate@k of captions in each language, best first.

    English is the gallery's first caption of the pictures that have a translation. Right answers
    are those of `twins.right_pictures`, equal captions of the same language among them.

    Args:
        gallery: what the embeddings are of.
        embeddings: of the whole gallery, all of which is searched.
        encoder: the model that made the embeddings.
        split: whose captions are the queries.
        k: how far down the list one looks.
        languages: some of the languages; None means all. English is always among them.
        seed: of the bootstrap, which draws pictures.

    Returns:
        Columns language, k, hit_rate, low, high (95 % interval), chance, behind (English less this
        language on the pictures that have both), behind_low, behind_high, p, queries, pictures,
        searched.

    Raises:
        StaleEmbeddings: the embeddings are of another gallery or by another model.
    """
    queries = language_queries(gallery, embeddings, encoder, split=split, languages=languages)
    name = f"hit rate@{k}"
    hits = (queries["rank"] <= k).astype(float)
    asked = queries.assign(**{"direction": queries["language"], name: hits})
    table = summary(Result({}, asked), [name], seed=seed)
    english = asked[asked["language"] == ENGLISH].set_index("id")[name]
    behind = []
    for _, one in asked.groupby("language", sort=False):
        rng = np.random.default_rng(seed)
        found = paired_difference(one[name], english.loc[one["id"]], one["id"], rng)
        behind.append((found.difference, found.low, found.high, found.p))
    table[["behind", "behind_low", "behind_high", "p"]] = behind
    table = table.rename(columns={"direction": "language", "value": "hit_rate"}).assign(k=k)
    return table[COLUMNS].sort_values("hit_rate", ascending=False, ignore_index=True)


def language_queries(
    gallery: Gallery,
    embeddings: Embeddings,
    encoder: EncoderLike,
    *,
    split: str = "test",
    languages: list[str] | None = None,
) -> pd.DataFrame:
    """Return one row per query: language, id, caption, rank (from 1), n_right, n.

    The arguments are those of `by_language`.
    """
    about = check_and_describe(gallery, embeddings, split, encoder)
    has_multi30k = (gallery.root / MULTI30K).is_file()
    table = multi30k(gallery) if has_multi30k else translations(gallery)
    chosen = items_of(gallery, split) & set(embeddings.ids)
    table = table[table["id"].isin(chosen) & (table["language"] != ENGLISH)]
    items = gallery.items[gallery.items["id"].isin(table["id"]) & (gallery.items["caption"] != "")]
    english = items[["id", "caption"]].assign(language=ENGLISH)
    table = pd.concat([english, _only(table, languages)], ignore_index=True)
    if set(table["language"]) == {ENGLISH}:
        raise ValueError(f"no translated picture of {gallery.name} is in split {split!r}")
    texts = table["caption"].unique()
    vectors = encoder.encode_texts(list(texts))
    row_of = {text: row for row, text in enumerate(texts)}
    stands_for = twins(gallery, embeddings.ids)
    parts = []
    for language, asked in table.groupby("language", sort=False):
        task = Task(
            name=language,
            ids=asked["id"].to_numpy(),
            texts=asked["caption"].to_numpy(),
            xq=vectors[[row_of[text] for text in asked["caption"]]],
            xb=embeddings.images,
            answers=embeddings.ids,
            right=right_pictures(asked["caption"], asked["id"], embeddings.ids, stands_for),
            about=about,
        )
        parts.append(scored(task, task.rankings(), []).rename(columns={"direction": "language"}))
    return pd.concat(parts, ignore_index=True)


def _only(table: pd.DataFrame, languages: list[str] | None) -> pd.DataFrame:
    if languages is None:
        return table
    unknown = sorted(set(languages) - set(table["language"]) - {ENGLISH})
    if unknown:
        known = ", ".join(sorted(set(table["language"])))
        raise ValueError(f"there is no caption in {unknown[0]!r}; choose from {known}")
    return table[table["language"].isin(languages)]
