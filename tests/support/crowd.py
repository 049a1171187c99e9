"""A crowd in a running explorer: each searches, shows a picture, lassos and rates, on and on."""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic

from visiting import captions_of
from visitors import Visitor, visit

from sigscope.search.searcher import Searcher

WORDS = [f"{colour} {thing}" for colour in ("red", "blue", "old") for thing in (
    "apple", "dog", "boat", "tree", "clock", "bird", "hat", "guitar")]  # fmt: skip
SHOWN, FEW = 8, 5  # pictures that are shown, and pictures in a lasso


@dataclass
class Crowd:
    """What each of a crowd should see, and what went otherwise."""

    searcher: Searcher
    wrong: list[str] = field(default_factory=list)
    acts: int = 0
    raters: dict[int, str] = field(default_factory=dict)  # by visitor

    def __post_init__(self) -> None:
        items, ids = self.searcher.gallery.items, self.searcher.embeddings.ids
        self.words = {words: captions_of(self.searcher.by_text(words, 20, by="both"))
                      for words in WORDS}  # fmt: skip
        files = [self.searcher.gallery.file(id).read_bytes() for id in ids[:SHOWN]]
        self.pictures = [(file, captions_of(self.searcher.by_picture(file, 20))) for file in files]
        self.named = dict(zip(items["id"], captions_of(items), strict=True))

    async def meet(self, port: int, visitors: int, seconds: float) -> None:
        """Let so many visitors use the explorer for so many seconds."""
        until = monotonic() + seconds
        await asyncio.gather(*(self._stay(port, number, until) for number in range(visitors)))

    async def _stay(self, port: int, number: int, until: float) -> None:
        visitor = await visit(port)
        turns = self._turns(visitor, number)
        while monotonic() < until:
            await next(turns)
            self.acts += 1
            self._check(not visitor.errors, f"an error: {visitor.errors}")
        await visitor.socket.close()

    def _check(self, right: bool, what: str) -> None:
        if not right:
            self.wrong.append(what)

    def _turns(self, visitor: Visitor, number: int) -> Iterator:
        """Yield what a visitor does in turn; nobody does the same as another at a time."""
        while True:
            for kind in (self._search, self._show, self._lasso, self._rate):
                yield kind(visitor, number)
                number += 7

    async def _search(self, visitor: Visitor, number: int) -> None:
        words = WORDS[number % len(WORDS)]
        await visitor.go("")
        await visitor.search(words)
        self._check(visitor.captions == self.words[words], f"others' results for {words}")
        await visitor.act(Clear=True)

    async def _show(self, visitor: Visitor, number: int) -> None:
        picture, expected = self.pictures[number % SHOWN]
        data = f"data:image/webp;base64,{base64.b64encode(picture).decode()}"
        await visitor.act(paste={"pasted": data})
        self._check(visitor.captions == expected, f"others' results for picture {number % SHOWN}")
        await visitor.act(Clear=True)

    async def _lasso(self, visitor: Visitor, number: int) -> None:
        first = FEW * number % (len(self.named) - FEW)
        ids = [str(id) for id in self.searcher.embeddings.ids[first : first + FEW]]
        await visitor.go("map")
        await visitor.act(map={"lassoed": {"ids": ids}})
        right = sorted(visitor.captions) == sorted(self.named[id] for id in ids)
        self._check(right, f"others' pictures in the lasso of visitor {number}")

    async def _rate(self, visitor: Visitor, number: int) -> None:
        await visitor.go("rate")
        if "rater" in visitor.widgets:
            self.raters[id(visitor)] = f"visitor-{number}"
            await visitor.act(rater=f"visitor-{number}", Start=True)
        if "Yes" in visitor.widgets:  # else all of them are rated
            await visitor.act(Yes=True)
        name = f"Rating as {self.raters.get(id(visitor))}"
        self._check(name in visitor.texts, f"no {name}: {visitor.texts}")
