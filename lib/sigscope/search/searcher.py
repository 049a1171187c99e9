"""Search: words, a picture, or an item of the gallery go in, and a ranked table comes out.

A score is the cosine of two unit vectors. Compare scores within one kind of search only: two
pictures lie nearer to each other than a picture and its caption. What is searched can be narrowed
by `Filters`, and `Searcher.match` says whether anything that was asked for is there.
"""

import threading
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Unpack

import numpy as np
import pandas as pd

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import open_embeddings
from sigscope.embeddings.load import Embeddings
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import rows_of
from sigscope.images.read import Source
from sigscope.indexes.index import VectorIndex
from sigscope.indexes.specs import IndexSpec
from sigscope.models.captioners import Captioner, NearestCaptions
from sigscope.progress import Progress
from sigscope.rerank.adjustments import Adjustments
from sigscope.rerank.corrections import Correction
from sigscope.search.compose import Composer, Part, checked
from sigscope.search.evidence import MatchEvidence
from sigscope.search.filters import Choice, Filters, mask
from sigscope.search.match import Match, Matcher
from sigscope.search.merging import Merger, by_template
from sigscope.search.queries import Query, QueryVectors, Results
from sigscope.search.targets import Target, builder
from sigscope.search.words import gallery_words
from sigscope.types import EncoderLike


class Searcher:
    """Searches one gallery by words, by picture, and by what is in it already.

    Only items that are both in the gallery and in the embeddings are searched, so a subset of a
    gallery can be searched with the embeddings of the whole. Nothing in here changes once it is
    made; many threads may share it.

    Every search returns one row per result, best first: rank (from 1), id, score (cosine), caption,
    category and path. In its ``attrs`` are the milliseconds that the query took to encode
    (``encode_ms``) and the rest took (``search_ms``), ``adjusted`` and ``by`` where the score is no
    longer the cosine, ``composed`` where the query has several parts, and, unless a picture was
    shown, the query in words (``query``). A table of pictures knows its `Query` too (``asked``).
    """

    def __init__(
        self,
        gallery: Gallery,
        embeddings: Embeddings,
        encoder: EncoderLike | Callable[[], EncoderLike],
        index: str | IndexSpec = "flat",
        effort: int | None = None,
        *,
        keep_index: bool = False,
        store: str | None = None,
    ) -> None:
        """Join a gallery and its embeddings by id.

        Args:
            gallery: what to search.
            embeddings: its vectors.
            encoder: the encoder that made them, or a function that returns it, which is called
                when the first text or picture is to be encoded.
            index: a name in ``INDEXES``, or a spec, such as that of a recommended index.
            effort: the value of that index's knob; None is its default.
            keep_index: keep the index in the cache, or take it from there, grown by what is new.
            store: a vector database that searches instead (`indexes.milvus`), loaded now.
        """
        self.gallery, self.embeddings, self.effort = gallery, embeddings, effort
        self._vectors = QueryVectors(gallery, embeddings, encoder)
        self._build = builder(index, gallery, embeddings, effort, kept=keep_index, store=store)
        self._pictures = Target.pictures(gallery, embeddings, self._build)
        self.index_name, self._captions = self._pictures.index.name, None
        self.adjustments = Adjustments(gallery, embeddings, self._vectors.texts)
        self._items = rows_of(self._pictures.index.ids, gallery.items["id"].array)
        rows = self._pictures.rows
        self.composer = Composer(embeddings, rows, self._vectors.texts)
        self.matcher = Matcher(partial(MatchEvidence.of, gallery, embeddings, rows), self.composer)
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        gallery: Gallery | str | Path | None = None,
        model: str | Path | None = None,
        index: str | IndexSpec = "flat",
        effort: int | None = None,
        progress: Progress = False,
        store: str | None = None,
    ) -> "Searcher":
        """Return a searcher of a gallery (or what `load_gallery` takes) with a model.

        The gallery is embedded now if it is not yet, which may take minutes. Embeddings and index
        are kept in the cache, and grow by what is new. A store is as in ``__init__``.
        """
        from sigscope.models.encoder import Encoder

        gallery = gallery if isinstance(gallery, Gallery) else load_gallery(gallery)
        encoder = Encoder.load(model)
        embeddings = open_embeddings(gallery, encoder, progress=progress)
        return cls(gallery, embeddings, encoder, index, effort, keep_index=True, store=store)

    def at(self, effort: int | None) -> "Searcher":
        """Return this searcher with another value of its index's knob; they share everything."""
        other = copy(self)
        other.effort = effort
        return other

    def __len__(self) -> int:
        """Return the number of pictures searched."""
        return len(self._pictures)

    @property
    def index(self) -> VectorIndex:
        """The index over the pictures."""
        return self._pictures.index

    @property
    def encoder(self) -> EncoderLike:
        """The encoder, loaded now if it was not needed before."""
        return self._vectors.encoder

    def by_text(
        self,
        text: str,
        k: int = 10,
        *,
        tame_hubs: bool = False,
        less_text: float = 0.0,
        by: str = "meaning",
        **filters: Unpack[Filters],
    ) -> Results:
        """Return the pictures that fit a text best; a text too long for the model is cut.

        Args:
            text: what to look for.
            k: how many.
            by: meaning, words (written of a picture, `search.words`), or both. By the latter two
                the score is no cosine, and a column ``found_by`` says what finds a result.
            tame_hubs: lower pictures that are near to everything (`sigscope.rerank.adjustments`).
            less_text: what a picture that is all text loses, in units of cosine, unless the query
                asks for text. With either, a score is no cosine any more.
            **filters: see `Filters`.
        """
        if not isinstance(text, str) or not text.strip():
            raise ValueError("the query is empty; write a few words that describe a picture")
        adjusted = self.adjustments.of(text, tame_hubs, less_text)
        return self._found([Part("text", text)], k, corrections=adjusted, by=by, **filters)

    def by_picture(self, picture: Source, k: int = 10, **filters: Unpack[Filters]) -> Results:
        """Return the pictures most like a picture: its path, its bytes, or an open one."""
        return self._found([Part("picture", picture)], k, **filters)

    def like(self, id: str, k: int = 10, **filters: Unpack[Filters]) -> Results:
        """Return the pictures most like an item of the gallery, which is not among them itself."""
        return self._found([Part("item", id)], k, **filters)

    def by_parts(
        self, parts: Sequence[Part], k: int = 10, *, by: str = "meaning", **filters: Unpack[Filters]
    ) -> Results:
        """Return the pictures that fit several parts together; its items are not among them.

        The score is the cosine to the composed vector (`compose.ModalityGap`); of a single part it
        is what `by_text`, `by_picture` and `like` give. As there, ``by`` may be words or both,
        which makes no difference where a picture or an item is wanted.

        Raises:
            ValueError: there are no parts, all weights are below 0, or the parts cancel each other.
        """
        return self._found(checked(parts), k, by=by, **filters)

    def by_caption(
        self,
        picture: Source,
        words: str,
        k: int = 10,
        *,
        captioner: Captioner | None = None,
        merge: Merger | None = None,
        **filters: Unpack[Filters],
    ) -> Results:
        """Return the pictures that fit a picture's caption merged with words, as report R2 does.

        Args:
            picture: an item's id, which is not among the results, or what `by_picture` takes.
            words: what should be different, or be there too.
            k: how many.
            captioner: describes the picture; None borrows the nearest caption of the gallery.
            merge: makes one sentence of both; None is `merging.by_template`.
            **filters: see `Filters`.

        Returns:
            The usual table; its ``attrs`` hold the ``caption`` and the ``sentence`` as well.
        """
        start = perf_counter()
        caption = (captioner or NearestCaptions())(self, picture)
        sentence = (merge or by_template)(caption, words)
        without = [picture] if self._vectors.knows(picture) else []
        table = self._found([Part("text", sentence)], k, start=start, without=without, **filters)
        table.attrs |= {"caption": caption, "sentence": sentence}
        return table

    def match(self, table: pd.DataFrame) -> Match:
        """Return whether the gallery holds what was asked, for a table of pictures found here.

        The first call learns from a few hundred items of the gallery, at most some seconds. A table
        that was saved and read again is asked for anew, if no picture was shown.

        Raises:
            ValueError: the table is no result of a search for pictures.
        """
        query = getattr(table, "asked", None)
        if query is None and (told := table.attrs.get("query")):
            parts = [Part(*part) for part in told["parts"]]
            query = self._query(parts, told["without"], told["filters"], told.get("by", "meaning"))
        if query is None:
            raise ValueError("this table is no result of a search for pictures; search first")
        among = self._among(self._pictures, without=query.without, **query.filters)
        match = self.matcher.judge(query.vector, query.kind, among)
        if query.words:
            held = gallery_words(self.gallery).holds(query.words)[self._items]
            match = match.named(int((held if among is None else held & among).sum()))
        return match

    def captions_for(
        self, picture: Source, k: int = 10, *, category: Choice = None, split: Choice = None
    ) -> pd.DataFrame:
        """Return the captions that fit an item (by its id) or a picture best, one row a caption."""
        start = perf_counter()
        is_id = self._vectors.knows(picture)
        vector = self._vectors.item(picture) if is_id else self._vectors.picture(picture)
        filters = {"category": category, "split": split}
        return self._ranked(self._caption_target(), vector, k, start, filters)

    def _found(
        self,
        parts: Sequence[Part],
        k: int,
        *,
        start: float | None = None,
        without: Sequence[str] = (),
        corrections: Sequence[Correction] = (),
        by: str = "meaning",
        **filters: Unpack[Filters],
    ) -> Results:
        """Return the pictures that fit a query; the clock has run since start, or runs from now."""
        start = perf_counter() if start is None else start
        query = self._query(parts, without, filters, by)
        how = {"without": query.without, "corrections": corrections}
        table = self._ranked(self._pictures, query.vector, k, start, filters, query, **how)
        table.asked = query
        table.attrs |= query.told() | ({"adjusted": True} if corrections else {})
        return table

    def _query(self, parts: Sequence[Part], *about: Any) -> Query:
        vector = self._vectors.composed(parts, self.composer)
        return Query.of(parts, vector, *about)

    def _lift(self, query: Query) -> np.ndarray:
        spread = self.composer.gap.spread(query.vector[None])[0] if query.by == "both" else 1.0
        return spread * gallery_words(self.gallery).lift(query.words)[self._items]

    def _among(self, target: Target, **filters: Any) -> np.ndarray | None:
        return mask(target, lambda: self.adjustments.limit_scores, **filters)

    def _ranked(
        self,
        target: Target,
        vector: np.ndarray,
        k: int,
        start: float,
        filters: Filters,
        query: Query | None = None,
        **settings: Any,
    ) -> Results:
        encoded = perf_counter()
        settings["effort"] = self.effort if target.index.spec.knob else None
        settings |= {"among": self._among(target, **filters), "filters": filters}
        if query and query.words:
            settings |= {"lift": self._lift(query), "by": query.by}
        table = target.nearest(vector, k, **settings)
        table.attrs["encode_ms"] = 1000 * (encoded - start)
        table.attrs["search_ms"] = 1000 * (perf_counter() - encoded)
        return table

    def _caption_target(self) -> Target:
        with self._lock:
            if self._captions is None:
                self._captions = Target.captions(self.gallery, self.embeddings, self._build)
            return self._captions
