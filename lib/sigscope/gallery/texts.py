"""Texts: the bytes of a file become letters, whatever program saved them.

A mark at the beginning says the encoding, or else UTF-8 that holds does. A file of UTF-8 in which a
few bytes are not loses none: those are read as Windows-1252, and a zero is left out. In any other
file the letters decide. What another encoding in its midst has left is known by `is_damaged`.
"""

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sigscope.gallery.folder import Problems
from sigscope.gallery.walk import count_of
from sigscope.images.sniff import LFS, is_pointer

SAMPLE = 1 << 18  # bytes that are looked at
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WESTERN = ("cp1252", "mac_roman", "cp1254", "cp1250", "cp850")  # the first of those that look best
FOREIGN = ("cp1251", "cp932", "gb18030", "euc_kr", "big5", "euc_jp", "koi8_r", "cp1253", "cp866")
CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r\x1a\x1b"})
MARKS_WITHIN = ("ÿþ", "þÿ", "ˇ˛", "˛ˇ")  # of UTF-16, as Windows-1252 and Macs read them
MIXED = "holds bytes of another encoding, and is left out; save the file as UTF-8"
SEVERAL = "it is of several encodings; save it as UTF-8"
GUESSED = "bytes that are not UTF-8"
LOST = "\ufffd for letters that could not be read"
FEW = 0.05  # share of the bytes of a text that may be such by a mishap
STRAY = re.compile("[\udc80-\udcff]")  # a byte that is not UTF-8, as Python keeps it
MOSTLY = 0.7  # share of letters beyond ASCII, in words that have one, from which no script is Latin
ODD = re.compile(  # signs, capitals and an Icelandic þ within words, and letters of other scripts
    r"[^\W\d_][^\w\s'’.,;:()\[\]\"“”‘–—…-]+[^\W\d_]|[a-zà-ÿ][A-ZÀ-ÝŒŠŽŸ]|[¹²³][a-z]"
    r"|[^\W\d_]þ|[\ufffd\x80-\x9f\u0370-\u03ff\u207f\u2500-\u259f]"
)


def decoded(data: bytes, western: tuple[str, ...] = WESTERN) -> str:
    """Return the text that some bytes spell; ValueError when they hold none.

    Args:
        data: The bytes.
        western: The encodings of Latin letters that come into question.
    """
    encoding = _encoding(data, western)
    return _mended(data.decode(encoding, _errors(encoding)))


def is_damaged(text: str) -> bool:
    """Return whether a text is what UTF-16 becomes that was put into the midst of a file of bytes.

    It has control characters then, or the mark of UTF-16.
    """
    if text.isascii() and text.isprintable():
        return False
    is_mixed = any(mark in text for mark in MARKS_WITHIN)
    return is_mixed or _controls(text.encode("utf-8", "replace")) > FEW * len(text)


def unmangled(text: str) -> str:
    """Return a text as it was before its UTF-8 was read as Latin letters: é of Ã©."""
    if text.isascii():
        return text
    for encoding in ("latin-1", "cp1252"):
        with suppress(UnicodeError):
            return text.encode(encoding).decode("utf-8")
    return text


def lines_of(path: Path, problems: Problems | None = None) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line) of a text file as `all_lines`, without the blank ones."""
    return ((number, line) for number, line in all_lines(path, problems) if line.strip())


def all_lines(path: Path, problems: Problems | None = None) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line without its end) of a text file, line by line.

    LF, CRLF and CR end a line: a caption may hold a form feed or a line separator.

    Args:
        path: The file.
        problems: Is added to, where bytes in UTF-8 had to be guessed at, or are lost.

    Raises:
        ValueError: It is no text.
    """
    with path.open("rb") as file:
        encoding = _encoding(file.read(SAMPLE))
    guessed: list[int] = []
    lost: list[int] = []
    with path.open(encoding=encoding, errors=_errors(encoding), newline="") as lines:
        for number, line in enumerate(lines, start=1):
            text = _mended(line).rstrip("\r\n")
            if not line.isascii() and STRAY.search(line) and not is_damaged(text):
                guessed.append(number)
            if "\ufffd" in text:
                lost.append(number)
            yield number, text
    for what, found in ((f"{GUESSED}, read as Windows-1252,", guessed), (LOST, lost)):
        if found and problems is not None:
            where = f"in {count_of(len(found), 'line')}, the first {found[0]}"
            problems.append((path.name, f"{what} {where}"))


def _errors(encoding: str) -> str:
    return "surrogateescape" if encoding.startswith("utf-8") else "replace"


def _encoding(sample: bytes, western: tuple[str, ...] = WESTERN) -> str:
    if is_pointer(sample):
        raise ValueError(LFS)
    for mark, encoding in MARKS.items():
        if sample.startswith(mark):
            return encoding
    lines = [line for line in re.split(rb"[\r\n]+", sample) if line]
    plain = [line for line in lines if not _is_mixed(line)]
    if _controls(sample) > FEW * len(sample) and 2 * len(plain) < len(lines):
        return _of_two_bytes(sample)
    sample = b"\n".join(plain or lines)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return _of_letters(sample, western)
    return "utf-8"


def _is_mixed(line: bytes) -> bool:
    """Return whether UTF-16 may stand in a line of bytes."""
    return _controls(line) > 0 or codecs.BOM_UTF16_LE in line or codecs.BOM_UTF16_BE in line


def _controls(data: bytes) -> int:
    return len(data) - len(data.translate(None, CONTROLS))


def _of_two_bytes(sample: bytes) -> str:
    """Return which UTF-16 a text with zeros is in that has no mark."""
    zeros = sample[0::2].count(0), sample[1::2].count(0)
    if max(zeros) < len(sample) // 8 or min(zeros) > max(zeros) // 4:
        raise ValueError("it is no text")
    if codecs.BOM_UTF16_LE in sample or codecs.BOM_UTF16_BE in sample:
        raise ValueError(SEVERAL)
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def _of_letters(sample: bytes, western: tuple[str, ...]) -> str:
    """Return UTF-8 if most signs or lines are in it, or else what the letters look like."""
    text = sample.decode("utf-8", "surrogateescape")
    lines = [line for line in re.split(r"[\r\n]+", text) if not line.isascii()]
    strays, signs = len(STRAY.findall(text)), sum(sign > "\x7f" for sign in text)
    if 3 * strays < signs or 2 * sum(map(bool, map(STRAY.search, lines))) <= len(lines):
        return "utf-8"
    others = [line for line in re.split(rb"[\r\n]+", sample) if not line.isascii()]
    words = re.findall(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*", b" ".join(others))
    letters = b"".join(words)
    if sum(byte > 127 for byte in letters) > MOSTLY * len(letters):
        from charset_normalizer import from_bytes

        found = from_bytes(b"\n".join(others), cp_isolation=[*FOREIGN]).best()
        if found is not None:
            return found.encoding
    text = b"\n".join(others)
    return min(western, key=lambda each: len(ODD.findall(text.decode(each, "replace"))))


def _mended(text: str) -> str:
    """Return a text with the bytes that are not UTF-8 as Windows-1252, without zeros or marks."""
    text = text.replace("\0", "")
    if text.isascii():
        return text
    text = text.replace("\ufeff", "")
    return STRAY.sub(
        lambda found: bytes([ord(found[0]) - 0xDC00]).decode("cp1252", "replace"), text
    )
