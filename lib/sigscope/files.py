"""Files that are whole or absent: written beside their final name, then renamed onto it."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

PART = ".part-"  # how the name of a file that is still being written begins


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a sibling of path to write to, and give it the name of path once the block has ended.

    The sibling keeps the suffix of path, because some writers add theirs when it is missing. If the
    block raises, the sibling is removed and path stays as it was. Only a killed process leaves one
    behind: a hidden file whose name begins with PART, which nothing reads.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{PART}{uuid4().hex[:12]}-{path.name}")
    try:
        yield part
        _flush_to_disk(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: str | Path, value: Any) -> None:
    """Write value as indented UTF-8 JSON, keys in the order given; path is never half written."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with whole(path) as part:
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


def _flush_to_disk(part: Path) -> None:
    """Make sure that the bytes are on the disk before the name promises them."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())


def digest(value: Any) -> str:
    """Return the SHA-256 of value as JSON, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def same(identity: dict, other: dict) -> bool:
    """Return whether two identities of encoders are equal once they are JSON."""
    return digest(identity) == digest(other)
