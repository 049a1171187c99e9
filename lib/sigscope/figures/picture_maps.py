"""Picture maps: a map drawn with the pictures themselves, one in each cell of a grid."""

from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from sigscope.figures.sheets import Sheet
from sigscope.figures.theme import THEMES, Theme
from sigscope.images.read import PictureError


def picture_map(
    gallery: Any,
    table: pd.DataFrame,
    *,
    columns: int = 40,
    side: int = 28,
    theme: Theme = THEMES["light"],
) -> Sheet:
    """Return a map in the plane with a picture in each cell that has points.

    The picture is that of the point nearest the middle of the points in its cell. One that cannot
    be read leaves its cell empty.

    Args:
        gallery: where the pictures are.
        table: from ``Map.table``; captions in it are passed over.
        columns: cells across; there are as many down as the map needs.
        side: pixels of a cell.
        theme: light or dark.

    Raises:
        ValueError: The map has no pictures, or is one in a room.
    """
    chosen = _representatives(table, columns)
    margin = side // 2
    rows = int(chosen["row"].max()) + 1
    size = (columns * side + 2 * margin, rows * side + 2 * margin)
    page = Image.new("RGB", size, theme.background)
    for id_, column, row in chosen[["id", "column", "row"]].itertuples(index=False):
        tile = _tile(gallery, id_, side - 2)
        if tile:
            left, top = margin + column * side, margin + row * side
            place = (left + (side - tile.width) // 2, top + (side - tile.height) // 2)
            page.paste(tile, place)
    drawn, n = len(chosen), int((table["kind"] == "picture").sum())
    alt = f"A map of {n:,} pictures drawn with {drawn:,} of them, alike ones near each other."
    return Sheet(page, alt)


def _representatives(table: pd.DataFrame, columns: int) -> pd.DataFrame:
    """Return one picture for each cell of a grid over the map that has any.

    Returns:
        Columns id, column and row (both from 0, row 0 on top, as y points up on a map), pictures
        (how many its cell has).
    """
    if "z" in table:
        raise ValueError("a map in a room cannot be drawn with pictures; make one with dims=2")
    if columns < 1:
        raise ValueError(f"columns is {columns}; it must be at least 1")
    pictures = table[table["kind"] == "picture"]
    if not len(pictures):
        raise ValueError("there are no pictures on this map")
    places = pictures[["x", "y"]].to_numpy(np.float64)
    low, high = places.min(axis=0), places.max(axis=0)
    cell = max(high[0] - low[0], (high[1] - low[1]) / 4, 1e-9) / columns * (1 + 1e-9)
    cells = np.column_stack([places[:, 0] - low[0], high[1] - places[:, 1]]) // cell
    frame = pd.DataFrame(cells.astype(int), columns=["column", "row"])
    frame["id"], frame[["x", "y"]] = pictures["id"].to_numpy(), places
    groups = frame.groupby(["row", "column"])
    middle = groups[["x", "y"]].transform("mean")
    frame["off"] = np.hypot(frame["x"] - middle["x"], frame["y"] - middle["y"])
    frame["pictures"] = groups["id"].transform("size")
    best = frame.loc[groups["off"].idxmin()]
    return best[["id", "column", "row", "pictures"]].reset_index(drop=True)


def _tile(gallery: Any, id_: str, side: int) -> Image.Image | None:
    try:
        picture = gallery.picture(id_)
    except PictureError:
        return None
    return ImageOps.contain(picture.convert("RGB"), (side, side), Image.Resampling.LANCZOS)
