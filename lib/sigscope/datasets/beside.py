"""What lies beside the files that hold a gallery's pictures: each is told, and counted."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

import pandas as pd

from sigscope.gallery.folder import Contents, Listing
from sigscope.gallery.gallery import Gallery

BESIDE = "it lies beside the files that hold the pictures; give its own folder to see it"


def with_beside(gallery: Gallery, contents: Contents, holding: Collection[str]) -> Gallery:
    """Return a gallery with the other files of its folder as problems, and all of them counted.

    Args:
        gallery: What was made of the files that hold the pictures; counts what is in them.
        contents: The folder; its ``used`` are texts that were read beside them.
        holding: The paths of these files.
    """
    contents.used.update(holding)
    alone = [p for p in contents.paths() if contents.is_picture(p) and p not in contents.used]
    beside = contents.finish(Listing([], [(path, BESIDE) for path in alone]), alone)
    told = pd.DataFrame(beside.problems, columns=["path", "reason"], dtype="str")
    problems = pd.concat([gallery.problems, told], ignore_index=True).drop_duplicates()
    counts = Counter(beside.counts) + Counter(gallery.counts)
    counts["texts and tables"] -= len(holding)  # what is in them has been counted
    counts = {"pictures": 0, "unreadable": 0, **counts}
    return replace(gallery, problems=problems.reset_index(drop=True), counts=counts)
