"""Search: words, a picture, or an item of the gallery go in, and a ranked table comes out.

A score is the cosine of two unit vectors. Compare scores within one kind of search only: two
pictures lie nearer to each other than a picture and its caption.
"""

import threading
from collections.abc import Sequence
from copy import copy
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from sigscope.adjustments import Adjustments
from sigscope.corrections import Correction
from sigscope.embedder import picture_side
from sigscope.embeddings import Embeddings, StaleEmbeddings, open_embeddings
from sigscope.gallery import Gallery, load_gallery
from sigscope.images import Source, open_picture
from sigscope.index_specs import IndexSpec, find_spec
from sigscope.indexes import VectorIndex
from sigscope.ranking import Target
from sigscope.store import same

Choice = str | Sequence[str] | None  # one value, several, or all of them
REMEMBERED_TEXTS = 1024


class Searcher:
    """Searches one gallery by words, by picture, and by what is in it already.

    Only items that are both in the gallery and in the embeddings are searched, so a subset of a
    gallery can be searched with the embeddings of the whole. Nothing in here changes once it is
    made; many threads may share it.

    Every search returns one row per result, best first: rank (from 1), id, score (cosine), caption,
    category and path, and in its ``attrs`` the milliseconds that the query took to encode
    (``encode_ms``) and the rest took (``search_ms``), and ``adjusted`` where the score is no longer
    the cosine.
    """

    def __init__(
        self,
        gallery: Gallery,
        embeddings: Embeddings,
        encoder: Any,
        index: str | IndexSpec = "flat",
        effort: int | None = None,
    ) -> None:
        """Join a gallery and its embeddings by id.

        Args:
            gallery: what to search.
            embeddings: its vectors.
            encoder: the encoder that made them, or a function that returns it, which is called
                when the first text or picture is to be encoded.
            index: a name in ``INDEXES``, or a spec, such as that of a recommended index.
            effort: the value of that index's knob; None is its default.
        """
        self.gallery, self.embeddings = gallery, embeddings
        self.index_name, self.effort = find_spec(index)[0], effort
        self._rows = {id_: row for row, id_ in enumerate(embeddings.ids)}
        self._pictures = Target.pictures(gallery, embeddings, index)
        self._make_encoder = None if hasattr(encoder, "encode_texts") else encoder
        self._encoder = None if self._make_encoder else self._fitting(encoder)
        self._captions: Target | None = None
        self.adjustments = Adjustments(gallery, embeddings, self._encode_texts)
        self._lock = threading.Lock()
        self._text_vector = lru_cache(maxsize=REMEMBERED_TEXTS)(self._encode_text)

    @classmethod
    def open(
        cls,
        gallery: Gallery | str | Path | None = None,
        model: str | Path | None = None,
        index: str | IndexSpec = "flat",
        effort: int | None = None,
        progress: bool = False,
    ) -> "Searcher":
        """Return a searcher of a gallery (or a folder; None is the shipped one) with a model.

        The gallery is embedded now if it is not yet, which may take minutes.
        """
        from sigscope.encoder import Encoder

        if not isinstance(gallery, Gallery):
            gallery = load_gallery(gallery)
        encoder = Encoder.load(model)
        embeddings = open_embeddings(gallery, encoder, progress=progress)
        return cls(gallery, embeddings, encoder, index, effort)

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
    def encoder(self) -> Any:
        """The encoder, loaded now if it was not needed before."""
        with self._lock:
            if self._encoder is None:
                self._encoder = self._fitting(self._make_encoder())
            return self._encoder

    def by_text(
        self,
        text: str,
        k: int = 10,
        *,
        category: Choice = None,
        split: Choice = None,
        tame_hubs: bool = False,
        less_text: float = 0.0,
    ) -> pd.DataFrame:
        """Return the pictures that fit a text best; a text too long for the model is cut.

        Args:
            text: what to look for.
            k: how many.
            category: only these.
            split: only these.
            tame_hubs: lower pictures that are near to everything (`sigscope.adjustments`).
            less_text: what a picture that is all text loses, in units of cosine, unless the query
                asks for text. With either, a score is no cosine any more.
        """
        if not isinstance(text, str) or not text.strip():
            raise ValueError("the query is empty; write a few words that describe a picture")
        start = perf_counter()
        vector = self._text_vector(text)
        adjusted = self.adjustments.of(text, tame_hubs, less_text)
        return self._ranked(self._pictures, vector, k, category, split, start, corrections=adjusted)

    def by_picture(
        self, picture: Source, k: int = 10, *, category: Choice = None, split: Choice = None
    ) -> pd.DataFrame:
        """Return the pictures most like a picture: its path, its bytes, or an open one."""
        start = perf_counter()
        vector = self._picture_vector(picture)
        return self._ranked(self._pictures, vector, k, category, split, start)

    def by_vector(
        self, vector: np.ndarray, k: int = 10, *, category: Choice = None, split: Choice = None
    ) -> pd.DataFrame:
        """Return the pictures nearest a vector of d numbers; its length does not matter."""
        start = perf_counter()
        return self._ranked(self._pictures, self._unit(vector), k, category, split, start)

    def like(
        self, id: str, k: int = 10, *, category: Choice = None, split: Choice = None
    ) -> pd.DataFrame:
        """Return the pictures most like an item of the gallery, which is not among them itself."""
        start = perf_counter()
        vector = self._stored(id)
        return self._ranked(self._pictures, vector, k, category, split, start, without=id)

    def captions_for(
        self,
        picture: Source,
        k: int = 10,
        *,
        category: Choice = None,
        split: Choice = None,
    ) -> pd.DataFrame:
        """Return the captions that fit an item (by its id) or a picture best, one row a caption."""
        start = perf_counter()
        is_id = isinstance(picture, str) and picture in self._rows
        vector = self._stored(picture) if is_id else self._picture_vector(picture)
        return self._ranked(self._caption_target(), vector, k, category, split, start)

    def _ranked(
        self,
        target: Target,
        vector: np.ndarray,
        k: int,
        category: Choice,
        split: Choice,
        start: float,
        without: str | None = None,
        corrections: Sequence[Correction] = (),
    ) -> pd.DataFrame:
        encoded = perf_counter()
        table = target.nearest(
            vector,
            k,
            category=category,
            split=split,
            without=without,
            effort=self.effort if target.index.spec.knob else None,
            corrections=corrections,
        )
        if corrections:
            table.attrs["adjusted"] = True
        table.attrs["encode_ms"] = 1000 * (encoded - start)
        table.attrs["search_ms"] = 1000 * (perf_counter() - encoded)
        return table

    def _encode_text(self, text: str) -> np.ndarray:
        vector = self.encoder.encode_texts([text])[0]
        vector.setflags(write=False)
        return vector

    def _encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return self.encoder.encode_texts(list(texts))

    def _picture_vector(self, picture: Source) -> np.ndarray:
        encoder = self.encoder
        opened = open_picture(picture, max_side=picture_side(encoder))
        return encoder.encode_pictures([opened])[0]

    def _stored(self, id: str) -> np.ndarray:
        if id in self._rows:
            return self.embeddings.images[self._rows[id]]
        failed = self.embeddings.failed
        reasons = failed.loc[failed["id"] == id, "reason"].tolist()
        if reasons:
            raise ValueError(f"{id!r} was not embedded and cannot be searched for: {reasons[0]}")
        raise ValueError(f"there is no item {id!r} in {self.gallery.name}; give an id of its table")

    def _unit(self, vector: np.ndarray) -> np.ndarray:
        vector = np.array(vector, dtype=np.float64)
        d = self.embeddings.dimension
        if vector.shape != (d,):
            raise ValueError(f"the vector has shape {vector.shape}; it must be ({d},)")
        length = np.linalg.norm(vector)
        if not (np.isfinite(length) and length > 0):
            raise ValueError("the vector is all zeros or holds NaN or infinity: no direction")
        return (vector / length).astype(np.float32)

    def _caption_target(self) -> Target:
        with self._lock:
            if self._captions is None:
                self._captions = Target.captions(self.gallery, self.embeddings, self.index.spec)
            return self._captions

    def _fitting(self, encoder: Any) -> Any:
        """Return encoder, or raise when it is not the one that made the embeddings."""
        made_by = self.embeddings.manifest.get("encoder")
        if made_by is not None and not same(made_by, encoder.identity):
            raise StaleEmbeddings(
                f"{self.embeddings.folder} holds embeddings by {made_by.get('model')} with other "
                f"weights or rules than {encoder.identity.get('model')} has; embed the gallery "
                "with this model into another folder"
            )
        return encoder
