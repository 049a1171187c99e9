"""The writer: makes the shards of a store that are not right yet, and then puts them in place."""

from pathlib import Path

from sigscope.embeddings.shards import Shard, StaleEmbeddings
from sigscope.embeddings.store import (
    FORMAT,
    MAKING,
    MANIFEST,
    PARTS,
    RECORD,
    StoredShard,
    commit,
    file_name,
    made_file,
    made_shard,
    read_manifest,
    stored_shards,
    writing,
)
from sigscope.files import atomic_write, digest, same, sha256, write_json


class Writer:
    """A store being written by one process: which shards are right, and the manifest.

    ``keys`` says what each shard must hold: one that is there already is kept if its key and its
    bytes are right. Nothing that the folder held before goes until ``finish``.
    """

    def __init__(self, folder: Path, about: dict, keys: list[str]) -> None:
        """Take over what an earlier run left in folder, or refuse what is not ours."""
        self.folder, self.about, self.keys = folder, about, keys
        self._refuse_others()
        self._earlier = stored_shards(folder, about["encoder"])
        self._shards: dict[int, StoredShard] = {}
        for shard in self._earlier:
            number = self._number(shard)
            if number is not None and shard.is_right(self._names(number)):
                self._shards.setdefault(number, shard)

    def missing(self) -> list[int]:
        """Return the numbers of the shards still to be made."""
        return [number for number in range(len(self.keys)) if number not in self._shards]

    def reusable(self) -> list[StoredShard]:
        """Return the shards whose vectors may be used again, right or not.

        Those that this very run has made before it was stopped are not among them, so that it ends
        with the same bytes as one that was left alone.
        """
        ours = {id(shard) for shard in self._shards.values() if shard.in_making}
        return [shard for shard in self._earlier if id(shard) not in ours]

    def records(self) -> list[dict]:
        """Return what is on record about the shards that are right, in their order."""
        return [self._shards[number].record for number in sorted(self._shards)]

    def add(self, number: int, shard: Shard, failed: list[dict]) -> None:
        """Write a shard's files, and then count it."""
        of, key = (number, len(self.keys)), self.keys[number]
        record = write_shard(self.folder, self.about["encoder"], key, of, shard, failed)
        self.take(record, failed)

    def take(self, record: dict, failed: list[dict]) -> None:
        """Count a shard whose files are written, here or by another process."""
        self._shards[record["number"]] = StoredShard(self.folder, record, failed, in_making=True)

    def finish(self) -> None:
        """Put the new shards in the place of what was there, and call the store complete."""
        shards = [self._shards[number] for number in sorted(self._shards)]
        manifest = {
            "format": FORMAT,
            "complete": True,
            **self.about,
            "items": sum(shard.record["items"] for shard in shards),
            "captions": sum(shard.record["captions"] for shard in shards),
            "failed": [row for shard in shards for row in shard.failed],
            "shards": [shard.record for shard in shards],
        }
        with writing(self.folder):
            write_json(self.folder / MAKING / MANIFEST, manifest)
            commit(self.folder)

    def _number(self, shard: StoredShard) -> int | None:
        """Return the number under which a shard that is there already belongs into the store."""
        number = shard.record["number"]
        fits = number < len(self.keys) and self.keys[number] == shard.record["key"]
        return number if fits else None

    def _names(self, number: int) -> set[str]:
        return {file_name(part, number, len(self.keys)) for part in PARTS}

    def _refuse_others(self) -> None:
        try:
            manifest = read_manifest(self.folder)
        except StaleEmbeddings:
            if any((self.folder / folder).exists() for folder, _ in PARTS.values()):
                raise StaleEmbeddings(
                    f"{self.folder} holds embeddings whose {MANIFEST} is missing or broken, "
                    "perhaps another tool's; choose another folder, or delete this one"
                ) from None
            return
        if not same(manifest["encoder"], self.about["encoder"]):
            made_by, ours = (
                one.get("model") if one else None
                for one in (manifest["encoder"], self.about["encoder"])
            )
            raise StaleEmbeddings(
                f"{self.folder} holds embeddings by another model than {ours} as it is now "
                f"({made_by}); choose another folder, or delete this one"
            )


def write_shard(
    folder: Path,
    encoder: dict,
    key: str,
    number: tuple[int, int],
    shard: Shard,
    failed: list[dict],
) -> dict:
    """Write the files of a shard and then its record, which makes it whole; return the record.

    Several processes may write shards of one store, even the same shard, at once.

    Args:
        folder: the store.
        encoder: the identity of what made the vectors.
        key: a digest of all that they depend on.
        number: which shard it is, of how many.
        shard: what to write.
        failed: what could not be read of it.
    """
    files = {}
    with writing(folder):
        for part, data in shard.encoded().items():
            name = file_name(part, *number)
            with atomic_write(made_file(folder, key, name)) as path:
                path.write_bytes(data)
            files[name] = sha256(data)
        record = {
            "number": number[0],
            "key": key,
            "items": len(shard.ids),
            "captions": len(shard.caption_ids),
            "failed": len(failed),
            "files": files,
        }
        note = {"encoder": digest(encoder), "shard": record, "failed": failed}
        write_json(made_shard(folder, key) / RECORD, note)
    return record
