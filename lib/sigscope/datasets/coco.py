"""MS COCO captions: the two editions as published (2014 and 2017), and Karpathy's splits of 2014.

The captions have no classes, so category is "": a picture of COCO's instances has many.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sigscope.datasets.files import Entry, Tree
from sigscope.datasets.karpathy import karpathy_entries
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.images.captions import tidy

SPLITS = ("train", "val")
KARPATHY = "dataset_coco.json"


def load_coco(path: str | Path) -> Gallery:
    """Return the edition that lies in a folder: 2017, 2014, or Karpathy's splits.

    Raises:
        GalleryError: None of them is there, or more than one is.
    """
    tree = Tree(path, "coco")
    there = [year for year in ("2017", "2014") if tree.find(*_files(year))]
    if tree.find(KARPATHY):
        there.append("-karpathy")
    if len(there) > 1:
        names = " or ".join(f"coco{edition}:{path}" for edition in there)
        raise GalleryError(f"{tree.root} holds more than one edition of COCO; choose {names}.")
    if not there:
        raise tree.error(f"{tree.root} has no captions of COCO.")
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
    file = tree.find(KARPATHY)
    if file is None:
        raise tree.error(f"{tree.root} has no {KARPATHY}.")
    return tree.gallery(karpathy_entries(tree, file))


def _files(year: str) -> list[str]:
    return [f"captions_{split}{year}.json" for split in SPLITS]


def _edition(tree: Tree, year: str) -> Gallery:
    if not tree.find(*_files(year)):
        raise tree.error(f"{tree.root} has no {' and no '.join(_files(year))}.")
    return tree.gallery(
        entry
        for split, name in zip(SPLITS, _files(year), strict=True)
        if (file := tree.find(name))
        for entry in _entries(tree, file, split, f"{split}{year}")
    )


def _entries(tree: Tree, file: Path, split: str, folder: str) -> Iterator[Entry]:
    """Yield the pictures of one file in its order; a record that cannot be used is a problem."""
    said = tree.json(file)
    if not isinstance(said, dict) or not {"images", "annotations"} <= said.keys():
        raise tree.error(f"{file} is no file of COCO captions: no images or no annotations.")
    listed = tree.shown(file)
    captions = _captions(tree, said, listed)
    for number, image in enumerate(said["images"]):
        try:
            id, name = image["id"], str(image["file_name"])
        except (KeyError, TypeError):
            tree.problems.append((listed, f"image {number} has no id or no file_name"))
            continue
        texts = captions.get(id, [])
        yield Entry(str(id), name, texts, folder, listed, {"split": split})


def _captions(tree: Tree, said: dict[str, Any], listed: str) -> dict[int, list[str]]:
    """Return the captions of each picture by its number; one of no picture is a problem."""
    captions: dict[int, list[str]] = {
        image["id"]: [] for image in said["images"] if isinstance(image, dict) and "id" in image
    }
    annotations = said["annotations"]
    for number, note in enumerate(annotations):
        annotations[number] = None  # a third of the memory, back before the table is made
        try:
            captions[note["image_id"]].append(tidy(note["caption"]))
        except (KeyError, TypeError):
            reason = f"annotation {number} has no caption, or no picture that is listed"
            tree.problems.append((listed, reason))
    return captions
