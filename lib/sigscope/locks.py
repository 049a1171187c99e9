"""A lock on a folder: one process works in it, the others wait for it.

The operating system keeps the lock for as long as its owner lives, so a killed owner leaves none.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import BinaryIO

LOCK = ".lock"
PAUSE_S = 0.05


class FolderBusy(RuntimeError):
    """Another process has worked in the folder for longer than we would wait."""


@contextmanager
def hold(
    folder: Path,
    *,
    wait_s: float = float("inf"),
    say: Callable[[str], None] = lambda sentence: None,
) -> Iterator[None]:
    """Hold folder, which is made if need be, for as long as the block runs.

    Args:
        folder: what to hold; inside it a hidden file is locked, and removed at the end.
        wait_s: how many seconds to wait for another process before giving up.
        say: is told in a sentence, once, that we wait.

    Raises:
        FolderBusy: The wait was in vain.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = _acquire(folder, wait_s, say)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file; an empty one left there is no harm
            (folder / LOCK).unlink()
        file.close()


def _acquire(folder: Path, wait_s: float, say: Callable[[str], None]) -> BinaryIO:
    until = monotonic() + wait_s
    told = False
    while (file := _try_to_acquire(folder / LOCK)) is None:
        if monotonic() > until:
            raise FolderBusy(f"another process is still at work in {folder}; try again later")
        if not told:
            say(f"Another process is at work in {folder}; waiting for it to finish.")
            told = True
        sleep(PAUSE_S)
    return file


def _try_to_acquire(path: Path) -> BinaryIO | None:
    """Return path, opened and locked, or None while somebody else has it."""
    file = path.open("ab")
    try:
        _lock(file)
        if _is_still_at(path, file):
            return file
    except (OSError, ImportError) as error:
        if not isinstance(error, BlockingIOError | PermissionError):
            file.close()
            raise
    file.close()
    return None


def _is_still_at(path: Path, file: BinaryIO) -> bool:
    """Return whether the locked file is the one that others find (its last owner removed it)."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: BinaryIO) -> None:
    """Lock file for this process, or raise BlockingIOError or PermissionError at once."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
