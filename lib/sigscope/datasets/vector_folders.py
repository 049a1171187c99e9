"""Folders of vectors, as clip-retrieval writes them, as galleries of any number of items.

An item's id is what its row of metadata calls its picture. The items are the folder's catalogue
(`embeddings.catalogue`), mapped into memory, and its vectors are read where they lie. A picture is
shown where it is below the folder, or below the one that holds the folder.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from sigscope.embeddings.catalogue import Catalogue
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import as_items
from sigscope.progress import Progress

LOOKED_FOR = 100  # pictures, evenly spaced


def load_vector_folder(folder: Path, *, progress: Progress = False) -> Gallery:
    """Return the gallery of a folder with ``img_emb`` and ``metadata``, perhaps ``text_emb``.

    A row whose vector is no number, or all zeros, is a problem; a row without a text, or whose
    text has no vector, has no caption to search by vectors.

    Args:
        folder: the folder.
        progress: show a bar on stderr when it is read for the first time.

    Raises:
        GalleryError: Its files do not belong together, or none of its rows can be used.
    """
    catalogue = Catalogue.open(folder, progress=progress)
    items = as_items(catalogue.items)
    rows = np.unique(np.linspace(0, len(items) - 1, LOOKED_FOR).round().astype(int))
    paths = items["path"].array.take(rows)
    there = {root: _there(root, paths) for root in (folder, folder.absolute().parent)}
    root = max(there, key=there.get)
    problems = list(catalogue.problems)
    if there[root] < len(rows):
        absent = f"{len(rows) - there[root]} of {len(rows)} of its pictures that were looked for"
        problems.append((folder.name, f"{absent} are not there: found, but not shown"))
    return Gallery(
        name=folder.resolve().name,
        root=root,
        items=items,
        problems=pd.DataFrame(problems, columns=["path", "reason"], dtype="str"),
        vectors=folder,
        stamp=catalogue.key,
    )


def _there(root: Path, paths: list[str]) -> int:
    return sum(os.path.isfile(os.path.join(root, path)) for path in paths)
