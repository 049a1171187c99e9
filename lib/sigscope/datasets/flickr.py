"""Flickr30k and Flickr8k: Karpathy's split files, the publisher's tokens, and Kaggle's tables.

Ids are the names of the files, in every form. The first form that is there is read, and it alone;
Flickr30k's own files have no splits, Flickr8k's come from lists of pictures.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from sigscope.datasets.files import Entry, Tree, lines_of
from sigscope.datasets.karpathy import karpathy_entries
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.metadata import SPLITS
from sigscope.images.captions import tidy

Caption = tuple[str, str]  # a picture's file name, and one caption
TOKEN = re.compile(r"(?P<name>[^\t]+?)#\d+\t(?P<text>.*)", re.DOTALL)
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
    if file := tree.find("dataset_flickr30k.json"):
        return tree.gallery(karpathy_entries(tree, file))
    if file := tree.find("flickr_annotations_30k.csv"):
        return tree.gallery(_annotated(tree, file))
    return _captioned(tree, "results_20130124.token", "results.csv", "captions.txt")


def load_flickr8k(path: str | Path) -> Gallery:
    """Return Flickr8k: 8,000 pictures with Karpathy's splits, or 8,091 with those of the lists.

    The tokens name a picture 2258277193_586949ec62.jpg.1, which was never shipped: a problem.

    Raises:
        GalleryError: The captions or all of the pictures are missing.
    """
    tree = Tree(path, "flickr8k")
    if file := tree.find("dataset_flickr8k.json"):
        return tree.gallery(karpathy_entries(tree, file))
    return _captioned(tree, "Flickr8k.token.txt", "captions.txt")


def _captioned(tree: Tree, *names: str) -> Gallery:
    """Return the gallery of the first of these files of captions, pictures in the file's order."""
    file = tree.find(*names)
    if file is None:
        raise tree.error(f"{tree.root} has none of {', '.join(names)}.")
    splits, by_picture = _splits(tree), {}
    for name, caption in (_tokens if "token" in file.name else _table)(tree, file):
        by_picture.setdefault(name, []).append(caption)
    return tree.gallery(
        Entry(name, name, captions, "", tree.shown(file), {"split": splits.get(name, "")})
        for name, captions in by_picture.items()
    )


def _splits(tree: Tree) -> dict[str, str]:
    """Return the split of each picture that Flickr8k's lists name."""
    files = {split: tree.find(name) for split, name in LISTS.items()}
    return {
        line.strip(): split for split, file in files.items() if file for _, line in lines_of(file)
    }


def _tokens(tree: Tree, file: Path) -> Iterator[Caption]:
    r"""Yield from lines like 1000092795.jpg#0\tTwo young guys …; others are problems."""
    for number, line in lines_of(file):
        if found := TOKEN.fullmatch(line):
            yield found["name"].strip(), tidy(found["text"])
        else:
            reason = f"line {number} is not a picture's name, # and a number, a tab and a caption"
            tree.problems.append((tree.shown(file), reason))


def _table(tree: Tree, file: Path) -> Iterator[Caption]:
    """Yield from Kaggle's tables: image,caption or image_name| comment_number| comment.

    A caption may hold the separator, since it is the last cell; it may stand in quotes.
    """
    lines = lines_of(file)
    heading = next(lines, (1, ""))[1]
    separator = "|" if "|" in heading else ","
    columns = heading.count(separator) + 1
    if not heading.lower().startswith("image") or columns not in (2, 3):
        raise tree.error(f"{file} does not begin with image,caption or image_name| … | comment.")
    for number, line in lines:
        cells = [cell.strip() for cell in line.split(separator, columns - 1)]
        if len(cells) == columns - 1 == 2 and (broken := re.match(r"\d+\s+(?=\S)", cells[1])):
            cells = [cells[0], broken[0], cells[1][broken.end() :]]  # its second stroke is missing
        if len(cells) == columns:
            yield cells[0], tidy(_unquoted(cells[-1]))
        else:
            reason = f"line {number} has {len(cells)} cells, not {columns}"
            tree.problems.append((tree.shown(file), reason))


def _unquoted(cell: str) -> str:
    """Return a cell without the quotes that a comma in it calls for; other quotes are its own."""
    if not re.fullmatch(r'"(?:[^"]|"")*"', cell):
        return cell
    return cell[1:-1].replace('""', '"')


def _annotated(tree: Tree, file: Path) -> Iterator[Entry]:
    """Yield from the table on the Hugging Face hub: raw (a list written out), split, filename."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for record in csv.DictReader(lines, restval=""):
            name, split = record.get("filename", ""), record.get("split", "")
            try:
                captions = [tidy(text) for text in json.loads(record.get("raw", ""))]
            except (ValueError, TypeError):
                tree.problems.append((name, f"{file.name} has no list of captions for it"))
                continue
            fields = {"split": SPLITS.get(split.lower(), split)}
            yield Entry(name, name, captions, "", tree.shown(file), fields)
