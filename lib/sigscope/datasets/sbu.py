"""SBU Captions: a million Flickr photos with what their owners wrote about them, as a list of URLs.

Its publisher ships no pictures: `python -m sigscope download sbu:/folder` fetches those there still
are. The list comes as two text files, line by line beside each other, or as one JSON file.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from sigscope.datasets.img2dataset import load_img2dataset
from sigscope.datasets.tars import find_shards
from sigscope.downloads.lists import UrlList, default_folder
from sigscope.gallery.cells import text_of
from sigscope.gallery.folder import Contents, GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.images.captions import tidy

URLS = "SBU_captioned_photo_dataset_urls.txt"
CAPTIONS = "SBU_captioned_photo_dataset_captions.txt"
JSON = "sbu-captions-all.json"
PICTURES = "pictures"
SOURCE = "https://www.cs.rice.edu/~vo9/sbucaptions/"
EXPECTS = f"{URLS} and {CAPTIONS}, or {JSON}"


def load_sbu(path: str | Path) -> Gallery:
    """Return the photos of SBU that have been downloaded, with their captions.

    They are looked for in the folder's sub-folder "pictures", in the folder itself, and where
    `python -m sigscope download sbu:/folder` puts them: img2dataset's layout in each case. Photos
    that did not load are the gallery's problems.

    Args:
        path: the folder of the list.

    Raises:
        GalleryError: There is no list, or nothing has been downloaded yet; says what to run.
    """
    root = Path(path).expanduser()
    for place in (root / PICTURES, root, default_folder(f"sbu:{root}")):
        if find_shards(place):
            contents = Contents(place)
            contents.used |= {URLS, CAPTIONS, JSON}.intersection(contents.paths())
            gallery = load_img2dataset(place, contents=contents)
            return replace(gallery, name="sbu", items=_tidied(gallery))
    count = url_list(root).total
    raise GalleryError(
        f"{root} lists the URLs of {count:,} photos, which have not been downloaded yet; run "
        f"`python -m sigscope download sbu:{root}` (with --first 10000 to begin with)."
    )


def url_list(path: Path) -> UrlList:
    """Return SBU's list of URLs and captions, HTML entities in the captions resolved.

    Raises:
        GalleryError: The files are not there, or do not belong together.
    """
    for folder in (path, path / "dataset"):  # the publisher's archive has a folder of that name
        urls, captions, whole = folder / URLS, folder / CAPTIONS, folder / JSON
        if urls.is_file() and captions.is_file():
            return _list_of(urls, partial(_lines, urls), partial(_lines, captions))
        if whole.is_file():
            both = _columns(whole)
            return _list_of(whole, *(partial(iter, column) for column in both))
    raise GalleryError(f"{path} holds no list of SBU Captions ({EXPECTS}); it is had at {SOURCE}.")


def _list_of(file: Path, urls, captions) -> UrlList:
    """Return the list of two columns once their lengths have been compared."""
    lengths = [sum(1 for _ in column()) for column in (urls, captions)]
    if lengths[0] != lengths[1]:
        raise GalleryError(
            f"{file} has {lengths[0]:,} URLs but {lengths[1]:,} captions; fetch it again."
        )

    def rows() -> Iterator[tuple[str, str]]:
        for url, caption in zip(urls(), captions(), strict=True):
            yield text_of(url), tidy(caption)

    return UrlList("sbu", rows, lengths[0])


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines:
        yield from lines


def _columns(file: Path) -> tuple[list[str], list[str]]:
    """Return the two lists in the JSON form; they take some 300 MB of memory."""
    try:
        said = json.loads(file.read_text(encoding="utf-8-sig", errors="replace"), strict=False)
        return [*said["image_urls"]], [*said["captions"]]
    except (ValueError, KeyError, TypeError) as error:
        sentence = f"{file} has no whole list of URLs and captions ({error}); fetch it again from"
        raise GalleryError(f"{sentence} {SOURCE}.") from error


def _tidied(gallery: Gallery):
    """Return the items with captions as a person reads them, whoever downloaded them."""
    items = gallery.items.copy()
    items["captions"] = [[tidy(text) for text in texts] for texts in items["captions"]]
    items["caption"] = [next(iter(texts), "") for texts in items["captions"]]
    return items
