"""Folders of vectors, such as clip-retrieval's, as embeddings; where they are many, on disk."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sigscope.embeddings.catalogue import Catalogue
from sigscope.embeddings.large_stores import stay_on_disk
from sigscope.embeddings.load import Embeddings, failures
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.gallery.gallery import Gallery
from sigscope.types import EncoderLike

HELD = 200_000  # vectors of pictures and of captions
COMPARED = 16  # texts encoded again to see whether the model is the one that is named
ALIKE = 0.98  # the least cosine there
NAME_IT = "name the model that made them, as in SIGSCOPE_MODEL=google/siglip2-base-patch16-224"


def open_folder(gallery: Gallery, encoder: EncoderLike) -> Embeddings:
    """Return the vectors of a gallery of `datasets.vector_tables.load_vectors`.

    More than HELD stay on disk, and are read when they are needed (see `stay_on_disk`).

    Args:
        gallery: whose ``vectors`` name the folder, or a part of such a gallery.
        encoder: the model that made the vectors, which is put to the test on some captions.

    Raises:
        StaleEmbeddings: the folder has changed since the gallery was loaded.
        ValueError: the encoder did not make these vectors.
    """
    catalogue = Catalogue.open(gallery.vectors)
    if catalogue.key != gallery.stamp:
        raise StaleEmbeddings(f"{gallery.vectors} has changed since it was read; read it again")
    items = gallery.items
    rows, said = items["vector"].to_numpy(np.int64), items["text_vector"].to_numpy(bool)
    ids, texts = items["id"].array, items["caption"].array
    images = catalogue.vectors("images", rows)
    captions = catalogue.vectors("texts", rows[said])
    first = texts[np.flatnonzero(said)[:COMPARED]]
    check_encoder(gallery.vectors, encoder, images.shape[1], first, captions[: len(first)])
    found = Embeddings(
        folder=gallery.vectors,
        ids=ids,
        images=images,
        caption_ids=ids if said.all() else ids[said],
        caption_texts=texts if said.all() else texts[said],
        captions=captions,
        manifest={"encoder": encoder.identity},
        failed=failures({"failed": []}),
        stamp=gallery.fingerprint,
    )
    size = len(images) + len(captions), images.shape[1]
    return found if stay_on_disk(*size, most=HELD) else _in_memory(found)


def _in_memory(found: Embeddings) -> Embeddings:
    return replace(
        found,
        ids=np.asarray(found.ids, dtype=object),
        images=found.images[:],
        caption_ids=np.asarray(found.caption_ids, dtype=object),
        caption_texts=np.asarray(found.caption_texts, dtype=object),
        captions=found.captions[:],
    )


def check_encoder(
    source: Path, encoder: EncoderLike, d: int, texts: Sequence[str], vectors: np.ndarray
) -> None:
    """Raise ValueError unless an encoder gives some texts the vectors that they have already.

    Args:
        source: where these are from, for the sentence.
        encoder: that may have made them.
        d: their dimensions.
        texts: perhaps none.
        vectors: of the texts, unit rows, (len(texts), d).
    """
    if encoder.dimension != d:
        raise ValueError(
            f"the vectors in {source} have {d} dimensions, and those of {encoder.model} "
            f"{encoder.dimension}; {NAME_IT}"
        )
    if not len(texts):
        return
    cosine = np.median(np.sum(encoder.encode_texts(list(texts)) * vectors, axis=1))
    if cosine < ALIKE:
        raise ValueError(
            f"{encoder.model} did not make the text vectors in {source}: the cosine of its own "
            f"with them is {cosine:.2f}, not 1; {NAME_IT}"
        )
