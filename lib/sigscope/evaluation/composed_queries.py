"""Composed tests: a picture, a change in words, and the pictures that are right for both.

They are found by rules over captions. A title is taken apart into the thing it names and its
facets (`Facets`); a triple joins two titles of one thing that differ in exactly one facet, and its
words say the facet of the second: "red apple" with *green* leads to "green apple". What the rules
cannot see (a "red apple" that has no such title) counts as wrong, so hit rates are lower bounds.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from sigscope.gallery.gallery import Gallery
from sigscope.gallery.twins import twins

MOST_PER_THING = 8  # triples of one kind, thing and split, evenly spaced: no series fills a test
COLOURS = {
    **{name: name for name in ("red", "green", "blue", "yellow", "orange", "purple", "pink")},
    **{name: name for name in ("brown", "black", "white", "violet", "turquoise", "silver")},
    "grey": "grey",
    "gray": "grey",
    "gold": "golden",
    "golden": "golden",
}
NUMBERS = {
    **{name: name for name in ("two", "three", "four", "five", "six", "seven", "eight", "nine")},
    **{"one": "one", "single": "one", "pair": "two", "double": "two", "several": "several"},
    **{"1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six"},
}
FORMS = {
    "cartoon": "a cartoon",
    "silhouette": "a silhouette",
    "outline": "an outline",
}
CASES = {"uppercase": "an uppercase letter", "lowercase": "a lowercase letter"}
PLACES = {"flag": "a flag", "map": "a map", "sign": "a sign", "symbol": "a symbol"}
MEDIA = {"photo": "a photograph", "drawing": "a drawing"}
GREY = "in black and white"
SMALL = re.compile("a|an|the|of|some|for|and|in")
# A number beside these is a name, a value, or part of a pair that is one thing.
NOT_COUNTED = re.compile(
    r"\b(?:number|letter|card|clock|o'clock|cents?|euros?|year|ball|language|(?:sun)?glasses|pliers|"
    r"binoculars|scissors|trousers|headphones)\b"
)
SETTING = re.compile(r"^(?P<thing>.+?) (?P<setting>(?:with|on|under|behind|beside) .+)$")
WORD = re.compile(r"[a-z0-9']+")


@dataclass(frozen=True)
class Facets:
    """What a title says beside the thing it names; "" is unsaid."""

    medium: str = ""  # a photograph, a drawing: from the item, not from its title
    colour: str = ""
    count: str = ""
    form: str = ""  # a cartoon, an outline, a silhouette
    case: str = ""  # of a letter
    setting: str = ""  # "on a plate", or what the thing is shown as: a flag, a map, a sign


KINDS = tuple(field.name for field in fields(Facets))


@dataclass(frozen=True)
class Triples:
    """The triples of a gallery, one row each, and from which of its titles each was made.

    ``table`` has the columns id (the query picture), kind (a name in ``KINDS``), words (the change
    asked for), thing (what both show), split (of the query picture), right (a tuple of ids, rising,
    never the query or its twins) and target (a title of the first right one).
    """

    table: pd.DataFrame

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.table)

    def of(self, split: str | None) -> pd.DataFrame:
        """Return those whose query picture is in a split (None: all), numbered anew."""
        table = self.table
        chosen = table if split is None else table[table["split"] == split]
        return chosen.reset_index(drop=True)

    def counts(self) -> pd.DataFrame:
        """Return how many there are, and of how many things: kind, split, triples, things."""
        groups = self.table.groupby(["kind", "split"], as_index=False)
        return groups.agg(triples=("id", "size"), things=("thing", "nunique"))


def find_triples(gallery: Gallery) -> Triples:
    """Return the gallery's triples, the same ones on every run.

    Args:
        gallery: titles are its captions without a colon (which lists keywords) and without a full
            stop; a column ``kind`` with "photo" and "drawing" gives the medium.
    """
    titles = list(_titles(gallery))
    shown = defaultdict(lambda: defaultdict(set))  # thing -> facets -> ids
    text = {}
    for id, title, thing, facets in titles:
        shown[thing][facets].add(id)
        text.setdefault((thing, facets), title)
    stands_for = dict(zip(gallery.items["id"], twins(gallery, gallery.items["id"]), strict=True))
    alike = defaultdict(set)
    for id, kept in stands_for.items():
        alike[kept].add(id)
    split_of = dict(zip(gallery.items["id"], gallery.items["split"], strict=True))
    found: dict[tuple, dict] = {}
    for thing, by_facets in shown.items():
        for kind, words, start, end in _changes(by_facets):
            right = {other for id in by_facets[end] for other in alike[stands_for[id]]}
            for id in by_facets[start]:
                if id in right:  # it, or its twin, has what is asked for already
                    continue
                row = {"id": id, "kind": kind, "words": words, "thing": thing}
                row |= {"split": split_of[id], "target": text[thing, end]}
                key = (kind, thing, id, words)
                found.setdefault(key, row | {"right": set()})["right"] |= right
    rows = [found[key] | {"right": tuple(sorted(found[key]["right"]))} for key in sorted(found)]
    return Triples(_thinned(rows))


def take_apart(title: str, medium: str = "") -> tuple[str, Facets]:
    """Return the thing that a title names, its words in alphabetical order, and its facets.

    Args:
        title: such as "two red apples on a plate".
        medium: "photo", "drawing" or unknown.
    """
    title, facets = title.lower(), Facets(medium=MEDIA.get(medium, ""))
    if "black and white" in title:
        facets = replace(facets, colour=GREY)
        title = title.replace("in black and white", " ").replace("black and white", " ")
    if match := SETTING.match(title.strip()):
        title, facets = match["thing"], replace(facets, setting=match["setting"])
    words = WORD.findall(title)
    words = [word for word in words[:-1] if not SMALL.fullmatch(word)] + words[-1:]  # "letter A"
    words, said = _taken(words, COLOURS)
    if not facets.colour or not said:
        facets = replace(facets, colour=facets.colour or said)
    else:  # "red apple in black and white" is no apple that another one differs from in colour
        facets = replace(facets, colour=f"{facets.colour}, {said}")
    if not NOT_COUNTED.search(" ".join(words)):
        words, said = _taken(words, NUMBERS)
        plural = [_singular(word) for word in words] != words
        facets = replace(facets, count=said or ("several" if plural else "one"))
    words, form = _taken(words, FORMS)
    words, case = _taken(words, CASES)
    if not facets.setting:
        words, said = _taken(words, PLACES)
        facets = replace(facets, setting=said)
    facets = replace(facets, form=form, case=case)
    return " ".join(sorted(map(_singular, words))), facets


def _titles(gallery: Gallery) -> Iterator[tuple[str, str, str, Facets]]:
    items = gallery.items
    media = items["kind"] if "kind" in items else [""] * len(items)
    for id, captions, medium in zip(items["id"], items["captions"], media, strict=True):
        for title in captions:
            if ":" not in title and "." not in title:
                thing, facets = take_apart(title, medium)
                if thing:
                    yield id, title, thing, facets


def _changes(by_facets: Iterable[Facets]) -> Iterator[tuple[str, str, Facets, Facets]]:
    """Yield kind, words, start and end for each two facets that differ in one thing to ask for."""
    known = list(by_facets)
    for start in known:
        for end in known:
            kinds = [kind for kind in KINDS if getattr(start, kind) != getattr(end, kind)]
            if len(kinds) == 1:
                words = _asked(kinds[0], getattr(start, kinds[0]), getattr(end, kinds[0]))
                if words:
                    yield kinds[0], words, start, end


def _asked(kind: str, start: str, end: str) -> str:
    """Return the words that ask for end instead of start, or "" where none would do."""
    if kind != "colour":
        return end
    if "," in start + end:
        return ""
    if end == GREY:
        return "" if start else GREY
    if start == GREY:
        return "" if end else "in colour"
    return end if start else ""  # a picture whose colour is unsaid may have the colour already


def _taken(words: list[str], names: dict[str, str]) -> tuple[list[str], str]:
    """Return the words without those that names has, and what these say, unless none is left."""
    kept = [word for word in words if word not in names]
    said = sorted({names[word] for word in words if word in names})
    return (kept, " and ".join(said)) if kept else (words, "")


def _singular(word: str) -> str:
    """Return an English word without its plural's ending, by rule: "cherries" -> "cherry"."""
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word.removesuffix("s")


def _thinned(rows: list[dict]) -> pd.DataFrame:
    columns = ["id", "kind", "words", "thing", "split", "right", "target"]
    table = pd.DataFrame(rows, columns=columns)
    kept = []
    for _, group in table.groupby(["kind", "thing", "split"], sort=False):
        spaced = np.unique(np.linspace(0, len(group) - 1, MOST_PER_THING).round().astype(int))
        kept += group.index[spaced if len(group) > MOST_PER_THING else slice(None)].tolist()
    return table.loc[sorted(kept)].reset_index(drop=True)
