"""Tars: shards are found in a folder, and unpacked into the cache once; they are not believed."""

import hashlib
import os
import re
import shutil
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from tqdm import tqdm

from sigscope import paths
from sigscope.files import PART, atomic_folder, folder_lock, read_json, write_json
from sigscope.gallery.archives import MAX_RATIO, SMALL, junk_folder, left_out_of
from sigscope.gallery.folder import Problems
from sigscope.images.read import plain
from sigscope.images.sniff import LFS, is_pointer
from sigscope.trouble import check_machine

SHARD = re.compile(r"\d+")
TAR = re.compile(r"(?P<name>.*)\.(tar(\.(gz|bz2|xz))?|tgz|tbz2?|txz)", re.IGNORECASE | re.DOTALL)
ENDS = (".tar", ".gz", ".bz2", ".xz", ".tgz", ".tbz", ".tbz2", ".txz")  # of names that may be TAR
CUT_SHORT = "it is cut short or damaged"
PLACE = re.compile(r"[^/\\.\0][^/\\\0]*")  # a part of a member's path


def find_shards(root: Path) -> dict[str, Path | None]:
    """Return the tar of each shard by the shard's name, sorted; None for one that is a folder.

    They lie in root, or else in its sub-folders (train/0.tar, cc3m/train/0.tar). Root may itself be
    a tar.
    """
    if root.is_file():
        return {found["name"]: root} if (found := TAR.fullmatch(root.name)) else {}
    if not root.is_dir():
        return {}
    for places in ([root], root.glob("*/"), root.glob("*/*/")):
        shards: dict[str, Path | None] = {}
        for place in places:
            prefix = place.relative_to(root).as_posix().removeprefix(".")
            for name in _names(place):
                shard = f"{prefix}/{name}".removeprefix("/")
                if (found := TAR.fullmatch(shard)) and (place / name).is_file():
                    shards[found["name"]] = place / name
                elif SHARD.fullmatch(shard) and _is_shard(root, place / name):
                    shards.setdefault(shard, None)
        if shards:
            return dict(sorted(shards.items()))
    return {}


def _names(folder: Path) -> list[str]:
    """Return what lies in a folder and may be a shard; a name that is not UTF-8 is none."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        check_machine(folder, error)
        return []
    likely = sorted(name for name in names if name.isdecimal() or name.lower().endswith(ENDS))
    return [each for each in likely if plain(each) == each and not each.startswith(".")]


def _is_shard(root: Path, folder: Path) -> bool:
    has_list = table_of(root, folder.name).is_file()
    return folder.is_dir() and (has_list or any(folder.glob("*.json")))


def table_of(root: Path, shard: str) -> Path:
    """Return where the table of a shard lies, if it has one."""
    return root / f"{shard}.parquet"


def unpacked_tars(
    root: Path, shards: dict[str, Path | None], problems: Problems, progress: bool
) -> tuple[Path, int]:
    """Return the folder in the cache that holds what the tars hold, and how many files it lacks."""
    place = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
    into, left = paths.CACHE / "img2dataset" / f"{root.resolve().name}-{place}", 0
    with folder_lock(into):
        for shard, tar in tqdm(shards.items(), unit=" tars", disable=not progress):
            if tar is None:
                problems.append((shard, "it is a folder among tars, which is not read"))
            else:
                note = _unpack(tar, into, shard)
                problems += [(name, reason) for name, reason in note["without"]]
                left += note["left"]
    return into, left


def _unpack(tar: Path, into: Path, shard: str) -> dict:
    """Unpack a tar unless it has been; return what was left out of it and why, and how many."""
    note, status = into / f"{shard}.json", tar.stat()
    stamp = [status.st_size, status.st_mtime_ns]
    if note.exists() and (known := read_json(note))["stamp"] == stamp and "left" in known:
        return known
    for old in (*into.glob(f"{PART}*"), into / shard):  # by processes that were killed
        shutil.rmtree(old, ignore_errors=True)
    left_out: Problems = []
    junk: Counter[str] = Counter()
    with atomic_folder(into / shard) as part:
        try:
            left_out += _extract(tar, part, junk)
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            check_machine(tar, error)
            with tar.open("rb") as file:
                is_elsewhere = is_pointer(file.read(64))
            what = str(error).partition("\n")[0].rstrip(":")  # tarfile says one line a compression
            reason = f"{CUT_SHORT} ({what}); what came before that is used"
            left_out.append((tar.name, LFS if is_elsewhere else reason))
    left = len([name for name, _ in left_out if name != tar.name]) + junk.total()
    known = {"stamp": stamp, "left": left, "without": [*left_out, *left_out_of(junk)]}
    write_json(note, known)
    return known


def _extract(tar: Path, folder: Path, junk: Counter[str]) -> Iterator[tuple[str, str]]:
    """Write the plain files of a tar into folder; yield what was not written, and why.

    Args:
        tar: What is unpacked.
        folder: Where to.
        junk: Counts the files in each folder that is hidden or another program's own.
    """
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
            if place := junk_folder("/".join(parts)):
                junk[place] += 1
            elif not member.isreg() or member.issparse():
                yield plain(member.name), "it is a link or another special file, not a picture"
            elif member.name.startswith("/") or not all(map(PLACE.fullmatch, parts)):
                yield plain(member.name), "its name leads out of the archive"
            elif plain(member.name) != member.name:
                yield plain(member.name), "its name is not UTF-8"
            elif (target := folder.joinpath(*parts)).exists():
                yield plain(member.name), "another file of the archive has its name"
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.extractfile(member) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
        if isinstance(packed.fileobj, BufferedReader):  # tarfile takes a broken header for the end
            packed.fileobj.seek(packed.offset)
            if packed.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0"):
                yield tar.name, f"{CUT_SHORT}; what came before that is used"
