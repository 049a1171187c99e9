"""What `siglit-mini` learns from and is measured on: four sources, one table of pictures each.

The gallery is always there, emoji are fetched where npm is. Flickr8k (in its publishers' format)
and textbook photographs (``photos.tsv`` and ``images``) are used where their folders are given;
nothing of them is shipped.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from training_emoji import emoji_table

from sigscope.datasets import load_gallery
from sigscope.paths import GALLERY

SERIES = {  # editions and neighbours of one textbook: they share photographs
    "anatomy": ("anatomy-physiology", "philschatz-anatomy-book"),
    "biology": ("philschatz-biology-book", "philschatz-biology-concepts-book", "microbiology"),
    "business": (
        *("introduction-business", "entrepreneurship", "principles-marketing", "business-ethics"),
        *(
            "introduction-intellectual-property",
            "principles-finance",
            "principles-economics-bundle",
        ),
    ),
    "government": ("american-government", "introduction-political-science"),
    "history": ("us-history", "philschatz-us-history-book", "life-liberty-and-pursuit-happiness"),
    "mathematics": ("contemporary-mathematics", "college-algebra-bundle", "prealgebra-bundle"),
    "physics": (
        *("college-physics-bundle", "physics", "university-physics-bundle"),
        *("philschatz-physics-book", "fisica-universitaria-bundle"),
    ),
    "psychology": ("psychology", "philschatz-psychology-book", "psychologia"),
    "sociology": ("introduction-sociology", "philschatz-sociology-book"),
    "statistics": ("introductory-statistics-bundle", "statistics"),
    "writing": ("writing-guide", "college-success-bundle", "introduction-philosophy"),
}
HELD_OUT = {"test": 400, "val": 250}  # textbook photographs at least
LARGEST = 200


@dataclass(frozen=True)
class Source:
    """Pictures of one kind: columns file, captions (list of str), split, group (of twins)."""

    name: str
    table: pd.DataFrame

    def split(self, name: str) -> pd.DataFrame:
        """Return the rows of a split, numbered anew."""
        return self.table[self.table["split"] == name].reset_index(drop=True)


def gallery_source() -> Source:
    """Return the shipped gallery."""
    gallery = load_gallery(GALLERY)
    items = gallery.items
    twin = items["duplicate_of"].where(items["duplicate_of"] != "", items["id"])
    files = [str(gallery.file(id)) for id in items["id"]]
    return Source("gallery", _table(files, items["captions"], items["split"], twin))


def flickr_source(folder: Path) -> Source:
    """Return Flickr8k with its usual splits; pictures of none are left out."""
    gallery = load_gallery(f"flickr8k:{folder}")
    items = gallery.items[gallery.items["split"].isin(["train", "val", "test"])]
    files = [str(gallery.file(id)) for id in items["id"]]
    return Source("flickr8k", _table(files, items["captions"], items["split"], items["id"]))


def textbook_source(folder: Path) -> Source:
    """Return the English textbook photographs, whole series of books on one side of the split."""
    rows = pd.read_csv(folder / "photos.tsv", sep="\t", dtype=str, keep_default_na=False)
    rows = rows[rows["lang"] == "en"].reset_index(drop=True)
    series = rows["book"].map({book: name for name, books in SERIES.items() for book in books})
    series = series.fillna(rows["book"])
    files = [str(folder / "images" / name) for name in rows["file"]]
    captions = [
        list(dict.fromkeys(text.strip() for text in pair if text.strip()))
        for pair in zip(rows["alt"], rows["caption"], strict=True)
    ]
    table = _table(files, captions, dealt(series), rows["file"])
    return Source("textbook", table[table["captions"].map(len) > 0].reset_index(drop=True))


def emoji_source(folder: Path) -> Source | None:
    """Return emoji, all of them in train; None where npm, which fetches them, is not."""
    table = emoji_table(folder)
    return None if table is None else Source("emoji", table)


def dealt(series: pd.Series) -> pd.Series:
    """Return a split for each row: whole series, in an order drawn once, first test, then val.

    A larger series than LARGEST is trained on, so that several subjects are tested.
    """
    sizes = series.value_counts().sort_index()
    order = list(np.random.default_rng(0).permutation(sizes.index))
    split: dict[str, str] = {}
    for name, least in HELD_OUT.items():
        held = 0
        while held < least:
            place = next(one for one in order if one not in split and sizes[one] <= LARGEST)
            split[place], held = name, held + sizes[place]
    return series.map(split).fillna("train")


def _table(files, captions, split, group) -> pd.DataFrame:
    columns = {"file": files, "captions": captions, "split": split, "group": group}
    return pd.DataFrame({name: list(values) for name, values in columns.items()})
