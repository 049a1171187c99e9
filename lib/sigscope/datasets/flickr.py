"""Flickr30k and Flickr8k: Karpathy's split files, the publisher's tokens, and Kaggle's tables.

Ids are the names of the files, in every form. The first form that is there is read, and it alone;
Flickr30k's own files have no splits, Flickr8k's come from lists of pictures.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from sigscope.datasets.files import Entry, Tree
from sigscope.datasets.karpathy import karpathy_entries, split_file
from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.columns import FILES, OTHER_NAMES, SPLITS, caption_columns, first_of
from sigscope.gallery.delimited import looks_like_table
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.tables import records
from sigscope.images.captions import tidy

Captions = tuple[str, list[str], str]  # a picture's file name, what is said of it, its split
TOKENS = "Flickr8k.token.txt"
TOKEN = re.compile(r"(?P<name>[^\t]+?)#(?P<number>\d+)\t(?P<text>.*)", re.DOTALL)
LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "val": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}


def load_flickr30k(path: str | Path) -> Gallery:
    """Return Flickr30k: 31,014 pictures with Karpathy's splits, or all 31,783 without.

    Of the table's known broken line (the fifth caption of 2199044081.jpg, without its second
    stroke) the caption is kept.

    Raises:
        GalleryError: The captions or all of the pictures are missing.
    """
    tree = Tree(path, "flickr30k")
    if file := split_file(tree, "dataset_flickr30k.json"):
        return tree.gallery(karpathy_entries(tree, file))
    names = ("flickr_annotations_30k.csv", "results_20130124.token", "results.csv", "captions.txt")
    return _captioned(tree, *names)


def load_flickr8k(path: str | Path) -> Gallery:
    """Return Flickr8k: 8,000 pictures with Karpathy's splits, or 8,091 with those of the lists.

    The tokens name a picture 2258277193_586949ec62.jpg.1, which was never shipped: a problem.

    Raises:
        GalleryError: The captions or all of the pictures are missing.
    """
    tree = Tree(path, "flickr8k")
    if file := split_file(tree, "dataset_flickr8k.json"):
        return tree.gallery(karpathy_entries(tree, file))
    return _captioned(tree, TOKENS, "captions.txt")


def _captioned(tree: Tree, *names: str) -> Gallery:
    """Return the gallery of the first of these files of captions, pictures in the file's order."""
    file = tree.find(*names)
    if file is None:
        raise tree.error(f"{tree.root} has none of {', '.join(names)}.")
    splits, by_picture = _splits(tree), {}
    tokens = ((name, [text], "") for name, _, text in token_lines(tree, file))
    for name, captions, split in tokens if "token" in file.name else _table(tree, file):
        known = by_picture.setdefault(name, ([], split or splits.get(name, "")))
        known[0].extend(captions)
    return tree.gallery(
        Entry(name, name, captions, "", tree.shown(file), {"split": split})
        for name, (captions, split) in by_picture.items()
    )


def _splits(tree: Tree) -> dict[str, str]:
    """Return the split of each picture that Flickr8k's lists name."""
    files = {split: tree.find(name) for split, name in LISTS.items()}
    return {
        line.strip(): split for split, file in files.items() if file for _, line in tree.lines(file)
    }


def token_lines(tree: Tree, file: Path) -> Iterator[tuple[str, int, str]]:
    r"""Yield picture, number and caption of lines like 1000092795.jpg#0\tTwo young guys ….

    Other lines are problems of the tree.
    """
    for number, line in tree.lines(file):
        if found := TOKEN.fullmatch(line):
            yield found["name"].strip(), int(found["number"]), tidy(found["text"])
        else:
            reason = f"line {number} is not a picture's name, # and a number, a tab and a caption"
            tree.problems.append((tree.shown(file), reason))


def _table(tree: Tree, file: Path) -> Iterator[Captions]:
    """Yield from the tables of Kaggle and the hub: image,caption or raw,…,split,filename.

    A caption may hold the separator, since it is the last cell; it may stand in quotes.
    """
    if not looks_like_table(file):
        raise tree.error(f"{file} does not begin with image,caption or image_name| … | comment.")
    wrong: list[tuple[str, str]] = []
    for place, record in records(file, wrong):
        name = text_of(record.get(first_of(FILES, record)))
        captions = [
            tidy(text)
            for column in caption_columns(record)
            for text in texts_of(record[column]) or _broken(record)
        ]
        if not any(captions):
            wrong.append((file.name, f"{place} has no caption"))
        split = text_of(record.get(first_of(OTHER_NAMES["split"], record)))
        yield name, captions, SPLITS.get(split.lower(), split)
    tree.problems += [(tree.shown(file), reason) for _, reason in wrong]


def _broken(record: dict[str, str]) -> list[str]:
    """Return the caption that stands behind its number, where the stroke between is missing."""
    cells = [text_of(cell) for cell in record.values() if isinstance(cell, str)]
    return [found[1] for cell in cells[1:] if (found := re.fullmatch(r"\d+\s+(\S.*)", cell))]
