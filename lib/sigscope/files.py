"""Files that are whole or absent, what they are called and what is in them; a lock on a folder."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from sigscope.trouble import watched

PART = ".part-"  # how the name of a file that is still being written begins
LOCK = ".lock"  # the file by which a folder is locked
ABANDONED_S = 3600.0  # since a file that nobody finishes was last written to
SEAL = "sha256"  # the key under which a record holds its own digest
POLL_S = 0.05


class FolderBusy(RuntimeError):
    """Another process has worked in the folder for longer than we would wait."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a sibling of path to write to, and give it the name of path once the block has ended.

    The sibling keeps the suffix of path, because some writers add theirs when it is missing. If the
    block raises, the sibling is removed and path stays as it was. Only a killed process leaves one
    behind: a hidden file whose name begins with PART, which nothing reads, and which goes when
    something is written beside it an hour later.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    part = path.with_name(f"{PART}{uuid4().hex[:12]}-{path.name}")
    try:
        yield part
        _flush_to_disk(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder to fill beside path, and give it the name of path once the block ended.

    Where path is there by then, since another process was quicker, that one stays.
    """
    part = path.with_name(f"{PART}{uuid4().hex[:12]}")
    part.mkdir(parents=True)
    try:
        yield part
        try:
            os.rename(part, path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def folder_lock(
    folder: Path,
    *,
    wait_s: float = float("inf"),
    say: Callable[[str], None] = lambda sentence: None,
) -> Iterator[None]:
    """Keep a folder, which is made if need be, to this process for as long as the block runs.

    The operating system lets go of the lock when its owner dies, however that happens.

    Args:
        folder: what to lock; inside it a hidden file is locked, and removed at the end.
        wait_s: how many seconds to wait for another process before giving up.
        say: is told in a sentence, once, that we wait.

    Raises:
        FolderBusy: The wait was in vain.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, poll_interval=POLL_S)
    try:
        _acquire(lock, folder, wait_s, say)
    except Timeout as error:
        sentence = f"another process is still at work in {folder}; try again later"
        raise FolderBusy(sentence) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file; an empty one left there is no harm
            (folder / LOCK).unlink()
        lock.release()


def sha256(source: str | Path | bytes) -> str:
    """Return the SHA-256 of a file's bytes, or of bytes themselves, 64 hexadecimal digits."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_of(file: str | Path) -> str:
    """Return the SHA-256 of a file, or "" when it cannot be read; MachineTrouble is raised."""
    with watched(file, forgiving=OSError):
        return sha256(file)
    return ""


def size_of(file: str | Path) -> int:
    """Return a file's size in bytes, or -1 when it cannot be reached; MachineTrouble is raised."""
    with watched(file, forgiving=OSError):
        return os.stat(file).st_size
    return -1


def digest(value: Any) -> str:
    """Return the SHA-256 of value as JSON, 64 hexadecimal digits."""
    return sha256(json.dumps(value, sort_keys=True).encode())


def same(identity: dict, other: dict) -> bool:
    """Return whether two identities of encoders are equal once they are JSON."""
    return digest(identity) == digest(other)


def slug(text: str, filler: str = "--") -> str:
    """Return text as the name of a file: letters, digits and ``_.-`` stay, filler for the rest."""
    return re.sub(r"[^\w.-]+", filler, text)


def write_json(path: str | Path, value: Any) -> None:
    """Write value as indented UTF-8 JSON, keys in the order given; path is never half written."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with atomic_write(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Return what the JSON file at path says.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not JSON in UTF-8; the sentence names the file.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is not whole JSON ({error}); delete it and make it again"
        ) from error


def write_sealed(path: str | Path, record: dict) -> None:
    """Write a record as `write_json` does, with the SHA-256 of what it says in it."""
    record = json.loads(json.dumps(record))
    write_json(path, {**record, SEAL: digest(record)})


def read_sealed(path: str | Path) -> dict:
    """Return what `write_sealed` wrote at path.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It does not say what was written; the sentence names the file.
    """
    record = read_json(path)
    if not isinstance(record, dict) or record.pop(SEAL, "") != digest(record):
        raise ValueError(f"{path} is not as it was written; delete it and make it again")
    return record


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed have left half written in a folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            is_part = entry.name.startswith(PART) and entry.is_file(follow_symlinks=False)
            if is_part and time() - entry.stat().st_mtime > ABANDONED_S:
                os.unlink(entry.path)


def _flush_to_disk(part: Path) -> None:
    """Make sure that the bytes are on the disk before the name promises them."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())


def _acquire(lock: FileLock, folder: Path, wait_s: float, say: Callable[[str], None]) -> None:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say(f"Another process is at work in {folder}; waiting for it to finish.")
        lock.acquire(timeout=wait_s)
