"""Words: what is written of a gallery's pictures finds them, in each language it is written in.

Written of a picture are its captions and their translations, its category, and the names of its
file and folders. BM25 ranks by them (`rerank.fusion.Keywords`): accents and capitals are ignored,
an English plural is its singular, and stop words ask for nothing.

Joined with meaning, a picture x scores for a query q

    cosine(q, x) + spread(q) * (0.3 * BM25(q, x) + 4 * holds(q, x)),

where spread is the standard deviation of the query's cosines over the pictures, and holds is 1
where x has all the words of q in one place. Both numbers were chosen on Flickr8k's val split: on
captions with the other four as what is written (0.3; reciprocal rank fusion did worse), and on one
and two words with one caption written of each picture, or of every second, and the others as judges
(4). What that buys on its test split is in the README. The shipped gallery cannot tell: the words
of a title are nowhere else in its own picture's texts, but in those of others (notebook 7).
"""

import difflib
import os
import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import rows_of
from sigscope.gallery.translations import translations
from sigscope.rerank.fusion import StoredTexts, telling
from sigscope.search.saved_words import open_keywords
from sigscope.types import EncoderLike

BM25_WEIGHT, HELD_WEIGHT = 0.3, 4.0  # in deviations of the query's cosines
REMEMBERED = 4  # galleries
LIKE = 0.8  # of two spellings that one may stand for the other, as difflib counts it
TRIED = 30  # words whose letters are most like a misspelt one
SHORTEST = 4  # letters of a word that is taken to be misspelt
UNKNOWN = "The model's vocabulary has none of these words: by meaning it can only guess."
_WORD = re.compile(r"[^\W\d_]+|\d+")
_JOINT = re.compile(r"(?<=[a-z])(?=[A-Z])")  # of camelCase
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{2,}")
_MARKS = {n: None for n in range(0x300, 0x20000) if unicodedata.category(chr(n))[0] == "M"}


class GalleryWords:
    """The words that a gallery's pictures can be found by; nothing changes once it is made."""

    def __init__(self, gallery: Gallery) -> None:
        """Read all that is written of a gallery's items, n of them."""
        items = gallery.items
        written = Written(items)
        self._written = written if gallery.stamp else list(written)
        try:
            table = translations(gallery).drop_duplicates(["id", "caption"])
        except (OSError, ValueError):  # few galleries have any
            table = pd.DataFrame(columns=["id", "caption"], dtype=str)
        rows = rows_of(table["id"].array, items["id"].array)
        texts = written
        if not gallery.stamp:
            told = table["caption"][rows >= 0].tolist()
            texts = np.array([*self._written, *told], object)
        rows = np.concatenate([np.arange(len(items)), rows[rows >= 0]])[: len(texts)]
        stamp = gallery.fingerprint if gallery.stamp else ""
        self._keywords = open_keywords(StoredTexts(texts, rows, len(items)), _terms_of, stamp)

    def lift(self, text: str) -> np.ndarray:
        """Return what the words of a text add to each picture, float32, 0 where it has none, (n,).

        It counts in standard deviations of the query's cosines.
        """
        return BM25_WEIGHT * self._keywords.scores(text) + HELD_WEIGHT * self.holds(text)

    def holds(self, text: str) -> np.ndarray:
        """Return which pictures have all the words of a text in one place, bool, (n,).

        One place is a picture's captions and names together, or one translation.
        """
        stored, vocabulary = self._keywords.stored, self._keywords.retriever.vocab_dict
        numbers = [vocabulary.get(term) for term in set(_terms_of(text))]
        held = np.zeros(stored.n, bool)
        if numbers and None not in numbers:
            found = np.concatenate([self._postings(number) for number in numbers])
            counts = np.bincount(found, minlength=len(stored.texts))
            held[stored.rows[counts == len(numbers)]] = True
        return held

    def suggestion(self, text: str) -> str:
        """Return a text with what seems misspelt as the gallery itself writes it, or "".

        What seems misspelt is in no caption and no name. A word with letters like it takes its
        place; where translations know what was asked, one that some picture is called as well.
        """
        spelt = {word: self._spelt(word.casefold()) for word in _WORD.findall(text)}
        if not any(spelt.values()):
            return ""
        return _WORD.sub(lambda found: spelt[found[0]] or found[0], text)

    def _spelt(self, word: str) -> str:
        """Return the gallery's own spelling of a word, "" where it is right or there is none."""
        if len(word) < SHORTEST or not word.isalpha() or self._is_written(_terms_of(word)[0]):
            return ""
        words, letters, matrix = self._spellings
        if not words:
            return ""
        sound, here = _sound(word), self.holds(word)
        nearest = (matrix @ letters.transform([sound]).T).toarray()[:, 0].argsort()[::-1][:TRIED]
        rated = [
            (difflib.SequenceMatcher(None, sound, _sound(words[row])).ratio(), words[row])
            for row in nearest
        ]
        for ratio, other in sorted(rated, reverse=True):
            if ratio >= LIKE and (not here.any() or (here & self.holds(other)).any()):
                return other
        return ""

    def _postings(self, number: int) -> np.ndarray:
        """Return the numbers of the texts that have a term."""
        scores = self._keywords.retriever.scores
        return scores["indices"][slice(*scores["indptr"][number : number + 2])]

    def _is_written(self, term: str) -> bool:
        """Return whether a caption or a name has a term; these texts come before translations."""
        number = self._keywords.retriever.vocab_dict.get(term)
        return number is not None and bool((self._postings(number) < len(self._written)).any())

    @cached_property
    def _spellings(self) -> tuple:
        """The words of captions and names, and their letters as a sparse matrix."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        every = {word for text in self._written for word in _WORD.findall(text.casefold())}
        words = sorted(word for word in every if word.isalpha() and len(word) >= SHORTEST)
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3))
        matrix = letters.fit_transform([_sound(word) for word in words]) if words else None
        return words, letters, matrix


def gallery_words(gallery: Gallery) -> GalleryWords:
    """Return a gallery's words, read when they are first asked for and then kept."""
    with _one_at_a_time:
        return _words(gallery)


_words = lru_cache(maxsize=REMEMBERED)(GalleryWords)
_one_at_a_time = threading.Lock()


def unknown_words(encoder: EncoderLike, text: str) -> str:
    """Return a sentence where the model knows no word of a text (`Encoder.knows`), else ""."""
    knows = getattr(encoder, "knows", None)
    return UNKNOWN if text.strip() and knows and not knows(text) else ""


def _terms_of(text: str) -> list[str]:
    """Return what a text is found by: its words without accents, stop words and English plurals.

    Scripts without spaces give pairs of signs, as Lucene's CJK analyser does. A text of stop words
    alone keeps them.
    """
    words = []
    for word in _WORD.findall(_folded(text)):
        if _UNSPACED.fullmatch(word):
            words += [word[i : i + 2] for i in range(len(word) - 1)]
        else:
            words.append(_singular(word))
    return telling(words)


def _folded(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_MARKS)
    return unicodedata.normalize("NFC", text.casefold())


def _singular(word: str) -> str:
    """Return an English word without its plural's ending (Harman 1991, "How effective …")."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("us", "ss")):
        return word
    if word.endswith("ies"):
        return word[:-1] if word.endswith(("eies", "aies")) else word[:-3] + "y"
    return word[:-1]


def _sound(word: str) -> str:
    """Return a word with one letter for what is often mistaken for another, and no doubles."""
    word = _folded(word).replace("ph", "f").replace("ck", "k").replace("c", "k").replace("y", "i")
    return re.sub(r"(.)\1", r"\1", word)


class Written:
    """Captions, category and names of each item, made when they are read; n texts."""

    def __init__(self, items: pd.DataFrame) -> None:
        """Keep the items; folders that all are in say nothing."""
        self._items = items
        paths = items["path"]
        folders = {os.path.dirname(path) for path in (paths.min(), paths.max())}
        self._shared = len(os.path.commonpath(folders))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        """Yield each in the order of the items."""
        columns = (self._items[name].array for name in ("captions", "category", "path"))
        for captions, category, path in zip(*columns, strict=True):
            name = _JOINT.sub(" ", os.path.splitext(path[self._shared :])[0])
            yield " ".join([*captions, category, name])
