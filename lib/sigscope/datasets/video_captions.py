"""Films with sentences: MSR-VTT and MSVD, as published, over a folder of their films.

The items are moments (`datasets.videos`). All sentences of a film are captions of its first moment,
and of the others the first sentence alone, so that each is embedded once.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd

from sigscope.datasets.files import Tree
from sigscope.datasets.videos import load_videos
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.tables import records
from sigscope.images.captions import distinct

ASKED_1K = "MSRVTT_JSFUSION_test.csv"  # 1,000 films with one sentence each, which papers ask
CORPUS = ("video_corpus.csv", "MSR Video Description Corpus.csv")
SENTENCES = "AllVideoDescriptions.txt"
SPLITS = {"train": "train", "validate": "val", "test": "test"}
LISTS = {"train": "train_list.txt", "val": "val_list.txt", "test": "test_list.txt"}


def load_msrvtt(path: str | Path, *, progress: bool = False) -> Gallery:
    """Return MSR-VTT: the moments of the films there are, with 20 sentences a film.

    Where MSRVTT_JSFUSION_test.csv is there, its 1,000 films with its sentences are the test split,
    and all others train ("1k-A"); else the splits are those of the JSON files.

    Raises:
        GalleryError: The sentences or all of the films are missing.
    """
    tree, said, splits = Tree(path, "msrvtt"), defaultdict(list), {}
    for file in tree.holding(b'"sentences"', b'"video_id"'):
        with _as_published(tree, file):
            found = tree.json(file)
            splits |= {one["video_id"]: SPLITS.get(one["split"], "") for one in found["videos"]}
            for one in found["sentences"]:
                said[one["video_id"]].append(one["caption"])
    if file := tree.find(ASKED_1K):
        with _as_published(tree, file):
            asked = {row["video_id"]: [row["sentence"]] for _, row in records(file, tree.problems)}
        splits = dict.fromkeys(said, "train") | dict.fromkeys(asked, "test")
        said |= asked
    return _gallery(tree, said, splits, progress)


def load_msvd(path: str | Path, *, progress: bool = False) -> Gallery:
    """Return MSVD: the moments of the films there are, with about 40 English sentences a film.

    A film is called as its place in YouTube's: mv89psg6zh4_33_46.avi. The splits are those of
    train_list.txt, val_list.txt and test_list.txt, where they are there.

    Raises:
        GalleryError: The sentences or all of the films are missing.
    """
    tree, said, splits = Tree(path, "msvd"), defaultdict(list), {}
    if file := tree.find(SENTENCES):
        for _, line in tree.lines(file):
            name, _, sentence = line.partition(" ")
            said[name].append(sentence)
    elif file := tree.find(*CORPUS):
        with _as_published(tree, file):
            for _, row in records(file, tree.problems):
                if row["Language"] == "English":
                    said[f"{row['VideoID']}_{row['Start']}_{row['End']}"].append(row["Description"])
    for split, name in LISTS.items():
        if file := tree.find(name):
            splits |= {PurePosixPath(line.strip()).stem: split for _, line in tree.lines(file)}
    return _gallery(tree, said, splits, progress)


@contextmanager
def _as_published(tree: Tree, file: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise tree.error(f"{file} is not as it was published ({error!r}).") from error


def _gallery(
    tree: Tree, said: Mapping[str, Sequence[str]], splits: Mapping[str, str], progress: bool
) -> Gallery:
    """Return the films below a tree, with what is said of each by its name, and its split."""
    if not said:
        raise tree.error(f"{tree.root} has none of the files of sentences.")
    films = load_videos(tree.root, progress=progress)
    items, names = films.items, films.items["video"].map(lambda video: PurePosixPath(video).stem)
    if not names.isin(list(said)).any():
        raise tree.error(f"No film in {tree.root} is one of the {len(said):,} with sentences.")
    is_first = ~items["video"].duplicated()
    captions = [
        distinct(said.get(name, own))[: None if first else 1]
        for name, own, first in zip(names, items["captions"], is_first, strict=True)
    ]
    items = items.assign(
        captions=pd.Series(captions, items.index),
        caption=[next(iter(each), "") for each in captions],
        split=[splits.get(name, "") for name in names],
        category="",
    )
    lost = sorted(set(said) - set(names))
    told = films.problems[~films.problems["path"].isin(tree.read)]
    missing = [(name, "sentences are there, and its film is not") for name in lost]
    more = pd.DataFrame([*missing, *_new(tree, told)], columns=["path", "reason"], dtype="str")
    counts = dict(films.counts)
    counts["texts"] += len(tree.read)
    counts["not films"] -= len(tree.read)
    problems = pd.concat([told, more], ignore_index=True)
    return replace(films, name=tree.dataset, items=items, problems=problems, counts=counts)


def _new(tree: Tree, told: pd.DataFrame) -> list[tuple[str, str]]:
    """Return what the tree tells of lines and folders and is not told yet."""
    known = set(zip(told["path"], told["reason"], strict=True))
    return [problem for problem in tree.problems if problem not in known]
