"""Making pictures searchable: whatever a person points at is embedded, as far as it is not yet."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import stored_failures
from sigscope.files import atomic_write, slug
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.walk import count_of
from sigscope.models.checkpoints import called
from sigscope.spreadsheets import csv_of


def make_searchable(named: str | None) -> Iterator[str]:
    """Embed a gallery with visible progress on stderr; yield sentences on what was done.

    The model is loaded only if there is something to embed.

    Args:
        named: what ``load_gallery`` takes; None or "" is the shipped gallery.

    Raises:
        GalleryError, ModelError, StoreError: It cannot be done; the sentence says why.
    """
    gallery = load_gallery(named or None, progress=True)
    failed = stored_failures(gallery, called())
    if failed is not None:
        if n := len(gallery) - len(failed):
            yield f"{gallery.name}: {_searchable(n)}; nothing has changed."
    else:
        from sigscope.search.searcher import Searcher
        from sigscope.search.targets import UnreadableGallery

        yield f"Making {gallery.name} searchable ({count_of(len(gallery), 'picture')}) ..."
        try:
            searcher = Searcher.open(gallery, progress=True)
        except UnreadableGallery as reason:
            failed = reason.failed
        else:
            failed = searcher.embeddings.failed
            yield f"{_searchable(len(searcher))} with {searcher.encoder.describe()}."
    file = _write_problems(gallery, failed)
    if len(failed) == len(gallery):
        raise GalleryError(
            f"None of the {len(gallery):,} pictures of {gallery.name} can be read; "
            f"{os.path.relpath(file)} says why."
        )
    counted = gallery.counted(len(failed))
    if file:
        left_out = f"{len(gallery.problems) + len(failed):,} lines of what is left out"
        yield f"{counted or left_out}; {os.path.relpath(file)} says which and why."
    elif counted:
        yield f"{counted}."


def _searchable(n: int) -> str:
    return f"{count_of(n, 'picture')} {'is' if n == 1 else 'are'} searchable"


def _write_problems(gallery: Gallery, failed: pd.DataFrame) -> Path | None:
    """Write down in the cache what was left out of a gallery, and return where.

    Args:
        gallery: its ``problems`` are what could not be listed.
        failed: what was listed and could not be embedded: id, path, reason.

    Returns:
        A CSV of path and reason, or None where nothing was left out.
    """
    table = pd.concat([gallery.problems, failed])[["path", "reason"]]
    place = hashlib.sha256(os.fsencode(gallery.root.resolve())).hexdigest()[:8]
    name = slug(gallery.name)
    file = paths.CACHE / "problems" / f"{name}-{place}.csv"
    if table.empty:
        file.unlink(missing_ok=True)
        return None
    with atomic_write(file) as part:
        part.write_text(csv_of(table), encoding="utf-8", newline="\n")
    return file
