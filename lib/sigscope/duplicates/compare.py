"""Copies: which pictures show the same, and which of them is kept."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sigscope.duplicates.near import CloserLook, likeness
from sigscope.duplicates.signatures import candidates, firsts, measured, pixels, read_signatures
from sigscope.images.prefetch import prefetch

Pairs = tuple[np.ndarray, np.ndarray]

KINDS = ("same file", "same pixels", "near")
NEIGHBOURS, COSINE = 4, 0.9  # what embeddings propose for a look at the pixels
EXACT_SEARCH = 20_000  # pictures up to which every pair of embeddings is looked at
PROBED = 16  # cells of the quicker search, of about 4 √n
ALMOST = 0.95  # the likeness from which pixels may be the same

log = logging.getLogger(__name__)


class Copies:
    """Which of n pictures is kept for each, of what kind that is, and how alike the two are.

    Attributes:
        kept: the number of the picture that is kept, (n,); a picture's own where it is no copy.
        kinds: numbers of KINDS, (n,).
        alike: likeness of the two, (n,).
    """

    def __init__(self, files: list[Path], proposed: Pairs, progress: bool) -> None:
        """Look through the files; proposed are further pairs to look at, by number."""
        self.files = files
        self.signatures = read_signatures(files, progress=progress)
        unread = int((~self.signatures.readable).sum())
        if unread:
            log.warning("%d pictures cannot be read and were compared as files alone", unread)
        self.look = CloserLook(files, self.signatures.luma, self.signatures.aspect)
        self._pixels: dict[int, str] = {}
        self.kept, self.alike = self._gathered(self._linked(proposed))
        self.kinds = np.where(self.kept == np.arange(len(files)), 0, KINDS.index("near"))
        self._tell_same_pixels()

    def _linked(self, proposed: Pairs) -> dict[tuple[int, int], float]:
        """Return the difference of every pair i < j that was found to be copies."""
        comparable = self.signatures.readable & ~self.signatures.plain
        leaders, links = self._of_one_signature(np.flatnonzero(comparable))
        i, j = (leaders[rows] for rows in candidates(self.signatures.luma[leaders]))
        more = np.stack(proposed)[:, comparable[proposed[0]] & comparable[proposed[1]]]
        pairs = np.concatenate([np.stack([i, j]), more], axis=1)
        i, j = np.unique(np.sort(pairs, axis=0), axis=1)
        links |= self._found(i, j)
        return links | self._of_same_pixels(np.flatnonzero(self.signatures.plain))

    def _of_one_signature(self, rows: np.ndarray) -> tuple[np.ndarray, dict]:
        """Return the first of each kind of picture, rising, and the links of the others to it.

        Pictures of one signature may differ in colour or in what is small, and then are of two
        kinds.
        """
        leaders, links = [], {}
        while rows.size:
            first = rows[firsts([self.signatures.luma[row].tobytes() for row in rows])]
            leaders.append(rows[first == rows])
            first, rows = first[first != rows], rows[first != rows]
            found = self._found(first, rows)
            links |= found
            linked = {j for _, j in found}
            rows = np.array([row for row in rows.tolist() if row not in linked], np.int64)
        return np.sort(np.concatenate([np.empty(0, np.int64), *leaders])), links

    def _of_same_pixels(self, rows: np.ndarray) -> dict[tuple[int, int], float]:
        """Return the links of plain pictures, of which only the same pixels can be told."""
        signs = pd.Series([self.signatures.luma[row].tobytes() for row in rows], dtype=object)
        readable = self.signatures.readable[rows]
        rows = rows[signs.duplicated(keep=False).to_numpy() & readable]
        first = rows[firsts([shown or row for row, shown in enumerate(self._shown(rows))])]
        pairs = zip(first.tolist(), rows.tolist(), strict=True)
        return {(i, j): 0.0 for i, j in pairs if i != j}

    def _found(self, i: np.ndarray, j: np.ndarray) -> dict[tuple[int, int], float]:
        differences = self.look.differences(i, j)
        pairs = zip(i.tolist(), j.tolist(), differences.tolist(), strict=True)
        return {(one, other): apart for one, other, apart in pairs if np.isfinite(apart)}

    def _gathered(self, links: dict[tuple[int, int], float]) -> tuple[np.ndarray, np.ndarray]:
        """Return the kept one of each picture, and the likeness of the two."""
        pairs = np.array(list(links), np.int64).reshape(-1, 2)
        size = {row: measured(self.files[row]) for row in np.unique(pairs).tolist()}
        known = dict(links)

        def apart(kept: int, rows: np.ndarray) -> np.ndarray:
            asked = [(min(kept, row), max(kept, row)) for row in rows.tolist()]
            new = [pair for pair in asked if pair not in known]
            found = self.look.differences(*np.array(new, np.int64).reshape(-1, 2).T)
            known.update(zip(new, found.tolist(), strict=True))
            return np.array([known[pair] for pair in asked])

        return gathered(len(self.files), pairs, lambda row: (*size[row], -row), apart)

    def _tell_same_pixels(self) -> None:
        rows = np.flatnonzero((self.kinds > 0) & (self.alike >= ALMOST))
        same = [
            one == other != ""
            for one, other in zip(self._shown(rows), self._shown(self.kept[rows]), strict=True)
        ]
        self.kinds[rows[same]], self.alike[rows[same]] = KINDS.index("same pixels"), 1

    def _shown(self, rows: np.ndarray) -> list[str]:
        """Return the hash of each picture's pixels."""
        new = [row for row in dict.fromkeys(rows.tolist()) if row not in self._pixels]
        hashes = prefetch(pixels, [self.files[row] for row in new])
        self._pixels.update(zip(new, hashes, strict=True))
        return [self._pixels[row] for row in rows.tolist()]


def gathered(
    n: int,
    pairs: np.ndarray,
    rank: Callable[[int], Any],
    apart: Callable[[int, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of n is kept for each, (n,), and the likeness of the two, (n,).

    The best of what is linked is kept; what is alike to it, of what is one or two links away, goes
    with it; and of the rest again the best is kept.

    Args:
        n: how many there are.
        pairs: the links, (m, 2).
        rank: the larger, the rather a row is kept.
        apart: how far rows differ from a kept one; inf is not alike.
    """
    kept, alike = np.arange(n), np.ones(n)
    links = coo_array((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(n, n)).tocsr()
    _, label = connected_components(links, directed=False)
    links = links + links.T
    linked = np.unique(pairs)
    groups = pd.Series(linked).groupby(label[linked]).agg(list)
    for group in groups:
        rest = sorted(group, key=rank, reverse=True)
        while len(rest) > 1:
            best = rest[0]
            nearby = set(links[links[[best]].indices].indices) | set(links[[best]].indices)
            rows = np.array([row for row in rest[1:] if row in nearby], dtype=np.int64)
            differences = apart(best, rows)
            close = np.isfinite(differences)
            kept[rows[close]], alike[rows[close]] = best, likeness(differences[close])
            gone = {best, *rows[close].tolist()}
            rest = [row for row in rest if row not in gone]
    return kept, alike


def close_embeddings(ids: np.ndarray, embeddings: Any | None) -> Pairs:
    """Return pairs of ids, by number, whose embeddings are close; none without embeddings."""
    nothing = np.empty(0, np.int64)
    if embeddings is None:
        return nothing, nothing
    number = {id: row for row, id in enumerate(ids)}
    rows = np.array([row for row, id in enumerate(embeddings.ids) if id in number], np.int64)
    if len(rows) < 2:
        return nothing, nothing
    cosines, found = _neighbours(np.ascontiguousarray(embeddings.images[rows], np.float32))
    of = np.array([number[id] for id in embeddings.ids[rows]], np.int64)
    query = np.repeat(np.arange(len(rows)), found.shape[1])
    found, close = found.ravel(), (cosines.ravel() >= COSINE) & (found.ravel() >= 0)
    close &= found != query
    return of[query[close]], of[found[close]]


def _neighbours(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cosines and rows of the nearest of each row, itself among them mostly."""
    import faiss

    k = min(NEIGHBOURS + 1, len(x))
    if len(x) <= EXACT_SEARCH:
        return faiss.knn(x, x, k, metric=faiss.METRIC_INNER_PRODUCT)
    cells = int(4 * len(x) ** 0.5)
    index = faiss.index_factory(x.shape[1], f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(x[: 50 * cells])
    index.add(x)
    index.nprobe = PROBED
    return index.search(x, k)
