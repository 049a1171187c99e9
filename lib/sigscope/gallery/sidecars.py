"""Side-cars: the texts beside pictures (a.txt, a.jpg.txt, a.caption, a.json, a.xmp) as captions.

A text is a caption only if it reads like one: labels of boxes, numbers, JSON and licences are not.
"""

import json
import os
import re
from collections import defaultdict
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from unicodedata import normalize

from sigscope.gallery.cells import texts_of
from sigscope.gallery.columns import A_WORD, caption_columns
from sigscope.gallery.folder import TEXTS, Contents, Problems, suffix_of, unreachable
from sigscope.gallery.texts import SEVERAL, decoded, is_damaged
from sigscope.gallery.walk import count_of
from sigscope.images.captions import distinct, is_data, without_settings, xmp_texts
from sigscope.trouble import check_machine

SUFFIXES = (*TEXTS, ".json")
MAX_TEXT = 1_000_000  # bytes of a text file with captions
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
BOX = 4  # numbers in a line that are the place of a box
LICENCE = re.compile(
    r"(this (work|image|picture|photo|file) is )?(licensed|released|published|available) under\b.*"
    r"|creative commons\b.*|attribution(-\w+)* \d.*|gnu [a-z ]*licen[sc]e.*"
    r"|.*\bcc[ -]?(by|0|zero)\b.*|(the )?(mit|gnu|apache|bsd)\b.*licen[sc]e.*"
    r"|(copyright|©|\(c\)).*|all rights reserved\W*|licen[sc]e\s*[:=].*|public domain\W*",
    re.IGNORECASE,
)
TAKEOUT = re.compile(  # a.jpg(1), as Google names what it knows of a(1).jpg
    r"(.+?)(\.\w{3,4})(?:\.s[uplemntadi-]*)?(\(\d+\))?"
)
EDITED = re.compile(  # IMG-edited(1).jpg, as Google names what was made of IMG(1).jpg
    r"(.+)-(?:edited|effects|smile|mix|bearbeitet|bewerkt|editat|edytowane|ha editado|modificato"
    r"|modifi\u00e9|\u7de8\u96c6\u6e08\u307f)(\(\d+\))?(\.\w+)"
)
NUMBERED = re.compile(r"_\d{1,3}$")  # a_1.jpg and a_2.jpg of a post whose text is a.txt
FORMS = re.compile(  # subtitles, lyrics, cards, programs and documents
    r"\A\s*(WEBVTT\b|\\[a-z]+\{|\[Script Info\]"
    r"|BEGIN:V[A-Z]+\b|%PDF-|#!|# -\*- |\[\d\d:\d\d\.\d+\])"
    r"|(?m:^\s*\d+:[\d:.,]+ --> \d+:[\d:.,]+)"
)
PAIR = re.compile(r"([A-Za-z][\w /-]{0,30}):\s*(.*)")  # ISO: 100
FACT = re.compile(r"[A-Za-z]\w*:(?!//)\S+")  # gsd:0.5
FACTS = re.compile(
    r"author|camera|copyright|creator|date|exposure|iso|keywords|lens|licen[cs]e|model|rating|seed"
    r"|size|source|steps|tags|url",
    re.IGNORECASE,
)
CUT = 46  # letters, after which Google cuts the names of texts
TERMS = re.compile(
    r"permission is hereby granted|without warranty|redistribution and use|licensor"
    r"|terms and conditions",
    re.IGNORECASE,
)


def sidecar_captions(contents: Contents, problems: Problems) -> dict[str, list[str]]:
    """Return the captions that lie beside pictures, by the picture's path; the texts are used.

    Texts may also lie in a folder of their own: captions/a.txt is a text of images/a.jpg.

    Args:
        contents: The folder.
        problems: Is added to, where a text that belongs to a picture holds no caption.
    """
    found: dict[str, list[str]] = defaultdict(list)
    owned: dict[str, list[str]] = {}
    apart: list[str] = []
    for prefix, names in contents.folders.items():
        texts = [name for name in names if name.lower().endswith(SUFFIXES)]
        pictures = [name for name in names if contents.is_picture(prefix + name)] if texts else []
        here = _owners(texts, pictures)
        owned |= {prefix + text: [prefix + name for name in here[text]] for text in here}
        left = [text for text in texts if text not in here]
        for text, several in _numbered(left, pictures).items():
            if _is_of_all(contents.place(prefix + text), several):
                owned[prefix + text] = [prefix + name for name in several]
        apart += [prefix + text for text in left if suffix_of(text) in TEXTS]
    elsewhere = _owners_elsewhere([text for text in apart if text not in owned], contents)
    owned |= elsewhere
    for text, owners in owned.items():
        names = [owner.rpartition("/")[2] for owner in owners]
        try:
            captions = captions_in(contents.place(text), names)
        except ValueError as error:
            problems.append((text, f"{error}"))
            continue
        except OSError as error:
            check_machine(text, error)
            problems.append((text, f"its captions cannot be read ({error.strerror})"))
            continue
        contents.used.add(text)
        for owner in owners:
            found[owner] += captions
    for folder, inside in groupby(
        sorted(elsewhere.keys() & contents.used, key=_folder_of), _folder_of
    ):
        names = sorted(inside)
        reason = f"{count_of(len(names), 'text')} in it matched by name: {names[0]} is taken to be"
        problems.append((f"{folder or '.'}/", f"{reason} about {elsewhere[names[0]][0]}"))
    return {path: distinct(captions) for path, captions in found.items()}


def _numbered(texts: list[str], pictures: list[str]) -> dict[str, list[str]]:
    """Return the pictures of a post by its text: a_1.jpg and a_2.jpg of a.txt."""
    posts: dict[str, list[str]] = defaultdict(list)
    for name in pictures if texts else ():
        if number := NUMBERED.search(os.path.splitext(name)[0]):
            posts[name[: number.start()]].append(name)
    stems = {text: os.path.splitext(text)[0] for text in texts}
    return {text: posts[stem] for text, stem in stems.items() if stem in posts}


def _is_of_all(path: str, pictures: list[str]) -> bool:
    """Return whether a text says the same of some pictures, and is no list that names them."""
    with suppress(OSError, ValueError):
        if captions_in(path, []):
            text = decoded(Path(path).read_bytes())
            return not any(os.path.splitext(name)[0] in text for name in pictures)
    return False


def _owners_elsewhere(texts: list[str], contents: Contents) -> dict[str, list[str]]:
    """Return the one picture of each text's name whose path has one folder more, less or other."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for path in contents.paths() if texts else ():
        if contents.is_picture(path):
            by_stem[_key(_stem(path))].append(path)
    owners: dict[str, list[str]] = {}
    for text in texts:
        near = _nearly(text)
        found = [each for each in by_stem.get(_key(_stem(text)), ()) if near & _nearly(each)]
        if len(found) == 1:
            owners[text] = found
    return owners


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _stem(path: str) -> str:
    return os.path.splitext(path.rpartition("/")[2])[0]


def _nearly(path: str) -> set[tuple[str, ...]]:
    """Return the folders of a path, and what is left of them without any one."""
    folders = tuple(path.split("/")[:-1])
    return {folders, *((*folders[:at], *folders[at + 1 :]) for at in range(len(folders)))}


def _owners(texts: list[str], pictures: list[str]) -> dict[str, list[str]]:
    """Return the pictures that each text of a folder belongs to: those of its name, then stem.

    A last part of the stem may be more: a.en.txt and a.caption.txt are texts of a.jpg. What was
    edited has the text of its original, too.
    How accents are composed and capitals matter only where two names differ by nothing else.
    """
    named, loose = set(pictures), None
    by_stem, edited = defaultdict(list), defaultdict(list)
    for name in pictures:
        by_stem[os.path.splitext(name)[0]].append(name)
        if "-" in name and (original := EDITED.fullmatch(normalize("NFC", name))):
            edited[_key("".join(filter(None, original.groups())))].append(name)
    owners = {}
    for text in texts:
        stem = os.path.splitext(text)[0]
        others = (stem, TAKEOUT.sub(r"\1\3\2", stem), os.path.splitext(stem)[0])
        found = [stem] if stem in named else by_stem.get(stem)
        if not found:
            loose = loose or (
                {_key(each): found for each, found in by_stem.items()}
                | {_key(each): [each] for each in pictures}
            )
            found = next((loose[_key(each)] for each in others if _key(each) in loose), None)
            if not found and len(stem) == CUT:
                found = [name for name in pictures if name.startswith(stem)]
        further = [name for each in others for name in edited.get(_key(each), ())]
        if found or further:
            owners[text] = list(dict.fromkeys([*(found or ()), *further]))
    return owners


def _key(name: str) -> str:
    return normalize("NFC", name).casefold()


def captions_in(path: str, owners: list[str]) -> list[str]:
    """Return the captions in a file beside some pictures; ValueError says why there are none."""
    if reason := unreachable(path):
        raise OSError(None, reason)
    with open(path, "rb") as file:
        data = file.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise OSError(None, "it has more than a million bytes")
    if path.lower().endswith(".xmp"):
        return [text for text in xmp_texts(data) if text not in owners]
    text = decoded(data)
    if not text.strip():
        raise ValueError("it is empty")
    if path.lower().endswith(".json"):
        texts = _of_json(text)
        return [each for each in texts if each not in owners and not is_data(each)]
    if is_damaged(text):
        raise ValueError(SEVERAL)
    text, pairs = _without_pairs(without_settings(text))
    if pairs:
        return pairs
    if reason := _no_caption(text):
        raise ValueError(reason)
    return [line for line in distinct(re.split(r"[\r\n]+", text)) if not _is_label(line)]


def _of_json(text: str) -> list[str]:
    """Return the captions of an object, or of a list of objects or texts."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no whole JSON ({error})") from error
    if isinstance(said, dict) and isinstance(said.get("node"), dict):  # by Instaloader
        said = said["node"]
    listed = said if isinstance(said, list) else [said]
    captions = [each for each in listed if isinstance(each, str)]
    keyed = [
        (each, name) for each in listed if isinstance(each, dict) for name in caption_columns(each)
    ]
    captions += [text for each, name in keyed for text in texts_of(each[name])]
    if not captions and not keyed:
        raise ValueError("it holds JSON without a text or a key such as caption or text")
    return captions


def _without_pairs(text: str) -> tuple[str, list[str]]:
    """Return what a text says below names with their values, and the captions among these.

    ValueError when there are neither: "ISO: 100" and the like are facts.
    """
    head, rest = text.strip(), ""
    if front := re.match(r"---\s*\n(.*?)\n---\s*(?:\n|$)", head, re.DOTALL):  # of a page
        head, rest = front[1], head[front.end() :]
    found = [PAIR.fullmatch(line.strip()) for line in head.splitlines() if line.strip()]
    if not front and (len(found) < 2 or not all(found)):
        return text, []
    pairs = [each.groups() for each in found if each]
    captions = [each for name, said in pairs if caption_columns([name]) for each in texts_of(said)]
    if not (captions or rest or front or any(FACTS.fullmatch(name) for name, _ in pairs)):
        return text, []  # He: Hello! She: Hello!
    if not (captions or rest):
        raise ValueError("it holds names and values, such as ISO: 100, and no captions")
    return rest, [] if rest else captions


def _no_caption(text: str) -> str:
    """Return why a text is no caption, or ""."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if FORMS.search(text):
        return "it holds subtitles, a program or the like, and no captions"
    named = [line for line in lines if not _is_label(line)]  # perhaps x,y,w,h above the numbers
    if lines and not (named if len(named) == len(lines) else any(map(A_WORD.search, named))):
        return "it holds numbers, such as the places of boxes, and no captions"
    if lines and all(FACT.fullmatch(line) or _is_label(line) for line in lines):
        return "it holds names and values, such as ISO: 100, and no captions"
    if lines and all(map(is_data, lines)):
        return "it holds names of files, addresses, times or codes, and no captions"
    if text.lstrip().startswith(("{", "[")):
        try:
            json.loads(text)
            return "it holds JSON, and no captions"
        except (ValueError, RecursionError):
            pass
    if re.match(r"\s*(<[?!a-zA-Z][^>]*>|\{\\rtf)", text):
        return "it holds XML, HTML or RTF, and no captions"
    if lines and (all(map(LICENCE.fullmatch, lines)) or len(TERMS.findall(text)) > 1):
        return "it is a licence, and no caption"
    return ""


def _is_label(line: str) -> bool:
    """Return whether a line is numbers, but for perhaps a name before the places of a box."""
    words = re.split(r"[\s,;]+", line.strip(",; "))
    numbers = [word for word in words if NUMBER.fullmatch(word)]
    if len(numbers) == len(words):
        return True
    return len(numbers) >= BOX and len(numbers) >= len(words) - 2
