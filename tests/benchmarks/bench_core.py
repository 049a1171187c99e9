"""How fast the core is with the shipped model and gallery; ``make bench``.

What is compared is measured in turns, so that a busy machine slows both, and medians are shown
after a warm-up.
"""

import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from unittest import mock

import numpy as np
from marks import Mark, in_turns, timed
from PIL import Image

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.gallery.gallery import Gallery
from sigscope.indexes.index import VectorIndex
from sigscope.models import openvino
from sigscope.models.encoder import Encoder
from sigscope.search.searcher import Searcher

PICTURES, ONE_BY_ONE, ROUNDS = 256, 48, 5
QUERIES = 60
PAIRS = 600
WORTH_US = 40  # from which time of a bare call its wrapper has a mark


def sample(gallery: Gallery, n: int) -> Gallery:
    """Return n items spread over the gallery, without captions: only pictures are timed."""
    rows = np.linspace(0, len(gallery) - 1, min(n, len(gallery))).round().astype(int)
    items = gallery.items.iloc[np.unique(rows)].reset_index(drop=True)
    return replace(gallery, items=items.assign(captions=[[] for _ in range(len(items))]))


def one_by_one(folder: Path) -> Callable[[list[Path]], None]:
    """Return the loop of the reports: open, process, get_image_features, one picture at a time."""
    import torch
    from transformers import AutoModel, AutoProcessor

    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(folder, backend="pil")

    def encode(files: list[Path]) -> None:
        for file in files:
            inputs = processor(images=Image.open(file).convert("RGB"), return_tensors="pt")
            with torch.no_grad():
                model.get_image_features(**inputs).pooler_output.numpy()

    return encode


def files_to_vectors(gallery: Gallery, encoder: Encoder, n: int, by: str = "") -> list[Mark]:
    """Compare pictures per second, from files to vectors on disk, with the loop of the reports."""
    some = sample(gallery, n)
    encode = one_by_one(encoder.folder)
    files = [some.file(id_) for id_ in some.items["id"][:: max(1, len(some) // ONE_BY_ONE)]]
    encode(files[:8])
    ours, theirs = [], []
    for turn in range(ROUNDS + 1):
        seconds = timed(lambda: encode(files))
        with tempfile.TemporaryDirectory() as folder:
            ours_s = timed(lambda folder=folder: embed_gallery(some, encoder, folder))
        if turn:
            theirs.append(len(files) / seconds)
            ours.append(len(some) / ours_s)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    loop, what = statistics.median(theirs), f"{encoder.model}, {encoder.dtype}{by}"
    return [
        Mark(f"{what}, files to vectors on disk", statistics.median(ours), "pictures/s", peer=loop),
        Mark("  over the reports' loop, one by one", ratio, "x", 5.0, at_least=True),
    ]


def text_queries(searcher: Searcher, by: str = "") -> list[Mark]:
    """Time text queries end to end, each text a new one."""
    captions = searcher.embeddings.caption_texts
    texts = [f"{caption}, {number}" for number, caption in enumerate(captions[:QUERIES])]
    texts += [f"a picture of number {number}" for number in range(QUERIES - len(texts))]
    searcher.by_text("warm up", k=24)
    if alone := searcher.encoder._alone:
        alone.settle("warm up")  # what a few queries do
    total, encode, rest = [], [], []
    for text in texts:
        start = perf_counter()
        table = searcher.by_text(text, k=24)
        total.append(1000 * (perf_counter() - start))
        encode.append(table.attrs["encode_ms"])
        rest.append(table.attrs["search_ms"])
    return [
        Mark(f"text query end to end, median{by}", statistics.median(total), "ms", 60),
        Mark("  of which encoding", statistics.median(encode), "ms", 8),
        Mark("  of which searching and making the table", statistics.median(rest), "ms"),
    ]


def wrapper(xb: np.ndarray) -> list[Mark]:
    """Compare VectorIndex.search with the bare Faiss call, single queries and a batch."""
    index = VectorIndex.build("flat", xb, [str(row) for row in range(len(xb))])
    rng = np.random.default_rng(0)
    asked = rng.normal(size=(100, xb.shape[1])).astype(np.float32)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    marks = []
    for name, xq, pairs in (("one query", asked[:1], PAIRS), ("100 queries", asked, PAIRS // 8)):
        for k in (10, 100, len(xb)):
            pairs = min(pairs, 60) if k == len(xb) and len(xq) > 1 else pairs
            ours, bare = in_turns(
                lambda xq=xq, k=k: index.search(xq, k),
                lambda xq=xq, k=k: index.index.search(xq, k),
                pairs,
            )
            label = f"wrapper over bare Faiss, {name}, k = {k:,} ({bare:,.0f} µs bare)"
            marks.append(Mark(label, ours / bare, "x", 1.05 if bare >= WORTH_US else None))
    return marks


def result_table(searcher: Searcher) -> list[Mark]:
    """Time what a Searcher adds to its index for one page of results: filters and the table."""
    target, vector = searcher._pictures, searcher.embeddings.images[0]
    whole, index = in_turns(
        lambda: target.nearest(vector, 24), lambda: target.index.search(vector[None], 24), PAIRS
    )
    category = searcher.gallery.items["category"][0]
    filtered, _ = in_turns(
        lambda: target.nearest(vector, 24, among=searcher._among(target, category=category)),
        lambda: None,
        PAIRS,
    )
    return [
        Mark("table of 24 results, beyond the index", whole - index, "µs"),
        Mark("index and table of 24 results", whole, "µs"),
        Mark("the same within one category", filtered, "µs"),
    ]


def marks(quick: bool = False) -> list[Mark]:
    """Return what was measured with the shipped model and gallery, with OpenVINO too if it is here.

    Searching is timed over as many vectors as the gallery has; which ones does not matter there.
    """
    gallery, n = load_gallery(paths.GALLERY), PICTURES // 4 if quick else PICTURES
    few = replace(gallery, items=gallery.items[:ONE_BY_ONE])
    rng = np.random.default_rng(0)
    xb = rng.normal(size=(len(gallery), Encoder.load().dimension)).astype(np.float32)
    xb /= np.linalg.norm(xb, axis=1, keepdims=True)
    found = wrapper(xb)
    ways = [("", "0")]
    if openvino.is_wanted():
        ways.append((f", OpenVINO {version('openvino')}", "1"))
    for by, compiles in ways:
        with mock.patch.dict(os.environ, SIGSCOPE_COMPILE=compiles):
            encoder = Encoder.load()
            with tempfile.TemporaryDirectory() as store:
                searcher = Searcher(few, embed_gallery(few, encoder, store), encoder)
            found += text_queries(searcher, by) + files_to_vectors(gallery, encoder, n, by)
    return found + result_table(searcher)
