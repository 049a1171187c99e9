"""Galleries: any folder of pictures as a table of items with captions, labels and splits.

An item's id is its path below the gallery's root, and everything else is joined by it. No cell of
text is ever nan: what is unknown is "".
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from sigscope.files import sha256, size_of
from sigscope.gallery.columns import FIELDS
from sigscope.gallery.folder import NO_NAMES_HERE, GalleryError, Listing
from sigscope.gallery.links import LEADS_OUT, inside, leads_out
from sigscope.gallery.rows import RowLookup, captions_of, rows_of
from sigscope.gallery.walk import count_of
from sigscope.images.formats import FORMATS
from sigscope.images.read import PictureError, open_picture, opened

COLUMNS = ["id", "path", "caption", "captions", *FIELDS]  # always there, and in this order
ONE = {"pictures": "picture", "texts and tables": "text or table", "lists": "list", "films": "film"}
Choice = str | Sequence[str] | None  # one value, several, or all of them


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures that belong together. It is never empty, and its tables are to be read, not changed.

    Attributes:
        name: What to call it: the name of its folder.
        root: The folder that every path counts from.
        items: One row per picture, in the gallery's order: id (unique), path (below root), caption
            (the first, or ""), captions (list of str, no blanks, no doubles), category, split
            ("train", "val", "test" or ""), source, licence, author, duplicate_of (the id of the
            twin that is kept, or ""), then any further columns of the metadata.
        problems: What was left out, and why: path, reason.
        counts: How many files there are of each kind, all together; {} where nobody has counted.
        part: How a subset was chosen, "" for the whole.
        vectors: The table or folder that holds a vector of each item (`gallery.vectors`,
            `embeddings.catalogue`), which is searched in place of the picture; None where pictures
            are to be embedded.
        stamp: What changes when anything does that the items are read from, where that is known
            without a look at each; else "".
    """

    name: str
    root: Path
    items: pd.DataFrame
    problems: pd.DataFrame
    counts: dict[str, int] = field(default_factory=dict)
    part: str = ""
    vectors: Path | None = None
    stamp: str = ""

    @classmethod
    def of(cls, name: str, root: Path, listing: Listing, shown: Path | None = None) -> "Gallery":
        """Return the gallery of a listing; GalleryError when it lists no pictures.

        A row's path is its id unless it has one of its own. The error names the folder shown, where
        that is not root.
        """
        listing = inside(root, listing)
        if not listing.rows:
            raise GalleryError(_no_pictures(shown or root, listing))
        items, problems = _items(listing.rows), _problems(listing.problems)
        return cls(name, root, items, problems, listing.counts)

    def counted(self, failed: int = 0) -> str:
        """Return in words what became of all files, or "" where nobody has counted.

        Args:
            failed: How many of the pictures have turned out to be unreadable since.
        """
        if not self.counts:
            return ""
        counts = dict(self.counts)
        if unreadable := min(failed, counts.get("pictures", 0)):  # few are there beside vectors
            counts["pictures"] -= unreadable
            counts["unreadable"] += unreadable
        parts = ", ".join(
            f"{count:,} {ONE.get(kind, kind) if count == 1 else kind}"
            for kind, count in counts.items()
            if count
        )
        return f"{count_of(sum(counts.values()), 'file')}: {parts}"

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.items)

    def file(self, id: str) -> Path:
        """Return where the picture with this id lies, in the folder, whatever links it has.

        Raises:
            GalleryError: There is no such item, or a link leads out of the folder.
        """
        path = self._cell(id, "path")
        if leads_out(self.root, path):
            raise GalleryError(f"{path} is not shown: {LEADS_OUT}.")
        return self.root / path

    def original(self, id: str) -> bytes:
        """Return the file of an item as it is, once its bytes are known to be the picture listed.

        This is the one door by which files leave as they are: nothing else that a table or a link
        may name gets through.

        Raises:
            GalleryError: As for `file`.
            PictureError: It is no picture that can be read, or has changed since it was listed.
        """
        with opened(self.file(id)) as (file, name):
            data = file.read()
        open_picture(data, max_side=1)
        known = self._cell(id, "content") if "content" in self.items else ""
        if known not in ("", sha256(data)):
            raise PictureError(f"{name} has changed since it was listed; look at the folder again.")
        return data

    def picture(self, id: str) -> Image.Image:
        """Return the picture with this id in RGB; PictureError says why it cannot be opened."""
        return open_picture(self.file(id))

    @cached_property
    def captions(self) -> pd.DataFrame:
        """One row per caption, in the order of the items: id, number (0 is the first), caption."""
        if isinstance(self.items["captions"].dtype, pd.ArrowDtype):
            return captions_of(self.items)
        listed = zip(self.items["id"], self.items["captions"], strict=True)
        rows = [(id, number, text) for id, texts in listed for number, text in enumerate(texts)]
        table = pd.DataFrame(rows, columns=["id", "number", "caption"])
        return table.astype({"id": "str", "number": "int64", "caption": "str"})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over each item's id, captions, category, split and file, in order of id.

        The file counts by its ``content`` where the items have that column, else by its size. It is
        64 hexadecimal digits, worked out once: a picture changed later does not change it.
        """
        if self.stamp:
            return sha256(json.dumps([self.stamp, self.part]).encode())
        digest = hashlib.sha256()
        columns = [self.items[name].tolist() for name in ("id", "captions", "category", "split")]
        for row in sorted(zip(*columns, self._states(), strict=True)):  # by id, which is unique
            digest.update(f"{json.dumps(row)}\n".encode())
        return digest.hexdigest()

    def subset(self, *, split: Choice = None, category: Choice = None) -> "Gallery":
        """Return the items of these splits and categories (one or several of each), in their order.

        The name stays; the fingerprint tells a subset from the whole.

        Raises:
            GalleryError: No item has that split or category (the sentence lists those there are),
                or none has both.
        """
        kept = self._chosen("split", split) & self._chosen("category", category)
        if not kept.any():
            raise GalleryError(f"{self.name} has no item of split {split} and category {category}.")
        part = f"{self.part}{json.dumps([split, category], default=list)}"
        return replace(self, items=self.items[kept].reset_index(drop=True), part=part)

    def _chosen(self, column: str, wanted: Choice) -> pd.Series:
        """Return which items have one of the wanted values in column; None wants them all."""
        wanted = [wanted] if isinstance(wanted, str) else wanted
        values = self.items[column]
        if wanted is None:
            return values.notna()
        there = sorted(values.unique())
        for value in wanted:
            if value not in there:
                raise GalleryError(f"{self.name} has no {column} {value!r}; it has {there}.")
        return values.isin(list(wanted))

    def _states(self) -> list:
        """Return what tells whether a picture's file is another now: its content, or its size."""
        if "content" in self.items:
            return self.items["content"].tolist()
        return [size_of(os.path.join(self.root, path)) for path in self.items["path"]]

    def has(self, id: str) -> bool:
        """Return whether there is an item with this id."""
        return self._lookup.row(id) >= 0

    def row(self, id: str) -> int:
        """Return the row of an item in ``items``; GalleryError where there is no such item."""
        row = self._lookup.row(id)
        if row < 0:
            raise GalleryError(f"The gallery {self.name} has no item {id!r}.")
        return row

    def rows(self, ids: Sequence[str]) -> np.ndarray:
        """Return the row of each of these items, int64, -1 where there is no such item."""
        return rows_of(np.array(list(ids), dtype=object), self.items["id"].array)

    def _cell(self, id: str, column: str) -> str:
        return self.items[column].array[self.row(id)]

    @cached_property
    def _lookup(self) -> RowLookup:
        return RowLookup(self.items["id"].array)


def _items(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the items table; text columns hold "" where a row says nothing."""
    items = pd.DataFrame(rows)
    items["path"] = items.get("path", items["id"])
    items["caption"] = [captions[0] if captions else "" for captions in items["captions"]]
    for column in FIELDS:
        items[column] = items.get(column, "")
    text = items.select_dtypes("str").columns
    items[text] = items[text].fillna("")
    return items[COLUMNS + [column for column in items if column not in COLUMNS]]


def _problems(problems: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(problems, columns=["path", "reason"], dtype="str")


def _no_pictures(root: Path, listing: Listing) -> str:
    sentence = f"{root} holds no pictures that can be read ({', '.join(FORMATS)})."
    if not listing.problems:
        return sentence
    told = [each for each in listing.problems if each[1] != NO_NAMES_HERE] or listing.problems
    name, reason = min(told, key=lambda each: (not (root / each[0]).exists(), each))
    return f"{sentence} {len(listing.problems)} were left out; the first, {name!r}: {reason}."
