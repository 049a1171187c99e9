"""What img2dataset leaves, and our own download too: folders or tars of KEY.jpg, and parquet.

00000.parquet has a row for every URL, loaded or not; the pictures are in 00000/ or in 00000.tar.
"""

import hashlib
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sigscope import paths
from sigscope.files import PART, atomic_folder, folder_lock, read_json, write_json
from sigscope.gallery.folder import GalleryError, Listing
from sigscope.gallery.gallery import COLUMNS, Gallery
from sigscope.images.captions import distinct
from sigscope.images.read import plain

SOURCE = "https://github.com/rom1504/img2dataset"
EXPECTS = "00000.parquet with a folder 00000 or a file 00000.tar, and so on"

SHARD = re.compile(r"\d+")
MEMBER = re.compile(r"[^/\\.\0][^/\\\0]*\.\w+")  # a file of its own, in no folder
BESIDE = (".txt", ".json")  # what lies beside a picture
TOLD = {"key", "caption", "url", "status", "error_message", "reason", "exif"}  # not items' columns
TEXT_BYTES = 1 << 20  # more than any caption has


def load_img2dataset(path: str | Path, *, progress: bool = False) -> Gallery:
    """Return the pictures that loaded; the URLs that did not are the gallery's problems.

    An item's id is its key, its source its URL. Tars are unpacked into the cache once.

    Args:
        path: the output folder, written with output_format "files" or "webdataset".
        progress: whether to draw a bar on stderr while tars are unpacked.

    Raises:
        GalleryError: It is no such folder, or none of its pictures loaded.
    """
    root = Path(path).expanduser()
    shards = find_shards(root)
    if not shards:
        raise GalleryError(f"{root} is no output of img2dataset ({EXPECTS}); see {SOURCE}.")
    listing = Listing()
    folder = root
    if any(_tar(root, shard).exists() for shard in shards):
        folder = _unpacked(root, shards, listing, progress)
    for shard in shards:
        _add_shard(listing, root, folder, shard)
    _make_unique(listing)
    return Gallery.of(root.resolve().name or "img2dataset", folder, listing)


def find_shards(root: Path) -> list[str]:
    """Return the names of the shards in a folder, sorted: those with pictures, packed or not."""
    if not root.is_dir():
        return []
    names = {
        entry.stem
        for entry in root.iterdir()
        if SHARD.fullmatch(entry.stem) and (entry.is_dir() or entry.suffix == ".tar")
    }
    folders = {name for name in names if _has_table(root, name) or _has_json(root / name)}
    return sorted(folders | {name for name in names if _tar(root, name).is_file()})


def _tar(root: Path, shard: str) -> Path:
    return root / f"{shard}.tar"


def _has_table(root: Path, shard: str) -> bool:
    return (root / f"{shard}.parquet").is_file()


def _has_json(folder: Path) -> bool:
    return folder.is_dir() and next(folder.glob("*.json"), None) is not None


def _unpacked(root: Path, shards: list[str], listing: Listing, progress: bool) -> Path:
    """Return the folder in the cache that holds what the tars hold."""
    place = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
    into = paths.CACHE / "img2dataset" / f"{root.resolve().name}-{place}"
    with folder_lock(into):
        for shard in tqdm(shards, unit=" tars", disable=not progress):
            if not _tar(root, shard).exists():
                listing.problems.append((shard, "it is a folder among tars, which is not read"))
            elif reason := _unpack(_tar(root, shard), into, shard):
                listing.problems.append((f"{shard}.tar", reason))
    return into


def _unpack(tar: Path, into: Path, shard: str) -> str:
    """Unpack a tar unless it has been; return why it ended early, or ""."""
    note, status = into / f"{shard}.json", tar.stat()
    stamp = [status.st_size, status.st_mtime_ns]
    if note.exists() and (known := read_json(note))["stamp"] == stamp:
        return known["reason"]
    reason = ""
    for old in (*into.glob(f"{PART}*"), into / shard):  # by processes that were killed
        shutil.rmtree(old, ignore_errors=True)
    with atomic_folder(into / shard) as part:
        try:
            _extract(tar, part)
        except (tarfile.TarError, EOFError) as error:
            reason = f"it is cut short or damaged ({error}); what came before that is used"
    write_json(note, {"stamp": stamp, "reason": reason})
    return reason


def _extract(tar: Path, folder: Path) -> None:
    """Write the plain files of a tar into folder; links, devices and paths elsewhere are left."""
    with tarfile.open(tar, "r:") as packed:
        for member in packed:
            if not (member.isreg() and not member.issparse() and MEMBER.fullmatch(member.name)):
                continue
            with packed.extractfile(member) as source, (folder / member.name).open("wb") as file:
                shutil.copyfileobj(source, file)


def _add_shard(listing: Listing, root: Path, folder: Path, shard: str) -> None:
    """Add the pictures of a shard by its table, or where it has none by the files beside them."""
    if not (folder / shard).is_dir():
        return
    files = {
        file.stem: file.name for file in (folder / shard).iterdir() if file.suffix not in BESIDE
    }
    has_table = _has_table(root, shard)
    records = _table(root, shard) if has_table else _beside(folder / shard, files)
    for record in records:
        key = str(record.get("key") or "")
        if record.get("status", "success") != "success":
            reason = str(record.get("error_message") or record["status"]).rstrip(".")
            listing.problems.append((str(record.get("url") or key), reason))
        elif key not in files:
            listing.problems.append((f"{shard}/{key}", "its picture is not there"))
        else:
            listing.rows.append(_row(folder / shard, f"{shard}/{files[key]}", record))


def _row(folder: Path, path: str, record: dict[str, Any]) -> dict[str, Any]:
    caption = record.get("caption")
    if caption is None:
        caption = _text(folder / f"{record['key']}.txt")
    further = {k: v for k, v in record.items() if k not in TOLD and k not in COLUMNS}
    return {
        "id": str(record["key"]),
        "path": path,
        "captions": distinct([plain(str(caption))]),
        "source": plain(str(record.get("url") or "")),
        **further,
    }


def _table(root: Path, shard: str) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = root / f"{shard}.parquet"
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise GalleryError(f"{file} cannot be read ({error}); make it again.") from error
    names = {name: name.lower() if name in ("URL", "TEXT") else name for name in table.column_names}
    names |= {"TEXT": "caption"}
    table = table.rename_columns([names[name] for name in table.column_names])
    rows = table.to_pylist()
    return iter(sorted(rows, key=lambda row: str(row.get("key") or "")))


def _beside(folder: Path, files: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield what the JSON files beside the pictures say, and the caption in the text file."""
    for key in sorted(files):
        try:
            record = json.loads(_text(folder / f"{key}.json") or "{}")
        except ValueError:
            record = {}
        record = record if isinstance(record, dict) else {}
        yield {**record, "key": key}


def _text(file: Path) -> str:
    """Return what a small text file says, "" when it is not there."""
    try:
        with file.open("rb") as text:
            return text.read(TEXT_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""


def _make_unique(listing: Listing) -> None:
    """Put the shard before each id when two shards use the same keys."""
    if len({row["id"] for row in listing.rows}) == len(listing.rows):
        return
    for row in listing.rows:
        row["id"] = row["path"].rpartition(".")[0]
