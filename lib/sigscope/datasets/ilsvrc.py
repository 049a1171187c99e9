"""The validation pictures of ILSVRC2012 (ImageNet), with the class of each.

Two orders of the classes are about. The development kit numbers its synsets 1 to 1000
(ILSVRC2012_ID: 1 is the kit fox, n02119789); Caffe, Kaggle and most models count from 0 in the
order of the WordNet ids (0 is the tench, n01440764). A list of names in the second order says
nothing about numbers of the first.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from sigscope.datasets.files import Entry, Tree
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.tables import records
from sigscope.images.captions import tidy
from sigscope.images.formats import SUFFIXES

FLAT = re.compile(r"ILSVRC2012_val_(\d{8})\.jpe?g", re.IGNORECASE)
ELSEWHERE = ("train", "test", "Annotations")  # of the whole of ImageNet, which is not wanted here
Classes = dict[str, str]  # a picture's stem → WordNet id
WNID = re.compile(r"n\d{8}")
MAPPED = re.compile(r"(n\d{8})\s+(\d+)\s+(\S.*)", re.ASCII)  # of map_clsloc.txt
NAMES = ("synset_words.txt", "LOC_synset_mapping.txt")
Synsets = dict[str, str]  # WordNet id → its names, "tench, Tinca tinca"


def load_ilsvrc2012(path: str | Path) -> Gallery:
    """Return the validation pictures there are, all of split "val".

    category is the first name of the class (longer where two classes share it), ``wnid`` its
    WordNet id and ``synset`` all of its names. Ids are the names of the files without .JPEG. A
    picture in a folder called n01440764 is of that class; any other takes its class from Kaggle's
    LOC_val_solution.csv, from the development kit, or from Caffe's val.txt, whichever is there.

    Raises:
        GalleryError: There are no pictures, or nothing says their classes.
    """
    tree = Tree(path, "ilsvrc2012", without=ELSEWHERE)
    pictures = list(_pictures(tree))
    if not pictures:
        raise tree.error(f"{tree.root} has no pictures ILSVRC2012_val_*.JPEG and no classes.")
    needed = any(not wnid for _, wnid in pictures)
    classes = _classes(tree) if needed else {}
    names = _synsets(tree)
    called = _categories({**{wnid: wnid for wnid in _wnids(pictures, classes)}, **names})
    return tree.gallery(_entries(tree, pictures, classes, names, called))


def _pictures(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield (path, the class that its folder says or ""), in the order of the file names."""
    for name in sorted(tree.names()):
        for path in tree.all(name):
            folder = path.rpartition("/")[0].split("/")[-1]
            wnid = folder if WNID.fullmatch(folder) else ""
            if FLAT.fullmatch(name) or (wnid and Path(name).suffix.lower() in SUFFIXES):
                yield path, wnid


def _wnids(pictures: list[tuple[str, str]], classes: Classes) -> list[str]:
    return [wnid for _, wnid in pictures if wnid] + list(classes.values())


def _entries(
    tree: Tree,
    pictures: list[tuple[str, str]],
    classes: Classes,
    names: dict[str, str],
    called: dict[str, str],
) -> Iterator[Entry]:
    seen: set[str] = set()
    for path, folder_says in pictures:
        file = Path(path)
        wnid = folder_says or classes.get(file.stem, "")
        if not wnid:
            tree.problems.append((path, "the ground truth has no class for it"))
        elif file.stem in seen:
            tree.problems.append((path, f"a picture {file.name} lies in another folder as well"))
        else:
            seen.add(file.stem)
            fields = {"category": called[wnid], "split": "val", "wnid": wnid}
            fields["synset"] = names.get(wnid, wnid)
            yield Entry(file.stem, file.name, [], file.parent.name, "the folder", fields)


def _classes(tree: Tree) -> Classes:
    """Return the class of each picture of a flat folder.

    Raises:
        GalleryError: No file says so.
    """
    for name, read in LABELS.items():
        if file := tree.find(name):
            return read(tree, file)
    raise tree.error(f"Nothing below {tree.root} says of which class each picture is.")


def _solution(tree: Tree, file: Path) -> Classes:
    """Read Kaggle's: ImageId, and a class with a box, often several: n03995372 85 1 499 272."""
    rows = (record for _, record in records(file, tree.problems))
    boxes = ((row.get("ImageId", ""), row.get("PredictionString", "").split()) for row in rows)
    return {id: words[0] for id, words in boxes if words}


def _ground_truth(tree: Tree, file: Path) -> Classes:
    """Read the development kit's: line i is the ILSVRC2012_ID of picture i."""
    numbers = _numbers(tree)
    classes = {}
    for place, line in tree.lines(file):
        try:
            classes[f"ILSVRC2012_val_{place:08d}"] = numbers[int(line)]
        except (KeyError, ValueError):
            reason = f"line {place} is {line.strip()!r}, which is no number of a class"
            tree.problems.append((tree.shown(file), reason))
    return classes


def _synset_labels(tree: Tree, file: Path) -> Classes:
    """Read the list of TensorFlow's scripts: line i is the WordNet id of picture i."""
    return {f"ILSVRC2012_val_{place:08d}": line.strip() for place, line in tree.lines(file)}


def _caffe(tree: Tree, file: Path) -> Classes:
    """Read Caffe's: ILSVRC2012_val_00000001.JPEG 65, counting sorted WordNet ids from 0.

    Raises:
        GalleryError: It is another val.txt, or there is no list of the thousand classes.
    """
    rows = [line.split() for _, line in tree.lines(file)]
    if not all(len(row) == 2 and FLAT.fullmatch(row[0]) and row[1].isdigit() for row in rows):
        raise tree.error(f"{file} has no lines like ILSVRC2012_val_00000001.JPEG 65.")
    wnids = _sorted_wnids(tree)
    if max(int(label) for _, label in rows) >= len(wnids):
        raise tree.error(f"{file} counts classes, but no synset_words.txt lists them all.")
    return {Path(name).stem: wnids[int(label)] for name, label in rows}


def _synsets(tree: Tree) -> Synsets:
    """Return the names of each synset that the files below tree give; empty where none does."""
    if file := tree.find(*NAMES):
        lines = (line.strip().partition(" ") for _, line in tree.lines(file))
        return {wnid: tidy(names) for wnid, _, names in lines if WNID.fullmatch(wnid)}
    return {wnid: names for _, wnid, names in _numbered(tree)}


def _numbers(tree: Tree) -> dict[int, str]:
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


def _sorted_wnids(tree: Tree) -> list[str]:
    """Return the WordNet ids in their order, which is what labels from 0 count in."""
    return sorted(_synsets(tree))


def _categories(synsets: Synsets) -> dict[str, str]:
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
        found = (MAPPED.fullmatch(line.strip()) for _, line in tree.lines(file))
        return [(int(each[2]), each[1], each[3].replace("_", " ")) for each in found if each]
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


LABELS: dict[str, Callable[[Tree, Path], Classes]] = {
    "LOC_val_solution.csv": _solution,
    "ILSVRC2012_validation_ground_truth.txt": _ground_truth,
    "imagenet_2012_validation_synset_labels.txt": _synset_labels,
    "val.txt": _caffe,
}
