"""Specs: each index as data (recipe, metric, knob), with the rules that fit it to n rows and d.

A recipe is a Faiss factory string in which {cells} follows n and {eighth} and {half} follow d:

- {cells}, cells of an inverted file: 4 sqrt(n), but at most n / 39 so that every cell has the rows
  k-means asks for, and at least 1 (then the cell is the whole index).
- {eighth}, {half}, sub-vectors of a product quantiser: d / 8 of 8 dimensions each, coded in 8 bits
  (1 bit a dimension), or d / 2 of 2 dimensions each, coded in 4 bits (2 bits a dimension), which
  is what fast scan reads. If 8 does not divide d, zeros are added up to the next multiple of 8;
  they change no inner product.

Fast scan passes over a row whose code is the worst in every sub-vector. Among a handful of rows
that happens, so rows too few for two cells (n < 78) are scanned by the same codes, but plainly.
(np leaves out a slow step of training that only another kind of search makes use of.)

Of the backend "disk" the vectors stay where they are, and are read from there to re-rank
(`indexes.on_disk`). There {cells} is 2 sqrt(n): a build takes as long as it takes to compare every
row with every cell.

",RFlat" and ",Refine(SQfp16)" re-rank: the vectors are kept beside the codes, as float32 or as
float16, and what the codes propose is compared again by them. float32 gives the exact cosine;
float16 takes half the space and changes it by less than 1e-3.

Faiss does not check all that it needs, and where it does not it may end the whole process: OPQ
(1.15.1) writes past its memory when it learns a rotation from fewer rows than dimensions. So a spec
says what is in the way before Faiss is asked (``problem``).

Effort is the value of the knob: more of it finds more and takes longer.
"""

import re
from dataclasses import dataclass, replace
from math import isqrt

ROWS_PER_CELL = 39  # the fewest training rows a centroid that Faiss takes without a warning
CODE_WORDS = 256  # centroids of a code of 8 bits: fewer rows than these are repeated to learn them
CELLS, GRAPH, CANDIDATES = "nprobe", "efSearch", "candidates"  # the knobs
PROBES = tuple(2**power for power in range(13))  # 1 to 4096
BEAMS = tuple(2**power for power in range(4, 13))  # 16 to 4096
WIDTHS = tuple(2**power for power in range(8))  # 1 to 128


@dataclass(frozen=True)
class IndexSpec:
    """How to build one family, with which metric, and which search-time knob to sweep."""

    factory: str  # the recipe; empty where it is not Faiss that searches
    metric: str  # "ip", "l2" or "cosine"; on unit rows all rank alike, and all report cosines
    knob: str = ""  # what effort sets; empty where there is nothing to set
    values: tuple[int, ...] = ()  # to sweep, in rising effort
    default: int = 0  # effort unless a search says otherwise; 0 is the rule of ``default_effort``
    backend: str = "faiss"  # or "numpy", "sklearn" or "disk"
    candidates: int = 0  # how many per result asked for, where effort is not that itself
    label: str = ""  # for people
    per_root: int = 4  # cells of an inverted file over n rows, times sqrt(n)
    offered_from: int = 0  # rows; it can be built over fewer, but there is no point in it

    @property
    def reranks(self) -> bool:
        """Whether candidates are compared again with vectors kept beside the codes, or on disk."""
        return self.backend == "disk" or self.factory.endswith((",RFlat", ",Refine(SQfp16)"))

    def cells(self, n: int) -> int:
        """Return how many cells it has over n rows, where it is an inverted file."""
        return cells(n, self.per_root)

    def recipe(self, n: int, d: int) -> str:
        """Return the factory string for n rows of d dimensions."""
        wide = -(-d // 8) * 8
        recipe = self.factory.format(cells=self.cells(n), eighth=wide // 8, half=wide // 2)
        if self.cells(n) == 1:
            recipe = recipe.replace("x4fsr", "x4np").replace("x4fs", "x4np")
        return f"Pad{wide},{recipe}" if "PQ" in recipe and wide != d else recipe

    def problem(self, n: int, d: int) -> str:
        """Return why it cannot be built over n rows of d dimensions; an empty string if it can."""
        recipe = self.recipe(n, d)
        pad, turn, inverted, codes = (
            int(found[1]) if (found := re.search(part + r"(\d+)", recipe)) else 0
            for part in ("Pad", r"\bOPQ", r"\bIVF", r"\bPQ")
        )
        wide = pad or d
        if turn and max(n, CODE_WORDS) < wide:
            return f"its rotation is learnt from {wide} vectors or more, and there are {n:,}"
        if n < inverted:
            return f"its {inverted:,} cells need a vector each, and there are {n:,}"
        if codes and wide % codes:
            return f"it cuts a vector into {codes} equal parts, and {wide} dimensions do not divide"
        return ""

    def efforts(self, n: int) -> tuple[int, ...]:
        """Return the values worth sweeping over n rows, rising; the last is full effort.

        Full effort is every cell of an inverted file, and of a graph the largest of the values.
        """
        if self.knob == CELLS:
            return (*(value for value in self.values if value < self.cells(n)), self.cells(n))
        below = sum(value < n for value in self.values)
        return self.values[: below + 1]  # what reaches all n rows is enough

    def default_effort(self, n: int) -> int:
        """Return the effort of a search that names none; 0 where there is no knob.

        Without a default of its own an inverted file visits 2 sqrt(cells) of its cells.
        """
        if self.knob == CELLS and not self.default:
            return min(self.cells(n), 2 * isqrt(self.cells(n)))
        return self.default


def cells(n: int, per_root: int = 4) -> int:
    """Return how many cells an inverted file over n rows has."""
    return max(1, min(per_root * isqrt(n), n // ROWS_PER_CELL))


def fitting(n: int, d: int, *, stored: bool = False) -> dict[str, IndexSpec]:
    """Return the indexes of ``INDEXES`` for n rows of d dimensions: they can be built, and pay.

    Over ``stored`` rows, those that stay on disk (`StoredRows`), few can be built.
    """
    return {
        name: spec
        for name, spec in INDEXES.items()
        if n >= spec.offered_from
        and not spec.problem(n, d)
        and (not stored or searches_stored_rows(spec))
    }


def searches_stored_rows(spec: IndexSpec) -> bool:
    """Return whether an index needs no rows in memory: exact search, and one that is on disk."""
    return spec.backend == "disk" or spec == INDEXES["flat"]


def find_spec(name: str | IndexSpec) -> tuple[str, IndexSpec]:
    """Return a name and its spec, given either; a spec that has no name goes by its label.

    Raises:
        ValueError: There is no such name; the sentence lists those there are.
    """
    if isinstance(name, IndexSpec):
        known = (one for one, spec in INDEXES.items() if spec == name)
        return next(known, name.label or name.factory or name.backend), name
    if name not in INDEXES:
        raise ValueError(f"there is no index called {name!r}; choose from {', '.join(INDEXES)}")
    return name, INDEXES[name]


def _inverted(codes: str, label: str, metric: str = "ip") -> IndexSpec:
    return IndexSpec("IVF{cells}," + codes, metric, CELLS, PROBES, label=label)


def _graph(metric: str, label: str) -> IndexSpec:
    return IndexSpec("HNSW32", metric, GRAPH, BEAMS, default=64, label=label)


def _reranked(spec: IndexSpec, candidates: int) -> IndexSpec:
    """Return spec with re-ranking; where it has no knob yet, how many candidates becomes it."""
    how = {"factory": f"{spec.factory},RFlat", "label": f"{spec.label}, re-ranked"}
    how["candidates"] = candidates
    if not spec.knob:
        how |= {"knob": CANDIDATES, "values": WIDTHS, "default": candidates, "candidates": 0}
    return replace(spec, **how)


_EXACT = {
    "flat": IndexSpec("Flat", "ip", label="flat, inner product"),
    "flat-l2": IndexSpec("Flat", "l2", label="flat, L2"),
    "numpy": IndexSpec("", "ip", backend="numpy", label="numpy, exact"),
    "knn": IndexSpec("", "cosine", backend="sklearn", label="scikit-learn kNN, cosine"),
}
_APPROXIMATE = {
    "ivf": _inverted("Flat", "IVF, inner product"),
    "ivf-l2": _inverted("Flat", "IVF, L2", "l2"),
    "hnsw": _graph("ip", "HNSW, inner product"),
    "hnsw-l2": _graph("l2", "HNSW, L2"),
}
_COMPRESSED = {  # each with how many candidates per result re-ranking looks at
    "sq8": (IndexSpec("SQ8", "ip", label="scalar quantiser, 8 bits"), 2),
    "fp16": (IndexSpec("SQfp16", "ip", label="scalar quantiser, float16"), 2),
    "pq-fast": (IndexSpec("PQ{half}x4fs", "ip", label="PQ, fast scan"), 8),
    "rabitq": (IndexSpec("RaBitQ", "ip", label="RaBitQ"), 16),
    "ivfpq": (_inverted("PQ{eighth}x8np", "IVF-PQ"), 20),
    "opq": (
        replace(
            _inverted("PQ{eighth}x8np", "OPQ, IVF-PQ"),
            factory="OPQ{eighth},IVF{cells},PQ{eighth}x8np",
        ),
        20,
    ),
    "ivf-pq-fast": (_inverted("PQ{half}x4fsr", "IVF-PQ, fast scan"), 10),
    "ivf-rabitq": (_inverted("RaBitQ", "IVF, RaBitQ"), 20),
    "ivf-sq8": (_inverted("SQ8", "IVF, 8 bits"), 2),
}
_ON_DISK = replace(
    _inverted("RaBitQ", "IVF, RaBitQ, vectors on disk"),
    backend="disk", candidates=20, per_root=2, offered_from=50_000,
)  # fmt: skip
INDEXES: dict[str, IndexSpec] = {
    **_EXACT,
    **_APPROXIMATE,
    **{name: spec for name, (spec, _) in _COMPRESSED.items()},
    **{f"{name}+rerank": _reranked(*how) for name, how in _COMPRESSED.items()},
    "ivf-rabitq+disk": _ON_DISK,
}
