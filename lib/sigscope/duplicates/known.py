"""Known duplicates: what was found once in a gallery, kept in the cache for as long as it is so."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.duplicates.find import COLUMNS, find_duplicates, mark_duplicates
from sigscope.files import read_sealed, slug, write_sealed
from sigscope.gallery.gallery import Gallery

log = logging.getLogger(__name__)


def open_duplicates(gallery: Gallery, embeddings: Any | None = None) -> pd.DataFrame:
    """Return what `find_duplicates` finds, looked for only where it is not known yet."""
    found = known_duplicates(gallery)
    if found is None:
        found = find_duplicates(gallery, embeddings)
        write_sealed(_file(gallery), {"duplicates": found.to_dict("records")})
    return found


def known_duplicates(gallery: Gallery) -> pd.DataFrame | None:
    """Return what `open_duplicates` has found already in a gallery as it is now, or None."""
    file = _file(gallery)
    try:
        found = pd.DataFrame(read_sealed(file)["duplicates"], columns=COLUMNS)
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        log.warning("%s is broken (%s), so duplicates are looked for again", file, error)
        return None
    mark_used(file)
    return found


def groups_of(gallery: Gallery, found: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the groups of duplicates: those that a gallery marks, and those that were found.

    Args:
        gallery: whose items, with their marks.
        found: from `find_duplicates`; None takes the gallery's marks alone.

    Returns:
        Columns group (from 1, the largest first), id, kept, kind ("marked" where only the gallery
        says so, "" for the kept one) and likeness (nan where that is not known); in each group the
        kept one is first.
    """
    found = pd.DataFrame(columns=COLUMNS) if found is None else found
    items = mark_duplicates(gallery, found).items
    kept = items["duplicate_of"].where(items["duplicate_of"].isin(set(items["id"])), items["id"])
    table = pd.DataFrame({"id": items["id"], "kept": kept})
    table = table[kept.duplicated(keep=False)]
    table = table.merge(found[["id", "kind", "likeness"]], "left", "id")
    is_copy = table["id"] != table["kept"]
    table["kind"] = table["kind"].astype(object).fillna("marked").where(is_copy, "")
    size = table.groupby("kept")["id"].transform("size")
    table = table.assign(size=size, first=~is_copy).sort_values(
        ["size", "kept", "first"], ascending=[False, True, False], kind="stable"
    )
    table.insert(0, "group", pd.factorize(table["kept"])[0] + 1)
    return table.drop(columns=["size", "first"]).reset_index(drop=True)


def _file(gallery: Gallery) -> Path:
    name = f"{slug(gallery.name)}-{gallery.fingerprint[:12]}.json"
    return paths.CACHE / "duplicates" / name
