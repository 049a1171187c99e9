"""Search methods: whatever answers queries over some rows, opened by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sigscope.ann.measure import least_seconds
from sigscope.indexes.files import vectors_fingerprint
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import IndexSpec

Search = Callable[..., tuple[np.ndarray, np.ndarray]]  # (xq, k) -> scores, rows, best first
WARM_UP = 3  # queries, unmeasured


@dataclass(frozen=True, eq=False)
class Method:
    """A way to search n rows; ``problem`` says why there is none."""

    name: str
    search: Search | None
    build_s: float  # nan where it is not known
    efforts: tuple[int | None, ...]  # the knob's values, rising; a single None without a knob
    problem: str = ""

    def found(
        self, xq: np.ndarray, k: int, effort: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and row numbers, both (q, k); -1 and -inf fill what was not found."""
        scores, rows = self._asked(xq, k, effort)
        missing = k - rows.shape[1]
        if missing > 0:
            scores = np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf)
            rows = np.pad(rows, ((0, 0), (0, missing)), constant_values=-1)
        return scores, rows.astype(np.int64)

    def seconds(self, xq: np.ndarray, k: int) -> np.ndarray:
        """Return the fewest seconds of each query, asked alone, encoding not counted, (q,)."""
        alone = [np.ascontiguousarray(xq[row : row + 1]) for row in range(len(xq))]
        for query in alone[:WARM_UP]:
            self._asked(query, k, None)
        return least_seconds(lambda query: self._asked(query, k, None), alone)

    def _asked(self, xq: np.ndarray, k: int, effort: int | None) -> tuple[np.ndarray, np.ndarray]:
        return self.search(xq, k) if effort is None else self.search(xq, k, effort=effort)


def open_methods(
    entries: Sequence[Any] | Mapping[str, Any], xb: np.ndarray, ids: np.ndarray
) -> list[Method]:
    """Return a Method over xb for each entry, in their order.

    Args:
        entries: names in ``INDEXES``, specs, builders (``name``, ``build(xb, ids)``), indexes
            already built over exactly these ids, or functions (xq, k) -> (scores, rows); a mapping
            gives them names. A builder that fails gives a Method that says why.
        xb: unit rows, float32, shape (n, d).
        ids: the id of each row.
    """
    named = entries.items() if isinstance(entries, Mapping) else [(None, e) for e in entries]
    return [_open(name, entry, xb, ids) for name, entry in named]


def _open(name: str | None, entry: Any, xb: np.ndarray, ids: np.ndarray) -> Method:
    if isinstance(entry, str | IndexSpec):
        return _of_index(name, VectorIndex.build(entry, xb, ids))
    name = name or getattr(entry, "name", "")
    if hasattr(entry, "search"):
        if list(entry.ids) != [str(id) for id in ids]:
            raise ValueError(
                f"index {name!r} is over other pictures than are searched here, or in another "
                "order; build it over these, or give its name"
            )
        if getattr(entry, "vectors_sha256", "") not in ("", vectors_fingerprint(xb)):
            raise ValueError(
                f"index {name!r} is over other vectors of the same pictures, perhaps another "
                "model's; build it over these, or give its name"
            )
        return _of_index(name, entry)
    if not hasattr(entry, "build"):
        return Method(name or entry.__name__, entry, float("nan"), (None,))
    try:
        return _of_index(name, entry.build(xb, ids))
    except Exception as error:  # whatever went wrong is said in the table
        return Method(name, None, float("nan"), (None,), str(error) or type(error).__name__)


def _of_index(name: str | None, index: Any) -> Method:
    efforts = tuple(getattr(index, "efforts", ())) or (None,)
    return Method(name or index.name, index.search, float(index.build_s), efforts)
