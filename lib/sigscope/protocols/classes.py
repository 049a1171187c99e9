"""R2's protocol: a result is right when it has the query's class; queries are pictures or names."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.before_after import PROMPTS, R2_PROMPT, class_vectors
from sigscope.evaluation.evaluate import scored
from sigscope.evaluation.intervals import paired_difference
from sigscope.evaluation.tasks import Task, check_and_describe, items_of
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.twins import twins
from sigscope.protocols.published import R2_MAP, Outcome, Row, beside, depends
from sigscope.types import EncoderLike

WNID = re.compile(r" \(n\d{8}\)$")  # tells two of ImageNet's classes of one name apart, unsaid
OVERS = ("found", "best")  # denominators of AP@k; see metrics.average_precision


def class_map(
    gallery: Gallery,
    embeddings: Embeddings,
    encoder: EncoderLike,
    *,
    split: str = "test",
    label: str = "category",
    prompts: Mapping[str, Sequence[str]] | None = None,
    ks: Sequence[int] = (5, 10, 20, 50),
    seed: int = 0,
) -> Outcome:
    """Return R2's mAP@k for picture queries and for text queries, under each prompt.

    Picture queries are the split's pictures; the query and its marked duplicates are left out of
    its ranking, which R2 does not say. Text queries are the class names, one query a class, in a
    prompt. The whole gallery is searched. mAP@k is printed with two denominators: ``found``, under
    which it can fall at every k, as R2's does, and ``best``, under which a perfect list has 1; R2
    does not say which it took. See `metrics.average_precision`. R-precision stands beside them.

    Args:
        gallery: with a class for each item; for ILSVRC give one whose ``label`` is the class.
        embeddings: of the whole gallery.
        encoder: the model that made the embeddings.
        split: whose pictures are the queries.
        label: the column of ``gallery.items`` that holds the class; "" is no class.
        prompts: templates with {} by name; None takes ``PROMPTS``.
        ks: the k of mAP@k.
        seed: of the bootstrap, which draws pictures, or classes.

    Raises:
        StaleEmbeddings: the embeddings are of another gallery or by another model.
        ValueError: the gallery has no classes.
    """
    classes = _Classes.of(gallery, embeddings, label)
    about = check_and_describe(gallery, embeddings, split, encoder) | {"label": label}
    tasks = {"image": _picture_task(gallery, embeddings, classes, about)}
    for name, templates in (prompts or PROMPTS).items():
        tasks[name] = _name_task(embeddings, encoder, classes, templates, about)
    measures = [f"AP of {over}@{k}" for over in OVERS for k in ks] + ["R-precision"]
    rows, tables = [], []
    for name, task in tasks.items():
        table = scored(task, task.rankings(), measures).assign(
            prompt="" if name == "image" else name
        )
        tables.append(table)
        rows += [_row(task, table, measure, seed) for measure in measures]
    return Outcome(beside(rows), pd.concat(tables, ignore_index=True), about)


def prompts_compared(
    outcome: Outcome, measure: str = "AP of best@10", *, against: str = R2_PROMPT, seed: int = 0
) -> pd.DataFrame:
    """Return what each prompt gives over R2's, class by class.

    Args:
        outcome: from `class_map`.
        measure: a column of its per-query table.
        against: the prompt that the others are held against.
        seed: of the bootstrap and the permutation test.

    Returns:
        Columns prompt, value, difference, low, high, p, classes.
    """
    texts = outcome.queries[outcome.queries["prompt"] != ""]
    wide = texts.pivot(index="id", columns="prompt", values=measure).dropna()
    if against not in wide:
        raise ValueError(f"there is no prompt {against!r}; choose from {', '.join(wide)}")
    rows = []
    for prompt in dict.fromkeys(texts["prompt"]):
        rng = np.random.default_rng(seed)
        found = paired_difference(wide[against], wide[prompt], wide.index, rng)
        rows.append({"prompt": prompt} | vars(found))
    table = pd.DataFrame(rows).rename(columns={"second": "value", "queries": "classes"})
    return table[["prompt", "value", "difference", "low", "high", "p", "classes"]]


class _Classes:
    """The class of each row, and the rows of each class."""

    def __init__(self, of_row: list[str]) -> None:
        self.of_row = of_row
        rows = defaultdict(list)
        for row, name in enumerate(of_row):
            if name:
                rows[name].append(row)
        self.rows = {name: np.array(rows[name]) for name in sorted(rows)}

    @classmethod
    def of(cls, gallery: Gallery, embeddings: Embeddings, label: str) -> "_Classes":
        if label not in gallery.items:
            raise ValueError(f"{gallery.name} has no column {label!r} to take classes from")
        class_of = dict(zip(gallery.items["id"], gallery.items[label], strict=True))
        classes = cls([class_of.get(id, "") for id in embeddings.ids])
        if len(classes.rows) < 2:
            raise ValueError(
                f"{gallery.name} has {len(classes.rows)} classes in {label!r}; give at least two"
            )
        return classes


def _picture_task(gallery: Gallery, embeddings: Embeddings, classes: _Classes, about: dict) -> Task:
    ids, asked = embeddings.ids, items_of(gallery, about["split"])
    stands_for = twins(gallery, ids)
    alike = defaultdict(list)
    for row, twin in enumerate(stands_for):
        alike[twin].append(row)
    queries = [row for row, id in enumerate(ids) if id in asked and classes.of_row[row]]
    without = [np.array(alike[stands_for[row]]) for row in queries]
    right = [
        np.setdiff1d(classes.rows[classes.of_row[row]], own)
        for row, own in zip(queries, without, strict=True)
    ]
    return Task(
        name="image",
        ids=ids[queries],
        texts=np.full(len(queries), "", dtype=object),
        xq=embeddings.images[queries],
        xb=embeddings.images,
        answers=ids,
        right=right,
        about=about,
        without=without,
    )


def _name_task(
    embeddings: Embeddings,
    encoder: EncoderLike,
    classes: _Classes,
    templates: Sequence[str],
    about: dict,
) -> Task:
    called = [WNID.sub("", name) for name in classes.rows]
    return Task(
        name="text",
        ids=np.array(list(classes.rows), dtype=object),
        texts=np.array([templates[0].format(name) for name in called], dtype=object),
        xq=class_vectors(encoder, called, templates),
        xb=embeddings.images,
        answers=embeddings.ids,
        right=list(classes.rows.values()),
        about=about,
    )


def _row(task: Task, table: pd.DataFrame, measure: str, seed: int) -> Row:
    known = table[table["n_right"] > 0]
    over, _, k = measure.removeprefix("AP of ").partition("@")
    prompt = known["prompt"].iloc[0]
    of_report = over == "found" and prompt in ("", R2_PROMPT)
    said = R2_MAP.set_index("k")[task.name].get(int(k), np.nan) if of_report and k else np.nan
    what = "classes" if task.name == "text" else "pictures"
    further = [f"{len(known):,} {what} as queries, class is the {task.about['label']}"]
    further += [f"prompt: {prompt}"] if prompt else ["own picture and its duplicates left out"]
    further += (
        [f"divided by right answers {'found' if over == 'found' else 'possible'}"] if k else []
    )
    return Row.mean(
        f"mAP@{k}, {task.name}" if k else f"R-precision, {task.name}",
        depends(task.about, *further),
        known[measure],
        known["id"],
        seed=seed,
        report=said,
        queries=task.name,
        prompt=prompt,
        over=over if k else "",
        k=int(k or 0),
    )
