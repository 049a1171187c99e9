"""Adjustments: what a text search may take off a picture's cosine when it is asked to.

Two of them, both off by default: a hub's head start (`rerank.hubness`), and a weight against
pictures of text for queries that do not ask for any (`rerank.text_bias`). Whether they help is
measured in notebook 7.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from sigscope.arguments import real
from sigscope.embeddings.load import Embeddings
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.rows import rows_of
from sigscope.gallery.twins import right_pictures, same_pictures
from sigscope.progress import Progress
from sigscope.rerank.corrections import Correction
from sigscope.rerank.hubness import CSLS, HubnessReduction, Unchanged
from sigscope.rerank.text_areas import (
    known_text_areas,
    measure_text_areas,
    ocr_is_installed,
)
from sigscope.rerank.text_bias import (
    asks_for_text,
    joined,
    text_penalty,
    zero_shot_text_scores,
)

REDUCTION = CSLS()
MOST_ASKED = 5000  # captions in the bank that a reduction learns from
FEWEST_ASKED, MOST_PAIRS = 200, 500_000_000  # among very many pictures there are fewer of them


class Adjustments:
    """The adjustments of one gallery's pictures; each is worked out when it is first asked for."""

    def __init__(
        self,
        gallery: Gallery,
        embeddings: Embeddings,
        encode_texts: Callable[[Sequence[str]], np.ndarray],
        reduction: HubnessReduction = REDUCTION,
    ) -> None:
        """Keep what they are made from; nothing is computed yet."""
        self.gallery, self.embeddings, self.reduction = gallery, embeddings, reduction
        self.encode_texts = encode_texts
        self._areas: np.ndarray | None = None

    @cached_property
    def hubs(self) -> Correction:
        """The reduction, fitted to captions of the train split, or of all items where none is.

        Of more than 5,000 captions, evenly spaced ones are used, and fewer where there are more
        than 100,000 pictures; of too few nothing is learnt, and the score stays the cosine.
        """
        bank, right = self._bank()
        try:
            return self.reduction.fit(bank, self.embeddings.images, right)
        except ValueError:  # too few captions to learn from
            return Unchanged().fit(bank, self.embeddings.images)

    @cached_property
    def text_scores(self) -> np.ndarray:
        """How much each picture looks like text to the model, in [0, 1], shape (n,)."""
        return zero_shot_text_scores(self.embeddings.images, self.encode_texts)

    @property
    def limit_scores(self) -> np.ndarray:
        """What the limit on text in pictures goes by, in [0, 1], shape (n,).

        It is the share of each picture that is writing, as soon as that has been measured, by
        whomever, and until then ``text_scores``.
        """
        if self._areas is None and ocr_is_installed():
            table = known_text_areas(self.gallery)
            self._areas = None if table is None else joined(table, self.embeddings.ids)
        return self.text_scores if self._areas is None else self._areas

    def measure_text(self, progress: Progress = False) -> None:
        """Measure how much of each picture is writing, once for a gallery: `rerank.text_areas`.

        Raises:
            ModuleNotFoundError: the extra ``ocr`` is not installed; the sentence says how to.
        """
        measure_text_areas(self.gallery, progress=progress)

    def of(self, query: str, tame_hubs: bool, less_text: float) -> list[Correction]:
        """Return the corrections for a query, over the rows of the embeddings.

        Args:
            query: the words asked for; those that ask for text keep pictures of text.
            tame_hubs: whether the reduction is applied.
            less_text: what a picture that is all text loses, in units of cosine, >= 0.
        """
        less_text = real("less_text", less_text, "it must be 0 or more", least=0)
        chosen = [self.hubs] if tame_hubs else []
        if less_text and not asks_for_text(query):
            chosen.append(text_penalty(self.text_scores, less_text))
        return chosen

    def _bank(self) -> tuple[np.ndarray, list[np.ndarray]]:
        items, embedded = self.gallery.items, self.embeddings
        place = rows_of(embedded.ids, items["id"].array)
        trained = np.asarray(items["split"] == "train", bool)
        known = (trained if trained.any() else ~trained)[place] & (place >= 0)
        asked = np.flatnonzero(known[embedded.owners] & (embedded.owners >= 0))
        if not asked.size:
            raise ValueError(
                f"{self.gallery.name} has no captions to find its hubs with; search without it"
            )
        most = min(MOST_ASKED, max(FEWEST_ASKED, MOST_PAIRS // len(embedded)))
        asked = asked[:: -(-asked.size // most)]
        alike = same_pictures(self.gallery, embedded.ids)
        near = np.flatnonzero(np.isin(alike, alike[embedded.owners[asked]]))
        ids = np.array(embedded.ids[near], dtype=object)
        texts, owners = embedded.caption_texts[asked], embedded.caption_ids[asked]
        right = right_pictures(texts, owners, ids, alike[near])
        return embedded.captions[asked], [near[rows] for rows in right]
