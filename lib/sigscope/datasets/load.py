"""Whatever a person points at becomes a gallery: a folder, a zip, a table, or a data set by name.

Nothing here fetches or ships a picture. What a reader must have, and where to get it, is in
``DATASETS``; each loader looks its files up anywhere below the folder that it is given, so it does
not matter which of the archives were unpacked into folders of their own. What is listed but not
there is in the gallery's problems, with the reason; everything else is kept.
"""

import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import is_zipfile

import pandas as pd

from sigscope import paths
from sigscope.datasets.beside import with_beside
from sigscope.datasets.img2dataset import load_img2dataset
from sigscope.datasets.parquet import load_packed, picture_column
from sigscope.datasets.registry import DATASETS
from sigscope.datasets.tars import TAR, find_shards
from sigscope.datasets.vector_tables import has_vectors
from sigscope.files import size_of
from sigscope.gallery.delimited import looks_like_table
from sigscope.gallery.folder import (
    KNOWN,
    NO_PICTURE,
    OTHER_SUFFIXES,
    SHEETS,
    Contents,
    GalleryError,
    suffix_of,
    trouble,
)
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.inventory import take
from sigscope.gallery.listing import list_folder
from sigscope.gallery.metadata import list_table
from sigscope.gallery.tables import READERS as TABLES
from sigscope.garbage import seldom_collected

FEW = 20  # tables that are looked into for vectors

if TYPE_CHECKING:
    from sigscope.downloads.lists import UrlList


@seldom_collected()
def load_gallery(path: str | Path | None = None, *, progress: bool = False) -> Gallery:
    """Return the gallery at path: a folder, a zip, a table, or a data set by name.

    Args:
        path: A folder of pictures (`gallery.listing`), of webdataset's tars or of parquet files
            that hold pictures; a zip of such a folder; a tar; a table of file names and captions.
            Or "name:/path" with a name in `sigscope.datasets.DATASETS`, such as "coco:~/coco", for
            the files of a data set as its publisher ships them. None is what SIGSCOPE_GALLERY
            names, or else the shipped gallery.
        progress: Show a bar on stderr while files are read that are new or have changed since the
            last time (`sigscope.gallery.inventory`).

    Raises:
        GalleryError: There is no such folder, its metadata cannot be read, or it holds no pictures;
            or no data set has that name, or its files are not there.
    """
    if path is None:
        path = os.environ.get("SIGSCOPE_GALLERY") or paths.GALLERY
    named = isinstance(path, str) and ":" in path and not os.path.exists(path)
    if named and (gallery := _named(path, progress)) is not None:
        return gallery
    root = Path(path)
    with suppress(RuntimeError):  # ~name is nobody's home
        root = root if root.exists() else root.expanduser()
    if root.is_file():
        return _of_file(root, progress)
    if not root.is_dir():
        raise GalleryError(_no_folder(root))
    return _of_folder(root, root.resolve().name or "gallery", progress)


def _named(path: str, progress: bool) -> Gallery | None:
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
    return dataset.load(Path(rest).expanduser(), progress=progress)


def _of_file(path: Path, progress: bool) -> Gallery:
    """Return what is in a zip or a tar, or what a table lists."""
    if _is_zip(path):
        from sigscope.gallery.archives import count_files, left_out, unpacked

        folder = unpacked(path, progress=progress)
        try:
            found = _of_folder(folder, path.stem, progress)
        except GalleryError as error:
            told = "".join(f" {name}: {reason}." for name, reason in left_out(folder)[:1])
            raise GalleryError(str(error).replace(str(folder), str(path)) + told) from error
        known = pd.DataFrame(left_out(folder), columns=["path", "reason"], dtype="str")
        problems = pd.concat([known, found.problems], ignore_index=True)
        unpacked_files = sum(len(names) for _, _, names in os.walk(folder))
        counts = dict(found.counts)
        if counts:
            inside = counts.get("left in the archive", 0)
            counts["left in the archive"] = inside + count_files(path) - unpacked_files
        return replace(found, problems=problems, counts=counts)
    if find_shards(path):
        return load_img2dataset(path, progress=progress)
    is_table = path.suffix.lower() in TABLES
    if not is_table and not (path.suffix.lower() == ".txt" and looks_like_table(path)):
        raise GalleryError(_no_folder(path))
    if picture_column(path):
        return load_packed(path.stem, path.parent, [path], [], progress=progress)
    try:
        listing = take(path.parent, list_table(path), of=path, progress=progress)
        return Gallery.of(path.stem, path.parent, listing)
    except GalleryError as error:
        if has_vectors(path):
            raise GalleryError(_vectors_alone(path)) from error
        raise


def _is_zip(path: Path) -> bool:
    """Return whether a file is a zip, or one by another name (.cbz, or none)."""
    known = {*KNOWN, *OTHER_SUFFIXES, *SHEETS}
    is_other = suffix_of(path.name) in known or TAR.fullmatch(path.name)
    return path.suffix.lower() == ".zip" or not is_other and is_zipfile(path)


def _of_folder(root: Path, name: str, progress: bool) -> Gallery:
    """Return what a folder holds: pictures, or files that hold more of them than lie beside.

    Whether a file has changed is told by its ``content``, but in the shipped gallery by its size.
    """
    if root.resolve() == paths.GALLERY.resolve():
        return Gallery.of(name, root, list_table(root / "metadata.jsonl"))
    contents = Contents(root)
    shards = find_shards(root)
    has_table = any((root / f"{name}.parquet").is_file() for name in shards)
    if has_table or _outweigh([tar for tar in shards.values() if tar], contents):
        return load_img2dataset(root, progress=progress, contents=contents)
    packed = [Path(contents.place(path)) for path in contents.paths() if _is_packed(contents, path)]
    if _outweigh(packed, contents):
        gallery = load_packed(name, root, packed, [], progress=progress)
        holding = [file.relative_to(root).as_posix() for file in packed]
        return with_beside(gallery, contents, holding)
    listing = take(root, list_folder(root, contents), embedded=True, progress=progress)
    tables = [Path(contents.place(p)) for p in contents.paths() if suffix_of(p) in TABLES]
    if not listing.rows and any(map(has_vectors, tables[:FEW])):
        raise GalleryError(_vectors_alone(root))
    if not listing.rows and (root / "img_emb").is_dir():
        raise GalleryError(_vectors_alone(root))
    return Gallery.of(name, root, listing)


def _outweigh(packed: list[Path], contents: Contents) -> bool:
    """Return whether there is more in these files than in the pictures beside them."""
    if not packed:
        return False
    pictures = filter(contents.is_picture, contents.paths())
    return sum(map(size_of, packed)) > sum(size_of(contents.place(path)) for path in pictures)


def _is_packed(contents: Contents, path: str) -> bool:
    """Return whether a file is parquet with pictures in it."""
    if not path.lower().endswith(".parquet"):
        return False
    with suppress(GalleryError):
        return bool(picture_column(Path(contents.place(path))))
    return False


def _vectors_alone(path: Path) -> str:
    return (
        f"{path} holds vectors and no pictures that are here; to search them give vectors:{path}."
    )


def _no_folder(root: Path) -> str:
    if root == paths.GALLERY:
        return f"The shipped gallery is not in {root}; run `git checkout -- data/gallery`."
    if root.exists():
        kinds, why = ", ".join((".zip", ".tar", *TABLES)), trouble(str(root))
        what = f"{root} is a file{f' ({why})' if why not in ('', NO_PICTURE) else ''}"
        return f"{what}; give the folder that holds the pictures, or one of {kinds}."
    return f"There is no folder {root}; check the path."


def open_list(source: str) -> "UrlList":
    """Return the list that source names.

    Args:
        source: "sbu:/path" for the files of SBU Captions; else the path of a .csv, .tsv or .parquet
            with a column of URLs (url, image_url) and perhaps one of captions (caption, text), or
            of a .txt with one URL a line.

    Raises:
        ListError: There is no such list.
    """
    from sigscope.downloads.lists import READERS, ListError, UrlList  # httpx: nobody else needs it

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
