"""Text to image by the language of the caption: what a multilingual model buys.

The queries of every language are captions of the same pictures, so each language is held against
English picture by picture.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from sigscope.embeddings.embed import Embeddings
from sigscope.evaluation.intervals import interval, paired_difference
from sigscope.evaluation.metrics import chance_hit_rate, first_right_ranks
from sigscope.evaluation.tasks import described, items_of
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.twins import right_pictures, twins
from sigscope.types import EncoderLike

ENGLISH = "en"
FILE = "translations.csv"


def by_language(
    gallery: Gallery,
    embeddings: Embeddings,
    encoder: EncoderLike,
    *,
    split: str = "test",
    k: int = 10,
    languages: list[str] | None = None,
    translations: pd.DataFrame | None = None,
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
        translations: as from `read_translations`; None reads the gallery's own.
        seed: of the bootstrap, which draws pictures.

    Returns:
        Columns language, k, hit_rate, low, high (95 % interval), chance, behind (English less this
        language on the pictures that have both), behind_low, behind_high, p, queries, pictures,
        searched.

    Raises:
        StaleEmbeddings: the embeddings are of another gallery or by another model.
    """
    queries = language_queries(
        gallery, embeddings, encoder, split=split, languages=languages, translations=translations
    )
    queries["hit"] = (queries["rank"] <= k).astype(float)
    english = queries[queries["language"] == ENGLISH].set_index("id")["hit"]
    rows = []
    for language, asked in queries.groupby("language", sort=False):
        low, high = interval(asked["hit"], asked["id"], np.random.default_rng(seed))
        behind = paired_difference(
            asked["hit"], english.loc[asked["id"]], asked["id"], np.random.default_rng(seed)
        )
        rows.append(
            {
                "language": language,
                "k": k,
                "hit_rate": asked["hit"].mean(),
                "low": low,
                "high": high,
                "chance": chance_hit_rate(asked["n_right"].to_numpy(), len(embeddings), k),
                "behind": behind.difference,
                "behind_low": behind.low,
                "behind_high": behind.high,
                "p": behind.p,
                "queries": len(asked),
                "pictures": asked["id"].nunique(),
                "searched": len(embeddings),
            }
        )
    return pd.DataFrame(rows).sort_values("hit_rate", ascending=False, ignore_index=True)


def language_queries(
    gallery: Gallery,
    embeddings: Embeddings,
    encoder: EncoderLike,
    *,
    split: str = "test",
    languages: list[str] | None = None,
    translations: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per query: language, id, caption, rank (from 1), n_right.

    The arguments are those of `by_language`.
    """
    described(gallery, embeddings, split, encoder)
    table = read_translations(gallery) if translations is None else translations
    chosen = items_of(gallery, split) & set(embeddings.ids)
    table = table[table["id"].isin(chosen) & (table["language"] != ENGLISH)]
    table = pd.concat([_english(gallery, table), _only(table, languages)], ignore_index=True)
    if set(table["language"]) == {ENGLISH}:
        raise ValueError(f"no translated picture of {gallery.name} is in split {split!r}")
    texts = table["caption"].unique()
    vectors = encoder.encode_texts(list(texts))
    row_of = {text: row for row, text in enumerate(texts)}
    stands_for = twins(gallery, embeddings.ids)
    parts = []
    for _, asked in table.groupby("language", sort=False):
        right = right_pictures(asked["caption"], asked["id"], embeddings.ids, stands_for)
        xq = vectors[[row_of[text] for text in asked["caption"]]]
        ranks = first_right_ranks(xq, embeddings.images, right)
        parts.append(asked.assign(rank=ranks, n_right=[len(rows) for rows in right]))
    return pd.concat(parts, ignore_index=True)


def read_translations(gallery: Gallery | str | Path) -> pd.DataFrame:
    """Return a gallery's translations: id, language (a code such as pt_BR), caption; no blanks.

    Args:
        gallery: a gallery, whose folder then holds translations.csv, or the path of such a file.
    """
    path = gallery.root / FILE if isinstance(gallery, Gallery) else Path(gallery)
    if not path.is_file():
        raise ValueError(f"there is no {path}; only galleries with translated captions have it")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = {"id", "language", "caption"} - set(table)
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(sorted(missing))}")
    table = table[["id", "language", "caption"]]
    return table[table["caption"].str.strip() != ""].reset_index(drop=True)


def _english(gallery: Gallery, table: pd.DataFrame) -> pd.DataFrame:
    """Return the gallery's own first captions of the pictures in table, as rows like its own."""
    items = gallery.items[gallery.items["id"].isin(table["id"]) & (gallery.items["caption"] != "")]
    return items[["id", "caption"]].assign(language=ENGLISH)


def _only(table: pd.DataFrame, languages: list[str] | None) -> pd.DataFrame:
    if languages is None:
        return table
    unknown = sorted(set(languages) - set(table["language"]) - {ENGLISH})
    if unknown:
        known = ", ".join(sorted(set(table["language"])))
        raise ValueError(f"there is no caption in {unknown[0]!r}; choose from {known}")
    return table[table["language"].isin(languages)]
