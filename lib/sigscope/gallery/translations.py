"""Translations: a gallery's captions in other languages, in a table beside its pictures."""

import csv

import pandas as pd

from sigscope.gallery.gallery import Gallery

FILE = "translations.csv"
MULTI30K = "multi30k.tsv"  # Elliott et al. 2016: Flickr30k's captions in German, French, Czech
COLUMNS = ["id", "language", "caption"]


def translations(gallery: Gallery) -> pd.DataFrame:
    """Return id, language (a code such as pt_BR) and caption of each translation; no blanks.

    Raises:
        ValueError: the gallery has no such table.
    """
    path = gallery.root / FILE
    if not path.is_file():
        raise ValueError(f"there is no {path}; only galleries with translated captions have it")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = set(COLUMNS) - set(table)
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(sorted(missing))}")
    return table.loc[table["caption"].str.strip() != "", COLUMNS].reset_index(drop=True)


def multi30k(gallery: Gallery) -> pd.DataFrame:
    """Return Multi30k's captions of the pictures that a gallery has, in the columns of COLUMNS.

    They lie beside Flickr's pictures as multi30k.tsv, with the columns file, lang and caption; a
    picture may have several in a language. They are no captions of the gallery, only queries.

    Raises:
        ValueError: there is no such table, or it lacks a column.
    """
    path = gallery.root / MULTI30K
    if not path.is_file():
        raise ValueError(f"there is no {path}; Multi30k's captions belong there")
    table = pd.read_csv(path, dtype=str, keep_default_na=False, sep="\t", quoting=csv.QUOTE_NONE)
    missing = {"file", "lang", "caption"} - set(table)
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(sorted(missing))}")
    names = gallery.items["path"].str.rpartition("/")[2]
    ids = pd.Series(gallery.items["id"].to_numpy(), names).groupby(level=0).first()
    table = table.rename(columns={"lang": "language"}).assign(id=table["file"].map(ids))
    told = table["id"].notna() & (table["caption"].str.strip() != "")
    return table.loc[told, COLUMNS].reset_index(drop=True)
