"""Translations: a gallery's captions in other languages, in a table beside its pictures."""

import pandas as pd

from sigscope.gallery.gallery import Gallery

FILE = "translations.csv"
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
