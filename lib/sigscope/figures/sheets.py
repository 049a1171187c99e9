"""Sheets: many pictures on one page, each with its caption below, small enough for a notebook."""

import base64
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import pandas as pd
from PIL import Image, ImageDraw, ImageFont, ImageOps

GAP, LINE, TEXT_SIZE, MAX_LINES = 10, 15, 12, 4
INK, FRAME, MARK = "#222222", "#CFCFCF", "#009E73"
QUALITY = 80
NOTHING = "no picture was found"
OTHER_FONTS = ("DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "msgothic.ttc")


@dataclass(frozen=True, eq=False, repr=False)
class Sheet:
    """A page of pictures; a notebook shows it as a JPEG."""

    image: Image.Image
    alt: str

    def __repr__(self) -> str:
        """Return one line that is the same each time."""
        return f"Sheet: {self.alt}"

    def _repr_jpeg_(self) -> bytes:
        file = BytesIO()
        self.image.save(file, "JPEG", quality=QUALITY, optimize=True)
        return file.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        jpeg = base64.b64encode(self._repr_jpeg_()).decode()
        return {"text/plain": repr(self), "image/jpeg": jpeg}, {"image/jpeg": {"alt": self.alt}}


def picture_sheet(
    pictures: Sequence[Image.Image],
    captions: Sequence[str],
    columns: int = 5,
    size: int = 128,
    *,
    marked: Sequence[bool] | None = None,
) -> Sheet:
    r"""Return pictures in rows, each fitted into a square with its caption below.

    Args:
        pictures: RGB, of any size; tiny ones are enlarged with their pixels showing.
        captions: one a picture; "\n" starts a new line, and what does not fit ends in "…".
        columns: pictures in a row.
        size: side of a square in pixels, at least 16.
        marked: which squares get a thick green frame, such as the right answers.

    Raises:
        ValueError: The lists differ in length or are empty, or columns or size is too small.
    """
    marked = [False] * len(pictures) if marked is None else marked
    if not len(pictures) == len(captions) == len(marked) or not len(pictures):
        counts = f"{len(pictures)} pictures, {len(captions)} captions and {len(marked)} marks"
        raise ValueError(f"a sheet needs one caption and one mark a picture, not {counts}")
    if columns < 1 or size < 16:
        raise ValueError(f"columns is {columns} and size {size}; at least 1 and 16 are needed")
    columns = min(columns, len(pictures))
    texts = [_wrapped(caption, size) for caption in captions]
    rows = [slice(start, start + columns) for start in range(0, len(pictures), columns)]
    heights = [size + 6 + LINE * max(map(len, texts[row])) + GAP for row in rows]
    page = Image.new("RGB", (GAP + columns * (size + GAP), GAP + sum(heights)), "white")
    top = GAP
    for row, height in zip(rows, heights, strict=True):
        cells = zip(pictures[row], texts[row], marked[row], strict=True)
        for column, (picture, lines, mark) in enumerate(cells):
            _cell(page, (GAP + column * (size + GAP), top), size, picture, lines, mark)
        top += height
    return Sheet(page, _alt(captions))


def table_sheet(
    gallery: Any,
    table: pd.DataFrame,
    columns: int = 5,
    size: int = 128,
    *,
    marked: Sequence[bool] | None = None,
) -> Sheet:
    """Return the pictures of some items, or of what a ``Searcher`` found, with their captions.

    Args:
        gallery: where the pictures are.
        table: columns id and caption, and perhaps score, which is then written above the caption.
        columns: pictures in a row.
        size: side of a square in pixels.
        marked: which squares get a thick green frame.
    """
    if table.empty:
        return Sheet(text_card(NOTHING, size), NOTHING)
    captions = table["caption"].tolist()
    if "score" in table:
        pairs = zip(table["score"], captions, strict=True)
        captions = [f"{score:.2f}\n{caption}" for score, caption in pairs]
    pictures = [gallery.picture(id) for id in table["id"]]
    return picture_sheet(pictures, captions, columns, size, marked=marked)


def text_card(text: str, size: int = 128) -> Image.Image:
    """Return a white square picture with a text in its middle, for the query of a row."""
    card = Image.new("RGB", (size, size), "white")
    lines = _wrapped(text, size - 16)
    top = (size - LINE * len(lines)) // 2
    for number, line in enumerate(lines):
        font = _font(line)
        left = (size - font.getlength(line)) // 2
        ImageDraw.Draw(card).text((left, top + LINE * number), line, fill=INK, font=font)
    return card


def _cell(
    page: Image.Image,
    corner: tuple[int, int],
    size: int,
    picture: Image.Image,
    lines: list[str],
    mark: bool,
) -> None:
    """Draw one picture, its frame and its caption on page."""
    left, top = corner
    fitted = _fitted(picture, size - 4)
    page.paste(fitted, (left + (size - fitted.width) // 2, top + (size - fitted.height) // 2))
    draw = ImageDraw.Draw(page)
    box = (left, top, left + size - 1, top + size - 1)
    draw.rectangle(box, outline=MARK if mark else FRAME, width=4 if mark else 1)
    for number, line in enumerate(lines):
        draw.text((left + 1, top + size + 5 + LINE * number), line, fill=INK, font=_font(line))


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    """Return picture in RGB, as large as a square of that side holds."""
    tiny = max(picture.size) < 24
    method = Image.Resampling.NEAREST if tiny else Image.Resampling.LANCZOS
    return ImageOps.contain(picture.convert("RGB"), (side, side), method)


def _wrapped(caption: str, width: int) -> list[str]:
    """Return caption in at most MAX_LINES lines of at most width pixels; a cut ends in "…"."""
    lines: list[str] = []
    for paragraph in _drawable(caption).splitlines():
        lines += _broken(paragraph.split(), width)
    if len(lines) > MAX_LINES:
        lines = lines[:MAX_LINES]
        lines[-1] = _clipped(lines[-1] + " …", width)
    return lines


def _broken(words: list[str], width: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font(longer).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(_clipped(word, width))
    return lines


def _clipped(line: str, width: int) -> str:
    """Return line, or as much of its beginning as fits in width with "…" after it."""
    if _font(line).getlength(line) <= width:
        return line
    kept = line.rstrip("… ")
    while kept and _font(kept).getlength(kept + "…") > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _drawable(text: str) -> str:
    """Return text with what no font here has replaced: by its base letter, or else by "?"."""
    if not _lacking(_own_font(), text) or _font(text) is not _own_font():
        return text
    letters = unicodedata.normalize("NFKD", text)
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return "".join("?" if _lacking(_own_font(), letter) else letter for letter in letters)


def _font(text: str) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font, or the first font of this machine that has more of text."""
    if not _lacking(_own_font(), text):
        return _own_font()
    complete = (font for font in _other_fonts() if not _lacking(font, text))
    return next(complete, _own_font())


@cache
def _own_font() -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=TEXT_SIZE)


@cache
def _other_fonts() -> list[ImageFont.FreeTypeFont]:
    fonts = []
    for name in OTHER_FONTS:
        try:
            fonts.append(ImageFont.truetype(name, TEXT_SIZE))
        except OSError:
            continue
    return fonts


def _lacking(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Return whether font would draw its box for "no such letter" somewhere in text."""
    return any(_is_box(font, letter) for letter in set(text) if letter > "~")


@cache
def _is_box(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    missing, drawn = font.getmask("\U0010fffd"), font.getmask(letter)
    return (missing.size, bytes(missing)) == (drawn.size, bytes(drawn))


def _alt(captions: Sequence[str]) -> str:
    """Return what stands for the sheet where it is not seen: how many, and the first captions."""
    first = "; ".join(" ".join(caption.split()) for caption in captions[:3])
    rest = "; …" if len(captions) > 3 else ""
    return f"{len(captions)} pictures: {first}{rest}"
