"""Data sets by name: from the files as their publishers ship them to a gallery, in one call.

Nothing here fetches or ships a picture. What a reader must have, and where it is to be had, is in
``DATASETS``; each loader looks its files up anywhere below the folder that it is given, so it does
not matter which of the archives were unpacked into folders of their own. What is listed but not
there is in the gallery's problems, with the reason; everything else is kept.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sigscope import paths
from sigscope.downloads.lists import READERS, ListError, UrlList
from sigscope.gallery.folder import GalleryError, Listing, list_folder
from sigscope.gallery.gallery import TABLES, Gallery
from sigscope.gallery.inventory import take
from sigscope.gallery.metadata import find_metadata, list_metadata

__all__ = ["DATASETS", "Dataset", "load_named"]


@dataclass(frozen=True)
class Dataset:
    """How to load one data set.

    Attributes:
        name: What it is called in ``load_gallery("name:/path")``.
        load: From the folder that holds its files to a gallery.
        expects: What must lie in that folder, in one sentence.
        source: Where its publisher offers it.
    """

    name: str
    load: Callable[[Path], Gallery]
    expects: str
    source: str


def load_named(path: str) -> Gallery | None:
    r"""Return the gallery that "name:/path" asks for, or None when path has no such form.

    A drive letter (C:\pictures) and a folder whose name has a colon further on are not of the form.

    Raises:
        GalleryError: No data set has that name, or its files are not there.
    """
    name, colon, rest = path.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z0-9][\w.-]+", name):
        return None
    if rest.startswith("//"):
        raise GalleryError(f"{path} is an address; download what it offers and give the folder.")
    dataset = DATASETS.get(name.lower())
    if dataset is None:
        there = ", ".join(DATASETS)
        raise GalleryError(
            f"There is no folder {path}, and no data set {name!r}; the data sets are {there}."
        )
    if not rest.strip():
        raise GalleryError(f"Say where the files of {name} are: {name}:/folder. {dataset.expects}")
    return dataset.load(Path(rest).expanduser())


def _later(module: str, function: str) -> Callable[[Path], Gallery]:
    """Return a loader whose module is imported when it is first called."""

    def load(path: Path) -> Gallery:
        return getattr(import_module(f"sigscope.datasets.{module}"), function)(path)

    return load


_COCO = "https://cocodataset.org/#download"
_KARPATHY = "https://cs.stanford.edu/people/karpathy/deepimagesent (caption_datasets.zip)"
_ILLINOIS = "https://shannon.cs.illinois.edu/DenotationGraph (a form to fill in)"
_OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/oxbuildings"
_PARIS = "https://www.robots.ox.ac.uk/~vgg/data/parisbuildings"
_DSD = "https://huggingface.co/datasets/primecai/dsd_data"
_ROWS = (  # name, module, function, what it expects, where it is to be had
    (
        *("coco", "coco", "load_coco"),
        "It needs annotations/captions_train2017.json or captions_val2017.json (or those of 2014, "
        "or dataset_coco.json), and the pictures in train2017/ and val2017/.",
        _COCO,
    ),
    (
        *("coco2017", "coco", "load_coco2017"),
        "It needs annotations/captions_train2017.json or captions_val2017.json, and the pictures "
        "in train2017/ and val2017/.",
        _COCO,
    ),
    (
        *("coco2014", "coco", "load_coco2014"),
        "It needs annotations/captions_train2014.json or captions_val2014.json, and the pictures "
        "in train2014/ and val2014/.",
        _COCO,
    ),
    (
        *("coco-karpathy", "coco", "load_coco_karpathy"),
        "It needs dataset_coco.json, and the pictures of 2014 in train2014/ and val2014/.",
        f"{_KARPATHY}; its pictures at {_COCO}",
    ),
    (
        *("flickr30k", "flickr", "load_flickr30k"),
        "It needs dataset_flickr30k.json, results_20130124.token, results.csv or "
        "flickr_annotations_30k.csv, and the pictures.",
        f"{_ILLINOIS}; its splits at {_KARPATHY}",
    ),
    (
        *("flickr8k", "flickr", "load_flickr8k"),
        "It needs dataset_flickr8k.json, Flickr8k.token.txt (with Flickr_8k.trainImages.txt and "
        "the like for the splits) or captions.txt, and the pictures.",
        "https://github.com/jbrownlee/Datasets/releases/tag/Flickr8k, or "
        f"https://www.kaggle.com/datasets/adityajn105/flickr8k; its splits at {_KARPATHY}",
    ),
    (
        *("ilsvrc2012", "ilsvrc", "load_ilsvrc2012"),
        "It needs the validation pictures: ILSVRC2012_val_*.JPEG with the development kit's "
        "ILSVRC2012_validation_ground_truth.txt and meta.mat (or Kaggle's LOC_val_solution.csv), "
        "or sorted into folders of classes (n01440764/…).",
        "https://image-net.org/challenges/LSVRC/2012/2012-downloads.php (an account is needed)",
    ),
    (
        *("oxford5k", "landmarks", "load_oxford5k"),
        "It needs the pictures (all_souls_000000.jpg …) and, for the queries, the ground truth "
        "(all_souls_1_query.txt …).",
        _OXFORD,
    ),
    (
        *("paris6k", "landmarks", "load_paris6k"),
        "It needs the pictures (paris_defense_000000.jpg …, in one folder or in one for each "
        "landmark) and, for the queries, the ground truth (defense_1_query.txt …).",
        _PARIS,
    ),
    (
        *("dsd", "dsd", "load_dsd"),
        "It needs the data set's parquet files (columns conditioning and caption), or R5's table "
        "(Image Embedding, Text Embedding, Description) with the pictures 0.jpg, 1.jpg … if any.",
        _DSD,
    ),
    (
        *("vectors", "vector_tables", "load_vectors"),
        "It needs a table (.csv or .parquet) with the columns Image Embedding and Description, and "
        "Text Embedding if it has one.",
        f"R5 made its table from {_DSD}",
    ),
    (
        *("sbu", "sbu", "load_sbu"),
        "It needs SBU_captioned_photo_dataset_urls.txt with SBU_captioned_photo_dataset_captions"
        ".txt, or sbu-captions-all.json, and the pictures that were downloaded from it.",
        "https://www.cs.rice.edu/~vo9/sbucaptions",
    ),
    (
        *("img2dataset", "img2dataset", "load_img2dataset"),
        "It needs what img2dataset writes: 00000.tar (or a folder 00000/) with 00000.parquet.",
        "https://github.com/rom1504/img2dataset",
    ),
)
DATASETS: dict[str, Dataset] = {
    name: Dataset(name, _later(module, function), expects, source)
    for name, module, function, expects, source in _ROWS
}


def load_gallery(path: str | Path | None = None, *, progress: bool = False) -> Gallery:
    """Return the gallery at path: a folder, a zip, a table, or a data set by name.

    Args:
        path: A folder with metadata.jsonl, metadata.csv or metadata.parquet (columns file_name and
            text; in the folder, or in its train, val and test folders), or one with none, whose
            pictures then take their captions from text files beside them and their category from
            their sub-folder. Or a zip of such a folder; or a table of file_name and text under any
            other name (.csv, .tsv, .jsonl, .parquet). Or "name:/path" with a name in
            `sigscope.datasets.DATASETS`, such as "coco:~/coco", for the files of a data set as its
            publisher ships them. None is the shipped gallery.
        progress: Show a bar on stderr while files are read that are new or have changed since the
            last time (`sigscope.gallery.inventory`).

    Raises:
        GalleryError: There is no such folder, its metadata cannot be read, or it holds no pictures;
            or no data set has that name, or its files are not there.
    """
    named = isinstance(path, str) and ":" in path and not os.path.exists(path)
    if named and (gallery := load_named(path)) is not None:
        return gallery
    root = paths.GALLERY if path is None else Path(path).expanduser()
    if root.is_file():
        return _of_file(root, progress)
    if not root.is_dir():
        raise GalleryError(_no_folder(root))
    return Gallery.of(root.resolve().name or "gallery", root, _listing(root, progress))


def _of_file(path: Path, progress: bool) -> Gallery:
    """Return what is in a zip, or what a table lists."""
    kind = path.suffix.lower()
    if kind == ".zip":
        from sigscope.gallery.archives import left_out, unpacked

        folder = unpacked(path, progress=progress)
        listing = _listing(folder, progress)
        problems = [*left_out(folder), *listing.problems]
        return Gallery.of(path.stem, folder, Listing(listing.rows, problems))
    if kind in TABLES:
        from sigscope.gallery.metadata import list_table

        listing = take(path.parent, list_table(path), of=path, progress=progress)
        return Gallery.of(path.stem, path.parent, listing)
    raise GalleryError(_no_folder(path))


def _listing(root: Path, progress: bool) -> Listing:
    """Return what the metadata says, or where there is none what the folder holds.

    Whether a file has changed is told by its ``content``, but in the shipped gallery by its size.
    """
    found = find_metadata(root)
    if not found:
        return take(root, list_folder(root), embedded=True, progress=progress)
    parts = [list_metadata(root, path) for path in found]
    rows = [row for part in parts for row in part.rows]
    listing = Listing(rows, [problem for part in parts for problem in part.problems])
    is_shipped = root.resolve() == paths.GALLERY.resolve()
    return listing if is_shipped else take(root, listing, progress=progress)


def _no_folder(root: Path) -> str:
    if root == paths.GALLERY:
        return f"The shipped gallery is not in {root}; run `git checkout -- data/gallery`."
    if root.exists():
        kinds = ", ".join((".zip", *TABLES))
        return f"{root} is a file; give the folder that holds the pictures, or one of {kinds}."
    return f"There is no folder {root}; check the path."


def open_list(source: str) -> UrlList:
    """Return the list that source names.

    Args:
        source: "sbu:/path" for the files of SBU Captions; else the path of a .csv, .tsv or .parquet
            with a column of URLs (url, image_url) and perhaps one of captions (caption, text), or
            of a .txt with one URL a line.

    Raises:
        ListError: There is no such list.
    """
    name, colon, path = source.partition(":")
    if colon and name == "sbu":
        from sigscope.datasets import sbu

        return sbu.url_list(Path(path).expanduser())
    file = Path(source).expanduser()
    reader = READERS.get(file.suffix.lower())
    if not file.is_file() or reader is None:
        kinds = ", ".join(READERS)
        raise ListError(f"{source} is no list of URLs; give sbu:/folder, or a file in {kinds}.")
    next(reader(file), None)  # what is wrong with its heading is said now
    return UrlList(file.stem, lambda: reader(file), sum(1 for _ in reader(file)))
