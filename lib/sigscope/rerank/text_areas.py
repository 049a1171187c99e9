"""Text areas: how much of each picture is writing, by RapidOCR, whose weights are in its wheel.

RapidOCR's detector alone takes every object on a white ground for a letter, and its recogniser then
reads an apple as 0 and a hammer as T, with confidence. So two shares are kept apart: ``found``, of
all boxes, and ``read``, of those in which two different letters or digits or more are read. The
latter is the one to use; a picture of a single letter has none. Nothing is downloaded.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.files import digest, read_sealed, slug, write_sealed
from sigscope.gallery.gallery import Gallery
from sigscope.images.read import PictureError
from sigscope.progress import Progress, progress_bar

CONFIDENCE = 0.9  # below it a "reading" is mostly a shape that resembles a letter
SIGNS = 2  # different letters or digits that a line of writing has at least
MARGIN = 0.25  # of the longer side, in white: writing that touches the edge is often missed
LONGEST_SIDE = 320  # pixels that the detector sees
COLUMNS = ["id", "found", "read", "text"]
MISSING = 'RapidOCR is not installed, so no text area can be measured; run pip install -e ".[ocr]"'
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Line:
    """One line of writing that was found in a picture."""

    corners: np.ndarray  # (4, 2) pixels, x to the right and y down
    text: str
    confidence: float  # in [0, 1]

    @property
    def is_read(self) -> bool:
        """Whether this is writing rather than a shape, as far as one can tell."""
        signs = {sign for sign in self.text.casefold() if sign.isalnum()}
        return self.confidence >= CONFIDENCE and len(signs) >= SIGNS


Reader = Callable[[Image.Image], list[Line]]


def _rapid_reader() -> Reader:
    """Return RapidOCR's detector and recogniser as a reader; it runs on one thread.

    Raises:
        ModuleNotFoundError: the extra ``ocr`` is not installed; the sentence says how to.
    """
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise ModuleNotFoundError(MISSING) from error
    engine = RapidOCR(
        params={
            "Global.use_cls": False,
            "Global.text_score": 0.0,
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.limit_side_len": LONGEST_SIDE,
            "Det.limit_type": "max",
        }
    )

    def read(picture: Image.Image) -> list[Line]:
        margin = round(MARGIN * max(picture.size))
        width, height = (side + 2 * margin for side in picture.size)
        page = Image.new("RGB", (width, height), "white")
        page.paste(picture, (margin, margin))
        seen = engine(np.ascontiguousarray(np.asarray(page)[:, :, ::-1]))  # it wants BGR
        if seen.boxes is None or seen.txts is None:
            return []
        found = zip(seen.boxes, seen.txts, seen.scores, strict=True)
        return [Line(np.asarray(box) - margin, text, float(sure)) for box, text, sure in found]

    return read


def measure_text_areas(
    gallery: Gallery, *, reader: Reader | None = None, progress: Progress = False
) -> pd.DataFrame:
    """Return the share of each picture that is writing, measured once per gallery and kept.

    With RapidOCR a picture takes about a tenth of a second. What was measured is kept in the cache
    under the gallery's fingerprint, which changes when a picture's size in bytes does.

    Args:
        gallery: whose pictures.
        reader: what reads; None is RapidOCR. Only the latter's results are kept.
        progress: show a bar on stderr, or a function that is told (done, total).

    Returns:
        Columns id, found and read (shares of the picture's area, in [0, 1]) and text (what was
        read, its lines parted by " / "); one row per picture that could be opened, in the gallery's
        order.

    Raises:
        ModuleNotFoundError: RapidOCR, the extra ``ocr``, is not installed; what is kept belongs to
            one version of it.
    """
    if reader is None and (known := known_text_areas(gallery)) is not None:
        return known
    rows = list(_measured(gallery, reader or _rapid_reader(), progress))
    if reader is None:
        about = {"gallery": gallery.name, "fingerprint": gallery.fingerprint, "by": _rules()}
        write_sealed(_cache_file(gallery), about | {"pictures": rows})
    return pd.DataFrame(rows, columns=COLUMNS)


def known_text_areas(gallery: Gallery) -> pd.DataFrame | None:
    """Return what `measure_text_areas` has measured already of a gallery as it is now, or None.

    Raises:
        ModuleNotFoundError: RapidOCR, the extra ``ocr``, is not installed.
    """
    file = _cache_file(gallery)
    try:
        table = pd.DataFrame(read_sealed(file)["pictures"], columns=COLUMNS)
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        log.warning("%s is broken (%s), so text is measured again", file, error)
        return None
    mark_used(file)
    return table


@cache
def ocr_is_installed() -> bool:
    """Return whether RapidOCR, the extra ``ocr``, is there to measure with."""
    return find_spec("rapidocr") is not None


def _measured(
    gallery: Gallery, reader: Reader, progress: Progress
) -> Iterator[tuple[str, float, float, str]]:
    with progress_bar(len(gallery), "Reading", " pictures", progress) as bar:
        for id in gallery.items["id"]:
            bar.update()
            try:
                picture = gallery.picture(id)
            except (OSError, PictureError) as error:
                log.warning("%s was left out: %s", id, error)
                continue
            lines = reader(picture)
            read = [line for line in lines if line.is_read]
            shares = (round(covered(part, *picture.size), 5) for part in (lines, read))
            yield id, *shares, " / ".join(line.text for line in read)


def covered(lines: list[Line], width: int, height: int) -> float:
    """Return which share of a picture the lines cover, in [0, 1]; what overlaps counts once.

    Args:
        lines: with corners in pixels of the picture; what sticks out of it does not count.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
    """
    mask = Image.new("1", (width, height))
    for line in lines:
        ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in line.corners], fill=1)
    return float(np.asarray(mask).mean())


def _rules() -> dict:
    """Return all that would change what is measured; without RapidOCR, a sentence."""
    try:
        by = version("rapidocr")
    except ImportError as error:
        raise ModuleNotFoundError(MISSING) from error
    return {
        "rapidocr": by,
        "confidence": CONFIDENCE,
        "signs": SIGNS,
        "margin": MARGIN,
        "side": LONGEST_SIDE,
    }


def _cache_file(gallery: Gallery) -> Path:
    key = digest([_rules(), gallery.fingerprint])[:12]
    return paths.CACHE / "text-areas" / f"{slug(gallery.name)}-{key}.json"
