"""Columns: what tables of any make call the file, the captions, the class and the split.

One vocabulary for all readers. Capitals, blanks, hyphens and numbers at the end do not matter.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from sigscope.gallery.cells import text_of, texts_of
from sigscope.images.formats import SUFFIXES

Record = dict[str, Any]  # column -> value

# Columns of text that every gallery has, "" where a row says nothing.
FIELDS = ("category", "split", "source", "licence", "author", "duplicate_of")
SPLITS = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}  # what others call the splits, in lower case; any further name is kept as it is
PLAIN_WORDS = {
    *("set", "split", "data", "dataset", "images", "image", "img", "imgs", "photos", "pictures"),
    "jpegimages",
}
SET_WORDS = {*SPLITS, *PLAIN_WORDS, "seg"}

# In each the first that is there counts, of captions all of them, in this order; of ITEMS only
# those after which pictures are called.
FILES = (
    *("file_name", "filename", "file", "image", "image_path", "path", "filepath", "file_path"),
    *("image_file", "image_filename", "image_name", "img", "img_path", "img_file", "img_filename"),
    *("img_name", "picture", "picture_path", "photo", "photo_path", "fname", "name", "file_names"),
    *("image_id", "img_id", "image_key", "photo_id", "id", "key", "uid"),
)
ITEMS = ("item_id", "product_id", "article_id", "screen_id", "asset_id", "media_id")
CAPTIONS = (
    *("text", "caption", "captions", "title", "description", "sentence", "sentences", "comment"),
    *("alt_text", "alt", "prompt", "raw", "texts", "titles", "descriptions", "comments", "prompts"),
    *("headline", "caption_abstract", "summary", "txt", "image_description", "image_caption"),
    *("text_description", "alttext", "desc", "phrase", "phrases", "legend"),
    *("product_title", "product_name", "product_display_name", "reference_strs"),
    *("bildunterschrift", "beschreibung", "titel", "legende"),
)
CATEGORIES = (
    *("class_name", "label_name", "category_name", "category", "label", "class"),
    *("categories", "labels"),
)
URLS = ("url", "image_url", "urls", "img_url", "photo_url", "photo_image_url", "link", "uri")
OTHER_NAMES = {
    "split": ("split", "subset", "partition"),
    "licence": ("licence", "license"),
    "author": ("author", "photographer", "creator"),
    "source": ("source",),
    "duplicate_of": ("duplicate_of",),
}
HF_FILES = ("_file_name", "_file_names")  # how Hugging Face ends the names of further file columns
A_CAPTION = re.compile(  # caption_0, text_en, text_zh_cn, blip_caption; not caption_id
    r"(text|caption|sentence|comment|description|prompt|title)s?_?(\d+|long|short|text|str(ing)?|raw"
    r"|(?!id|no)[a-z]{2}(_[a-z]{2,4})?)"
    r"|(?!negative|has|num|n_)\w+_(caption|description|prompt|sentence)s?"
)
LANGUAGE = re.compile(  # a column a language
    r"(en|de|fr|es|pt|nl|ja|zh|ko|ru|ar|pl|cs|tr|vi|hi)(_[a-z]{2})?"
)
GROUP = re.compile(r"\s*(EXIF|IFD0|ExifIFD|XMP(-\w+)?|IPTC|PNG|dc):", re.IGNORECASE)
ASIDE = re.compile(r"(?<=\w)\s*\((?!\d+\)).*\)\s*$")
NUMBERED = re.compile(r"#\d+$")  # behind a file's name: a.jpg#0, the first caption of a.jpg
NOT_TAKEN = "reads like captions, but is not taken; call it caption"
FIRST = 32  # rows that are looked at
WORDS = 3  # from which a text reads like a caption
A_WORD = re.compile(r"(?<!\S)\W?[^\W\d_]{2,}")  # between blanks: a path is one


@dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what; "" and () where none does."""

    file: str
    captions: tuple[str, ...]
    category: str
    fields: dict[str, str]  # a name in FIELDS -> column
    not_taken: tuple[str, ...]  # columns that read like captions and are called otherwise


def normal(name: str) -> str:
    """Return a heading as the vocabulary spells it: image_path of " Image Path" and imagePath.

    What ExifTool writes before it does not count (EXIF:ImageDescription), nor what a person says
    of it behind it: Caption (English).
    """
    name = ASIDE.sub("", GROUP.sub("", name))
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s\-./]+", "_", name).lower()


@lru_cache(4096)
def split_folder(name: str) -> str:
    """Return the split that a folder is called: "train" for training_set, "" for train station."""
    words = _words(name)
    splits = [SPLITS[word] for word in words if word in SPLITS]
    return splits[0] if splits and SET_WORDS.issuperset(words) else ""


def is_plain_folder(name: str) -> bool:
    """Return whether a folder is called after nothing in particular: images, Data_set."""
    words = _words(name)
    return bool(words) and PLAIN_WORDS.issuperset(words)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W\d_]+", name.lower()) if word]


def split_in(name: str) -> str:
    """Return the split that a file's or folder's name says: "train" for cc3m-train-0000."""
    words = re.split("[^a-z]+", name.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), "")


def first_of(names: Sequence[str], columns: Iterable[str]) -> str:
    """Return the first column that is called like one of names, or ""."""
    by_name = {normal(column): column for column in reversed(list(columns))}
    return next((by_name[name] for name in names if name in by_name), "")


def caption_columns(columns: Iterable[str]) -> list[str]:
    """Return the columns of captions, in the order of the vocabulary, then of the table."""
    known: list[tuple[tuple[int, int], str]] = []
    for column in columns:
        name = normal(column)
        bare = re.sub(r"_\(\d+\)$", "", name)  # text (2), a second one of that name
        if bare in CAPTIONS:
            known.append(((CAPTIONS.index(bare), 0), column))
        elif A_CAPTION.fullmatch(name) or LANGUAGE.fullmatch(name):
            number = re.search(r"\d*$", name)[0]
            known.append(((len(CAPTIONS), int(number or 0)), column))
    return [column for _, column in sorted(known, key=lambda pair: pair[0])]


def columns_of(records: Sequence[Record], is_there: Callable[[str], bool]) -> Columns:
    """Return what the columns of a table hold.

    Args:
        records: Its rows.
        is_there: Whether a picture is there that a cell of a column of files names.
    """
    columns = list(dict.fromkeys(name for record in records for name in record))
    file = _file_column(columns, records, is_there)
    captions = [
        name
        for name in caption_columns(columns)
        if name != file and (not LANGUAGE.fullmatch(normal(name)) or _has_words(records, name))
    ]
    category = first_of(CATEGORIES, columns)
    fields = {field: first_of(names, columns) for field, names in OTHER_NAMES.items()}
    not_taken = like_captions(records, {file, category, *captions, *fields.values()})
    return Columns(
        file, tuple(captions), category, {k: v for k, v in fields.items() if v}, not_taken
    )


def like_captions(records: Sequence[Record], known: Collection[str]) -> tuple[str, ...]:
    """Return the columns that read like captions and are not among the known ones."""
    columns = dict.fromkeys(name for record in records[:FIRST] for name in record)
    others = [name for name in columns if name not in known and normal(name) not in URLS]
    return tuple(name for name in others if _reads_like_captions(records, name))


def address_column(records: Sequence[Record]) -> str:
    """Return the first column whose first value is a URL, or ""."""
    columns = dict.fromkeys(name for record in records[:FIRST] for name in record)
    return next((name for name in columns if _holds_addresses(records, name)), "")


def _file_column(
    columns: list[str], records: Sequence[Record], is_there: Callable[[str], bool]
) -> str:
    """Return the column most of whose cells name a picture that is there; else one called so.

    Of addresses more than half must.
    """
    by_name = {normal(name): name for name in reversed(columns)}
    named = [by_name[name] for name in FILES if name in by_name]
    named += [each for each in columns if normal(each).endswith(HF_FILES) and each not in named]
    named = [each for each in named if not _holds_addresses(records, each)]
    looks = [each for each in columns if each not in named and _holds_file_names(records, each)]
    items = [by_name[name] for name in ITEMS if name in by_name]
    found = {
        name: sum(is_there(cell) for cell in _cells(records, name))
        for name in [*named, *looks, *items]
    }
    most = max(found.values(), default=0)
    if most:
        return next(name for name, count in found.items() if count == most)
    for name in [each for each in columns if _holds_addresses(records, each)]:
        cells = _cells(records, name)  # of pictures that somebody has fetched under their names
        if 2 * sum(map(is_there, cells)) > len(cells):
            return name
    return (named or looks or [""])[0]


def _cells(records: Sequence[Record], column: str) -> list[str]:
    """Return the first cells of a column that say something."""
    texts = (text_of(record.get(column)) for record in records[: 4 * FIRST])
    return list(islice(filter(None, texts), FIRST))


def _holds_addresses(records: Sequence[Record], column: str) -> bool:
    cells = _cells(records, column)
    return bool(cells) and re.match("https?://", cells[0], re.IGNORECASE) is not None


def _holds_file_names(records: Sequence[Record], column: str) -> bool:
    cells = _cells(records, column)
    suffixes = [f".{cell.rpartition('.')[2].lower()}" for cell in cells]
    return bool(cells) and "://" not in cells[0] and all(each in SUFFIXES for each in suffixes)


def _has_words(records: Sequence[Record], column: str) -> bool:
    return any(map(A_WORD.search, _cells(records, column)))


def _reads_like_captions(records: Sequence[Record], column: str) -> bool:
    cells = [
        texts_of(record.get(column)) for record in records[:FIRST] if text_of(record.get(column))
    ]
    wordy = [each for each in cells if each and len(A_WORD.findall(each[0])) >= WORDS]
    return bool(cells) and len(wordy) > len(cells) / 2
