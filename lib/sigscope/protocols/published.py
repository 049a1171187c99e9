"""What the five reports published, as tables, and the table that sets "here" beside it.

All shares are in [0, 1], also those that a report prints in percent. The figures are typed from the
reports' own tables; nothing here is measured.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from sigscope.evaluation.intervals import interval, wilson_interval

COLUMNS = ["figure", "report", "here", "low", "high", "depends_on"]


R1_QUERIES = 50
R1_RECALL = pd.DataFrame(  # its "Recall@K" is our hit rate@K
    [
        ("flat-l2", "IndexFlatL2", 0.08, 0.10, 0.12, 0.14, 0.18, 3.085),
        ("hnsw-l2", "IndexHNSWFlat", 0.02, 0.06, 0.06, 0.10, 0.14, 3.602),
    ],
    columns=["index", "method", 3, 5, 10, 20, 50, "seconds_at_50"],
)

R2_MAP = pd.DataFrame(  # mAP@k
    [
        (5, 0.955, 0.913, 0.934, 0.681),
        (10, 0.892, 0.808, 0.856, 0.655),
        (20, 0.813, 0.690, 0.786, 0.613),
        (50, 0.696, 0.549, 0.679, 0.537),
    ],
    columns=["k", "image", "Oxford", "Paris", "text"],
)

R3_MS = pd.DataFrame(  # milliseconds: once, then a query of each task; nan where it says nothing
    [
        ("knn", "plain kNN", 10.925, 30.993, 33.912, np.nan, np.nan),
        ("flat-l2", "flat L2", 2.237, 3.667, 3.592, 3.565, 3.592),
        ("flat", "flat IP", 2.067, 3.594, 3.592, 3.580, 3.593),
        ("ivf-l2", "IVF L2", 133.556, 2.504, 0.172, 0.135, 0.171),
        ("ivf", "IVF IP", 128.749, 2.463, 2.515, 2.338, 2.522),
        ("autofaiss", "AutoFaiss", 16886.296, 10.145, 10.337, 9.942, 10.335),
    ],
    columns=[
        "index",
        "method",
        "initialise",
        "internal caption",
        "internal image",
        "external caption",
        "external image",
    ],
)
R3_SAID = {  # what it says in words: "below", "about", "above" a value
    ("precision", "internal caption"): ("below", 0.7),
    ("NDCG", "external caption"): ("about", 0.9),
    ("NDCG", "external image"): ("above", 0.95),
}

R3_COSINES = {"mean": 0.3059, "max": 0.4023}  # of true pairs of a picture and a caption

R4_RECALL = pd.DataFrame(  # its "Recall@k" is our hit rate@k; of which direction, it does not say
    [("Flickr30k", 1, 0.82), ("Flickr30k", 5, 0.92), ("COCO", 1, 0.79), ("COCO", 5, 0.89)],
    columns=["benchmark", "k", "recall"],
)

MARKS_MODEL = "ViT-B-16-SigLIP (webli)"
MARKS = pd.DataFrame(  # open_clip's zero-shot retrieval table
    [
        ("COCO", "text to image", 0.478, 0.724, 0.810),
        ("COCO", "image to text", 0.657, 0.854, 0.913),
        ("Flickr30k", "text to image", 0.747, 0.923, 0.956),
    ],
    columns=["benchmark", "direction", 1, 5, 10],
)
R4_MS = 150  # a query takes less than that
BENCHMARKS = {"COCO": 5000, "Flickr30k": 1000}  # pictures searched: the Karpathy test splits


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a protocol gives.

    ``table`` sets report beside here, one row per figure: figure (as the report names it), report,
    here, low, high (the 95 % interval of here; nan for times), depends_on (what the figure hangs
    on: model, gallery, split, queries, index, k), then columns to choose rows by.
    """

    table: pd.DataFrame
    queries: pd.DataFrame  # one row per query, to drill down into
    about: dict  # model, weights, gallery, fingerprint, split, searched


@dataclass(frozen=True)
class Row:
    """One figure of a report beside ours; what is not known is nan."""

    figure: str  # as the report names it
    depends_on: str
    report: float = np.nan
    here: float = np.nan
    low: float = np.nan
    high: float = np.nan
    key: Mapping[str, Any] = field(default_factory=dict)  # columns to choose rows by

    @classmethod
    def mean(
        cls,
        figure: str,
        depends_on: str,
        values: pd.Series,
        clusters: pd.Series,
        *,
        seed: int,
        report: float = np.nan,
        **key: Any,
    ) -> "Row":
        """Return the row of a mean over queries, with the 95 % interval that draws clusters."""
        low, high = interval(values, clusters, np.random.default_rng(seed))
        return cls(figure, depends_on, report, float(values.mean()), low, high, key)


def beside(rows: Iterable[Row]) -> pd.DataFrame:
    """Return the table of an `Outcome`."""
    records = [{name: getattr(row, name) for name in COLUMNS} | dict(row.key) for row in rows]
    numbers = ["report", "here", "low", "high"]
    return pd.DataFrame(records).astype(dict.fromkeys(numbers, float))


def depends(about: dict, *further: str) -> str:
    """Return in words what a figure hangs on: model, gallery, split, how many were searched."""
    searched = f"{about['searched']:,} pictures searched"
    of = f"{about['gallery']}, {about['split']} split" if about["split"] else about["gallery"]
    return "; ".join([about["model"], of, searched, *further])


def published(name: str) -> pd.DataFrame:
    """Return a report's figures as a tidy table: report, figure, value, queries, low, high.

    R1's recalls come with Wilson's interval of a share of 50 queries, which the report leaves out;
    the others do not say how many queries they asked, and have nan.

    Args:
        name: R1, R2, R3 or R4; R5 published no figures.
    """
    if name not in _FIGURES:
        raise ValueError(f"{name!r} published no figures kept here; choose from R1, R2, R3, R4")
    figure, wide = _FIGURES[name]
    rows = [(figure.format(*key), value) for key, value in wide.stack().dropna().items()]
    table = pd.DataFrame(rows, columns=["figure", "value"])
    shares = table["figure"].str.startswith("Recall@") & (name == "R1")
    table.insert(0, "report", name)
    table["queries"] = np.where(shares, R1_QUERIES, np.nan)
    ends = [
        report_interval(value) if share else (np.nan, np.nan)
        for value, share in zip(table["value"], shares, strict=True)
    ]
    table[["low", "high"]] = ends
    return table


def report_interval(share: float) -> tuple[float, float]:
    """Return the 95 % interval that R1's N = 50 queries give one of its recalls."""
    return wilson_interval(round(share * R1_QUERIES), R1_QUERIES)


_FIGURES = {  # what to call a figure by its row and column, and the figures
    "R1": (
        "Recall@{1}, {0}",
        R1_RECALL.set_index("method").drop(columns=["index", "seconds_at_50"]),
    ),
    "R2": ("mAP@{0}, {1}", R2_MAP.set_index("k")),
    "R3": ("ms, {0}, {1}", R3_MS.set_index("method").drop(columns="index")),
    "R4": ("Recall@{1}, {0}", R4_RECALL.pivot(index="benchmark", columns="k", values="recall")),
}
