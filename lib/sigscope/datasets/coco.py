"""MS COCO captions: the two editions as published (2014 and 2017), and Karpathy's splits of 2014.

The captions have no classes, so category is "": a picture of COCO's instances has many.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sigscope.datasets.files import Entry, Tree
from sigscope.datasets.karpathy import karpathy_entries, split_file
from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.coco import annotations_of, parts_of
from sigscope.gallery.columns import caption_columns, split_in
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.images.captions import tidy

SPLITS = ("train", "val")
KARPATHY = "dataset_coco.json"
CAPTIONS = (b'"images"', b'"annotations"', b'"caption"')  # words of a file of captions


def load_coco(path: str | Path) -> Gallery:
    """Return the edition that lies in a folder: 2017, 2014, or Karpathy's splits.

    Raises:
        GalleryError: None of them is there, or more than one is.
    """
    tree = Tree(path, "coco")
    there = [year for year in ("2017", "2014") if _files(tree, year)]
    if tree.find(KARPATHY):
        there.append("-karpathy")
    if len(there) > 1:
        names = " or ".join(f"coco{edition}:{path}" for edition in there)
        raise GalleryError(f"{tree.root} holds more than one edition of COCO; choose {names}.")
    if not there:
        return _edition(tree, "")
    tree.dataset = f"coco{there[0]}"
    return _karpathy(tree) if there == ["-karpathy"] else _edition(tree, there[0])


def load_coco2017(path: str | Path) -> Gallery:
    """Return COCO 2017: 118,287 pictures of train and 5,000 of val, or those of them there are.

    Ids are COCO's numbers. The splits are the file's; test2017 has no captions.

    Raises:
        GalleryError: The captions or all of the pictures are missing.
    """
    return _edition(Tree(path, "coco2017"), "2017")


def load_coco2014(path: str | Path) -> Gallery:
    """Return COCO 2014: 82,783 pictures of train and 40,504 of val; as `load_coco2017`."""
    return _edition(Tree(path, "coco2014"), "2014")


def load_coco_karpathy(path: str | Path) -> Gallery:
    """Return COCO 2014 in Karpathy's splits: 5,000 test, 5,000 val, and the rest for training.

    Its ``restval`` counts as train. Ids are COCO's numbers.

    Raises:
        GalleryError: The split file or all of the pictures are missing.
    """
    return _karpathy(Tree(path, "coco-karpathy"))


def _karpathy(tree: Tree) -> Gallery:
    file = split_file(tree, KARPATHY)
    if file is None:
        raise tree.error(f"{tree.root} has no {KARPATHY}.")
    return tree.gallery(karpathy_entries(tree, file))


def _files(tree: Tree, year: str) -> dict[str, Path]:
    """Return the files of captions that have COCO's own names, by their split."""
    named = {split: tree.find(f"captions_{split}{year}.json") for split in SPLITS}
    return {split: file for split, file in named.items() if file}


def _edition(tree: Tree, year: str) -> Gallery:
    own = _files(tree, year) if year else {}
    files = own or {tree.shown(file): file for file in tree.holding(*CAPTIONS)}
    if not files:
        raise tree.error(f"{tree.root} has no captions_train{year}.json and nothing like it.")
    return tree.gallery(
        entry for name, file in files.items() for entry in _entries(tree, file, name, year)
    )


def _entries(tree: Tree, file: Path, name: str, year: str) -> Iterator[Entry]:
    """Yield the pictures of one file in its order; a record that cannot be used is a problem."""
    parts = parts_of(tree.json(file))
    if not parts:
        raise tree.error(f"{file} is no file of COCO captions: no images or no annotations.")
    images, annotations = parts
    listed = tree.shown(file)
    captions = _captions(tree, images, annotations, listed)
    split = split_in(name)
    for number, image in enumerate(images):
        try:
            id, path = text_of(image["id"]), text_of(image["file_name"])
        except (KeyError, TypeError, AttributeError):
            id = path = ""
        if not (id and path):
            tree.problems.append((listed, f"image {number} has no id or no file_name"))
            continue
        beside = f"{listed.rpartition('/')[0]}/{path}".removeprefix("/")
        folder = "" if "/" in path else f"{split}{year}"
        if not year and beside in tree.all(path):
            folder = beside.removesuffix(path).rstrip("/")
        own = (text for name in caption_columns(image) for text in texts_of(image[name]))
        texts = captions.get(number) or [*own]
        yield Entry(id, path, texts, folder, listed, {"split": split})


def _captions(
    tree: Tree, images: list[Any], annotations: list[Any], listed: str
) -> dict[int, list[str]]:
    """Return the captions of each picture by its place; one of no picture is a problem."""
    captions: dict[int, list[str]] = defaultdict(list)
    for note in annotations_of(images, annotations):
        for place in note.images:
            captions[place] += map(tidy, note.captions)
        if note.of or not note.captions:
            reason = f"is of {note.of}" if note.captions else "has no caption"
            tree.problems.append((listed, f"annotation {note.number} {reason}"))
    return captions
