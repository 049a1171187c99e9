"""Video: the moments of a film as pictures, at most one a second and none like the one before it.

PyAV (FFmpeg) decodes, as a stream. A film may come from anywhere: it is opened as what its first
bytes say it is, so that no playlist in it leads to other files, and damage ends it with a sentence.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sigscope.trouble import check_machine

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
EVERY_S = 1.0  # between two moments, at least
DIFFERENT = 0.03  # from the moment before, as a mean over all values, which are 0 to 1
FLAT = 0.03  # what the values of a frame that shows nothing may differ by
LONG_S = 1_200.0  # from which length only key frames are decoded, of which encoders make most cuts
THUMBNAIL, SIDE = 32, 640  # pixels: what is compared, and the long side of what is kept
HEAD = 12  # bytes
MISSING = "it is a video, which needs PyAV: pip install 'sigscope[video]'"


class VideoError(ValueError):
    """A film cannot be read, or not to its end; the message is a sentence for a person."""


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame of a film, as a person would see it."""

    seconds: float  # from the beginning
    picture: Image.Image  # RGB, its long side at most SIDE pixels


def _container_of(head: bytes) -> str:
    """Return what FFmpeg calls the sort of film that begins so, or "" where it is none we read."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    return "avi" if head[:4] == b"RIFF" and head[8:12] == b"AVI " else ""


def moments(file: str | Path, every_s: float = EVERY_S) -> Iterator[Moment]:
    """Yield the moments of a film, in order.

    A moment is the first frame, and then each first one at least every_s later that shows another
    thing: a new scene, or what has changed by DIFFERENT since. Frames of one colour are passed
    over. Of films longer than LONG_S only key frames count.

    Args:
        file: the film, with a suffix of SUFFIXES or another.
        every_s: seconds, above 0.

    Raises:
        VideoError: PyAV is not installed, or this is no film that we read, has no pictures, or is
            damaged from here on; what came before has been yielded.
        MachineTrouble: The machine failed, not the film.
    """
    if not every_s > 0:
        raise ValueError(f"every_s is {every_s}; give seconds above 0")
    with _opened(Path(file)) as (container, stream):
        shape = stream.sample_aspect_ratio or 1
        begin = last = thumbnail = None
        for frame in container.decode(stream):
            time = frame.time if frame.time is not None else 0.0
            begin = time if begin is None else begin
            if last is not None and time - last < every_s:
                continue
            small = _thumbnail(frame)
            if np.ptp(small) < FLAT or not _differs(small, thumbnail):
                continue
            last, thumbnail = time, small
            yield Moment(time - begin, _picture(frame, float(shape)))


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Any, Any]]:
    """Yield a film and its stream of pictures; whatever FFmpeg says of it becomes a sentence."""
    av = pyav()
    try:
        with file.open("rb") as opened:
            sort = _container_of(opened.read(HEAD))
        if not sort:
            raise VideoError("it is no film that is read here, or its beginning is lost")
        how = {"options": {"protocol_whitelist": "file"}, "metadata_errors": "replace"}
        with av.open(str(file), format=sort, **how) as container:
            yield container, _stream(av, container)
    except VideoError:
        raise
    except (av.error.FFmpegError, OSError, ValueError, LookupError) as error:
        check_machine(file, error)
        reason = getattr(error, "strerror", None) or "FFmpeg cannot go on"
        raise VideoError(f"it is damaged or cut short ({reason})") from error


def pyav() -> Any:
    """Return the module ``av``; VideoError says what to install."""
    try:
        import av
    except ImportError as error:
        raise VideoError(MISSING) from error
    return av


def _stream(av: Any, container: Any) -> Any:
    """Return the stream of pictures, ready to decode; a cover of a record is none.

    Frames are not decoded in threads: on a damaged film these may wait for each other for good.
    """
    cover = av.stream.Disposition.attached_pic
    streams = [each for each in container.streams.video if not each.disposition & cover]
    if not streams:
        raise VideoError("it has sound and no pictures")
    stream = streams[0]
    if (container.duration or 0) / av.time_base > LONG_S:
        stream.codec_context.skip_frame = "NONKEY"
    return stream


def _thumbnail(frame: Any) -> np.ndarray:
    """Return a frame as float32 from 0 to 1, shape (THUMBNAIL, THUMBNAIL, 3)."""
    return frame.to_ndarray(width=THUMBNAIL, height=THUMBNAIL, format="rgb24") / np.float32(255)


def _differs(small: np.ndarray, before: np.ndarray | None) -> bool:
    return before is None or float(np.abs(small - before).mean()) >= DIFFERENT


def _picture(frame: Any, shape: float) -> Image.Image:
    """Return a frame the right way up, its pixels square, its long side at most SIDE pixels."""
    width, height = frame.width * shape, frame.height
    scale = min(1.0, SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = frame.to_image(width=size[0], height=size[1], interpolation="AREA")
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture
