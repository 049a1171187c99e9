"""What became of one URL: a row of img2dataset's shard tables, and one line of a shard's journal.

Besides img2dataset's columns there is "reason", the short one of reasons.REASONS.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from sigscope.downloads.reasons import FetchError

SUCCESS = "success"
COLUMNS = {
    "url": "string",
    "caption": "string",
    "key": "string",
    "status": "string",
    "error_message": "string",
    "width": "int32",
    "height": "int32",
    "original_width": "int32",
    "original_height": "int32",
    "exif": "string",
    "sha256": "string",
    "reason": "string",
}  # and their types in parquet


@dataclass(frozen=True)
class Record:
    """What became of one URL.

    Attributes:
        number: the row's place in its shard, from 0.
        url: what was asked for.
        caption: the caption that belongs to it.
        key: img2dataset's name for the row: the shard's number, then the row's.
        status: "success", "failed_to_download" or "failed_to_resize".
        error_message: why there is no picture, in a sentence; None for a success.
        reason: the same in short, a key of REASONS; "" for a success.
        width: of the stored picture in pixels, None where there is none; so are the next three.
        height: see width.
        original_width: see width; as the file said that came.
        original_height: see width.
        exif: the picture's EXIF block as JSON, or None.
        sha256: of the body as it came, or None.
        file: the name of the stored picture in the shard's folder, or "".
        size: bytes of that file.
    """

    number: int
    url: str
    caption: str
    key: str
    status: str = SUCCESS
    error_message: str | None = None
    reason: str = ""
    width: int | None = None
    height: int | None = None
    original_width: int | None = None
    original_height: int | None = None
    exif: str | None = None
    sha256: str | None = None
    file: str = ""
    size: int = 0

    @property
    def is_success(self) -> bool:
        """Whether there is a picture."""
        return self.status == SUCCESS

    def row(self) -> dict:
        """Return what the shard's table and the picture's JSON file say."""
        return {column: getattr(self, column) for column in COLUMNS}

    def line(self) -> str:
        """Return the journal's line, with its end."""
        return json.dumps(vars(self)) + "\n"

    def is_whole(self, folder: Path) -> bool:
        """Return whether its picture lies in folder in full size; True where there is none."""
        if not self.is_success:
            return True
        try:
            return (folder / self.file).stat().st_size == self.size
        except OSError:
            return False


def failed(number: int, url: str, caption: str, key: str, error: FetchError) -> Record:
    """Return the record of a picture that was not had."""
    return Record(number, url, caption, key, error.status, str(error), error.reason)


def from_line(line: str) -> Record:
    """Return the record in a journal's line; ValueError when the line is not whole."""
    try:
        return Record(**json.loads(line))
    except TypeError as error:
        raise ValueError(f"{line[:60]!r} is no record") from error
