"""Links: a picture of a gallery lies in the gallery's folder once every link has been followed.

What is in a gallery is shown to whoever reaches the explorer, and can be taken along, and a link
may lead to any file of the machine. Whoever means it so sets SIGSCOPE_FOLLOW_LINKS=1.
"""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sigscope.gallery.folder import Listing

FOLLOW = "SIGSCOPE_FOLLOW_LINKS"
LEADS_OUT = f"a link leads out of the folder there; {FOLLOW}=1 allows it, for whoever may see all"


def leads_out(root: str | Path, path: str | Path) -> bool:
    """Return whether a path below root leads out of it once links are followed, and may not."""
    if os.environ.get(FOLLOW, "") not in ("", "0"):
        return False
    top = os.path.realpath(root)
    return _lies_outside(top, os.path.realpath(os.path.join(root, path)))


def inside(root: Path, listing: "Listing") -> "Listing":
    """Return a listing without the pictures whose path leads out of root; they become problems.

    Those of one linked folder are one problem. Nothing but each folder, and each file that is a
    link, is looked up.
    """
    folders: dict[str, bool] = {}
    may_link: dict[str, bool] = {}
    outside: Counter[str] = Counter()
    rows, top = [], os.path.join(root, "")
    for row in listing.rows:
        path = row.get("path", row["id"])
        folder = path.rpartition("/")[0]
        if folder not in folders:
            folders[folder] = leads_out(root, folder)
            may_link[folder] = _may_link(top + folder)
        if folders[folder]:
            outside[f"{folder}/"] += 1
        elif may_link[folder] and os.path.islink(top + path) and leads_out(root, path):
            outside[path] += 1
        else:
            rows.append(row)
    if not outside:
        return listing
    problems = [(path, _reason(path, count)) for path, count in sorted(outside.items())]
    counts = dict(listing.counts)
    if counts:
        counts["pictures"] -= outside.total()
        counts["unreadable"] += outside.total()
    return replace(listing, rows=rows, problems=[*listing.problems, *problems], counts=counts)


def _may_link(folder: str) -> bool:
    """Return whether there may be links in a folder: files of one without are not asked alone."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.is_symlink() for entry in entries)
    except OSError:
        return True


def _reason(path: str, count: int) -> str:
    return f"{LEADS_OUT} (pictures: {count:,})" if path.endswith("/") else LEADS_OUT


def _lies_outside(top: str, real: str) -> bool:
    return real != top and not real.startswith(top.rstrip(os.sep) + os.sep)
