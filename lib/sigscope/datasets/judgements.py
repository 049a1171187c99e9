"""Flickr8k's judgements: how well people found that a caption of one picture fits another.

`ExpertAnnotations.txt` has three experts' grades of each pair, from 1 (says nothing about the
picture) to 4 (describes it without errors); `CrowdFlowerAnnotations.txt` the votes of at least
three from the crowd, yes or no (Hodosh, Young & Hockenmaier 2013, section 4.2).
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sigscope.datasets.files import Tree
from sigscope.datasets.flickr import TOKENS, token_lines

FILES = {"experts": "ExpertAnnotations.txt", "crowd": "CrowdFlowerAnnotations.txt"}


def read_judgements(path: str | Path, people: str) -> pd.DataFrame:
    """Return the pairs that people judged: a caption, and a picture that it was held beside.

    Args:
        path: the folder of Flickr8k, whose tokens tell the captions.
        people: ``experts`` or ``crowd``.

    Returns:
        Columns picture (its file name), caption, own (whether it is one of the picture's own
        captions), and grades: a tuple of the experts' three grades in 1–4, or of one number, the
        share of the crowd that said yes, in [0, 1].

    Raises:
        GalleryError: the tokens or the judgements are not below the folder, or a line of them is
            not as published.
    """
    tree = Tree(path, "flickr8k")
    tokens, file = tree.find(TOKENS), tree.find(FILES[people])
    if tokens is None or file is None:
        absent = TOKENS if tokens is None else FILES[people]
        raise tree.error(f"{tree.root} has no {absent}, which the judgements are read with.")
    captions = {f"{name}#{number}": text for name, number, text in token_lines(tree, tokens)}
    rows = list(_rows(tree, file, people, captions))
    return pd.DataFrame(rows, columns=["picture", "caption", "own", "grades"])


def _rows(tree: Tree, file: Path, people: str, captions: dict[str, str]) -> Iterator[tuple]:
    for number, line in tree.lines(file):
        try:
            picture, key, *cells = line.split("\t")
            grades = tuple(float(cell) for cell in cells)
            share, _, _ = grades  # three cells in either file
            caption = captions[key]
        except (ValueError, KeyError) as error:
            raise tree.error(f"Line {number} of {file} is no judgement ({error}).") from error
        own = key.rpartition("#")[0] == picture
        yield picture, caption, own, grades if people == "experts" else (share,)
