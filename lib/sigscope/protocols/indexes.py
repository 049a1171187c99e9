"""R3's protocol: four tasks, {caption, image} x {internal, external}, for several search methods.

Internal: the query is part of the data set, and its own picture is the one right answer. External:
the query is new, and what plain kNN finds first is taken as right, so these figures say how near
an index comes to exact search and nothing of whether people would agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.evaluate import scored
from sigscope.evaluation.metrics import cosine_gain_ndcg
from sigscope.evaluation.rankings import from_lists
from sigscope.evaluation.tasks import Task, caption_tasks, items_of
from sigscope.gallery.gallery import Gallery
from sigscope.indexes.exact import exact_neighbours
from sigscope.indexes.specs import IndexSpec
from sigscope.protocols.methods import Method, open_methods
from sigscope.protocols.published import R3_MS, R3_SAID, Outcome, Row, beside, depends

METHODS = ("knn", "flat-l2", "flat", "ivf-l2", "ivf")  # AutoFaiss is added as a builder
TIMED = 50  # queries asked alone for the median time


def four_tasks(
    gallery: Gallery,
    embeddings: Embeddings,
    *,
    split: str = "test",
    indexes: Sequence[Any] | Mapping[str, Any] = METHODS,
    ks: Sequence[int] = (1, 3, 5, 7),
    seed: int = 0,
) -> Outcome:
    """Return R3's precision@k, cosine-gain NDCG@k and times for each method and task.

    Queries are the split's captions and pictures. The internal tasks search the whole gallery, the
    external ones all of it but the split, so that their queries are new. R3's "precision@k" is
    `metrics.hit_at_k`; its NDCG is `metrics.cosine_gain_ndcg`. A time is the median of queries
    asked one at a time, encoding not counted.

    Args:
        gallery: what the embeddings are of.
        embeddings: of the whole gallery.
        split: whose captions and pictures are the queries.
        indexes: names in ``INDEXES``, specs, builders such as ``autofaiss.AutoFaiss()``, by
            name if in a mapping. Each is built twice: over the whole gallery, and without split.
        ks: the k of precision@k and NDCG@k.
        seed: of the bootstrap.
    """
    _check_can_be_built(indexes)
    tasks = _r3_tasks(gallery, embeddings, split)
    rows, tables = [], []
    for where in ("internal", "external"):
        both = [tasks[f"{where} {what}"] for what in ("caption", "image")]
        exact = [exact_neighbours(task.xb, task.xq, max(ks)) for task in both]
        for method in open_methods(indexes, both[0].xb, both[0].answers):
            rows += [_initialise(method, both[0])] if where == "internal" else []
            for task, rows_of_knn in zip(both, exact, strict=True):
                if method.search is None:
                    rows.append(_failed(method, task))
                    continue
                table = _scored(method, task, rows_of_knn, ks)
                tables.append(table)
                rows += [*_rows(method, task, table, ks, seed), _time(method, task, max(ks))]
    return Outcome(beside(rows), pd.concat(tables, ignore_index=True), both[0].about)


def _r3_tasks(gallery: Gallery, embeddings: Embeddings, split: str) -> dict[str, Task]:
    """Return R3's four tasks by name; the right answer to each query is one row."""
    caption = caption_tasks(gallery, embeddings, split, rule="own")["text to image"]
    asked = items_of(gallery, split)
    inside = np.array([id in asked for id in embeddings.ids])
    old = np.flatnonzero(~inside)
    if not old.size:
        raise ValueError(f"every picture is in split {split!r}, so no query would be new")
    image = replace(
        caption,
        ids=embeddings.ids[inside],
        texts=np.full(inside.sum(), "", dtype=object),
        xq=embeddings.images[inside],
        right=[np.array([row]) for row in np.flatnonzero(inside)],
    )
    xb, tasks = embeddings.images[old], {}
    for what, task in {"caption": caption, "image": image}.items():
        tasks[f"internal {what}"] = replace(task, name=f"internal {what}")
        tasks[f"external {what}"] = replace(
            task,
            name=f"external {what}",
            xb=xb,
            answers=embeddings.ids[old],
            right=list(exact_neighbours(xb, task.xq, 1)),
            about={**task.about, "searched": len(old)},
        )
    return tasks


def _check_can_be_built(indexes: Sequence[Any] | Mapping[str, Any]) -> None:
    named = indexes.items() if isinstance(indexes, Mapping) else [(None, e) for e in indexes]
    for name, entry in named:
        if not isinstance(entry, str | IndexSpec) and (
            hasattr(entry, "search") or not hasattr(entry, "build")
        ):
            name = name or getattr(entry, "name", entry)
            raise ValueError(
                f"{name!r} is already over some rows, and R3 searches two sets; give the name of "
                "an index, a spec, or a builder"
            )


def _scored(method: Method, task: Task, exact: np.ndarray, ks: Sequence[int]) -> pd.DataFrame:
    """Return the per-query table of one method and task."""
    _, found = method.found(task.xq, exact.shape[1])
    ranked = from_lists(found, task.right, len(task.answers))
    table = scored(task, ranked, [f"hit rate@{k}" for k in ks])
    table = table.rename(columns={f"hit rate@{k}": f"precision@{k}" for k in ks})
    if task.name.startswith("external"):
        for k in ks:
            table[f"NDCG@{k}"] = cosine_gain_ndcg(found[:, :k], exact[:, :k], task.xb)
    return table.assign(method=method.name)


def _rows(
    method: Method, task: Task, table: pd.DataFrame, ks: Sequence[int], seed: int
) -> list[Row]:
    rows = []
    for kind in ("precision", "NDCG"):
        for k in ks:
            name = f"{kind}@{k}"
            if name not in table:
                continue
            word, said = R3_SAID.get((kind, task.name), ("", np.nan))
            more = [f"report: {word} {said}"] if word else []
            rows.append(
                Row.mean(
                    f"{name}, {task.name}, {_label(method)}",
                    _words(method, task, *more),
                    table[name],
                    table["id"],
                    seed=seed,
                    report=said,
                    **_key(method, task, kind, k),
                )
            )
    return rows


def _time(method: Method, task: Task, k: int) -> Row:
    return Row(
        f"ms per query, {task.name}, {_label(method)}",
        _words(method, task, f"k {k}, median of {TIMED} asked alone, this machine"),
        _reported_ms(method, task.name),
        1000 * np.median(method.seconds(task.xq[:TIMED], k)),
        key=_key(method, task, "ms", k),
    )


def _initialise(method: Method, task: Task) -> Row:
    return Row(
        f"initialise (ms), {_label(method)}",
        method.problem or _words(method, task, "this machine"),
        _reported_ms(method, "initialise"),
        1000 * method.build_s,
        key={"method": method.name, "task": "", "measure": "initialise ms", "k": 0},
    )


def _failed(method: Method, task: Task) -> Row:
    figure = f"precision, {task.name}, {_label(method)}"
    return Row(figure, method.problem, key=_key(method, task, "precision", 0))


def _key(method: Method, task: Task, measure: str, k: int) -> dict:
    return {"method": method.name, "task": task.name, "measure": measure, "k": k}


def _label(method: Method) -> str:
    return R3_MS.set_index("index")["method"].get(method.name, method.name)


def _reported_ms(method: Method, column: str) -> float:
    return float(R3_MS.set_index("index")[column].get(method.name, np.nan))


def _words(method: Method, task: Task, *more: str) -> str:
    right = "own picture right" if task.name.startswith("internal") else "kNN's first result right"
    return depends(task.about, f"{len(task):,} queries", right, f"index {method.name}", *more)
