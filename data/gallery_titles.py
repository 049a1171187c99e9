"""The first caption of every picture: its author's title, cleaned, or one given by hand.

`gallery_titles.csv` gives a title to a file name (or package/path) where the author's is in another
language, names a whole collection, or says less than the file name. `gallery_corrections.csv`
moves a picture to another category or leaves it out.
"""

import csv
import fnmatch
import re
from pathlib import Path

from gallery_categories import dropped
from gallery_cleaning import clean_title, is_generic, lowered
from gallery_sources import Raw

SUITS = {"c": "clubs", "d": "diamonds", "h": "hearts", "s": "spades"}
RANKS = {"a": "ace", "j": "jack", "k": "king", "q": "queen", "2": "two", "3": "three", "4": "four"}
RANKS |= {"5": "five", "6": "six", "7": "seven", "8": "eight", "9": "nine", "10": "ten"}


class Corrections:
    """What was decided by looking at the pictures: the two tables beside this script."""

    def __init__(self, folder: Path):
        """Read gallery_titles.csv and gallery_corrections.csv of this folder."""
        self.titles = {row["name"]: row["title"] for row in _rows(folder / "gallery_titles.csv")}
        self.patterns = [name for name in self.titles if "*" in name]
        hand = _rows(folder / "gallery_corrections.csv")
        self.moved = {r["origin"]: r["value"] for r in hand if r["what"] == "category"}
        self.left_out = {r["origin"]: r["value"] for r in hand if r["what"] == "drop"}

    def title(self, raw: Raw) -> str:
        """Return the title written or translated by hand, or ""."""
        stem = raw.origin.rsplit(".", 1)[0]
        name = stem.rsplit("/", 1)[-1]
        exact = self.titles.get(f"{raw.package}/{stem}")
        if exact or raw.package == "tuxpaint":
            return exact or ""
        if name in self.titles:
            return self.titles[name]
        for pattern in self.patterns:
            if fnmatch.fnmatchcase(name, pattern):
                head, tail = pattern.split("*", 1)
                middle = name[len(head) : len(name) - len(tail)]
                return self.titles[pattern].replace("{1}", re.sub(r"[_\d]+", " ", middle).strip())
        return ""


def title_of(raw: Raw, corrections: Corrections) -> str:
    """Return the first caption, or "" when the source has no title that means anything."""
    by_hand = corrections.title(raw)
    if is_flag(raw):
        whole = re.search(r"flag|coat of|sign|stones|lis|globe", by_hand)
        return by_hand if whole else _flag_title(raw, by_hand)
    if by_hand:
        return by_hand
    if "symbols/alphabets/" in raw.origin and "asl" not in raw.origin:
        return _letter_title(raw)
    if raw.package == "tuxpaint":
        return _spoken(raw.title)
    card = re.fullmatch(r"white_([cdhs])_(\w+)", Path(raw.origin).stem)
    if card:
        return f"{RANKS[card[2]]} of {SUITS[card[1]]} playing card"
    if "cards/white/white_jk" in raw.origin:
        return "joker playing card"
    aiga = re.fullmatch(r"aiga_(.+?)[1_]", Path(raw.origin).stem)
    if aiga:
        return f"{aiga[1].replace('_', ' ').replace('tickey', 'ticket')} sign"
    if re.search(r"hotel icons", raw.description, re.I):
        return clean_title(raw.title)
    return "" if is_generic(raw.title) else clean_title(raw.title)


def why_not(raw: Raw, title: str) -> str:
    """Return why a picture is left out before it is drawn, or ""."""
    if raw.file.is_symlink():
        return "exact copy"
    by_name = dropped(raw.origin)
    if by_name:
        return by_name
    if re.search(r"theme|iconset|flat icon", raw.title, re.I):
        return "icon theme"
    if "GPL" in raw.licence:
        return "says it is not in the public domain"
    if not title or not title.isascii() or len(title) > 90:
        return "no English title that names the picture"
    return ""


def _spoken(text: str) -> str:
    """A stamp's caption is a spoken sentence: keep the first, without its stop."""
    first = re.split(r"(?<=[a-z’\"])[.!?] ", text)[0]
    first = re.sub(r"\s*\([^)]*\)", "", first).strip().rstrip(".!")
    head, _, tail = first.partition(" ")
    head = "a" if head == "A" else lowered(head)
    first = f"{head} {tail}".strip()
    return first.replace("—", ", ").translate(str.maketrans("’“”é", '\'""e'))


def _letter_title(raw: Raw) -> str:
    """Say what the folder says: uppercase or lowercase, filled or in outline."""
    size = "uppercase" if "/uppercase/" in raw.origin else "lowercase"
    outline = " in outline" if "/outlined/" in raw.origin else ""
    return _spoken(raw.title).replace("the ", f"the {size} ", 1) + outline


def is_flag(raw: Raw) -> bool:
    """Tell whether a picture is filed as a flag: its white is then part of it."""
    if raw.package == "tuxpaint" or not raw.origin.startswith("signs_and_symbols/"):
        return False
    return ("/flags/" in raw.origin and "semaphore" not in raw.origin) or "flags" in raw.keywords


def _flag_title(raw: Raw, by_hand: str) -> str:
    stem = Path(raw.origin).stem
    if stem.startswith("signalflag"):
        return raw.title
    title = by_hand or clean_title(raw.title) or stem.replace("_", " ")
    if re.search(r"\bflag\b|coat of arms|badge", title, re.I):
        return title
    name = re.split(r", | - ", re.sub(r"^Historic,? ?-? ?", "", title, flags=re.I))[-1]
    small = {"and", "the", "of", "de"}
    name = " ".join(w if w in small else w[:1].upper() + w[1:] for w in name.split())
    old = "historic " if "historic" in raw.origin else ""
    return f"{old}flag of {name}"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
