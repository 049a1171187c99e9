"""Whatever a person points at becomes a gallery: a folder, a zip, a table, or a data set by name.

Nothing here fetches or ships a picture. What a reader must have, and where it is to be had, is in
``DATASETS``; each loader looks its files up anywhere below the folder that it is given, so it does
not matter which of the archives were unpacked into folders of their own. What is listed but not
there is in the gallery's problems, with the reason; everything else is kept.
"""

import os
import re
from pathlib import Path

from sigscope import paths
from sigscope.datasets.registry import DATASETS
from sigscope.downloads.lists import READERS, ListError, UrlList
from sigscope.gallery.folder import GalleryError, Listing, list_folder
from sigscope.gallery.gallery import TABLES, Gallery
from sigscope.gallery.inventory import take
from sigscope.gallery.metadata import find_metadata, list_metadata


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
    if named and (gallery := _named(path, progress)) is not None:
        return gallery
    root = paths.GALLERY if path is None else Path(path).expanduser()
    if root.is_file():
        return _of_file(root, progress)
    if not root.is_dir():
        raise GalleryError(_no_folder(root))
    return Gallery.of(root.resolve().name or "gallery", root, _listing(root, progress))


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
