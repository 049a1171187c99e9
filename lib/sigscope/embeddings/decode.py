"""Decoding: files become what an encoder takes, in threads that work ahead of it.

What cannot be read is set aside with its reason, and shifts nothing else.
"""

import errno
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from sigscope.files import sha256
from sigscope.images.read import PictureError, open_picture
from sigscope.trouble import check_machine, watched
from sigscope.types import EncoderLike

CHANGED = "it has changed since the folder was listed; look at the folder again"
MAX_PIXELS = 32_000_000  # decoded pictures held at once by a thread: about 100 MB


@dataclass(frozen=True)
class Item:
    """One picture to embed, with its captions."""

    row: int  # in its shard
    id: str
    path: str  # relative to the gallery
    file: Path
    captions: tuple[str, ...]
    content: str  # the SHA-256 of the file when it was listed, or "" where nobody has looked


@dataclass
class DecodedBatch:
    """A few items decoded: parts fit for the encoder, and those that could not be read."""

    items: list[Item]
    parts: list[tuple[list[Item], Any]] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)  # id -> SHA-256 of what was decoded
    failed: list[dict] = field(default_factory=list)


def decode(items: list[Item], encoder: EncoderLike, side: int | None) -> DecodedBatch:
    """Open and preprocess pictures, in parts small enough to hold; threads may call it at once.

    Args:
        items: what to open.
        encoder: its ``preprocess`` is called.
        side: the pixels a side that it looks at; None where that varies.

    Raises:
        MachineTrouble: The machine failed, and nothing is known of the picture.
    """
    batch = DecodedBatch(items)
    opened: list[tuple[Item, Image.Image]] = []
    pixels = 0
    for item in items:
        try:
            picture = open_picture(item.file, max_side=side)
            batch.contents[item.id] = _content(item)
        except (PictureError, OSError) as error:
            batch.failed.append(failure(item, error))
            continue
        opened.append((item, picture))
        pixels += picture.width * picture.height
        if pixels > MAX_PIXELS:
            _preprocess(opened, encoder, batch)
            opened, pixels = [], 0
    _preprocess(opened, encoder, batch)
    return batch


def failure(item: Item, error: Exception) -> dict:
    """Return the row that says why item is left out, without machine paths and addresses.

    Its ``errno`` is the name of what the system said of the file (as ENOENT), which another run
    asks it again, or "" for a picture that is at fault itself, whatever the machine.
    """
    cause = error.__cause__ if isinstance(error, PictureError) else error
    number = cause.errno if isinstance(cause, OSError) else None
    reason = error.strerror if error is cause and number else str(error)
    reason = reason.replace(str(item.file), item.path)
    reason = re.sub(r" at 0x[0-9a-fA-F]+", "", reason) or type(error).__name__
    named = errno.errorcode.get(number, "")
    return {"id": item.id, "path": item.path, "reason": reason, "errno": named}


def _content(item: Item) -> str:
    """Return the SHA-256 of the file of item; OSError if it is not what was listed any more."""
    with watched(item.path):
        content = sha256(item.file)
    if item.content not in ("", content):
        raise OSError(errno.ESTALE, CHANGED)
    return content


def _preprocess(
    opened: list[tuple[Item, Image.Image]], encoder: EncoderLike, batch: DecodedBatch
) -> None:
    """Add a part to batch; if the encoder refuses some pictures, find out which."""
    if not opened:
        return
    items = [item for item, _ in opened]
    try:
        batch.parts.append((items, encoder.preprocess([picture for _, picture in opened])))
    except Exception as error:
        check_machine(items[0].path, error)
        if len(opened) == 1:
            batch.failed.append(failure(items[0], error))
            return
        before = len(batch.failed)
        for one in opened:
            _preprocess([one], encoder, batch)
        if len(batch.failed) - before == len(opened):
            raise  # it refuses everything, so the pictures are not to blame
