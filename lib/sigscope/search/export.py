"""Results to take home: as CSV, as a zip with their pictures, as an imagefolder, as paths."""

import json
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

TABLE, METADATA = "results.csv", "metadata.jsonl"
LEFT_OUT = "left-out.txt"


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
    held = BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(TABLE, as_csv(_packed(archive, table, gallery)))
    return held.getvalue()


def as_imagefolder(table: pd.DataFrame, gallery: Gallery) -> bytes:
    """Return a zip that ``datasets.load_dataset("imagefolder", data_files=...)`` loads.

    It holds the pictures, numbered as in `as_zip`, and metadata.jsonl with the columns of the table
    and file_name (https://huggingface.co/docs/datasets/image_dataset). Pictures whose files are
    gone are named in left-out.txt, with the reason.

    Args:
        table: any table with a column id.
        gallery: where the items are from.
    """
    held = BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        rows = _packed(archive, table, gallery).rename(columns={"file": "file_name"})
        gone = rows["file_name"] == ""
        lines = rows[~gone].drop(columns="reason").to_json(orient="records", lines=True)
        archive.writestr(METADATA, lines)
        if gone.any():
            told = rows.loc[gone, "id"] + ": " + rows.loc[gone, "reason"]
            archive.writestr(LEFT_OUT, "\n".join(told) + "\n")
    return held.getvalue()


def as_paths(table: pd.DataFrame, gallery: Gallery, *, whole: bool = True) -> bytes:
    """Return the path of each item's file, one a line, whole or below the gallery's folder.

    A path with a line break is written as a JSON string, as it would pass for two.
    """
    files = (gallery.file(id) for id in table["id"])
    paths = [str(file.absolute() if whole else file.relative_to(gallery.root)) for file in files]
    lines = [json.dumps(path) if len(path.splitlines()) > 1 else path for path in paths]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _packed(archive: zipfile.ZipFile, table: pd.DataFrame, gallery: Gallery) -> pd.DataFrame:
    """Put the files of the items into an archive; return the table with ``file`` and ``reason``."""
    names, reasons = [], []
    width = len(str(len(table)))
    for number, id in enumerate(table["id"], 1):
        name, reason = f"{number:0{width}d}-{_tame(id)}", ""
        try:
            archive.writestr(name, gallery.original(id))
        except (GalleryError, MachineTrouble, PictureError) as error:
            name, reason = "", str(error)
        names.append(name)
        reasons.append(reason)
    return table.assign(file=names, reason=reasons)


def _tame(id: str) -> str:
    """Return the last part of an id as a file name that any system takes."""
    path = PurePosixPath(id)
    stem = slug(path.stem, "-").strip("-.")[:80]
    return (stem or "picture") + re.sub(r"[^\w.]", "", path.suffix)
