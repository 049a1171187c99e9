"""The classes of ILSVRC2012: which WordNet synset a number or a folder stands for, and its names.

Two orders are about. The development kit numbers its synsets 1 to 1000 (ILSVRC2012_ID: 1 is the kit
fox, n02119789); Caffe, Kaggle and most models count from 0 in the order of the WordNet ids (0 is
the tench, n01440764). A list of names in the second order says nothing about numbers of the first.
"""

import re
from collections import Counter
from pathlib import Path

from sigscope.datasets.files import Tree, lines_of
from sigscope.images.captions import tidy

WNID = re.compile(r"n\d{8}")
NAMES = ("synset_words.txt", "LOC_synset_mapping.txt")
Synsets = dict[str, str]  # WordNet id → its names, "tench, Tinca tinca"


def read_names(tree: Tree) -> Synsets:
    """Return the names of each synset that the files below tree give; empty where none does."""
    if file := tree.find(*NAMES):
        lines = (line.strip().partition(" ") for _, line in lines_of(file))
        return {wnid: tidy(names) for wnid, _, names in lines if WNID.fullmatch(wnid)}
    return {wnid: names for _, wnid, names in _numbered(tree)}


def read_numbers(tree: Tree) -> dict[int, str]:
    """Return the WordNet id that each ILSVRC2012_ID stands for, as meta.mat or map_clsloc.txt say.

    Raises:
        GalleryError: Neither is there.
    """
    numbers = {number: wnid for number, wnid, _ in _numbered(tree)}
    if not numbers:
        known = tree.find(*NAMES)
        besides = f", and {known.name} is not in the order of its numbers" if known else ""
        raise tree.error(
            f"{tree.root} has no meta.mat (nor map_clsloc.txt), without which the numbers in the "
            f"ground truth name no class{besides}."
        )
    return numbers


def sorted_wnids(tree: Tree) -> list[str]:
    """Return the WordNet ids in their order, which is what labels from 0 count in."""
    return sorted(read_names(tree))


def categories(synsets: Synsets) -> dict[str, str]:
    """Return one distinct name per WordNet id: the first of the synset, longer where two share it.

    Two of the thousand are called crane, and two maillot: one is then told by all its names, or
    where these agree as well by its WordNet id, as in "crane (n02012849)".
    """
    first = {wnid: names.split(",")[0].strip() for wnid, names in synsets.items()}
    shared = Counter(first.values())
    full = Counter(synsets.values())
    return {
        wnid: name
        if shared[name] == 1
        else synsets[wnid]
        if full[synsets[wnid]] == 1 and synsets[wnid] != name
        else f"{name} ({wnid})"
        for wnid, name in first.items()
    }


def _numbered(tree: Tree) -> list[tuple[int, str, str]]:
    """Return (ILSVRC2012_ID, WordNet id, names) of the leaves, from what is there, or nothing."""
    if file := tree.find("meta.mat"):
        return _meta(tree, file)
    if file := tree.find("map_clsloc.txt"):
        cells = [line.split(maxsplit=2) for _, line in lines_of(file)]
        return [(int(n), wnid, name.replace("_", " ")) for wnid, n, name in cells]
    return []


def _meta(tree: Tree, file: Path) -> list[tuple[int, str, str]]:
    """Read MATLAB's file, which also lists the 860 synsets above the thousand: they have children.

    Raises:
        GalleryError: It is no such file.
    """
    from scipy.io import loadmat

    try:
        synsets = loadmat(file, squeeze_me=True)["synsets"].reshape(-1)
        numbers = (int(synset["ILSVRC2012_ID"]) for synset in synsets)
        wnids = (str(synset["WNID"]) for synset in synsets)
        names = (tidy(str(synset["words"])) for synset in synsets)
        leaf = [int(synset["num_children"]) == 0 for synset in synsets]
        rows = list(zip(numbers, wnids, names, strict=True))
    except Exception as error:  # scipy raises many kinds on a damaged file
        raise tree.error(f"{file} is not the development kit's meta.mat ({error}).") from error
    return [row for row, is_leaf in zip(rows, leaf, strict=True) if is_leaf]
