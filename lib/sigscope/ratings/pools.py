"""What is rated: queries, and the pictures that several systems found for them, in one pool.

Pooling (Spärck Jones & van Rijsbergen 1975; TREC) puts what any system ranked among its first
``depth`` into one heap per query, each picture once. A rater sees the heap in an order of their
own, and neither who found a picture nor at which rank: blind to model and score.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sigscope.gallery.gallery import Gallery
from sigscope.ratings.layout import RatingsError
from sigscope.ratings.store import RatingStore
from sigscope.search.searcher import Searcher

Search = Callable[[str, int], pd.DataFrame]  # words, k -> a table with a column id, best first

DEPTH = 5  # R1 judges the first 5
COMMON = """a an and are as at be by can for from has he her his i in is it its my no not of on one
or she some something that the their them they this to was we with you your"""
MOST_QUERIES, LONGEST = 50, 1000  # of one's own: how many, and letters of each
STOP_WORDS = frozenset(COMMON.split())


@dataclass(frozen=True)
class Topic:
    """Words to search for; name is short, unique, and free of spaces, as TREC's files want it."""

    name: str
    text: str
    origin: str


def _listed(origin: str, texts: Iterable[str]) -> tuple[Topic, ...]:
    numbered = enumerate(texts, 1)
    return tuple(Topic(f"{origin.lower()}-{number:02}", text, origin) for number, text in numbered)


R1_QUERIES = _listed(  # R1, Table 2; three are printed there cut short
    "R1",
    (
        "A tree in a frosty field in Fernhill Heath",
        "blue girl relaxes in the sunshine",
        "boy cap black denim can be made in any colour or size",
        "flower towers in the grass",
        "Serenity playing at memere and pepe's house",
        "The male Foo Dog or lion of Buddha at the Lama Temple in Beijing",
        "street sign in HK",
        "Red and Silver hearts in black box",
        "Full length portrait; Seated black lady",
        "Partridge on a window sill",
    ),
)
GALLERY_QUERIES = _listed(  # for drawings and cut-out photographs of single things
    "gallery",
    (
        "a sailing boat on the water",
        "somebody playing the guitar",
        "a bird that cannot fly",
        "something to tell the time with",
        "a smiling yellow face",
        "red fruit",
        "a sign that warns drivers",
        "a flower with yellow petals",
        "a flying machine",
        "a birthday cake with candles",
    ),
)
DEFAULT_QUERIES = R1_QUERIES + GALLERY_QUERIES


def topics_of(text: str) -> tuple[Topic, ...]:
    """Return queries of one's own, one a line, each once; they are named own-01 and so on.

    Raises:
        RatingsError: there are none or more than MOST_QUERIES, or one is longer than LONGEST.
    """
    lines = dict.fromkeys(" ".join(line.split()) for line in text.splitlines())
    lines.pop("", None)
    if not 0 < len(lines) <= MOST_QUERIES:
        raise RatingsError(f"write 1 to {MOST_QUERIES} queries, one a line; there are {len(lines)}")
    if any(len(line) > LONGEST for line in lines):
        raise RatingsError(f"a query has at most {LONGEST:,} letters; shorten the longer ones")
    return _listed("own", lines)


@dataclass(frozen=True, eq=False)
class Pool:
    """What several systems found for some queries, as ``RatingStore.begin`` takes it.

    Attributes:
        queries: one row each: query (its name), text, origin.
        rankings: query, system, rank (from 1), id; not for the eyes of raters.
    """

    queries: pd.DataFrame
    rankings: pd.DataFrame

    @property
    def pairs(self) -> pd.DataFrame:
        """What is to be rated, each pair of query and id once, in no system's order."""
        return pairs(self.rankings)


def pool_results(
    systems: Mapping[str, Search], queries: Iterable[Topic] = DEFAULT_QUERIES, depth: int = DEPTH
) -> Pool:
    """Return what each system ranks among its first depth for each query.

    Args:
        systems: by name, a function from words and k to a table with a column id, best first; such
            as ``Searcher.by_text``. It may find fewer than k.
        queries: names are unique.
        depth: how many results of each system are rated, >= 1.
    """
    queries = list(queries)
    names = [query.name for query in queries]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if not systems or not queries or doubled or depth < 1:
        raise ValueError(
            f"a pool needs systems ({len(systems)} given), queries ({len(queries)}) with names of "
            f"their own (doubled: {doubled}) and a depth of at least 1 ({depth})"
        )
    rows = [
        (query.name, system, rank, id)
        for query in queries
        for system, search in systems.items()
        for rank, id in enumerate(_found(system, search, query, depth), 1)
    ]
    listed = pd.DataFrame([(q.name, q.text, q.origin) for q in queries])
    return Pool(
        listed.set_axis(["query", "text", "origin"], axis=1),
        pd.DataFrame(rows, columns=["query", "system", "rank", "id"]),
    )


def default_systems(searcher: Searcher) -> dict[str, Search]:
    """Return the shipped search under the name of its index, and keywords to compare it with."""
    return {searcher.index_name: searcher.by_text, "keywords": _keyword_search(searcher.gallery)}


def begin_session(
    store: RatingStore,
    searcher: Searcher,
    *,
    systems: Mapping[str, Search] | None = None,
    queries: Iterable[Topic] = DEFAULT_QUERIES,
    depth: int = DEPTH,
    top_grade: int = 2,
    how: Mapping[str, dict] | None = None,
) -> str:
    """Return a session of store in which the pool of some systems is rated; see `pool_results`.

    The same pool has the same session, so asking again begins no second one.

    Args:
        store: where the ratings go.
        searcher: whose gallery is rated; its model is noted.
        systems: None for `default_systems`.
        queries: what is searched for.
        depth: how many results of each system are rated.
        top_grade: 1 (no, yes) or 2 (no, partly, yes).
        how: what else is to be known of each system, by its name; JSON.
    """
    made = pool_results(default_systems(searcher) if systems is None else systems, queries, depth)
    about = {
        "gallery": searcher.gallery.name,
        "model": searcher.encoder.identity["model"],
        "identity": searcher.encoder.identity,
        "systems": sorted(set(made.rankings["system"])),
        "depth": depth,
    } | ({"how": dict(how)} if how else {})
    return store.begin(
        made.queries,
        made.rankings,
        top_grade=top_grade,
        gallery=searcher.gallery.fingerprint,
        about=about,
    )


def pairs(rankings: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of query and id in rankings, each once, in the order of the alphabet."""
    once = rankings[["query", "id"]].drop_duplicates()
    return once.sort_values(["query", "id"], ignore_index=True)


def rng_of(session: str, rater: str) -> np.random.Generator:
    """Return the generator that shuffles a session for one rater, always the same one."""
    digest = hashlib.sha256(f"{session}\n{rater}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16]))


def shuffled(rankings: pd.DataFrame, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return the pairs of query and id in a drawn order: query by query, and shuffled within each.

    It depends on which pairs there are, not on who found them or at which rank.
    """
    heaps = {name: rows["id"].tolist() for name, rows in pairs(rankings).groupby("query")}
    names = sorted(heaps)
    order = [names[i] for i in rng.permutation(len(names))]
    return [(name, heaps[name][i]) for name in order for i in rng.permutation(len(heaps[name]))]


def _keyword_search(gallery: Gallery) -> Search:
    """Return the plainest rival of embeddings: count the query's words in an item's captions.

    Words are compared as written, less capitals; the commonest English ones do not count. Of equal
    counts the item with fewer words comes first, then the id. Items without any are not found.
    """
    ids = gallery.items["id"].to_numpy()
    holders: dict[str, list[int]] = {}
    lengths = np.zeros(len(ids))
    for row, captions in enumerate(gallery.items["captions"]):
        words = words_of(" ".join(captions))
        lengths[row] = len(words)
        for word in words:
            holders.setdefault(word, []).append(row)

    def search(text: str, k: int) -> pd.DataFrame:
        counts = np.zeros(len(ids))
        for word in words_of(text):
            counts[holders.get(word, [])] += 1
        best = np.lexsort((ids.astype(str), lengths, -counts))[:k]
        best = best[counts[best] > 0]
        return pd.DataFrame({"id": ids[best], "score": counts[best]})

    return search


def random_search(gallery: Gallery, seed: int = 0) -> Search:
    """Return a floor to compare with: pictures at random, the same ones for the same words."""
    ids = gallery.items["id"].to_numpy()

    def search(text: str, k: int) -> pd.DataFrame:
        rng = rng_of(str(seed), text)
        return pd.DataFrame({"id": rng.permutation(ids)[:k]})

    return search


def words_of(text: str) -> set[str]:
    """Return the words of a text, less capitals and the commonest ones."""
    return set(re.findall(r"[^\W_]+", text.casefold())) - STOP_WORDS


def _found(system: str, search: Search, query: Topic, depth: int) -> list[str]:
    ids = [str(id) for id in search(query.text, depth)["id"]][:depth]
    if len(set(ids)) != len(ids):
        raise ValueError(f"the system {system!r} found a picture twice for {query.text!r}: {ids}")
    return ids
