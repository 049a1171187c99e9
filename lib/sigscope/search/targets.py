"""Ranking: vectors with what to show for each, searched into a table of results.

There are two such targets in a search: the pictures, and the captions. Both are joined to the
gallery by id.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from sigscope.arguments import whole
from sigscope.embeddings.load import Embeddings
from sigscope.embeddings.stored_rows import StoredRows
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import rows_of, same_ids
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.milvus import MilvusIndex
from sigscope.indexes.milvus_loading import open_milvus
from sigscope.indexes.specs import IndexSpec, find_spec, searches_stored_rows
from sigscope.rerank.corrections import Correction, search_corrected
from sigscope.search.named_rows import worth_scoring
from sigscope.search.queries import Results
from sigscope.search.saved_indexes import open_index
from sigscope.search.stored_index import StoredIndex

Build = Callable[[np.ndarray, pd.DataFrame, str], "VectorIndex | MilvusIndex | StoredIndex"]
COLUMNS = pd.Index(["rank", "id", "score", "caption", "category", "path"])
SHOWN = ["id", "caption", "category", "path"]
MANY_NAMED = 5_000  # rows with words of the query, of which not all are scored
TEXT = pd.StringDtype("python", na_value=np.nan)  # prints as str; quicker to pick a few rows from


class UnreadableGallery(GalleryError):
    """None of a gallery's pictures can be read; ``failed`` says of each why: id, path, reason."""

    def __init__(self, sentence: str, failed: pd.DataFrame | None = None) -> None:
        """Take the sentence to say, and the table."""
        super().__init__(sentence)
        self.failed = failed


def check_readable(gallery: Gallery, embeddings: Embeddings) -> None:
    """Raise UnreadableGallery where none of a gallery's pictures could be read."""
    failed = embeddings.failed
    if len(failed) == len(gallery):
        first = failed["reason"].iat[0]
        said = f"None of the {len(gallery):,} pictures of {gallery.name} can be read."
        raise UnreadableGallery(f"{said} The first: {first}", failed)


def builder(
    index: str | IndexSpec,
    gallery: Gallery,
    embeddings: Embeddings,
    effort: int | None = None,
    *,
    kept: bool = False,
    store: str | None = None,
) -> Build:
    """Return what builds an index over unit rows, given their items and what they are.

    Args:
        index: a name in ``INDEXES``, or a spec.
        gallery: what the items are of.
        embeddings: what the rows are of.
        effort: that the index will be searched with.
        kept: open the index kept in the cache. Each kind has one place there for each gallery's
            folder (and each subset) and each encoder, as embeddings have.
        store: the address of a vector database that holds the rows instead (`indexes.milvus`).
    """
    encoder = embeddings.manifest.get("encoder") or {}
    if store:
        about = {"gallery": gallery.name, "model": encoder.get("model", ""), "encoder": encoder}
        how = {"about": about, "progress": sys.stderr.isatty()}
        return lambda xb, items, what: open_milvus(store, index, xb, items, what=what, **how)
    stays = embeddings.stay_on_disk
    if stays and find_spec(index)[1].backend != "disk":
        return partial(_stored, index)

    def ids(items: pd.DataFrame) -> Any:
        return items["id"].array if stays else items["id"]

    if not kept:
        return lambda xb, items, what: VectorIndex.build(index, xb, ids(items))
    of = [gallery.name, os.fsencode(gallery.root.resolve()).hex(), gallery.part, encoder]
    how = {"asked": {"picture": embeddings.images, "text": embeddings.captions}, "effort": effort}
    return lambda xb, items, what: open_index(index, xb, ids(items), [*of, what], **how)


def _stored(index: str | IndexSpec, xb: StoredRows, items: pd.DataFrame, what: str) -> StoredIndex:
    name, spec = find_spec(index)
    if not searches_stored_rows(spec):
        raise ValueError(
            f"index {name!r} is built over vectors in memory, and the {len(xb):,} of these {what} "
            "stay on disk; search them with index ivf-rabitq+disk, or flat"
        )
    return StoredIndex(xb, items["id"].array)


@dataclass(frozen=True, eq=False)
class Labels:
    """One label per row, as a number, so that choosing rows takes microseconds."""

    numbers: np.ndarray  # (n,) the label of each row
    number_of: dict[str, int]  # in alphabetical order

    @classmethod
    def of(cls, column: pd.Series) -> "Labels":
        """Return the labels in a column of text."""
        numbers, names = pd.factorize(column, sort=True)
        return cls(numbers, {name: number for number, name in enumerate(names)})

    def rows_with(self, kind: str, values: str | Sequence[str]) -> np.ndarray:
        """Return a mask of the rows that have one of these labels; kind is for the sentence."""
        chosen = np.zeros(len(self.number_of), dtype=bool)
        for value in [values] if isinstance(values, str) else values:
            if value not in self.number_of:
                known = ", ".join(name or "(none)" for name in self.number_of)
                raise ValueError(f"there is no {kind} {value!r}; choose from {known}")
            chosen[self.number_of[value]] = True
        return chosen[self.numbers]


@dataclass(frozen=True, eq=False)
class Target:
    """Rows that can be searched, with what a result shows of each and what it is filtered by."""

    index: VectorIndex | MilvusIndex | StoredIndex
    shown: dict[str, pd.api.extensions.ExtensionArray]  # the columns SHOWN
    labels: dict[str, Labels]  # by category, by split
    rows: np.ndarray  # (n,) which rows of the embeddings these are

    @classmethod
    def pictures(cls, gallery: Gallery, embeddings: Embeddings, build: Build) -> "Target":
        """Return the pictures that are both in gallery and in embeddings."""
        return cls._of(gallery, embeddings, embeddings.ids, embeddings.images, None, build)

    @classmethod
    def captions(cls, gallery: Gallery, embeddings: Embeddings, build: Build) -> "Target":
        """Return the captions of items that are both in gallery and in embeddings."""
        ids, texts = embeddings.caption_ids, embeddings.caption_texts
        return cls._of(gallery, embeddings, ids, embeddings.captions, texts, build)

    @classmethod
    def _of(
        cls,
        gallery: Gallery,
        embeddings: Embeddings,
        ids: np.ndarray,
        vectors: np.ndarray,
        texts: np.ndarray | None,
        build: Build,
    ) -> "Target":
        place = rows_of(ids, gallery.items["id"].array)
        rows = np.flatnonzero(place >= 0)
        what = "pictures" if texts is None else "captions"
        if rows.size == 0:
            check_readable(gallery, embeddings)
            raise ValueError(
                f"{embeddings.folder} has no {what} of the {len(gallery):,} items in "
                f"{gallery.name}; embed this gallery first"
            )
        is_whole = rows.size == len(vectors)
        stays = isinstance(vectors, StoredRows)
        items = gallery.items
        if not (stays and same_ids(ids, items["id"].array)):
            items = items[[*SHOWN, "split"]].iloc[place[rows]]
        if texts is not None:
            items = items.assign(caption=texts if is_whole else texts[rows])
        if not is_whole:
            vectors = vectors.only(rows) if stays else vectors[rows]
        return cls(
            index=build(vectors, items, what),
            shown={name: _shown(items[name], stays) for name in SHOWN},
            labels={name: Labels.of(items[name]) for name in ("category", "split")},
            rows=rows,
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.index)

    def nearest(
        self,
        vector: np.ndarray,
        k: int,
        *,
        among: np.ndarray | None = None,
        filters: Mapping[str, Any] | None = None,
        without: Sequence[str] = (),
        effort: int | None = None,
        corrections: Sequence[Correction] = (),
        lift: np.ndarray | None = None,
        by: str = "both",
    ) -> Results:
        """Return the k rows nearest a unit vector, best first, as a table with ``COLUMNS``.

        Args:
            vector: float32, shape (d,).
            k: how many; more than there are means all of them.
            among: mask of the rows that may be found, (n,), from `filters.mask`; None: all.
            filters: what the mask follows from, for an index that has labels of its own.
            without: ids to leave out; as many more are found first, whatever the index.
            effort: the value of the index's knob; None is its default.
            corrections: taken off the cosines, each over all rows of the embeddings.
            lift: what words add to the score of each row, (n,), 0 where it has none of them. The
                table then has a column ``found_by``: meaning, words, or both.
            by: both; or words, for the rows that have some, by their lift alone.

        Raises:
            ValueError: k is below 1.
        """
        k = whole("k", k, "ask for at least one result")
        numbers = None if among is None else np.flatnonzero(among)
        found = partial(
            self._scored, vector, without=without, effort=effort, corrections=corrections
        )
        scores, rows = meant = found(k, numbers, filters)
        if lift is None:
            return self._table(scores, rows)
        named = np.flatnonzero(lift if among is None else lift * among)
        if named.size > MANY_NAMED and not corrections:
            best = 1.0 if self.index.spec.knob or not len(scores) else scores[0]
            named = worth_scoring(named, lift, k + len(without), found, best, by)
        theirs, named = found(max(1, named.size), named)
        other = ~np.isin(rows, named) & (by == "both")
        scores = np.concatenate([theirs * (by == "both") + lift[named], scores[other]])
        rows = np.concatenate([named, rows[other]])
        best = np.argsort(-scores, kind="stable")[:k]
        table = self._table(scores[best].astype(np.float32), rows[best])
        ways = np.where(np.isin(rows[best], meant[1]), "both", "words")
        return table.assign(found_by=np.where(lift[rows[best]] > 0, ways, "meaning"))

    def _scored(
        self,
        vector: np.ndarray,
        k: int,
        numbers: np.ndarray | None,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str],
        effort: int | None,
        corrections: Sequence[Correction],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return corrected scores, float32, and rows of the k best of some rows, or of all."""
        labels = {"filters": filters} if isinstance(self.index, MilvusIndex) else {}
        search = partial(self.index.search, rows=numbers, effort=effort, **labels)
        taken_off = [one.among(self.rows) for one in corrections]
        found = search_corrected(search, vector[None], k + len(without), taken_off)
        scores, rows = (part[0][found[1][0] >= 0] for part in found)
        kept = np.ones(len(rows), bool)
        for id in without:
            kept &= self.index.ids[rows] != id
        return scores[kept][:k], rows[kept][:k]

    def _table(self, scores: np.ndarray, rows: np.ndarray) -> Results:
        columns = [
            np.arange(1, len(rows) + 1),
            self.shown["id"].take(rows),
            scores,
            *(self.shown[column].take(rows) for column in SHOWN[1:]),
        ]
        table = Results(dict(enumerate(columns)), copy=False)
        table.columns = COLUMNS  # named last: as keys of the dict the names cost more than the data
        return table


def _shown(column: pd.Series, stays: bool) -> pd.api.extensions.ExtensionArray:
    """Return a column to pick rows from; what stays on disk is not made objects."""
    return column.array if stays else column.astype(TEXT).array
