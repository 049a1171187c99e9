"""Results to take home: a table as CSV, or a zip of the table and its pictures."""

import re
import zipfile
from io import BytesIO
from pathlib import PurePosixPath

import pandas as pd

from sigscope.files import slug
from sigscope.gallery.gallery import Gallery, GalleryError
from sigscope.images.read import PictureError
from sigscope.spreadsheets import csv_of
from sigscope.trouble import MachineTrouble

TABLE = "results.csv"


def as_csv(table: pd.DataFrame) -> bytes:
    """Return a table as CSV in UTF-8, with a mark at its start that spreadsheets go by.

    No cell of it can pass for a formula (`sigscope.spreadsheets`).
    """
    return csv_of(table).encode("utf-8-sig")


def as_zip(table: pd.DataFrame, gallery: Gallery) -> bytes:
    """Return a zip of the table (results.csv) and the files of its items, as they are.

    Files are numbered in the order of the rows (01-cat.webp), and named in the table's column
    ``file``; it is "" for an item whose file is gone or not that picture any more, and the column
    ``reason`` says so.

    Args:
        table: any table with a column id.
        gallery: where the items are from.
    """
    held, names, reasons = BytesIO(), [], []
    width = len(str(len(table)))
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        for number, id in enumerate(table["id"], 1):
            name, reason = f"{number:0{width}d}-{_tame(id)}", ""
            try:
                archive.writestr(name, gallery.original(id))
            except (GalleryError, MachineTrouble, PictureError) as error:
                name, reason = "", str(error)
            names.append(name)
            reasons.append(reason)
        archive.writestr(TABLE, as_csv(table.assign(file=names, reason=reasons)))
    return held.getvalue()


def _tame(id: str) -> str:
    """Return the last part of an id as a file name that any system takes."""
    path = PurePosixPath(id)
    stem = slug(path.stem, "-").strip("-.")[:80]
    return (stem or "picture") + re.sub(r"[^\w.]", "", path.suffix)
