"""A store of embeddings: shards in clip-retrieval's layout, and a manifest of those that are whole.

A shard is five files of equal number. While a store is made or brought up to date, each new shard
lies in a folder of its own below ``making``, whole once its ``record.json`` is there; what the
store held before stays as it is. Once all are whole they get their final names, and last of all
``manifest.json`` is replaced in one move.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sigscope.embeddings.shards import REMAKE, StaleEmbeddings
from sigscope.files import PART, digest, read_json, same, sha256
from sigscope.trouble import check_machine, watched

FORMAT = "sigscope embeddings 1"
MANIFEST = "manifest.json"
MAKING = "making"
RECORD = "record.json"
KEYS = {"encoder", "gallery", "complete", "dimension", "failed", "shards"}
PARTS = {
    "images": ("img_emb", ".npy"),
    "texts": ("text_emb", ".npy"),
    "metadata": ("metadata", ".parquet"),
    "caption_vectors": ("caption_emb", ".npy"),
    "captions": ("captions", ".parquet"),
}


class StoreError(OSError):
    """Embeddings cannot be written where they should go; the message is a sentence."""


@dataclass(frozen=True)
class StoredShard:
    """A shard in a folder, in its final place or still in the making."""

    folder: Path
    record: dict  # number, key, items, captions, failed, files: final name -> SHA-256
    failed: list[dict]  # what could not be read of it: id, path, reason, errno
    in_making: bool

    def file(self, part: str) -> Path | None:
        """Return the file of one part if its bytes are right, else None."""
        start = PARTS[part][0] + "/"
        for name, expected in self.record["files"].items():
            if name.startswith(start):
                path = made_file(self.folder, self.record["key"], name)
                path = path if self.in_making else self.folder / name
                return path if _holds(path, expected) else None
        return None

    def is_right(self, names: set[str]) -> bool:
        """Return whether its files have these names, right bytes, and its failures are settled."""
        is_named = self.record["files"].keys() == names
        return is_named and are_settled(self.failed) and all(self.file(part) for part in PARTS)


def are_settled(failed: list[dict]) -> bool:
    """Return whether each picture that could not be read is itself at fault.

    Older versions, whose rows lack the errno, laid the machine's passing trouble to pictures too.
    """
    return all(row.get("errno") == "" for row in failed)


def stored_shards(folder: Path, encoder: dict) -> list[StoredShard]:
    """Return the shards in folder by this encoder (its identity), finished ones first."""
    found = []
    with suppress(StaleEmbeddings):
        manifest = read_manifest(folder)
        if same(manifest["encoder"], encoder):
            failed = iter(manifest["failed"])
            for record in manifest["shards"]:
                rows = list(islice(failed, record["failed"]))
                found.append(StoredShard(folder, record, rows, in_making=False))
    for path in sorted((folder / MAKING).glob(f"*/{RECORD}")):
        with suppress(OSError, ValueError, KeyError, TypeError):  # else it may as well not be there
            note = read_json(path)
            if note["encoder"] == digest(encoder):
                shard = StoredShard(folder, note["shard"], note["failed"], in_making=True)
                found.append(shard)
    return found


def commit(folder: Path) -> None:
    """Finish what a run that was killed had begun: give the new shards their final names.

    The caller holds folder. Nothing happens unless all the shards were whole.
    """
    making = folder / MAKING
    if (making / MANIFEST).exists():
        _take_in(folder, read_json(making / MANIFEST))
    with suppress(OSError):
        making.rmdir()  # if nothing is in it


def _take_in(folder: Path, manifest: dict) -> None:
    """Move new shards to their final names; killed at any moment, it can be called again."""
    making = folder / MAKING
    for record in manifest["shards"]:
        for name in record["files"]:
            made = made_file(folder, record["key"], name)
            if made.exists():
                (folder / name).parent.mkdir(exist_ok=True)
                os.replace(made, folder / name)
    _purge(folder, {name for record in manifest["shards"] for name in record["files"]})
    for path in making.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    os.replace(making / MANIFEST, folder / MANIFEST)


def _purge(folder: Path, ours: set[str]) -> None:
    """Remove half-written files, and shards that are not ours any more."""
    for place, suffix in [*PARTS.values(), ("", ""), (MAKING, "")]:
        for path in (folder / place).glob("*"):
            numbered = suffix and re.fullmatch(rf"{place}_\d+{re.escape(suffix)}", path.name)
            stray = numbered and f"{place}/{path.name}" not in ours
            if stray or path.name.startswith(PART):
                path.unlink()


def file_name(part: str, number: int, shards: int) -> str:
    """Return where one file of a shard lies; numbers are padded so that names sort."""
    folder, suffix = PARTS[part]
    return f"{folder}/{folder}_{number:0{len(str(max(shards - 1, 0)))}d}{suffix}"


def made_file(folder: Path, key: str, name: str) -> Path:
    """Return where the file that will have this final name lies while its store is made."""
    place = Path(name)
    return made_shard(folder, key) / f"{place.parent}{place.suffix}"


def made_shard(folder: Path, key: str) -> Path:
    """Return the folder of a shard in the making."""
    return folder / MAKING / key[:16]


def read_manifest(folder: Path) -> dict:
    """Return what the store in folder says of itself.

    Raises:
        StaleEmbeddings: There is none, or it is not one of ours.
    """
    try:
        manifest = read_json(folder / MANIFEST)
    except (OSError, ValueError) as error:
        check_machine(folder / MANIFEST, error)
        raise StaleEmbeddings(_no_manifest(folder)) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StaleEmbeddings(f"{folder / MANIFEST} is not of the form {FORMAT!r}; {REMAKE}")
    if not manifest.keys() >= KEYS:
        raise StaleEmbeddings(f"{folder / MANIFEST} lacks some of its parts; {REMAKE}")
    return manifest


def unfinished(folder: Path, shards: int) -> str:
    """Return the sentence on a store whose making has stopped, with so many shards whole."""
    return (
        f"{folder} is unfinished: {shards} shard{' is' if shards == 1 else 's are'} whole; "
        "embed_gallery(gallery, encoder, folder) goes on where it stopped"
    )


def broken_files(folder: Path, record: dict) -> list[str]:
    """Return the files of a shard that are missing or not what its record says."""
    return [
        name for name, expected in record["files"].items() if not _holds(folder / name, expected)
    ]


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a full or forbidden disk into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"the disk is full, so {folder} stays unfinished; make room and run the same "
                "again: it goes on where it stopped"
            ) from error
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            raise StoreError(
                f"{folder} is a file; embeddings need a folder of their own"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StoreError(
                f"{folder} may not be written to ({error.strerror}); choose another folder"
            ) from error
        raise


def _holds(path: Path, expected: str) -> bool:
    """Return whether there is a file at path with this SHA-256."""
    with watched(path, forgiving=OSError):
        return sha256(path) == expected
    return False


def _no_manifest(folder: Path) -> str:
    if (folder / MAKING).exists():
        return unfinished(folder, len(list((folder / MAKING).glob(f"*/{RECORD}"))))
    return (
        f"there are no embeddings in {folder} ({MANIFEST} is missing or broken); "
        "make them with embed_gallery(gallery, encoder, folder)"
    )
