"""A protocol by its name, as the command `evaluate` runs it: report beside here."""

import pandas as pd

from sigscope.embeddings.load import Embeddings
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.protocols.captions import both_ways, caption_recall
from sigscope.protocols.classes import class_map
from sigscope.protocols.films import film_recall
from sigscope.protocols.judged_captions import judged_captions
from sigscope.protocols.landmarks import COLLECTIONS, landmark_map
from sigscope.types import EncoderLike

PROTOCOLS = ("captions", "classes", "landmarks", "judged-captions", "films")
SPLIT_SEARCHED = ("coco", "flickr30k", "flickr8k")  # papers search the test split alone;
# it holds every judged picture of Flickr8k too
COLUMNS = ["of", "figure", "report", "here", "low", "high", "chance", "depends_on"]


def run_protocol(
    name: str,
    gallery: Gallery,
    embeddings: Embeddings,
    encoder: EncoderLike,
    *,
    split: str = "test",
    seed: int = 0,
) -> pd.DataFrame:
    """Return what the reports print for a protocol, with our figure of this gallery beside it.

    ``captions`` is R4's recall and mAP in both directions, then R1's recall of a flat and a graph
    index; ``classes`` is R2's mAP of picture and text queries; ``landmarks`` is R2's of Oxford5k
    and Paris6k; ``judged-captions`` is Kendall's tau and NDCG of Flickr8k's judged pairs, CLIP's
    tau beside ours; ``films`` is the recall of text to film, which no report has.

    Args:
        name: one of ``PROTOCOLS``.
        gallery: with captions, with categories, or with the landmark queries or the judgements in
            its folder.
        embeddings: of the whole gallery, all of which is searched.
        encoder: the model that made the embeddings.
        split: whose captions or pictures are the queries; landmarks and judged captions have
            queries of their own.
        seed: of all draws.

    Returns:
        Columns of (the report), figure, report, here, low, high (the 95 % interval of here), chance
        (of a random order) and depends_on (in words); shares in [0, 1], nan where nothing is known.

    Raises:
        StaleEmbeddings: the embeddings are of another gallery or by another model.
        LeakError: a picture of the split has a marked duplicate in another split.
        ValueError: there is no such protocol, or the gallery lacks what it asks with.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"there is no protocol {name!r}; choose from {', '.join(PROTOCOLS)}")
    if name == "landmarks":
        tables = {"R2": landmark_map(gallery, embeddings, encoder, seed=seed).table}
    elif name == "judged-captions":
        tables = {"CLIP": judged_captions(gallery, embeddings, encoder, seed=seed)}
    elif name == "films":
        tables = {"": film_recall(gallery, embeddings, split=split, seed=seed)}
    elif name == "classes":
        tables = {"R2": class_map(gallery, embeddings, encoder, split=split, seed=seed).table}
    else:
        tables = {
            "R4": both_ways(gallery, embeddings, split=split, seed=seed).table,
            "R1": caption_recall(gallery, embeddings, split=split, seed=seed).table,
        }
    return pd.concat(
        [table.assign(of=report).reindex(columns=COLUMNS) for report, table in tables.items()],
        ignore_index=True,
    )


def default_protocol(gallery: Gallery) -> str:
    """Return the protocol that fits a gallery: by its data set, else by its captions.

    Raises:
        GalleryError: it has neither captions nor two classes.
    """
    if gallery.name in COLLECTIONS:
        return "landmarks"
    if (gallery.items["caption"] != "").any():
        return "films" if "video" in gallery.items else "captions"
    if len(set(gallery.items["category"]) - {""}) < 2:
        raise GalleryError(
            f"{gallery.name} has neither captions nor two classes, so nothing says which pictures "
            "are right; put texts beside its pictures, or the pictures into folders of classes."
        )
    return "classes"


def searched_gallery(gallery: Gallery, protocol: str, split: str, among: str | None) -> Gallery:
    """Return what is searched: the gallery, or the pictures of its split alone.

    Args:
        gallery: the whole gallery.
        protocol: one of ``PROTOCOLS``.
        split: whose captions or pictures are the queries.
        among: ``all`` or ``split``; None is what papers do: of COCO, the Flickr sets and films the
            split.

    Raises:
        GalleryError: no picture is in that split.
    """
    with_captions = protocol in ("captions", "judged-captions")
    asked_by_papers = with_captions and gallery.name in SPLIT_SEARCHED or protocol == "films"
    if among == "split" or (among is None and asked_by_papers):
        return gallery.subset(split=split)
    return gallery
