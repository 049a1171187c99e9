"""Shards: what img2dataset leaves, our own download too, and webdataset's tars of any other maker.

00000.parquet has a row for every URL, loaded or not; the pictures are in 00000/ or in 00000.tar. A
tar may have any name and no table; what it holds are samples: the files whose names are equal up to
their first dot (webdataset's rule), of which those that are pictures are the gallery's.
"""

import hashlib
import os
import re
import shutil
import tarfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sigscope import paths
from sigscope.files import PART, atomic_folder, folder_lock, read_json, write_json
from sigscope.gallery.archives import MAX_RATIO, SMALL
from sigscope.gallery.cells import text_of, texts_of
from sigscope.gallery.columns import CATEGORIES, URLS, caption_columns, first_of, normal, split_in
from sigscope.gallery.folder import GalleryError, Listing, Problems, holds_picture, suffix_of
from sigscope.gallery.gallery import COLUMNS, Gallery
from sigscope.gallery.sidecars import SUFFIXES as TEXTS
from sigscope.gallery.sidecars import captions_in
from sigscope.gallery.tables import records
from sigscope.images.captions import distinct
from sigscope.images.read import SUFFIXES, plain
from sigscope.images.sniff import LFS, is_pointer
from sigscope.trouble import check_machine

SOURCE = "https://github.com/rom1504/img2dataset"
EXPECTS = "00000.parquet with a folder 00000 or a file 00000.tar, and so on"

SHARD = re.compile(r"\d+")
TAR = re.compile(r"(?P<name>.*)\.(tar|tar\.gz|tgz)", re.IGNORECASE | re.DOTALL)
PLACE = re.compile(r"[^/\\.\0][^/\\\0]*")  # a part of a member's path
TOLD = {"key", "status", "error_message", "reason", "exif"}  # not items' columns
CLASS_NAMES = "classnames.txt"  # of CLIP_benchmark: a line for each number in a .cls

Files = dict[str, str]  # of a sample: what follows the first dot, in small letters, and the path


def load_img2dataset(path: str | Path, *, progress: bool = False) -> Gallery:
    """Return the pictures that loaded; the URLs that did not are the gallery's problems.

    An item's id is its key, its source its URL; of several pictures in a sample what follows the
    key tells them apart (key.input, key.target). Tars are unpacked into the cache once.

    Args:
        path: the output folder, written with output_format "files" or "webdataset", any folder of
            webdataset's tars, or one tar.
        progress: whether to draw a bar on stderr while tars are unpacked.

    Raises:
        GalleryError: It is no such folder, or none of its pictures loaded.
    """
    root = Path(path).expanduser()
    shards = find_shards(root)
    if not shards:
        raise GalleryError(f"{root} is no output of img2dataset ({EXPECTS}); see {SOURCE}.")
    home = root.parent if root.is_file() else root
    listing, folder = Listing(), home
    if any(tar for tar in shards.values()):
        folder = _unpacked(home, shards, listing.problems, progress)
    for shard in shards:
        _add_shard(listing, home, folder, shard)
    _make_unique(listing)
    name = TAR.fullmatch(root.name)["name"] if root.is_file() else root.resolve().name
    return Gallery.of(name or "img2dataset", folder, listing)


def find_shards(root: Path) -> dict[str, Path | None]:
    """Return the tar of each shard by the shard's name, sorted; None for one that is a folder.

    They lie in root, or else in its sub-folders (train/0.tar). Root may itself be a tar.
    """
    if root.is_file():
        return {found["name"]: root} if (found := TAR.fullmatch(root.name)) else {}
    if not root.is_dir():
        return {}
    for entries in (list(root.iterdir()), root.glob("*/*.t[ag][rz]*")):
        shards = {}
        for entry in sorted(entries):
            name = entry.relative_to(root).as_posix()
            if (found := TAR.fullmatch(name)) and entry.is_file():
                shards[found["name"]] = entry
            elif SHARD.fullmatch(name) and _is_shard(root, entry):
                shards.setdefault(name, None)
        if shards:
            return dict(sorted(shards.items()))
    return {}


def _is_shard(root: Path, folder: Path) -> bool:
    has_list = _table(root, folder.name).is_file()
    return folder.is_dir() and (has_list or any(folder.glob("*.json")))


def _table(root: Path, shard: str) -> Path:
    return root / f"{shard}.parquet"


def _unpacked(
    root: Path, shards: dict[str, Path | None], problems: Problems, progress: bool
) -> Path:
    """Return the folder in the cache that holds what the tars hold."""
    place = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
    into = paths.CACHE / "img2dataset" / f"{root.resolve().name}-{place}"
    with folder_lock(into):
        for shard, tar in tqdm(shards.items(), unit=" tars", disable=not progress):
            if tar is None:
                problems.append((shard, "it is a folder among tars, which is not read"))
            else:
                problems += _unpack(tar, into, shard)
    return into


def _unpack(tar: Path, into: Path, shard: str) -> Problems:
    """Unpack a tar unless it has been; return what was left out of it, and why."""
    note, status = into / f"{shard}.json", tar.stat()
    stamp = [status.st_size, status.st_mtime_ns]
    if note.exists() and (known := read_json(note))["stamp"] == stamp and "left_out" in known:
        return [(name, reason) for name, reason in known["left_out"]]
    for old in (*into.glob(f"{PART}*"), into / shard):  # by processes that were killed
        shutil.rmtree(old, ignore_errors=True)
    left_out: Problems = []
    with atomic_folder(into / shard) as part:
        try:
            left_out += _extract(tar, part)
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            check_machine(tar, error)
            with tar.open("rb") as file:
                is_elsewhere = is_pointer(file.read(64))
            reason = f"it is cut short or damaged ({error}); what came before that is used"
            left_out.append((tar.name, LFS if is_elsewhere else reason))
    write_json(note, {"stamp": stamp, "left_out": left_out})
    return left_out


def _extract(tar: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Write the plain files of a tar into folder; yield what was not written, and why."""
    room = max(SMALL, MAX_RATIO * tar.stat().st_size)
    with tarfile.open(tar, "r:*") as packed:  # gzip is known by its bytes
        for member in packed:
            parts = [part for part in member.name.split("/") if part not in ("", ".")]
            room -= member.size
            if room < 0:
                yield tar.name, f"it would unpack to more than {MAX_RATIO} times its size"
                return
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                yield plain(member.name), "it is a link or another special file, not a picture"
            elif member.name.startswith("/") or not all(map(PLACE.fullmatch, parts)):
                yield plain(member.name), "it is hidden, or its name leads out of the archive"
            elif (target := folder.joinpath(*parts)).exists():
                yield plain(member.name), "another file of the archive has its name"
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.extractfile(member) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)


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
            listing.problems.append((f"{shard}/{key}", "its picture is not there"))
            continue
        row = _row(record, url, split_in(shard))
        beside = _beside(here, files, pictures, listing.problems, shard)
        row["captions"] = row["captions"] or beside
        if "cls" in files and not row.get("category"):
            number = (here / files["cls"]).read_text("utf-8", "replace").strip()
            is_known = number.isdecimal() and int(number) < len(classes)
            row["category"] = classes[int(number)] if is_known else number
        others.update(suffix_of(path) for path in files.values() if path not in pictures.values())
        for middle, path in pictures.items():
            id = f"{key}.{middle}" if len(pictures) > 1 and middle else key
            listing.rows.append({"id": id, "path": f"{shard}/{path}", **row})
    for key in samples:
        listing.problems.append((f"{shard}/{key}", "the table of its shard does not list it"))
    for suffix in others.keys() - {*TEXTS, ".cls"}:
        reason = f"{others[suffix]:,} files {suffix} beside its pictures are not read"
        listing.problems.append((shard, reason))


def _records(
    root: Path, shard: str, samples: dict[str, Files], problems: Problems
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the key and the record of each sample: the table's if there is one, else nothing."""
    if not _table(root, shard).is_file():
        yield from [(key, {}) for key in samples]
        return
    rows = [record for _, record in records(_table(root, shard), problems)]
    if rows and "key" not in rows[0]:
        reason = "it has no column key and is not used"
        problems.append((_table(root, shard).name, reason))
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
) -> list[str]:
    """Return the captions in the texts of a sample: .txt and .caption before .json."""
    texts = [path for path in files.values() if suffix_of(path) in TEXTS]
    for path in sorted(texts, key=lambda path: TEXTS.index(suffix_of(path))):
        try:
            if captions := captions_in(str(folder / path), list(pictures.values())):
                return captions
        except (OSError, ValueError) as error:
            check_machine(path, error)
            problems.append((f"{shard}/{path}", getattr(error, "strerror", None) or str(error)))
    return []


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
