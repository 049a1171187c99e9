"""A branching random walk: leaves of an endless binary tree, moved along steps between real rows.

A leaf has a root, which is a real row, and a number of 64 bits. Leaves of one root that have their
lowest bits in common have their first moves in common. Nothing is stored: what a node does follows
from its number, so any leaf can be made at any time, and is always the same.
"""

import numpy as np
from scipy.sparse import csr_matrix

SHORTEST = 5e-4  # a step of no length has no direction
LEVELS = 12  # that leaves can share: 4,096 leaves apart for each root


def moves(
    rows: np.ndarray,
    neighbours: np.ndarray,
    distances: np.ndarray,
    roots: np.ndarray,
    leaves: np.ndarray,
    *,
    dimension: float,
    partner_share: float,
    seed: int,
) -> np.ndarray:
    """Return how far leaves are from their roots, float32, shape (len(roots), d).

    Level l has the share ``(1 - q) q ** l`` of the squared length, ``q = 2 ** (-2 / dimension)``,
    and depends on the lowest l + 1 bits of the leaf's number; what is left is the leaf's alone. A
    level's step is, up or down, the way from a neighbour of the root to a neighbour of that one or
    to its partner. Its squared lengths add up to the squared distance of root and nearest row.

    Args:
        rows: the real vectors, N and then the partner of each, float32, (2 N, d).
        neighbours: row numbers of the nearest of each of the first N, best first, (N, k).
        distances: how far they are, above 0, (N, k).
        roots: a row number below N each.
        leaves: a number each, uint64.
        dimension: how quickly moves shrink from level to level.
        partner_share: of the steps, how many go to partners, in [0, 1].
        seed: of the tree, from 0 to 2 ** 63.
    """
    q = 2 ** (-2 / dimension)
    shares = np.append((1 - q) * q ** np.arange(LEVELS), q**LEVELS)
    first, second = np.split(rows, 2)
    apart = np.maximum(np.linalg.norm(first - second, axis=1), SHORTEST)
    used, weights = [], []
    for level, share in enumerate(shares):
        nodes = _nodes(roots, leaves, level, seed)
        start = neighbours[roots, _bits(nodes, 0, 16) % neighbours.shape[1]]
        rank = _bits(nodes, 16, 16) % neighbours.shape[1]
        aside = _bits(nodes, 32, 24) < partner_share * 2**24
        end = np.where(aside, start + len(first), neighbours[start, rank])
        length = np.where(aside, apart[start], distances[start, rank])
        weight = np.sqrt(share) * distances[roots, 0] / length * (2 * _bits(nodes, 56, 1) - 1)
        used += [start, end]
        weights += [-weight, weight]
    return _weighted_sums(rows, np.stack(used, axis=1), np.stack(weights, axis=1))


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
