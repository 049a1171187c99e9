"""Retrieval tasks: queries, what is searched, and which rows of it are right for each query.

A task belongs to one gallery and to the embeddings of exactly that gallery; anything else is
refused. What is searched is the whole gallery; the queries are of one split.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from sigscope.duplicates.splits import check_splits
from sigscope.embeddings.load import Embeddings
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.evaluation.rankings import Rankings, rank_relevant
from sigscope.files import same
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.twins import _own_and_twins, right_pictures, twins
from sigscope.rerank.corrections import Correction
from sigscope.types import EncoderLike

DIRECTIONS = ("text to image", "image to text")
RULES = ("own", "twins", "equal")


@dataclass(frozen=True, eq=False)
class Task:
    """q queries over n rows."""

    name: str
    ids: np.ndarray  # (q,) the picture (or class) of each query: what intervals draw
    texts: np.ndarray  # (q,) "" where the query is a picture
    xq: np.ndarray  # (q, d) float32, unit rows
    xb: np.ndarray  # (n, d) float32, unit rows
    answers: np.ndarray  # (n,) the id of each row of xb
    right: list[np.ndarray]  # q lists of rows
    about: dict  # model, weights, gallery, fingerprint, split
    without: list[np.ndarray] | None = None  # rows that a query does not rank

    def __len__(self) -> int:
        """Return the number of queries, q."""
        return len(self.ids)

    def rankings(self) -> Rankings:
        """Return where the right answers stand when every row is ranked exactly."""
        return rank_relevant(self.xq, self.xb, self.right, without=self.without)

    def only(self, chosen: np.ndarray) -> "Task":
        """Return the task with these queries alone (numbers, or a mask)."""
        chosen = np.arange(len(self))[chosen]
        return replace(
            self,
            ids=self.ids[chosen],
            texts=self.texts[chosen],
            xq=self.xq[chosen],
            right=[self.right[i] for i in chosen],
            without=None if self.without is None else [self.without[i] for i in chosen],
        )

    def corrected(self, correction: Correction, *, gates: np.ndarray | None = None) -> "Task":
        """Return the task with the correction: the same questions, ranked by other scores."""
        xq, xb = correction.extend(self.xq, self.xb, gates=gates)
        return replace(self, xq=xq, xb=xb)

    def among(self, rows: np.ndarray) -> "Task":
        """Return the task with only these rows searched; every query must keep a right answer.

        Ranking the test split's rows alone shows whether a correction finds the right row, or only
        lowers the rows of the other splits.
        """
        place = np.full(len(self.xb), -1)
        place[rows] = np.arange(len(rows))

        def moved(lists: list[np.ndarray]) -> list[np.ndarray]:
            return [place[own][place[own] >= 0] for own in lists]

        right = moved(self.right)
        if lost := sum(not len(own) for own in right):
            raise ValueError(f"{lost} queries have no right answer among these {len(rows)} rows")
        return replace(
            self,
            xb=self.xb[rows],
            answers=self.answers[rows],
            right=right,
            without=self.without and moved(self.without),
        )


def caption_tasks(
    gallery: Gallery,
    embeddings: Embeddings,
    split: str = "test",
    *,
    rule: str = "equal",
    encoder: EncoderLike | None = None,
) -> dict[str, Task]:
    """Return both directions of caption retrieval, by name: text to image, image to text.

    Every caption of the split's pictures is a query, and so is every picture that has one.

    Args:
        gallery: says which picture is in which split and which are duplicates.
        embeddings: of the whole gallery.
        split: whose captions and pictures are the queries.
        rule: what is right. ``equal``: the caption's own picture, those with an equal caption and
            marked duplicates, and for a picture all captions of these. ``twins``: the own picture
            and its marked duplicates, which nobody could tell apart, but no equal captions.
            ``own``: the own picture alone, and the own captions, as R1, R3 and R4 count; a twin
            found in its place is a miss.
        encoder: the model the embeddings must be by; None leaves that unchecked.

    Raises:
        StaleEmbeddings, LeakError: see `check_and_describe`.
    """
    about = check_and_describe(gallery, embeddings, split, encoder)
    ids, owners = embeddings.ids, embeddings.caption_ids
    if rule not in RULES:
        raise ValueError(f"there is no rule {rule!r}; choose from {', '.join(RULES)}")
    if rule == "own":
        row_of = {id: row for row, id in enumerate(ids)}
        by_caption = [np.array([row_of[owner]]) for owner in owners]
    elif rule == "twins":
        by_caption = _own_and_twins(owners, ids, twins(gallery, ids))
    else:
        stands_for = twins(gallery, ids)
        by_caption = right_pictures(embeddings.caption_texts, owners, ids, stands_for)
    captions_of = defaultdict(list)
    for number, rows in enumerate(by_caption):
        for row in rows:
            captions_of[row].append(number)
    asked = items_of(gallery, split)
    texts = np.flatnonzero([owner in asked for owner in owners])
    shown = [row for row, id in enumerate(ids) if id in asked and captions_of[row]]
    pictures = np.array(shown, dtype=np.int64)
    if not texts.size:
        raise ValueError(f"split {split!r} of gallery {gallery.name} has no caption to ask with")
    forward = Task(
        name=DIRECTIONS[0],
        ids=owners[texts],
        texts=embeddings.caption_texts[texts],
        xq=embeddings.captions[texts],
        xb=embeddings.images,
        answers=ids,
        right=[by_caption[number] for number in texts],
        about={**about, "rule": rule},
    )
    back = Task(
        name=DIRECTIONS[1],
        ids=ids[pictures],
        texts=np.full(len(pictures), "", dtype=object),
        xq=embeddings.images[pictures],
        xb=embeddings.captions,
        answers=owners,
        right=[np.array(captions_of[row]) for row in pictures],
        about={**about, "rule": rule},
    )
    return {task.name: task for task in (forward, back)}


def items_of(gallery: Gallery, split: str) -> set[str]:
    """Return the ids of a split's items; ValueError when there is none."""
    asked = set(gallery.items.loc[gallery.items["split"] == split, "id"])
    if not asked:
        there = ", ".join(sorted(set(gallery.items["split"]) - {""})) or "none; use split ''"
        raise ValueError(
            f"gallery {gallery.name} has no item in split {split!r}; its splits: {there}"
        )
    return asked


def check_and_describe(
    gallery: Gallery,
    embeddings: Embeddings,
    split: str | None,
    encoder: EncoderLike | None = None,
) -> dict:
    """Return what an evaluation was of, or refuse embeddings of something else.

    Args:
        gallery: as it is now. Its fingerprint covers ids, captions, categories, splits and sizes.
        embeddings: what is to be evaluated.
        split: whose items are the queries; None where the queries come with the data set.
        encoder: what encodes further queries; None when there are none.

    Raises:
        StaleEmbeddings: the embeddings are of another gallery, or of this one with another split,
            or by another model than encoder.
        LeakError: a picture of the split has a marked duplicate in another split.
        ValueError: there is no such split.
    """
    if split is not None:
        items_of(gallery, split)
        check_splits(gallery, split)
    made_by, of = embeddings.manifest.get("encoder"), embeddings.manifest.get("gallery")
    if of is not None and of["fingerprint"] != gallery.fingerprint:
        raise StaleEmbeddings(
            f"{embeddings.folder} holds embeddings of {of['name']} with other pictures, captions, "
            f"categories or splits than {gallery.name} has now, so nothing was evaluated; embed "
            "the gallery again, or load it as it was"
        )
    unknown = set(embeddings.ids) - set(gallery.items["id"])
    if unknown:
        raise StaleEmbeddings(
            f"{embeddings.folder} holds {len(unknown)} pictures that {gallery.name} has not, the "
            f"first {str(min(unknown))!r}; evaluate the gallery that was embedded"
        )
    if encoder is not None and made_by is not None and not same(made_by, encoder.identity):
        raise StaleEmbeddings(
            f"{embeddings.folder} holds embeddings by {made_by.get('model')} with other weights or "
            f"rules than {encoder.identity.get('model')} has; embed the gallery with this model"
        )
    made_by = made_by or {}
    return {
        "model": made_by.get("model", "unknown"),
        "weights": made_by.get("weights", "unknown"),
        "gallery": gallery.name,
        "fingerprint": gallery.fingerprint if of is not None else "unknown",
        "split": split,
        "searched": len(embeddings),
    }
