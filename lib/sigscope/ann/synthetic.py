"""Synthetic galleries: pictures and queries that grow out of real embeddings, any number of them.

``synthetic_fit`` fits one and says what it is. Its kernel is a branching random walk over the
leaves of an endless binary tree. A leaf has a root, which is a real row, and a number of 64 bits;
leaves of one root that have their lowest bits in common have their first moves in common. Nothing
is stored: what a node does follows from its number, so any leaf can be made at any time, and is
always the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from sigscope.ann.difficulty import SHORTEST, chords
from sigscope.arguments import whole

CHUNK = 8192  # rows made at a time
PICTURES, IMAGE_QUERIES, TEXT_QUERIES = range(3)
LEVELS = 12  # of moves that leaves can share: 4,096 leaves apart for each root


@dataclass(frozen=True, eq=False)
class SyntheticGallery:
    """A world that pictures and queries can be drawn from; ``synthetic_fit.fit`` makes one.

    Draws depend on the world and on the generator handed in, not on the size of the chunks, and a
    smaller draw is the first rows of a larger one. A generator in one state picks other leaves for
    pictures, for image queries and for text queries.
    """

    images: np.ndarray  # (N, d) float32 unit rows: the real pictures it grows out of
    texts: np.ndarray  # (N, d) float32 unit rows: their captions
    neighbours: np.ndarray  # (N, K) each picture's nearest, row numbers
    distances: np.ndarray  # (N, K) how far they are, chords
    seed: int  # of the world
    dimension: float  # by which neighbours get nearer with n
    pull: float = 0.4  # how far a picture goes to its neighbours' mean, a share
    spread: float = 0.8  # all moves of a leaf, as a share of the nearest neighbour's distance
    aside: float = 0.3  # of the moves, how many lead to or from a caption, a share
    text_pull: float = 0.1  # how far a caption goes to its neighbours' captions' mean
    text_spread: float = 0.7  # the share of its picture's moves that a caption makes

    @property
    def d(self) -> int:
        """The number of dimensions that the world was fitted in."""
        return self.images.shape[1]

    def pictures(
        self,
        n: int,
        rng: np.random.Generator,
        d: int | None = None,
        *,
        out: np.ndarray | None = None,
        chunk: int = CHUNK,
    ) -> np.ndarray:
        """Return n made pictures, float32 unit rows, shape (n, d).

        Args:
            n: how many.
            rng: picks the leaves.
            d: how wide; None is the real width. A wider world is the real one with the tail of
                its spectrum drawn on, turned at random: cosines change by about the tail's share
                (a thousandth in siglit-mini), but the vectors keep to their first directions, so
                a codec that rotates (OPQ, PCA) has it easier than with a model born that wide. A
                narrower world keeps the directions with most length, so neighbours get nearer.
            out: where to write them, float32 (n, d), perhaps a memory map; None makes an array.
            chunk: rows made at a time, which bounds the memory beside the result.
        """
        world = self.at(d)
        out = np.empty((n, world.d), np.float32) if out is None else out
        if out.shape != (n, world.d) or out.dtype != np.float32:
            raise ValueError(f"out is {out.dtype} {out.shape}; it must be float32 {(n, world.d)}")
        return _filled(out, world.streamed(n, rng, chunk=chunk))

    def streamed(
        self, n: int, rng: np.random.Generator, *, first: int = 0, chunk: int = CHUNK
    ) -> Iterator[np.ndarray]:
        """Yield the rows that ``pictures`` returns, from the first asked for, a chunk at a time.

        Args:
            n: how many there are in all.
            rng: picks the leaves.
            first: how many rows are passed over, at no cost.
            chunk: rows in each, but perhaps the last: float32 unit rows, (chunk, d).
        """
        roots, leaves = self.leaves(n, rng, PICTURES)
        return self._images(roots[first:], leaves[first:], chunk)

    def queries(
        self, kind: str, n: int, rng: np.random.Generator, d: int | None = None
    ) -> np.ndarray:
        """Return n new queries of the same world, float32 unit rows, shape (n, d).

        Args:
            kind: "image", a picture that is none of the made ones, or "text", the caption of one.
            n: how many.
            rng: picks the leaves; the one that picked the pictures may be used again.
            d: how wide; give what the pictures were given.
        """
        if kind not in ("image", "text"):
            raise ValueError(f'there are no {kind!r} queries; ask for "image" or "text"')
        world, out = self.at(d), np.empty((n, d or self.d), np.float32)
        if kind == "image":
            return _filled(out, world._images(*self.leaves(n, rng, IMAGE_QUERIES), CHUNK))
        return _filled(out, world._captions(*self.leaves(n, rng, TEXT_QUERIES), CHUNK))

    def at(self, d: int | None) -> "SyntheticGallery":
        """Return the same world in d dimensions; see ``pictures`` for how."""
        if d is None or d == self.d:
            return self
        whole("d", d, "directions need at least 2 dimensions", least=2)
        both = _widened(self, d) if d > self.d else _narrowed(self, d)
        return replace(
            self, images=both[0], texts=both[1], distances=_distances(both[0], self.neighbours)
        )

    @property
    def rows(self) -> np.ndarray:
        """What moves lead between: the pictures, and their captions brought over the gap, (2 N, d).

        With the gap left in, moves to captions would make a few pictures near to all captions.
        """
        gap = self.texts.mean(axis=0) - self.images.mean(axis=0)
        return np.vstack([self.images, self.texts - gap])

    def leaves(self, n: int, rng: np.random.Generator, what: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the real picture below each of n leaves, and the leaf's number, 64 bits."""
        whole("n", n, "ask for at least one row")
        state = rng.integers(2**32, size=4).tolist()
        roots, leaves = (np.random.default_rng([*state, what, part]) for part in (0, 1))
        return roots.integers(len(self.images), size=n), leaves.integers(2**64, size=n, dtype="u8")

    def _images(self, roots: np.ndarray, leaves: np.ndarray, chunk: int) -> Iterator[np.ndarray]:
        starts = pulled(self.images, self, self.pull)
        return self._grown(starts, self.spread, roots, leaves, chunk)

    def _captions(self, roots: np.ndarray, leaves: np.ndarray, chunk: int) -> Iterator[np.ndarray]:
        starts = pulled(self.texts, self, self.text_pull)
        return self._grown(starts, self.spread * self.text_spread, roots, leaves, chunk)

    def _grown(
        self, starts: np.ndarray, spread: float, roots: np.ndarray, leaves: np.ndarray, chunk: int
    ) -> Iterator[np.ndarray]:
        rows = self.rows
        for at in range(0, len(roots), chunk):
            some = slice(at, at + chunk)
            moved = self.moved(rows, roots[some], leaves[some])
            yield unit(starts[roots[some]] + np.float32(spread) * moved)

    def moved(self, rows: np.ndarray, roots: np.ndarray, leaves: np.ndarray) -> np.ndarray:
        """Return how far leaves are from their roots at spread 1, float32, (leaves, d).

        Level l has the share ``(1 - q) q ** l`` of the squared length, ``q = 2 ** (-2 /
        dimension)``, and depends on the lowest l + 1 bits of the leaf's number; what is left is the
        leaf's alone. A level's step is, up or down, the way from a neighbour of the root to a
        neighbour of that one or to its partner. Its squared lengths add up to the squared distance
        of root and nearest row.

        Args:
            rows: what moves lead between, as ``rows`` returns it.
            roots: a row number of the real pictures each.
            leaves: a number each, uint64.
        """
        q = 2 ** (-2 / self.dimension)
        shares = np.append((1 - q) * q ** np.arange(LEVELS), q**LEVELS)
        first, second = np.split(rows, 2)
        apart = np.maximum(np.linalg.norm(first - second, axis=1), SHORTEST)
        near = self.neighbours.shape[1]
        used, weights = [], []
        for level, share in enumerate(shares):
            nodes = _nodes(roots, leaves, level, self.seed)
            start = self.neighbours[roots, _bits(nodes, 0, 16) % near]
            rank = _bits(nodes, 16, 16) % near
            aside = _bits(nodes, 32, 24) < self.aside * 2**24
            end = np.where(aside, start + len(first), self.neighbours[start, rank])
            length = np.where(aside, apart[start], self.distances[start, rank])
            turn = 2 * _bits(nodes, 56, 1) - 1
            weight = np.sqrt(share) * self.distances[roots, 0] / length * turn
            used += [start, end]
            weights += [-weight, weight]
        return _weighted_sums(rows, np.stack(used, axis=1), np.stack(weights, axis=1))


def pulled(x: np.ndarray, world: SyntheticGallery, share: float) -> np.ndarray:
    """Return the rows of x, gone that share of the way to the mean of their neighbours' rows.

    Nearer neighbours count more, by the inverse of their distance.
    """
    weights = 1 / world.distances
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    mean = np.zeros_like(x)
    for rank in range(weights.shape[1]):
        mean += weights[:, rank, None] * x[world.neighbours[:, rank]]
    return x + np.float32(share) * (mean - x)


def _distances(images: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    cosines = [np.vecdot(images, images[column]) for column in neighbours.T]
    return chords(np.stack(cosines, axis=1)).astype(np.float32)


def _widened(world: SyntheticGallery, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures and captions with a tail of d - world.d directions more, turned at random."""
    rng = np.random.default_rng([world.seed, d])
    turn, corner = np.linalg.qr(rng.normal(size=(d, d)))
    turn = (turn * np.sign(np.diag(corner))).astype(np.float32)  # evenly random: Mezzadri 2007
    both = []
    for x in (world.images, world.texts):
        tail = rng.normal(size=(len(x), d - world.d)) * np.sqrt(_tail(x, d - world.d))
        both.append(unit(np.hstack([x, tail.astype(np.float32)]) @ turn))
    return both[0], both[1]


def _tail(x: np.ndarray, more: int) -> np.ndarray:
    """Return the variances of directions after the last, by the line of the log spectrum's end."""
    spectrum = np.linalg.eigvalsh(np.cov(x.T, dtype=np.float64))[::-1]
    places = np.arange(len(spectrum))
    late = (places >= len(spectrum) // 2) & (spectrum > 1e-12)
    if late.sum() < 3:
        return np.zeros(more)
    slope, level = np.polyfit(places[late], np.log(spectrum[late]), 1)
    return np.exp(level + min(slope, 0) * (len(spectrum) + np.arange(more)))


def _narrowed(world: SyntheticGallery, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures and captions along the d directions in which they are longest."""
    both = np.vstack([world.images, world.texts]).astype(np.float64)
    _, directions = np.linalg.eigh(both.T @ both)
    kept = directions[:, : -d - 1 : -1].astype(np.float32)
    return unit(world.images @ kept), unit(world.texts @ kept)


def _filled(out: np.ndarray, chunks: Iterator[np.ndarray]) -> np.ndarray:
    at = 0
    for rows in chunks:
        out[at : at + len(rows)] = rows
        at += len(rows)
    return out


def unit(x: np.ndarray) -> np.ndarray:
    """Return the rows of x with length 1, float32."""
    x = np.asarray(x, dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _nodes(roots: np.ndarray, leaves: np.ndarray, level: int, seed: int) -> np.ndarray:
    """Return 64 random bits for the node above each leaf at a level, the same each time."""
    path = np.uint64(2 ** (level + 1) - 1 if level < LEVELS else 2**64 - 1)
    return _mixed(_mixed(_mixed(roots) ^ np.uint64(seed + level)) ^ (leaves & path))


def _bits(numbers: np.ndarray, start: int, count: int) -> np.ndarray:
    return ((numbers >> np.uint64(start)) & np.uint64(2**count - 1)).astype(np.int64)


def _weighted_sums(rows: np.ndarray, used: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the sum over j of weights[i, j] * rows[used[i, j]], float32, shape (len(used), d)."""
    ends = np.arange(0, used.size + 1, used.shape[1])
    weights = weights.astype(np.float32).ravel()
    return csr_matrix((weights, used.ravel(), ends), shape=(len(used), len(rows))) @ rows


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Return numbers scattered over all 64 bits (splitmix64; Steele, Lea & Flood 2014)."""
    z = np.asarray(numbers).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
