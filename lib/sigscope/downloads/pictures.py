"""Bodies that were fetched: checked to be pictures, made small, and described."""

import json
from dataclasses import dataclass
from io import BytesIO

from PIL import ExifTags, Image

from sigscope.downloads.limits import FetchError
from sigscope.images.formats import FORMATS
from sigscope.images.read import PictureError, open_picture

SAVED_AS = {"jpg": "JPEG", "webp": "WEBP"}
EXIF_LENGTH = 200  # characters of one value that are kept


@dataclass(frozen=True)
class Saving:
    """How pictures are kept.

    Attributes:
        max_side: longer sides are reduced to so many pixels; None keeps the size.
        format: "jpg" or "webp", encoded anew and free of metadata, or "original", the bytes as they
            came.
        quality: of jpg and webp, 1 to 100.
    """

    max_side: int | None = 512
    format: str = "jpg"
    quality: int = 95

    def __post_init__(self):
        """Refuse what cannot be done."""
        if self.format not in (*SAVED_AS, "original"):
            raise ValueError(f"there is no format {self.format!r}; choose jpg, webp or original")
        if self.max_side is not None and self.max_side < 1:
            raise ValueError(f"max_side is {self.max_side}; give a number of pixels, 1 or more")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality is {self.quality}; give 1 to 100")


@dataclass(frozen=True)
class Kept:
    """A picture as it will be stored, and what is known of it.

    Attributes:
        data: its bytes.
        suffix: how its file is called, with the dot.
        width: in pixels, as stored; so is height.
        original_width: in pixels, as its file said; so is original_height.
        exif: what its EXIF block said, as JSON, without places and without long values.
        format: what Pillow calls the format it came in.
    """

    data: bytes
    suffix: str
    width: int
    height: int
    original_width: int
    original_height: int
    exif: str
    format: str


def decode(
    body: bytes, max_pixels: int, max_side: int | None = None
) -> tuple[Image.Image, Image.Image]:
    """Return the header of a picture, as Pillow opened it, and the picture itself in RGB, upright.

    The pixels are counted before any is decoded; max_side is open_picture's.

    Raises:
        FetchError: The bytes are no picture that can be read, or it has more than max_pixels.
    """
    header = _header(body)
    width, height = header.size
    if width * height > max_pixels:
        raise FetchError(
            "too large",
            f"It is {width} × {height} pixels, more than {max_pixels / 1e6:g} million.",
        )
    try:
        return header, open_picture(body, max_side=max_side)
    except PictureError as error:
        raise FetchError("not a picture", str(error)) from error


def keep(body: bytes, saving: Saving, max_pixels: int) -> Kept:
    """Return a body as the picture that is stored.

    Raises:
        FetchError: The bytes are no picture that can be read, or it has more than max_pixels.
    """
    header, picture = decode(body, max_pixels, saving.max_side)
    if saving.format == "original":
        data, suffix, size = body, FORMATS[header.format][0], header.size
    else:
        data, size = _encoded(picture, saving)
        suffix = f".{saving.format}"
    return Kept(data, suffix, *size, *header.size, _exif(header), header.format)


def _header(body: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(body), formats=tuple(FORMATS))
    except Exception:  # open_picture knows what such bytes are, and says it in a sentence
        try:
            open_picture(body)
        except PictureError as error:
            reason = "too large" if "million pixels" in str(error) else "not a picture"
            raise FetchError(reason, str(error)) from error
        raise


def _encoded(picture: Image.Image, saving: Saving) -> tuple[bytes, tuple[int, int]]:
    if saving.max_side is not None:
        picture.thumbnail((saving.max_side, saving.max_side), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    try:
        picture.save(buffer, SAVED_AS[saving.format], quality=saving.quality)
    except (OSError, ValueError) as error:  # neither format takes sides of any length
        sentence = f"It cannot be stored as {saving.format} ({error})."
        raise FetchError("too large", sentence) from error
    return buffer.getvalue(), picture.size


def _exif(header: Image.Image) -> str:
    """Return the plain tags of the EXIF block as JSON; where it was taken is left out."""
    try:
        tags = {
            ExifTags.TAGS[number]: str(value).strip()[:EXIF_LENGTH]
            for number, value in header.getexif().items()
            if number in ExifTags.TAGS
            and number != ExifTags.Base.GPSInfo
            and isinstance(value, str | int | float)
        }
    except Exception:  # a damaged block is no reason to lose the picture
        tags = {}
    return json.dumps(tags)
