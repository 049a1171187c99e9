"""Signatures: what a file that is no readable picture seems to be, judged by its first bytes."""

import re

from PIL import features

HEAD = 1024  # bytes that are looked at

SVG = "it is an SVG drawing; save it as PNG"
HEIC = "it is an HEIC photograph; save it as JPEG"
EPS = "it is PostScript (EPS), which is never run here; save it as PNG"
RAW = "it is a camera's raw file; save it as JPEG"
CUT = "it is cut short or damaged; fetch it again"
FAILED = "so its download probably failed; fetch it again"

MARKUP = {  # after blanks, in capitals or not
    rb"<(\?xml.*<svg|!--.*<svg|!doctype svg|svg)": SVG,
    rb"<(!doctype html|html|head|body|title|meta|script|div|!--.*<html)": "it is a web page "
    f"(HTML), {FAILED}",
    rb"<\?xml": f"it is an XML message, {FAILED}",
}
SIGNATURES = {
    rb"\Z": "the file is empty (0 bytes); fetch it again",
    rb"\0{64}": "it begins with nothing but zeros, as a broken copy does; fetch it again",
    rb"%!PS|\xc5\xd0\xd3\xc6": EPS,
    rb"%PDF": "it is a PDF document; save its page as PNG",
    rb"....ftyp(hei|hev|mif1|msf1)": HEIC,
    rb"....ftypcrx|FUJIFILMCCD-RAW|II\*\0.{4}CR": RAW,
    rb"....ftyp(isom|iso2|mp4|M4V|qt|3gp)|\x1aE\xdf\xa3|RIFF....AVI": "it is a film; save one of "
    "its pictures as JPEG",
    rb"version https://git-lfs": "it is a Git LFS pointer; run `git lfs pull` to fetch the file",
    rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!": "it is an archive; unpack it first",
    rb"\0\0\0\x0c(jP  |JXL )|\xff\x0a|8BPS|gimp xcf|\0\0\1\0": "it is a picture in a format that "
    "is not read here; save it as PNG",
    rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|....ftypavi": CUT,
    rb"II[*+]\0|MM\0[*+]|BM.{4}\0{4}": "it is damaged, or of a kind that is not read "
    "here; save it as PNG",
}

# What Pillow says of a few pictures that are whole, and what a person should know about them.
COMPLAINTS = {
    "MAX_TEXT": "a text or colour profile of more than 1 MB is packed into it, which may be a "
    "trap; save it anew without it"
}


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
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for table, bytes_ in ((MARKUP, text.lower()), (SIGNATURES, head)):
        for beginning, meaning in table.items():
            if re.match(beginning, bytes_, re.DOTALL):
                return meaning
    known = f"none of {', '.join(formats)}"
    if _is_text(head):
        return f"it is a text and {known}, {FAILED}"
    return f"it is {known}; save it as one of them"


def _is_text(head: bytes) -> bool:
    """Return whether head is UTF-8 (cut anywhere) without control characters."""
    text = head.decode("utf-8", "ignore")
    whole = len(text.encode()) > len(head) - 4
    return bool(text.strip()) and whole and all(c.isprintable() or c.isspace() for c in text)
