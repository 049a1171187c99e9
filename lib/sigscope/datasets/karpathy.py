"""The split files of Karpathy and Fei-Fei (2015), such as dataset_coco.json.

One record per picture: filename, split, sentences (raw, tokens), and for COCO filepath (its folder)
and cocoid. Of COCO's pictures ``restval`` is what is left of val2014, and everybody trains on it.
"""

from collections.abc import Iterator
from pathlib import Path

from sigscope.datasets.files import Entry, Tree
from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.columns import SPLITS
from sigscope.images.captions import tidy


def split_file(tree: Tree, name: str) -> Path | None:
    """Return the split file of this name, or one of another name; None if there is none."""
    return tree.find(name) or next(iter(tree.holding(b'"sentences"', b'"filename"')), None)


def karpathy_entries(tree: Tree, path: Path) -> Iterator[Entry]:
    """Yield what a split file lists; a record that cannot be used is a problem of the tree.

    The id is COCO's number, or for Flickr the file's name.

    Raises:
        GalleryError: It is no such file.
    """
    said = tree.json(path)
    images = said.get("images") if isinstance(said, dict) else None
    if not isinstance(images, list):
        raise tree.error(f"{path} is no split file of Karpathy's: it has no list of images.")
    for number, image in enumerate(images):
        try:
            yield _entry(image, path.name)
        except (KeyError, TypeError, AttributeError):
            reason = f"image {number} has no filename or no sentences"
            tree.problems.append((tree.shown(path), reason))


def _entry(image: dict, listed: str) -> Entry:
    split = text_of(image.get("split"))
    file = text_of(image.get("filename") or image.get("file_name"))
    sentences = image.get("sentences", image.get("captions"))
    if not file or sentences is None:
        raise KeyError("filename")
    return Entry(
        id=text_of(image.get("cocoid")) or file,
        file=file,
        captions=[tidy(text) for text in texts_of(sentences)],
        folder=text_of(image.get("filepath")),
        listed=listed,
        fields={"split": SPLITS.get(split.lower(), split)},
    )
