"""Splits: no picture may stand on two sides of one, not even as a marked duplicate."""

import pandas as pd

from sigscope.gallery.gallery import Gallery


class LeakError(ValueError):
    """A picture of one split is marked as the duplicate of one in another."""


def crossing(gallery: Gallery) -> pd.DataFrame:
    """Return the marked duplicates that lie in another split than what they are held against.

    That is the twin that is kept, or where it has no split or is not in the gallery, the first of
    its duplicates. A picture that is in no split is on no side.

    Returns:
        Columns id, split, twin, twin_split, in the gallery's order.
    """
    items = gallery.items[["id", "split", "duplicate_of"]]
    items = items[items["split"] != ""]
    kept = items["duplicate_of"].where(items["duplicate_of"] != "", items["id"])
    items = items.assign(kept=kept)[kept.duplicated(keep=False)]
    firsts = items.sort_values("duplicate_of", key=lambda marks: marks != "", kind="stable")
    firsts = firsts.drop_duplicates("kept").set_index("kept")
    items = items.assign(
        twin=items["kept"].map(firsts["id"]), twin_split=items["kept"].map(firsts["split"])
    )
    apart = items[items["split"] != items["twin_split"]]
    return apart[["id", "split", "twin", "twin_split"]].reset_index(drop=True)


def check_splits(gallery: Gallery, split: str | None = None) -> None:
    """Raise LeakError when marked duplicates lie across splits.

    Only ``duplicate_of`` is looked at, so it costs milliseconds; finding duplicates is the work of
    `duplicates.find_duplicates`. Equal captions across splits are no leak here.

    Args:
        gallery: whose splits to check.
        split: the one that is evaluated; what lies between two others is then let pass.
    """
    if not (gallery.items["duplicate_of"] != "").any():
        return
    apart = crossing(gallery)
    if split is not None:
        apart = apart[(apart["split"] == split) | (apart["twin_split"] == split)]
    if apart.empty:
        return
    id, side, twin, twin_side = apart.iloc[0]
    count = f"{len(apart):,} pictures of {gallery.name} have their"
    if len(apart) == 1:
        count = f"1 picture of {gallery.name} has its"
    raise LeakError(
        f"{count} marked duplicate in another split, the first {id!r} ({side}) and "
        f"{twin!r} ({twin_side}); what is learnt on one side is known on the other, so nothing was "
        "evaluated. Give both one split, or leave the copies out with "
        "`sigscope.duplicates.without_duplicates`, and embed the gallery again"
    )
