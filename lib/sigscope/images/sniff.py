"""Signatures: what a file that is no readable picture seems to be, judged by its first bytes."""

import re

from PIL import features

HEAD = 1024  # bytes that are looked at

SVG = "it is an SVG drawing; save it as PNG"
HEIC = "it is an HEIC photograph, which needs: pip install 'sigscope[heif]'; or save it as JPEG"
EPS = "it is PostScript (EPS), which is never run here; save it as PNG"
RAW = "it is a camera's raw file, which needs: pip install 'sigscope[raw]'; or save it as JPEG"
NO_PREVIEW = "it is a camera's raw file without a preview that can be read; save it as JPEG"
CUT = "it is cut short or damaged; fetch it again"
FAILED = "so its download probably failed; fetch it again"
LFS = "it is a Git LFS pointer; run `git lfs pull` to fetch the file"
POINTER = b"version https://git-lfs"
HEIC_HEADS = rb"....ftyp(hei|hev|mif1|msf1)"
RAW_HEADS = rb"....ftypcrx|FUJIFILMCCD-RAW|II\*\0.{4}CR|II(RO|RS|U\0)|MMOR|\0MRM"
OTHER = "it is a picture in a format that is not read here; save it as PNG"
FILM = "it is a film; save one of its pictures as JPEG"
ARCHIVE = "it is an archive; unpack it first"

PICTURES = {  # how files begin that can be read, and what reads them
    rb"\xff\xd8\xff": "JPEG",
    rb"\x89PNG\r\n\x1a\n": "PNG",
    rb"GIF8[79]a": "GIF",
    rb"RIFF....WEBP": "WEBP",
    rb"BM.{4}\0{4}": "BMP",
    rb"II[*+]\0|MM\0[*+]": "TIFF",
    rb"....ftypavi[fs]": "AVIF",
}

MARKUP = {  # after blanks, in capitals or not
    rb"<(\?xml.*<svg|!--.*<svg|!doctype svg|svg)": SVG,
    rb"<(!doctype html|html|head|body|title|meta|script|div|!--.*<html)": "it is a web page "
    f"(HTML), {FAILED}",
    rb"<\?xml": f"it is an XML message, {FAILED}",
}
SIGNATURES = {
    rb"\Z": "the file is empty (0 bytes); fetch it again",
    rb"\0\0\0\x0c(jP  |JXL )|\xff\x0a|\xff\x4f\xff\x51|8BPS|gimp xcf|\0\0[\x01\x02]\0[^\0]|icns"
    rb"|DDS \||qoif|FLIF|BPG\xfb|v/1\x01|SIMPLE  =|#\?RADIANCE|P[1-7]\s+[\d#]|\x01\xda[\0\x01]"
    rb"|II\xbc\x01|\xd7\xcd\xc6\x9a|/\* XPM|#define \w+_width|\0{128}DICM": OTHER,
    rb"\0{64}": "it begins with nothing but zeros, as a broken copy does; fetch it again",
    rb"%!PS|\xc5\xd0\xd3\xc6": EPS,
    rb"%PDF": "it is a PDF document; save its page as PNG",
    HEIC_HEADS: HEIC,
    RAW_HEADS: RAW,
    rb"....ftyp(isom|iso2|mp4|M4V|qt|3gp)|\x1aE\xdf\xa3|RIFF....AVI": FILM,
    POINTER: LFS,
    rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!": ARCHIVE,
    rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|....ftypavi": CUT,
    rb"II[*+]\0|MM\0[*+]|BM.{4}\0{4}": "it is damaged, or of a kind that is not read "
    "here; save it as PNG",
}

# What Pillow says of a few pictures that are whole, and what a person should know about them.
COMPLAINTS = {
    "MAX_TEXT": "a text or colour profile of more than 1 MB is packed into it, which may be a "
    "trap; save it anew without it"
}


def now_read(heads: bytes, kind: str, meaning: str) -> None:
    """Count a format as read, as an extra is installed that reads it.

    Args:
        heads: how its files begin, a regular expression.
        kind: what reads them; "" where the beginning alone does not say.
        meaning: what is said of a file that begins so and cannot be read.
    """
    SIGNATURES[heads] = meaning
    if kind:
        PICTURES[heads] = kind


def kind_of(head: bytes) -> str:
    """Return which of the formats that are read a file begins like, or "" when like none."""
    found = (kind for start, kind in PICTURES.items() if re.match(start, head, re.DOTALL))
    return next(found, "")


def is_pointer(head: bytes) -> bool:
    """Return whether a file is what Git LFS leaves in place of one that was not fetched."""
    return head.startswith(POINTER)


def diagnosis(head: bytes, formats: tuple[str, ...], complaint: str = "") -> str:
    """Return what a file seems to be, and what to do about it; neither a capital nor a full stop.

    Args:
        head: Its first HEAD bytes.
        formats: What could have been read, for a file that resembles nothing known.
        complaint: What the decoder said.
    """
    for words, meaning in COMPLAINTS.items():
        if words in complaint:
            return meaning
    if re.match(rb"....ftypavi", head, re.DOTALL) and not features.check("avif"):
        return "it is an AVIF picture, which Pillow cannot decode here; save it as JPEG"
    if meaning := meaning_of(head):
        return meaning
    known = f"none of {', '.join(formats)}"
    if _is_text(head):
        return f"it is a text and {known}, {FAILED}"
    return f"it is {known}; save it as one of them"


def meaning_of(head: bytes) -> str:
    """Return what a file that begins so is, and what to do about it, or "" where it is unknown."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for table, bytes_ in ((MARKUP, text.lower()), (SIGNATURES, head)):
        for beginning, meaning in table.items():
            if re.match(beginning, bytes_, re.DOTALL):
                return meaning
    return ""


def _is_text(head: bytes) -> bool:
    """Return whether head is UTF-8 (cut anywhere) without control characters."""
    text = head.decode("utf-8", "ignore")
    whole = len(text.encode()) > len(head) - 4
    return bool(text.strip()) and whole and all(c.isprintable() or c.isspace() for c in text)
