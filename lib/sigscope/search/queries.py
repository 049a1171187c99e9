"""Queries: what is asked for, and its parts as unit vectors, by the gallery's model."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.embeddings.worker import picture_side
from sigscope.files import same
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import RowLookup
from sigscope.images.read import Source, open_picture
from sigscope.search.compose import Composer, Part
from sigscope.types import EncoderLike

REMEMBERED_TEXTS = 1024
BY = ("both", "meaning", "words")  # the ways by which a text finds pictures


@dataclass(frozen=True, eq=False)
class Query:
    """What was asked for: its parts, the vector they make, and what could be found.

    Attributes:
        parts: what was asked for.
        vector: unit vector, float32, shape (d,), that the results are nearest to.
        kind: what it is made of: text, picture or composed.
        without: ids that are no results.
        filters: what the results were chosen from, as `filters.mask` takes it.
        by: whether they are found by meaning, by words, or by both.
    """

    parts: tuple[Part, ...]
    vector: np.ndarray
    kind: str
    without: tuple[str, ...]
    filters: dict
    by: str = "meaning"

    @classmethod
    def of(
        cls,
        parts: Sequence[Part],
        vector: np.ndarray,
        without: Sequence[str],
        filters: dict,
        by: str,
    ) -> "Query":
        """Return the query that these parts make; its items are no results."""
        if by not in BY:
            raise ValueError(f"there is no search by {by!r}; choose from {', '.join(BY)}")
        items = [part.value for part in parts if part.kind == "item"]
        kind = parts[0].side if len(parts) == 1 else "composed"
        return cls(
            tuple(parts), vector, kind, tuple(dict.fromkeys([*without, *items])), filters, by
        )

    @property
    def words(self) -> str:
        """The words that are to be found in what is written of pictures, "" where by none."""
        wanted = [part for part in self.parts if part.weight > 0]
        if self.by == "meaning" or any(part.kind != "text" for part in wanted):
            return ""
        return " ".join(part.value for part in wanted)

    def told(self) -> dict:
        """Return what the ``attrs`` of its results say.

        The query is among it, as JSON from which it can be made again, but where a picture was
        shown.
        """
        found = {"composed": True} if self.kind == "composed" else {}
        if self.words:
            found |= {"by": self.by}
        if any(part.kind == "picture" for part in self.parts):
            return found
        parts = [[part.kind, part.value, part.weight] for part in self.parts]
        query = {"parts": parts, "without": list(self.without), "filters": self.filters}
        return found | {"query": query | {"by": self.by}}


class Results(pd.DataFrame):
    """A ranked table; one of pictures knows its query, and so does what is cut or sorted of it."""

    _metadata = ["asked"]
    asked: Query | None = None

    @property
    def _constructor(self) -> type:
        return Results


class QueryVectors:
    """Makes unit vectors, float32, shape (d,); the model is loaded when it is first needed.

    Threads may share it. A text asked again is not encoded again.
    """

    def __init__(
        self,
        gallery: Gallery,
        embeddings: Embeddings,
        encoder: EncoderLike | Callable[[], EncoderLike],
    ) -> None:
        """Keep the model, or what loads it.

        Args:
            gallery: has the items' pictures.
            embeddings: of its items.
            encoder: the encoder that made them, or a function that returns it.

        Raises:
            StaleEmbeddings: encoder is not the one that made them.
        """
        self._gallery, self._embeddings = gallery, embeddings
        self._rows = RowLookup(embeddings.ids)
        self._make_encoder = None if hasattr(encoder, "encode_texts") else encoder
        self._encoder = None if self._make_encoder else self._fitting(encoder)
        self._lock = threading.Lock()
        self.text = lru_cache(maxsize=REMEMBERED_TEXTS)(self._encode_text)

    @property
    def encoder(self) -> EncoderLike:
        """The encoder, loaded now if it was not needed before."""
        with self._lock:
            if self._encoder is None:
                self._encoder = self._fitting(self._make_encoder())
            return self._encoder

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of several texts, (len(texts), d)."""
        return self.encoder.encode_texts(list(texts))

    def picture(self, picture: Source) -> np.ndarray:
        """Return the vector of a picture: its path, its bytes, or an open one."""
        encoder = self.encoder
        opened = open_picture(picture, max_side=picture_side(encoder))
        return encoder.encode_pictures([opened])[0]

    def knows(self, id: object) -> bool:
        """Return whether this is the id of an item that was embedded."""
        return self._rows.row(id) >= 0

    def item(self, id: str) -> np.ndarray:
        """Return an item's own vector; ValueError when it has none."""
        if (row := self._rows.row(id)) >= 0:
            return self._embeddings.images[row]
        failed = self._embeddings.failed
        reasons = failed.loc[failed["id"] == id, "reason"].tolist()
        if reasons:
            raise ValueError(f"{id!r} was not embedded and cannot be searched for: {reasons[0]}")
        raise ValueError(
            f"there is no item {id!r} in {self._gallery.name}; give an id of its table"
        )

    def part(self, part: Part) -> np.ndarray:
        """Return the vector of one part of a query."""
        return {"text": self.text, "picture": self.picture, "item": self.item}[part.kind](
            part.value
        )

    def composed(self, parts: Sequence[Part], composer: Composer) -> np.ndarray:
        """Return the vector of a query; the model's own of a text and a picture, if it takes both.

        That is where they weigh the same; else, and of other parts, it is the composer's.
        """
        sides = {part.side: part for part in parts}
        alike = len(parts) == len(sides) == 2 and parts[0].weight == parts[1].weight
        if not (alike and getattr(self.encoder, "takes_both", False)):
            return composer.vector(parts, [self.part(part) for part in parts])
        shown = sides["picture"]
        if shown.kind == "item":
            self.item(shown.value)  # or say why there is none
            return self.encoder.encode_pair(sides["text"].value, self._gallery.picture(shown.value))
        opened = open_picture(shown.value, max_side=picture_side(self.encoder))
        return self.encoder.encode_pair(sides["text"].value, opened)

    def _encode_text(self, text: str) -> np.ndarray:
        vector = self.encoder.encode_texts([text])[0]
        vector.setflags(write=False)
        return vector

    def _fitting(self, encoder: EncoderLike) -> EncoderLike:
        """Return encoder, or raise when it is not the one that made the embeddings."""
        made_by = self._embeddings.manifest.get("encoder")
        if made_by is not None and not same(made_by, encoder.identity):
            raise StaleEmbeddings(
                f"{self._embeddings.folder} holds embeddings by {made_by.get('model')} with other "
                f"weights or rules than {encoder.identity.get('model')} has; embed the gallery "
                "with this model into another folder"
            )
        return encoder
