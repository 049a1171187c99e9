"""A store of embeddings: shards in clip-retrieval's layout, and a manifest of those that are whole.

A shard is five files of equal number. It counts only once ``manifest.json``, which is replaced in
one move, lists it with the SHA-256 of each file; until then it may as well not be there.
"""

import errno
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from sigscope.files import PART, read_json, sha256, whole, write_json
from sigscope.shards import REMAKE, Shard, StaleEmbeddings

FORMAT = "sigscope embeddings 1"
MANIFEST = "manifest.json"
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


class Writer:
    """A store being written by one process: which shards are whole, and the manifest.

    ``keys`` says what each shard must hold: a shard already there is kept if its key and its bytes
    are right, and anything else goes.
    """

    def __init__(self, folder: Path, about: dict, keys: list[str]) -> None:
        """Take over what an earlier run left in folder, or refuse what is not ours."""
        self.folder, self.about, self.keys = folder, about, keys
        self.shards: dict[int, dict] = {}
        self.failed: dict[int, list[dict]] = {}
        self._take_over()

    def missing(self) -> list[int]:
        """Return the numbers of the shards still to be made."""
        return [number for number in range(len(self.keys)) if number not in self.shards]

    def add(self, number: int, shard: Shard, failed: list[dict]) -> None:
        """Write a shard's files, and then count it."""
        files = {}
        with writing(self.folder):
            for part, data in shard.encoded().items():
                name = file_name(part, number, len(self.keys))
                with whole(self.folder / name) as path:
                    path.write_bytes(data)
                files[name] = hashlib.sha256(data).hexdigest()
            self.failed[number] = failed
            self.shards[number] = {
                "number": number,
                "key": self.keys[number],
                "items": len(shard.ids),
                "captions": len(shard.caption_ids),
                "failed": len(failed),
                "files": files,
            }
            self._write_manifest(complete=False)

    def finish(self) -> None:
        """Remove what does not belong to the store, and call it complete."""
        with writing(self.folder):
            self._sweep()
            self._write_manifest(complete=True)

    def _take_over(self) -> None:
        """Keep the shards of an earlier run that are right; refuse a folder that is not ours."""
        earlier = self._earlier()
        rows = iter(earlier["failed"])
        for record in earlier["shards"]:
            failed = list(islice(rows, record["failed"]))
            if self._is_right(record):
                self.shards[record["number"]] = record
                self.failed[record["number"]] = failed
        with writing(self.folder):
            self._write_manifest(complete=False)

    def _is_right(self, record: dict) -> bool:
        number = record["number"]
        if number >= len(self.keys) or record["key"] != self.keys[number]:
            return False
        names = {file_name(part, number, len(self.keys)) for part in PARTS}
        return record["files"].keys() == names and not broken_files(self.folder, record)

    def _earlier(self) -> dict:
        nothing = {"shards": [], "failed": []}
        try:
            manifest = read_manifest(self.folder)
        except StaleEmbeddings:
            if any((self.folder / folder).exists() for folder, _ in PARTS.values()):
                raise StaleEmbeddings(
                    f"{self.folder} holds embeddings whose {MANIFEST} is missing or broken, "
                    "perhaps another tool's; choose another folder, or delete this one"
                ) from None
            return nothing
        if not same(manifest["encoder"], self.about["encoder"]):
            raise StaleEmbeddings(
                f"{self.folder} holds embeddings by another model than "
                f"{self.about['encoder'].get('model')} as it is now "
                f"({manifest['encoder'].get('model')}); choose another folder, or delete this one"
            )
        return manifest

    def _write_manifest(self, *, complete: bool) -> None:
        shards = [self.shards[number] for number in sorted(self.shards)]
        manifest = {
            "format": FORMAT,
            "complete": complete,
            **self.about,
            "items": sum(shard["items"] for shard in shards),
            "captions": sum(shard["captions"] for shard in shards),
            "failed": [row for number in sorted(self.shards) for row in self.failed[number]],
            "shards": shards,
        }
        write_json(self.folder / MANIFEST, manifest)

    def _sweep(self) -> None:
        """Remove half-written files, and shards that the manifest does not list."""
        ours = {name for shard in self.shards.values() for name in shard["files"]}
        for folder, suffix in [*PARTS.values(), ("", "")]:
            for path in (self.folder / folder).glob("*"):
                numbered = folder and re.fullmatch(rf"{folder}_\d+{re.escape(suffix)}", path.name)
                stray = numbered and f"{folder}/{path.name}" not in ours
                if stray or path.name.startswith(PART):
                    path.unlink()


def same(identity: dict, other: dict) -> bool:
    """Return whether two identities of encoders are equal once they are JSON."""
    one, two = (json.dumps(value, sort_keys=True) for value in (identity, other))
    return one == two


def file_name(part: str, number: int, shards: int) -> str:
    """Return where one file of a shard lies; numbers are padded so that names sort."""
    folder, suffix = PARTS[part]
    return f"{folder}/{folder}_{number:0{len(str(max(shards - 1, 0)))}d}{suffix}"


def read_manifest(folder: Path) -> dict:
    """Return what the store in folder says of itself.

    Raises:
        StaleEmbeddings: There is none, or it is not one of ours.
    """
    try:
        manifest = read_json(folder / MANIFEST)
    except (OSError, ValueError) as error:
        raise StaleEmbeddings(
            f"there are no embeddings in {folder} ({MANIFEST} is missing or broken); "
            "make them with embed_gallery(gallery, encoder, folder)"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StaleEmbeddings(f"{folder / MANIFEST} is not of the form {FORMAT!r}; {REMAKE}")
    if not manifest.keys() >= KEYS:
        raise StaleEmbeddings(f"{folder / MANIFEST} lacks some of its parts; {REMAKE}")
    return manifest


def broken_files(folder: Path, record: dict) -> list[str]:
    """Return the files of a shard that are missing or not what its record says."""
    return [name for name, digest in record["files"].items() if not _holds(folder / name, digest)]


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


def _holds(path: Path, digest: str) -> bool:
    with suppress(OSError):
        return sha256(path) == digest
    return False
