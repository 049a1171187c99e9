"""Titles and keywords as volunteers typed them become captions a person would search with.

A title is the short first caption, with no article rules of its own; a sentence is the second
caption, made of the title and those keywords that add something to it. Nothing is invented.
"""

import contextlib
import re
import unicodedata

from gallery_words import (
    ACRONYMS,
    COMMON_WORDS,
    COUNTERS,
    JUNK_KEYWORDS,
    MISSPELT,
    NAMES,
    PLACES,
    PROPER,
    SERIES_FILLERS,
    SPELLINGS,
    UNCOUNTABLE,
)

BANNED = re.compile(
    r"hash\(|^hash$|0x[0-9a-f]{4,}|open ?clip ?art|clip ?art|unsorted|remix|sibmission|submission"
    r"|inkscape|sodipodi|\bgpl\b|\bthemes?\b|https?:|www\.|@|rollandin|architetto|vector|\bsvg\b"
    r"|mapsym|weathersym|networksym|musicsym|icon ?set|uncategori[sz]ed|mimetype|magick",
    re.I,
)
GENERIC = re.compile(
    r"^$|clipart|^r1[56]\b|various|aiga|road signs$|etiquette|^sallite|^advertising$|map symbols"
    r"|australian maps|^card$|collection$|rollandin|architetto|@|^people$|^moons$",
    re.I,
)
LETTERS = re.compile(r"[A-Za-z]{2}")
PROPER_BY_LOWER = {word.lower(): word for word in PROPER - {"King", "Moon", "Earth", "Yoga", "Van"}}
PLACES_BY_LOWER = {place.lower(): place for place in PLACES}
NUMBER_WORDS = {"ii", "iii", "iv"}
PLURALS_IN_S = ("ss", "us", "is", "os", "as")
DETERMINERS = re.compile(
    r"(a|an|the|some|two|three|four|five|six|seven|eight|nine|ten|many|several|various|no|our|"
    r"\d\S*|throwing|in|on|under)\b",
    re.I,
)


def clean_title(title: str) -> str:
    """Return a title without numbering, file-name spelling, boasts and needless capitals."""
    text = _repaired(title)
    text = re.sub(r"\.svg\b|\bv\.?\d+(\.\d+)*\b|#\s*\d+", " ", text)
    text = re.sub(r"^Clipart by [^-]+-\s*", "", text)
    text = re.sub(r"\((B and W|B *& *W|BW)\)|\bB[_ ]W\b", " in black and white", text, flags=re.I)
    text = re.sub(r"\((colou?r)\)", " in colour", text, flags=re.I)
    text = re.sub(r"\(([^()]*)\)", r", \1", text)
    text = re.sub(r"[()\[\]{}\"“”*|]|!+$", " ", text)
    text = text.replace("_", " ")
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    text = re.sub(r"(?<=[a-z]{3})-(?=[a-z]{3})", " ", text)
    text = re.sub(r"\s+-\s+", ", ", text)
    words = [MISSPELT.get(word.lower(), word) for word in text.split()]
    words = _without_counters(words)
    text = " ".join(lowered(word) for word in words)
    text = re.sub(r"\s+,", ",", text).strip(" ,.-:;'`/")
    text = re.sub(r"\bin black and white,? in black and white\b", "in black and white", text)
    return re.sub(r"^(an?|the) (?=in black)", "", text)


def is_generic(title: str) -> bool:
    """Tell whether a title names a collection or its author rather than the picture."""
    return bool(GENERIC.search(title)) or not LETTERS.search(title)


def clean_keywords(keywords: tuple[str, ...], author: str = "") -> list[str]:
    """Return keywords fit to be read, in their order, each once."""
    author_words = {word.lower() for word in re.findall(r"[A-Za-z]{3,}", author)}
    kept: list[str] = []
    for raw in keywords:
        word = SPELLINGS.get(raw.strip().lower(), raw.strip())
        word = " ".join(PROPER_BY_LOWER.get(w, w) for w in word.replace("_", " ").lower().split())
        word = PLACES_BY_LOWER.get(word.lower(), word)
        if _worth_keeping(raw, word, author_words) and word not in kept:
            kept.append(word)
    return kept


def sentence(title: str, keywords: list[str], kind: str) -> str:
    """Return the second caption, or "" when the keywords add nothing to the title."""
    said = _stems(title)
    new: list[str] = []
    for word in keywords:
        if not _stems(word) <= said:
            new.append(word)
            said |= _stems(word)
    if not new:
        return ""
    return f"A {kind} of {with_article(title)}: {', '.join(new[:6])}."


def with_article(title: str) -> str:
    """Put "a" or "an" before a singular thing; leave plurals, stuffs and names alone."""
    if DETERMINERS.match(title):
        return title
    head = re.split(
        r"\s(?:of|with|in|on|at|for|from|to|by|under|over|behind|without|\w{2,}ing|seen)\s|,", title
    )[0]
    last = head.split()[-1] if head.split() else title
    plural = last.lower().endswith("s") and not last.lower().endswith(PLURALS_IN_S)
    name = head[:1].isupper() and head.split()[0] not in PROPER and not head.split()[0].isupper()
    if head in NAMES or plural or last.lower() in UNCOUNTABLE or (name and len(head.split()) < 3):
        return title
    vowel = re.match(r"[aeiouAEIOU]|hour|[FHLMNRSX](?:[A-Z]|-)", title) and not re.match(
        r"[uU]ni|use|[eE]u|one|UK|US", title
    )
    return f"{'an' if vowel else 'a'} {title}"


def clean_author(author: str) -> str:
    """Return an author's name without mail addresses, links and Perl's leftovers."""
    author = _repaired(author)
    text = re.sub(r"HASH\(0x\w+\)|\S+@\S+|https?://\S+|<[^>]*>|\b\w+_on_\w+\.\w+", " ", author)
    text = " ".join(re.sub(r"[()\[\]]", " ", text).split()).strip(" ,.-")
    return text if LETTERS.search(text) else ""


def bare(title: str) -> str:
    """Return a title without its article, in lower case: two such titles say the same."""
    return re.sub(r"^(an?|the|some|our) ", "", title.lower())


def same_thing(one: str, other: str) -> bool:
    """Tell whether two titles may name one picture: a word is shared and neither contradicts.

    "brown eye" and "green eye" contradict each other; "printer" and "inkjet printer" do not.
    """
    first, second = set(series_words(bare(one))), set(series_words(bare(other)))
    return bool((first & second) - COMMON_WORDS) and (first <= second or second <= first)


def series_words(title: str) -> list[str]:
    """Return the words of a title that tell it from others, colours included."""
    return [_singular(word) for word in re.findall(r"[a-z0-9]+", _ascii(title.lower()))]


def slug(text: str, length: int = 48) -> str:
    """Return ASCII words joined by hyphens, at most `length` characters."""
    plain = _ascii(text).lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:length].strip("-") or "picture"


def series_key(title: str) -> str:
    """Return what near-identical titles share: no numbers, colours, articles or plural s."""
    text = re.sub(r"^an? |\bin (black and white|colour|outline)\b|\d+", " ", title.lower())
    words = [w for w in re.findall(r"[a-z]+", _ascii(text)) if w not in SERIES_FILLERS]
    return " ".join(_singular(w) for w in words) or title.lower()


def _singular(word: str) -> str:
    plural = len(word) > 3 and word.endswith("s") and not word.endswith(PLURALS_IN_S)
    return word[:-1] if plural else word


def _repaired(title: str) -> str:
    """Undo UTF-8 read as Latin-1 and reduce whitespace."""
    with contextlib.suppress(UnicodeError):
        title = title.encode("latin-1").decode("utf-8")
    return " ".join(title.split())


def _without_counters(words: list[str]) -> list[str]:
    last = len(words) - 1
    kept = [
        w
        for i, w in enumerate(words)
        if not (re.fullmatch(r"0\d+", w) or (i == last and re.fullmatch(r"\d{1,3}", w)))
        and w.lower() not in NUMBER_WORDS
    ]
    kept = [re.sub(r"(?<=[A-Za-z]{3})0?\d{1,2}$", "", w) for w in kept]
    while kept and kept[0].lower() in COUNTERS:
        kept = kept[1:]
    return kept or words


def lowered(word: str) -> str:
    """Lower the first letter unless the word is an acronym or a proper name."""
    core = word.strip(",.'’")
    if core.lower() in PROPER_BY_LOWER:
        return word.replace(core, PROPER_BY_LOWER[core.lower()])
    stem = core.lower().removesuffix("'s").removesuffix("’s")
    if stem in PROPER_BY_LOWER:
        return word.replace(core, PROPER_BY_LOWER[stem] + core[len(stem) :].lower())
    acronym = core.isupper() and 2 <= len(core) <= 5 and not core.isalpha() or core in ACRONYMS
    return word if acronym or (len(core) == 1 and core.isupper()) else word.lower()


def _worth_keeping(raw: str, word: str, author_words: set[str]) -> bool:
    plain = raw.strip().lower()
    if BANNED.search(raw) or plain.endswith(" symbol") or plain in JUNK_KEYWORDS:
        return False
    if not LETTERS.search(word) or not word.isascii() or len(word) > 24 or len(word) < 3:
        return False
    return word.lower() not in author_words


def _stems(text: str) -> set[str]:
    return {w.lower().removesuffix("s") for w in re.findall(r"[A-Za-z]+", text)}


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
