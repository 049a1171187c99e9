"""Captions: tidied as publishers write them, and read out of pictures (EXIF, XMP, IPTC, PNG).

Only titles, descriptions and comments are read: no places, names, serial numbers or thumbnails.
No pixel is decoded. What cameras and programs write there by themselves is no caption.
"""

import json
import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from PIL import ExifTags, Image, IptcImagePlugin

from sigscope.images.formats import FORMATS, SUFFIXES
from sigscope.images.read import opened, plain
from sigscope.trouble import check_machine, watched

MAX_XMP = 500_000  # bytes; programs also keep their history there
MAX_DATA = 300  # letters of a name or a code; longer texts are not searched for one
MAX_LETTERS = 5_000  # of a caption; more is data
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
XMP = {  # what Immich and digiKam read, too
    "description": (f"{DUBLIN_CORE}description", "{http://ns.adobe.com/tiff/1.0/}ImageDescription"),
    "title": (f"{DUBLIN_CORE}title",),
}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
IPTC = {"description": (2, 120), "title": (2, 5)}
ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
SETTINGS = re.compile(r"\s*(Negative prompt: |Steps: \d+, ).*", re.DOTALL)  # of a generator
WORDS_OF_BYTES = re.compile(rb"[A-Za-z ]")
CHARSETS = {
    **{b"ASCII\0\0\0": "utf-8", b"UNICODE\0": "utf-16", b"\0" * 8: "utf-8"},
    b"JIS\0\0\0\0\0": "iso2022_jp",
}

# What nobody wrote: a camera's or program's name or setting, a file's name, a time, data.
MAKERS = (
    "acer|agfa|benq|canon|casio|dji|epson|fuji(film)?|garmin|ge"
    "|gopro|hasselblad|hewlett[ -]packard|hp|htc|huawei|jenoptik|jvc|kodak|konica|kyocera|leica|lg"
    "|lumix|medion|minolta|mot(orola)?|moultrie|mustek|nikon|nokia|olympus|oppo|panasonic|pentax"
    "|philips|polaroid|praktica|ricoh|rollei|samsung|sanyo|sony|toshiba"
    "|vivitar|xiaomi|yakumo"
)
WORDS = "digital|still|video|game|trail|camera|pictures?|images?|photos?|dsc|csc|jpe?g"
PROGRAMS = (
    "acdsee|adobe|canva|capture one|corel|darktable|faststone|gimp|imagemagick|irfanview"
    "|lightroom|microsoft|photoscape|photoshop|picasa|pixlr|snapseed|ulead|vsco|xnview"
)
SCENES = "btr|bty|bsh|burst|cof|cuva|dav|edf|fbt|fptbty|hdr|hdrp?l?|mde|nfd|nor|oz(nor|edf)\\w*|ptr"
SCENES += "|rbt|rhdr|rpt|rptbty|sdr|smart|oppo|oplus"
DATA = r"""
    \d[\d\W_]{6,} | (0[xX])?[0-9a-fA-F]{16,}                  # a time, a hash
    | (?=[^\n]*\d)[A-Za-z0-9+/_-]{24,}=*                       # base64
    | (?i:(dsc[nf]?|img|imgp|mvi|vid|pict|pxl|kif|cimg|gopr|p|image|photo)[-_]?\d{3,}[\w-]*)
    | (?i:[^\n]*[\w\-.() ]+\.(jpe?g|png|gif|tiff?|webp|bmp|heic|psd|ai|svg|pdf|cr2|nef|arw|dng))
    | (?i:(https?|file)://\S+)
"""
JUNK = re.compile(
    rf"""
    \W*                                                       # nothing at all
    | (?i:({MAKERS})([ _-]*\b({WORDS}))+)\W* | (?i:{MAKERS})[ _-]*\d[\w.-]* # KODAK … CAMERA
    | ({MAKERS.upper()})\W* | (?i:(apple\ )?i(phone|pad)\b[^\n]*\bcamera\b[^\n]*)
    | (?i:(digital|still|digital\ still)\ camera)\W*
    | _?({SCENES})(_\d+)? | (?i:exif[_ ]?jpe?g.*|dcf\ \d.*|dcim\b.*|jpeg|(charset=)?ascii)
    | (?i:binary\ comment|applemark|intel\(r\).*|(copyright|©|\(c\)).*)
    | null | (?i:undefined|untitled|default|my\ beautiful\ picture|hellomoto|screenshot[-_\d ]*)
    | (?i:lead\ technologies.*|file\ written\ by.*|optimized\ by.*|software:.*|creator:\ gd-.*)
    | (?i:({PROGRAMS})(\ v?[\d.]+\w*)?)
    | (?i:(processed|created|edited|made|taken)\ (with|by|using|in|on)\ (the\ )?({PROGRAMS})\b.*)
    | (?i:filter:\ \d+;.*) | \w+=\S+(\s+\w+=\S+)+              # settings
    | <[?!/]?[A-Za-z].*>                                         # XML and the like
    | {DATA}
    """,
    re.VERBOSE | re.DOTALL,
)


def embedded_captions(file: str | Path) -> list[str]:
    """Return the captions written into a picture, without doubles; [] where there are none.

    Descriptions come before titles, and titles before comments: ImageDescription, XPTitle and
    XPComment or UserComment of EXIF; dc:description and dc:title of XMP; caption and title of
    IPTC; Description and Title of PNG. Of several languages the default one is taken.

    A text file beside a picture comes before what this returns: whoever finds one does not ask.
    A file that cannot be read has no captions; only the machine's own trouble (MachineTrouble) is
    raised.
    """
    if os.path.splitext(file)[1].lower() not in SUFFIXES:
        return []
    found = []
    with (
        watched(file, forgiving=Exception),  # decoders raise nearly anything at hostile bytes
        opened(file) as (binary, _),
        Image.open(binary, formats=tuple(FORMATS)) as picture,
    ):
        found = [_one_line(text) for text in _texts(picture)]
    own = {Path(file).name.casefold(), Path(file).stem.casefold()}
    return [
        text for text in distinct(found) if _says_something(text) and text.casefold() not in own
    ]


def distinct(captions: Iterable[str]) -> list[str]:
    """Return the captions in their order, trimmed, without blanks and without doubles."""
    trimmed = (caption.strip() for caption in captions)
    return list(dict.fromkeys(caption for caption in trimmed if caption))


def tidy(text: object) -> str:
    """Return a caption on one line: entities (&amp;) read, blanks of any kind single, ends cut.

    What is no text (None, nan) is "". An ampersand that opens no entity is left alone, and an
    entity is read once: &amp;lt; is &lt;.
    """
    if not isinstance(text, str):
        return ""
    if "&" in text:
        text = ENTITY.sub(lambda found: unescape(found[0]), text)
    if not text.isascii():
        text = text.replace("\ufeff", "").encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())


def without_settings(text: str) -> str:
    """Return a prompt without what a generator of pictures writes below it."""
    return SETTINGS.sub("", text)


def is_data(text: str) -> bool:
    """Return whether a text is a file's name, an address, a time, a hash or the like."""
    return len(text) <= MAX_DATA and re.fullmatch(DATA, text, re.VERBOSE | re.DOTALL) is not None


def _texts(picture: Image.Image) -> Iterator[str]:
    """Yield every text of a picture that may be a caption, in the order of ``read``."""
    parts = []
    for source in (_of_exif, _of_xmp, _of_iptc, _of_png):
        with watched("A part", forgiving=Exception):  # it may be damaged where others are not
            parts.append(source(picture))
    for kind in ("description", "title", "comment"):
        yield from (part[kind] for part in parts if kind in part)


def _of_exif(picture: Image.Image) -> dict[str, str]:
    exif = picture.getexif()
    if not exif:
        return {}
    details = exif.get_ifd(ExifTags.IFD.Exif) if ExifTags.IFD.Exif in exif else {}
    comments = (
        _windows_text(exif.get(ExifTags.Base.XPComment)),
        _with_charset(details.get(ExifTags.Base.UserComment), exif.endian),
    )
    return {
        "description": _latin_or_utf8(exif.get(ExifTags.Base.ImageDescription)),
        "title": _windows_text(exif.get(ExifTags.Base.XPTitle)),
        "comment": next(filter(_says_something, map(_one_line, comments)), ""),
    }


def _of_xmp(picture: Image.Image) -> dict[str, str]:
    xmp = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
    return _of_packet(xmp.encode() if isinstance(xmp, str) else xmp)


def xmp_texts(xmp: bytes) -> list[str]:
    """Return the captions in an XMP packet, such as the file that lies beside a picture."""
    try:
        found = map(_one_line, _of_packet(xmp).values())
    except Exception as error:  # parsers raise nearly anything when the bytes are hostile
        check_machine("A text", error)
        raise ValueError(f"it is no whole XMP ({error})") from error
    return [text for text in found if _says_something(text)]


def _of_packet(xmp: bytes) -> dict[str, str]:
    names = [name.rpartition("}")[2].encode() for names in XMP.values() for name in names]
    if xmp.startswith((BOM_UTF16_BE, BOM_UTF16_LE)):
        xmp = re.sub(r"^<\?xml[^>]*>", "", xmp.decode("utf-16")).encode()
    if len(xmp) > MAX_XMP or not any(b":" + name in xmp for name in names):
        return {}
    from defusedxml import ElementTree

    root = ElementTree.fromstring(xmp.rstrip(b"\0 "))
    return {
        kind: next(filter(None, (_first_language(root, name) for name in names)), "")
        for kind, names in XMP.items()
    }


def _first_language(root: Element, name: str) -> str:
    """Return a text of an XMP packet in its default language, or in its first."""
    for element in root.iter(name):
        spoken = list(element.iter(RDF + "li")) or [element]
        default = [each for each in spoken if each.get(LANGUAGE) == "x-default"]
        return (default or spoken)[0].text or ""
    values = (each.get(name) for each in root.iter(RDF + "Description"))
    return next(filter(None, values), "")


def _of_iptc(picture: Image.Image) -> dict[str, str]:
    if "photoshop" not in picture.info and picture.format != "TIFF":
        return {}
    found = IptcImagePlugin.getiptcinfo(picture) or {}
    return {kind: _latin_or_utf8(found.get(number)) for kind, number in IPTC.items()}


def _of_png(picture: Image.Image) -> dict[str, str]:
    if picture.format != "PNG":
        return {}
    names = {"description": "Description", "title": "Title", "comment": "parameters"}
    return {kind: str(picture.info.get(name, "")) for kind, name in names.items()}


def _latin_or_utf8(value: Any) -> str:
    """Return a text that should be ASCII, is UTF-8 mostly, and was perhaps read as Latin-1."""
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    if isinstance(value, str):
        value = value.encode("latin-1") if value.isascii() or max(value) < "\u0100" else value
    if not isinstance(value, bytes):
        return value or ""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _windows_text(value: Any) -> str:
    """Return a text that Windows wrote into EXIF as UTF-16."""
    value = bytes(value) if isinstance(value, tuple) else value
    return value.decode("utf-16-le", "ignore") if isinstance(value, bytes) else str(value or "")


def _with_charset(value: Any, order: str) -> str:
    """Return a UserComment, which names its encoding in its first eight bytes.

    UTF-16 is in the byte order of the block ("<" or ">"), but not by every program: of letters that
    are ASCII the zeros tell.
    """
    if not isinstance(value, bytes):
        return _latin_or_utf8(value)
    charset = CHARSETS.get(value[:8])
    if charset is None:
        return _latin_or_utf8(value)
    if charset == "utf-16" and len(WORDS_OF_BYTES.findall(value, 8)) > 0.6 * len(value[8:]):
        charset = "utf-8"  # some programs write that all the same
    if charset == "utf-16" and value[8:10] not in (BOM_UTF16_LE, BOM_UTF16_BE):
        zeros = value[8::2].count(0), value[9::2].count(0)
        if zeros[0] != zeros[1]:
            order = ">" if zeros[0] > zeros[1] else "<"
        charset = "utf-16-be" if order == ">" else "utf-16-le"
    return value[8:].decode(charset, "ignore")


def _one_line(text: str) -> str:
    """Return text on one line, without what follows a zero, byte order marks and SETTINGS."""
    text = plain(text).split("\0")[0].replace("\ufeff", "")
    return " ".join(without_settings(text).split())


def _says_something(text: str) -> bool:
    """Return whether a person may have written text."""
    if len(text) > MAX_LETTERS or not all(letter.isprintable() for letter in text):
        return False
    return JUNK.fullmatch(text) is None and not _is_json(text)


def _is_json(text: str) -> bool:
    """Return whether a text is data that a program wrote, such as {"mirror":false}."""
    if text[:1] not in ("{", "["):
        return False
    try:
        return bool(json.loads(text))
    except (ValueError, RecursionError):
        return False
