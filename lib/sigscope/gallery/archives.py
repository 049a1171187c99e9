"""Archives: a zip of pictures becomes a folder, once, below the cache; the zip is only read.

A zip may come from anywhere, so nothing in it is believed: no name leads out of the folder, no
member grows beyond what it declares, and what is odd is left out with a reason.
"""

import hashlib
import json
import re
import shutil
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sigscope import paths
from sigscope.files import PART, atomic_folder, folder_lock, read_json, write_json
from sigscope.gallery.columns import SPLITS
from sigscope.gallery.folder import ARCHIVES, GalleryError, no_picture, suffix_of
from sigscope.gallery.sidecars import SUFFIXES as SIDECARS
from sigscope.gallery.tables import READERS
from sigscope.gallery.texts import decoded
from sigscope.gallery.walk import count_of, is_junk
from sigscope.images.formats import RAW_SUFFIXES, REFUSED_SUFFIXES, SUFFIXES
from sigscope.images.read import MAX_BYTES, plain
from sigscope.images.sniff import HEAD, kind_of
from sigscope.progress import progress_bar
from sigscope.trouble import is_of_machine

TAKEN = {  # what is unpacked, beside whatever begins like a picture
    *(*SUFFIXES, *READERS, *SIDECARS, ".tar", ".token", ".mat", ".npy"),
}
MAX_FILES = 2_000_000
MAX_RATIO = 200  # bytes unpacked per byte of the zip; photographs hardly shrink at all
SMALL = 100_000_000  # bytes unpacked that no ratio is asked of
SPARE = 1_000_000_000  # bytes of the disk that are left free
OF_ZIPS = ("cp437", "cp1252", "cp850")  # encodings of Western names in them
PICTURES, LEFT_OUT = "pictures", "left-out.json"

Problems = list[tuple[str, str]]  # name in the zip, reason


def unpacked(path: str | Path, *, progress: bool = False) -> Path:
    """Return the folder with what the zip at path holds, unpacked now or the last time.

    Pictures, texts and tables are taken, whatever begins like a picture is, and the rest is left.
    The folder lies below ``paths.CACHE`` under a digest of
    the zip's time and of what it lists (names, sizes, checksums), so a changed zip gets a folder of
    its own. It appears only when it is whole. Where everything lies in one folder of the zip, that
    is the folder returned, unless it is called like a split.

    Args:
        path: A zip archive.
        progress: Whether a bar on stderr shows the bytes.

    Raises:
        GalleryError: There is no such file, or it is no whole zip, or has more than MAX_FILES, or
            would unpack to MAX_RATIO times its size or to more than the disk has room for.
    """
    path, archives = Path(path), paths.CACHE / "archives"
    if not path.is_file():
        raise GalleryError(f"There is no zip archive {path}; check its name and folder.")
    try:
        with zipfile.ZipFile(path) as archive:
            home = archives / _digest(path, archive)
            if not home.is_dir():
                with folder_lock(archives):
                    _unpack(archive, path, home, progress)
    except GalleryError:
        raise
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no memory is left"
        raise GalleryError(f"{path} cannot be unpacked ({reason}).") from error
    except Exception as error:  # the list of members may say anything
        raise GalleryError(f"{path} is no whole zip archive ({error}); fetch it again.") from error
    return lone_folder(home / PICTURES)


def count_files(path: Path) -> int:
    """Return how many files a zip holds."""
    with zipfile.ZipFile(path) as archive:
        return sum(not member.is_dir() for member in archive.infolist())


def left_out(folder: Path) -> Problems:
    """Return (name in the zip, reason) of what ``unpacked`` left out of the folder it returned."""
    for home in folder.parents:
        if home.parent == paths.CACHE / "archives":
            return [(name, reason) for name, reason in read_json(home / LEFT_OUT)]
    return []


def _digest(path: Path, archive: zipfile.ZipFile) -> str:
    """Return 32 hexadecimal digits for what is unpacked from which content."""
    digest = hashlib.sha256(json.dumps([sorted(TAKEN), path.stat().st_mtime_ns]).encode())
    for member in archive.infolist():
        facts = (member.filename, member.file_size, member.CRC, member.header_offset)
        digest.update(json.dumps([*facts, member.flag_bits, member.external_attr]).encode())
    return digest.hexdigest()[:32]


def _unpack(archive: zipfile.ZipFile, path: Path, home: Path, progress: bool) -> None:
    """Make home, unless another process has made it while we waited."""
    for abandoned in home.parent.glob(f"{PART}*"):  # by processes that were killed
        shutil.rmtree(abandoned)
    if home.is_dir():
        return
    problems: Problems = []
    members = list(_wanted(archive, problems))
    total = sum(member.file_size for _, member in members)
    _check_room(len(members), total, path, home.parent)
    bar = progress_bar(total, "Unpacking", "B", progress, unit_scale=True)
    with bar, atomic_folder(home) as part:
        (part / PICTURES).mkdir()
        for name, member in members:
            if reason := _extract(archive, member, part / PICTURES / name):
                problems.append((plain(name), reason))
            bar.update(member.file_size)
        write_json(part / LEFT_OUT, sorted(problems))


def _wanted(archive: zipfile.ZipFile, problems: Problems) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Yield (name, member) of everything to be unpacked; what is not is a problem."""
    junk: Counter[str] = Counter()
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member, name in zip(members, _names(members), strict=True):
        if place := junk_folder(name):
            junk[place] += 1
        elif reason := _trouble(member, name) or _not_taken(archive, member, name):
            problems.append((plain(name), reason))
        else:
            yield name, member
    problems += left_out_of(junk)


def _not_taken(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> str:
    """Return why a file of no known kind is left inside, or "" when it begins like a picture."""
    suffix = suffix_of(name)
    if suffix in TAKEN:
        return ""
    try:
        with archive.open(member) as file:
            head = file.read(HEAD)
    except Exception as error:  # its bytes may be anything
        if is_of_machine(error):
            raise
        return f"it cannot be unpacked ({getattr(error, 'strerror', None) or error})"
    if kind_of(head) and suffix not in RAW_SUFFIXES:
        return ""
    return REFUSED_SUFFIXES.get(suffix) or no_picture(name, head)


def _names(members: list[zipfile.ZipInfo]) -> list[str]:
    """Return the members' names with "/".

    Many zips hold UTF-8, or what Windows writes in one country or another, without saying so.
    """
    names = [member.filename.replace("\\", "/") for member in members]
    silent = [
        at
        for at, (name, member) in enumerate(zip(names, members, strict=True))
        if not (name.isascii() or member.flag_bits & 0x800)
    ]
    with suppress(ValueError):
        raw = "\n".join(names[at] for at in silent).encode("cp437")
        for at, name in zip(silent, decoded(raw, OF_ZIPS).split("\n"), strict=True):
            names[at] = name
    return names


def junk_folder(name: str) -> str:
    """Return the hidden folder, or the one that another program keeps, that a name lies in."""
    within, parts = "", name.split("/")
    for place, part in enumerate(parts):
        is_hidden = part.startswith(".") and part not in (".", "..")
        if is_hidden or place < len(parts) - 1 and is_junk(part, within):
            folders = parts[:place] if place == len(parts) - 1 else parts[: place + 1]
            return f"{'/'.join(folders) or '.'}/"
        within = part
    return ""


def left_out_of(junk: Counter[str]) -> Problems:
    """Return a problem for each folder of ``junk_folder``, with the number of its files."""
    what = "hidden or another program's own"
    return [(plain(at), f"{what}, with its {count_of(n, 'file')}") for at, n in junk.items()]


def _trouble(member: zipfile.ZipInfo, name: str) -> str:
    """Return why a member may not be unpacked, or "" when it may be."""
    if suffix_of(name) in ARCHIVES and suffix_of(name) not in TAKEN:
        return "it is an archive inside the archive; unpack it first"
    if name.startswith("/") or ".." in name.split("/") or re.match("[A-Za-z]:", name):
        return "its name leads out of the archive"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        return "it is a link or another special file, not a picture"
    if member.flag_bits & 1:
        return "it is encrypted; unpack the archive with its password and give the folder"
    return "it has more than 1 GB" if member.file_size > MAX_BYTES else ""


def _check_room(count: int, total: int, path: Path, archives: Path) -> None:
    """Raise a GalleryError if members are too many, or too large for this disk or to be true.

    What they declare can be trusted here: zipfile never unpacks more than that.
    """
    if count > MAX_FILES:
        raise GalleryError(f"{path} holds {count:,} files; unpack it and give the folder.")
    if total > max(SMALL, MAX_RATIO * path.stat().st_size):
        raise GalleryError(
            f"{path} would unpack to more than {MAX_RATIO} times its size, as traps do; "
            "if you trust it, unpack it and give the folder."
        )
    room = shutil.disk_usage(archives).free - SPARE
    if total > room:
        needed = f"{total / 1e9:.1f} GB, and {archives} has room for {max(room, 0) / 1e9:.1f} GB"
        raise GalleryError(f"{path} would unpack to {needed}; make room, or set SIGSCOPE_CACHE.")


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    """Write a member to target; return why that failed, or "". The machine's trouble is raised."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, 2**20)
    except FileExistsError:
        return "another file of the archive has its name; rename one of them"
    except Exception as error:  # its bytes may be anything
        if is_of_machine(error):
            raise
        with suppress(OSError):
            target.unlink()
        return f"it cannot be unpacked ({getattr(error, 'strerror', None) or error})"
    return ""


def lone_folder(folder: Path) -> Path:
    """Return the folder below which everything lies."""
    entries = list(folder.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and entries[0].name.lower() not in SPLITS:
        return lone_folder(entries[0])
    return folder
