"""Maps of the small gallery that need no UMAP."""

from dataclasses import replace

import numpy as np
from small_gallery import small_embeddings, small_gallery

from sigscope.maps.clusters import Clusters
from sigscope.maps.map import Map, MapSettings, as_record

GALLERY = small_gallery()
EMBEDDINGS = small_embeddings(GALLERY)
CAPTIONS = ("caption_ids", "caption_texts", "captions")
ISLANDS = {"cat": (0, 0), "dog": (10, 0), "tree": (0, 10)}  # the diagonal is about 14


def few_embeddings(n: int = 12):
    """The first pictures with their captions: so few that their map is made without UMAP."""
    captions = {name: getattr(EMBEDDINGS, name)[: 2 * n] for name in CAPTIONS}
    return replace(EMBEDDINGS, ids=EMBEDDINGS.ids[:n], images=EMBEDDINGS.images[:n], **captions)


def island_map(dims: int = 2, captions: bool = False) -> Map:
    """Each class lies on an island of its own, item i at 0.01 i beside its middle."""
    middles = np.array([ISLANDS[name] for name in GALLERY.items["category"]], np.float32)
    places = np.zeros((60, dims), np.float32)
    places[:, :2] = middles + 0.01 * np.arange(60)[:, None]
    labels = np.arange(60, dtype=np.int32) % 3
    labels[50:] = -1
    clusters = Clusters(labels, ["cats", "dogs", "trees"], places[:3])
    ids, kinds = EMBEDDINGS.ids, np.full(60, "picture", dtype=object)
    settings = MapSettings(("picture", "caption") if captions else ("picture",), dims)
    trust = np.linspace(0, 1, 60, dtype=np.float32)
    if captions:
        ids, kinds = np.tile(ids, 2), np.repeat(np.array(settings.kinds, dtype=object), 60)
        places, trust = np.vstack([places, places + 100]), np.tile(trust, 2)
        labels = np.append(labels, np.full(60, -1, np.int32))
        clusters = Clusters(labels, clusters.names, clusters.centres)
    record = {**as_record(settings), "method": "UMAP", "note": ""}
    return Map(ids, kinds, places, record, {"trustworthiness": 0.9}, clusters, trust)
