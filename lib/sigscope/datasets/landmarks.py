"""Oxford Buildings (Oxford5k) and Paris (Paris6k): pictures of landmarks.

Ids are the names of the files without .jpg, as the ground truth writes them. Good, ok and junk
pictures and the queries' boxes are read by `protocols.landmarks.landmark_map`. There are no
captions; what a name begins with (all_souls) is what Flickr was asked for, not what is to be seen,
so it is no category but the column ``flickr_query``.
"""

import re
from pathlib import Path

from sigscope.datasets.files import Entry, Tree
from sigscope.gallery.gallery import Gallery

# https://www.robots.ox.ac.uk/~vgg/data/parisbuildings/corrupt.txt: no pictures, but pages of HTML
CORRUPT = frozenset(
    f"paris_{landmark}_{number:06d}"
    for landmark, numbers in {
        "louvre": (136, 146),
        "moulinrouge": (422,),
        "museedorsay": (1059,),
        "notredame": (188,),
        "pantheon": (284, 960, 974),
        "pompidou": (195, 196, 201, 467, 640),
        "sacrecoeur": (299, 330, 353),
        "triomphe": (662, 833, 863, 867),
    }.items()
    for number in numbers
)
OXFORD = re.compile(r"(?!paris_)([a-z_]+)_\d{6}\.jpg", re.IGNORECASE)
PARIS = re.compile(r"paris_([a-z]+)_\d{6}\.jpg", re.IGNORECASE)


def load_oxford5k(path: str | Path) -> Gallery:
    """Return Oxford5k: 5,063 pictures (its page says 5,062), or those of them there are.

    Raises:
        GalleryError: There are none.
    """
    return _load(path, "oxford5k", OXFORD)


def load_paris6k(path: str | Path) -> Gallery:
    """Return Paris6k: 6,392 pictures, without the 20 files known to be corrupt.

    Raises:
        GalleryError: There are none.
    """
    return _load(path, "paris6k", PARIS)


def _load(path: str | Path, dataset: str, pattern: re.Pattern) -> Gallery:
    tree = Tree(path, dataset)
    entries = []
    for name in sorted(tree.names()):
        if not (found := pattern.fullmatch(name)):
            continue
        kept, *further = tree.all(name)
        stem = Path(name).stem
        if stem in CORRUPT:
            reason = "it is one of the 20 files of Paris that are known to be corrupt"
            tree.problems += [(each, reason) for each in (kept, *further)]
            continue
        tree.problems += [
            (each, f"the same name lies in {kept}, which is kept") for each in further
        ]
        folder = Path(kept).parent.name
        fields = {"flickr_query": found[1].replace("_", " ").lower()}
        entries.append(Entry(stem, name, [], folder, "the folder", fields))
    if not entries:
        raise tree.error(f"{tree.root} has no pictures of {dataset}.")
    return tree.gallery(entries)
