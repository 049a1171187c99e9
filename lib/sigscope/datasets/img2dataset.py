"""Shards: what img2dataset leaves, our own download too, and webdataset's tars of any other maker.

00000.parquet has a row for every URL, loaded or not; the pictures are in 00000/ or in 00000.tar. A
tar may have any name and no table; what it holds are samples: the files whose names are equal up to
their first dot (webdataset's rule), of which those that are pictures are the gallery's.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from sigscope.datasets.beside import with_beside
from sigscope.datasets.tars import TAR, find_shards, table_of, unpacked_tars
from sigscope.gallery.archives import lone_folder
from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.columns import CATEGORIES, URLS, caption_columns, first_of, normal, split_in
from sigscope.gallery.delimited import looks_like_table
from sigscope.gallery.folder import (
    Contents,
    GalleryError,
    Listing,
    Problems,
    holds_picture,
    suffix_of,
    trouble,
)
from sigscope.gallery.gallery import COLUMNS, Gallery
from sigscope.gallery.inventory import take
from sigscope.gallery.listing import LISTS, METADATA, MOST_TABLES, list_folder
from sigscope.gallery.sidecars import SUFFIXES as TEXTS
from sigscope.gallery.sidecars import captions_in
from sigscope.gallery.tables import READERS, records
from sigscope.gallery.walk import count_of
from sigscope.images.captions import distinct
from sigscope.images.formats import SUFFIXES
from sigscope.trouble import check_machine

SOURCE = "https://github.com/rom1504/img2dataset"
EXPECTS = "00000.parquet with a folder 00000 or a file 00000.tar, and so on"

TOLD = {"key", "status", "error_message", "reason", "exif"}  # not items' columns
OURS = ("download.json", "placeholders.json")  # which a download by sigscope leaves
CLASS_NAMES = "classnames.txt"  # of CLIP_benchmark: a line for each number in a .cls

Files = dict[str, str]  # of a sample: what follows the first dot, in small letters, and the path


def load_img2dataset(
    path: str | Path, *, progress: bool = False, contents: Contents | None = None
) -> Gallery:
    """Return the pictures that loaded; the URLs that did not are the gallery's problems.

    An item's id is its key, its source its URL; of several pictures in a sample what follows the
    key tells them apart (key.input, key.target). Tars are unpacked into the cache once.

    Args:
        path: the output folder, written with output_format "files" or "webdataset", any folder of
            webdataset's tars, or one tar.
        progress: whether to draw a bar on stderr while tars are unpacked.
        contents: what lies in the folder, where somebody has looked already.

    Raises:
        GalleryError: It is no such folder, or none of its pictures loaded.
    """
    root = Path(path).expanduser()
    shards = find_shards(root)
    if not shards:
        raise GalleryError(f"{root} is no output of img2dataset ({EXPECTS}); see {SOURCE}.")
    home = root.parent if root.is_file() else root
    listing, folder, left = Listing(), home, 0
    if any(tar for tar in shards.values()):
        folder, left = unpacked_tars(home, shards, listing.problems, progress)
    plain = [shard for shard, tar in shards.items() if tar and _is_plain(home, folder, shard)]
    for shard in shards:
        add = _add_folder if shard in plain else _add_shard
        add(listing, home, folder, shard)
    if plain:
        listing = take(folder, listing, embedded=True, progress=progress)
    _make_unique(listing)
    name = TAR.fullmatch(root.name)["name"] if root.is_file() else root.resolve().name
    listing.counts.update(_counts(folder, shards, len(listing.rows)))
    listing.counts["left in the archive"] = left
    gallery = Gallery.of(name or "img2dataset", folder, listing, shown=root)
    if root.is_file():
        return gallery
    contents = contents or Contents(root)
    contents.used |= {path for path in contents.paths() if path.endswith((CLASS_NAMES, *OURS))}
    read = [shard for shard, tar in shards.items() if tar or folder == home]
    return with_beside(gallery, contents, [p for p in contents.paths() if _is_of(p, read)])


def _is_of(path: str, shards: Iterable[str]) -> bool:
    """Return whether a file below the root is one of some shards, or tells of one."""
    tar = TAR.fullmatch(path)
    names = map(path.removesuffix, (".parquet", "_stats.json", ".journal"))
    above = accumulate(path.split("/"), "{}/{}".format)
    return not {*above, *names, tar and tar["name"]}.isdisjoint(shards)


def _samples(folder: Path) -> dict[str, Files]:
    """Return the files of each sample by its key, as webdataset groups them; paths below folder."""
    found: dict[str, Files] = defaultdict(dict)
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name).relative_to(folder).as_posix()
            key, _, rest = name.partition(".")
            found[path[: len(path) - len(name)] + key][rest.lower()] = path
    return dict(sorted(found.items()))


def _pictures(folder: Path, files: Files) -> dict[str, str]:
    """Return the pictures of a sample: what follows the key before the suffix, and the path."""
    return {
        rest.rpartition(".")[0]: path
        for rest, path in sorted(files.items())
        if suffix_of(path) in SUFFIXES
        or (suffix_of(path) not in TEXTS and holds_picture(str(folder / path)))
    }


def _is_plain(root: Path, folder: Path, shard: str) -> bool:
    """Return whether a tar holds a folder of pictures that somebody packed, and no samples.

    It has a table that names its pictures, or nothing but pictures in folders.
    """
    here = folder / shard
    if table_of(root, shard).is_file() or not here.is_dir():
        return False
    files = [Path(place, name) for place, _, names in os.walk(here) for name in names]
    pictures = {file.with_suffix("") for file in files if suffix_of(file.name) in SUFFIXES}
    others = [file for file in files if file.with_suffix("") not in pictures]
    tables = [file for file in others if suffix_of(file.name) in READERS or LISTS.search(file.name)]
    if any(map(_names_files, tables[:MOST_TABLES])):
        return True
    is_all = 0 < len(pictures) == len(files)
    return is_all and all(file.parent != here for file in files)


def _names_files(file: Path) -> bool:
    """Return whether a file of a tar is a table, and no text or object of a sample."""
    is_object = suffix_of(file.name) == ".json" and not METADATA.fullmatch(file.name)
    is_text = suffix_of(file.name) not in READERS and not looks_like_table(file)
    return not (is_object or is_text)


def _add_folder(listing: Listing, root: Path, folder: Path, shard: str) -> None:
    """Add the pictures of a shard that is a folder of pictures."""
    here = lone_folder(folder / shard)
    prefix = here.relative_to(folder).as_posix()
    found = list_folder(here)
    for row in found.rows:
        split = row.get("split") or split_in(shard)
        listing.rows.append({**row, "path": f"{prefix}/{row['id']}", "split": split})
    listing.problems.extend((f"{prefix}/{path}", reason) for path, reason in found.problems)


def _add_shard(listing: Listing, root: Path, folder: Path, shard: str) -> None:
    """Add the pictures of a shard by its table, or where it has none by the files beside them."""
    here = folder / shard
    if not here.is_dir():
        return
    samples, others = _samples(here), Counter()
    classes = _class_names(root, shard)
    for key, record in _records(root, shard, samples, listing.problems):
        files = samples.pop(key, None)
        url = text_of(record.get(first_of(URLS, record)))
        if text_of(record.get("status")) not in ("success", ""):
            reason = text_of(record.get("error_message")) or text_of(record["status"])
            listing.problems.append((url or key, reason.rstrip(".")))
            continue
        pictures = _pictures(here, files or {})
        if not pictures:
            left = [path for path in (files or {}).values() if suffix_of(path) not in TEXTS]
            told = [(path, trouble(str(here / path))) for path in left]
            for path, reason in told or [(key, "its picture is not there")]:
                listing.problems.append((f"{shard}/{path}", reason))
            continue
        row = _row(record, url, split_in(shard))
        beside = _beside(here, files, pictures, listing.problems, shard)
        if "cls" in files and not row.get("category"):
            number = (here / files["cls"]).read_text("utf-8", "replace").strip()
            is_known = number.isdecimal() and int(number) < len(classes)
            row["category"] = classes[int(number)] if is_known else number
        others.update(suffix_of(path) for path in files.values() if path not in pictures.values())
        for middle, path in pictures.items():
            id = f"{key}.{middle}" if len(pictures) > 1 and middle else key
            captions = row["captions"] or beside.get(middle, beside.get("", []))
            own = {"id": id, "path": f"{shard}/{path}", **row, "captions": captions}
            listing.rows.append(own)
    for key in samples:
        listing.problems.append((f"{shard}/{key}", "the table of its shard does not list it"))
    for suffix in others.keys() - {*TEXTS, ".cls"}:
        reason = f"{count_of(others[suffix], 'file')} {suffix} beside its pictures: not read"
        listing.problems.append((shard, reason))


def _records(
    root: Path, shard: str, samples: dict[str, Files], problems: Problems
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the key and the record of each sample: the table's if there is one, else nothing."""
    if not table_of(root, shard).is_file():
        yield from [(key, {}) for key in samples]
        return
    rows = [record for _, record in records(table_of(root, shard), problems)]
    if rows and "key" not in rows[0]:
        reason = "it has no column key and is not used"
        problems.append((table_of(root, shard).name, reason))
        yield from [(key, {}) for key in samples]
        return
    yield from sorted(((text_of(row.get("key")), row) for row in rows), key=lambda pair: pair[0])


def _row(record: dict[str, Any], url: str, split: str) -> dict[str, Any]:
    columns = caption_columns(record)
    captions = distinct(text for column in columns for text in texts_of(record[column]))
    category = text_of(record.get(first_of(CATEGORIES, record)))
    further = {
        name: value
        for name, value in record.items()
        if name not in {*TOLD, *columns, *COLUMNS}
        and normal(name) not in URLS
        and name not in columns
        and name not in COLUMNS
        and name.lower() != "url"
    }
    return {"captions": captions, "source": url, "category": category, "split": split, **further}


def _beside(
    folder: Path, files: Files, pictures: dict[str, str], problems: Problems, shard: str
) -> dict[str, list[str]]:
    """Return the captions in the texts of a sample: all of its .txt, else .caption, else .json.

    A text belongs to the picture that is called like it up to the suffix, and else to all: "".
    """
    found: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    texts = [(rest, path) for rest, path in files.items() if suffix_of(path) in TEXTS]
    for rest, path in sorted(texts, key=lambda pair: (TEXTS.index(suffix_of(pair[1])), pair)):
        middle = rest.rpartition(".")[0]
        owner = middle if middle in pictures else ""
        try:
            if not found.get(owner) or kinds[owner] == suffix_of(path):
                further = captions_in(str(folder / path), list(pictures.values()))
                found[owner] = distinct([*found.get(owner, ()), *further])
                kinds[owner] = suffix_of(path)
        except (OSError, ValueError) as error:
            check_machine(path, error)
            problems.append((f"{shard}/{path}", getattr(error, "strerror", None) or str(error)))
    return found


def _counts(folder: Path, shards: Iterable[str], pictures: int) -> dict[str, int]:
    """Return how many files of each kind the shards hold."""
    names = [name for each in shards for _, _, found in os.walk(folder / each) for name in found]
    texts = sum(suffix_of(name) in {*TEXTS, *READERS, ".cls"} for name in names)
    others = len(names) - pictures - texts
    return {"pictures": pictures, "unreadable": 0, "texts and tables": texts, "others": others}


def _class_names(root: Path, shard: str) -> list[str]:
    """Return what the numbers of classes mean, [] where nothing says."""
    for place in (root, (root / shard).parent, root.parent):
        if (place / CLASS_NAMES).is_file():
            return (place / CLASS_NAMES).read_text("utf-8", "replace").splitlines()
    return []


def _make_unique(listing: Listing) -> None:
    """Put the shard before each id when two shards use the same keys."""
    if len({row["id"] for row in listing.rows}) == len(listing.rows):
        return
    for row in listing.rows:
        row["id"] = row["path"].rpartition(".")[0]
