"""Tables of URLs as galleries: what they name is downloaded first, as far as it is not there yet.

The pictures go below the cache, where `sigscope download` puts those of the same table: politely,
within limits, resumed where they were. A URL that gave no picture is a problem of the gallery, with
its reason.
"""

from dataclasses import replace
from pathlib import Path

from sigscope.datasets.img2dataset import load_img2dataset
from sigscope.downloads.limits import Limits
from sigscope.downloads.lists import ListError, default_folder
from sigscope.downloads.run import DiskError, download
from sigscope.downloads.shard import ListChanged
from sigscope.files import FolderBusy
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery

LIMITS = Limits()


def load_urls(path: str | Path, *, progress: bool = False) -> Gallery:
    """Return the gallery of the pictures that a table of URLs names.

    Args:
        path: a .csv, .tsv, .json, .jsonl or .parquet with a column url and perhaps one of captions,
            or a .txt with one URL a line.
        progress: show a bar on stderr while pictures are downloaded.

    Raises:
        GalleryError: There is no such table, another process downloads it, the disk is full, or
            none of its pictures could be had.
    """
    from sigscope.datasets.load import open_list

    path = Path(path).expanduser()
    folder = default_folder(str(path))
    try:
        download(open_list(str(path)), folder, limits=LIMITS, progress=progress)
    except (ListError, ListChanged, DiskError, FolderBusy) as error:
        raise GalleryError(str(error)) from error
    return replace(load_img2dataset(folder, progress=progress), name=path.stem)
