"""What `siglit-mini` is measured on: test splits that no choice was made on, and class names.

Retrieval is scored by `sigscope.evaluation`, as for any checkpoint: hit rate@1, @5 and @10 both
ways, intervals by a bootstrap over pictures.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from picture_features import Tower
from towers import class_names, classifier
from training_sources import textbook_source

from sigscope.datasets import load_gallery
from sigscope.embeddings import open_embeddings
from sigscope.evaluation import evaluate, summary
from sigscope.gallery import Gallery
from sigscope.gallery.folder import Listing
from sigscope.models import Encoder
from sigscope.paths import GALLERY

MEASURES = ("hit rate@1", "hit rate@5", "hit rate@10")


def galleries(flickr8k: str | None, photos: str | None) -> Iterator[tuple[str, Gallery]]:
    """Yield a name and a gallery with a test split; all of the gallery is searched."""
    if flickr8k:
        found = load_gallery(f"flickr8k:{flickr8k}")
        yield "Flickr8k test (1,000 photographs)", found.subset(split="test")
    if photos:
        held = textbook_source(Path(photos)).split("test")
        yield f"textbook test ({len(held):,} photographs)", textbook_gallery(Path(photos), held)
    yield "gallery test (the whole gallery searched)", load_gallery(GALLERY)


def textbook_gallery(folder: Path, table: pd.DataFrame) -> Gallery:
    """Return rows of the textbook source as a gallery whose split is test."""
    rows = [
        {"id": Path(file).relative_to(folder).as_posix(), "captions": captions, "split": "test"}
        for file, captions in zip(table["file"], table["captions"], strict=True)
    ]
    return Gallery.of("textbook", folder, Listing(rows))


def retrieval(name: str, gallery: Gallery, encoder: Encoder) -> pd.DataFrame:
    """Return the scores of the test split, one row for each direction and measure."""
    embeddings = open_embeddings(gallery, encoder, progress=True)
    table = summary(evaluate(gallery, embeddings, "test", MEASURES, encoder=encoder))
    return table.assign(benchmark=name)


def by_kind_of_caption(encoder: Encoder) -> pd.DataFrame:
    """Return the gallery's text-to-image hit rate@10 on test, titles and sentences apart."""
    gallery = load_gallery(GALLERY)
    result = evaluate(gallery, open_embeddings(gallery, encoder), "test", MEASURES)
    asked = result.queries.query("direction == 'text to image'")
    sentence = asked["caption"].str.match("A (drawing|photograph) of .*: ")
    words = asked["caption"].str.split().str.len()
    kind = np.select(
        [sentence, words <= 2, words <= 5],
        ["sentence with keywords", "title of one or two words", "title of three to five words"],
        "longer title",
    )
    hits = asked.groupby(kind)["hit rate@10"].agg(["mean", "size"])
    hits.index.name = "caption"
    return hits.rename(columns={"mean": "hit rate@10", "size": "queries"}).round(3).reset_index()


def photographs_of_classes(gallery: Gallery) -> pd.DataFrame:
    """Return val and test photographs whose caption names an ImageNet class: id, class."""
    number = {name.casefold(): i for i, names in enumerate(class_names()) for name in names}
    items = gallery.items
    bare = items["caption"].str.casefold().str.replace(r"^(a|an|the) |\.$", "", regex=True)
    table = pd.DataFrame({"id": items["id"], "class": bare.map(number)})
    asked = (items["kind"] == "photo") & items["split"].isin(["val", "test"])
    return table[asked & table["class"].notna()].astype({"class": int})


def zero_shot(encoder: Encoder) -> dict[str, float]:
    """Return top-1 and top-5 over the 1,000 class names, and the classifier's own top-1."""
    gallery = load_gallery(GALLERY)
    asked = photographs_of_classes(gallery)
    pictures = [gallery.picture(id) for id in asked["id"]]
    names = encoder.encode_texts([f"a photo of a {names[0]}" for names in class_names()])
    order = np.argsort(-encoder.encode_pictures(pictures) @ names.T, axis=1)
    right = order == asked["class"].to_numpy()[:, None]
    seen = Tower()(pictures)[0].astype(np.float32)
    _, weights, bias = classifier()
    logits = seen @ weights.numpy().T + bias.numpy()
    return {
        "photographs": len(asked),
        "top1": float(right[:, 0].mean()),
        "top5": float(right[:, :5].any(1).mean()),
        "classifier_top1": float((logits.argmax(1) == asked["class"]).mean()),
    }
