"""Projection: a gallery's vectors laid out in a plane or a room, once, and kept.

UMAP (McInnes, Healy & Melville 2018) lays out a graph of exact cosine neighbours, seeded and on one
thread, so that the same vectors and versions give the same map on the same kind of machine with as
many threads (the cosines of neighbours differ in their last bits with their number). A map is kept
below ``paths.CACHE/maps`` in a folder whose name says what else it depends on; those of the shipped
gallery are in ``paths.SHIPPED_MAPS``. Where UMAP has not been run yet, `quick_map` lays the points
out by their two or three principal components in milliseconds; `sigscope.maps.background` makes the
real one meanwhile.
"""

import logging
import warnings
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from sigscope import paths
from sigscope.embeddings.load import Embeddings
from sigscope.files import LOCK, folder_lock
from sigscope.indexes.exact import nearest
from sigscope.maps import faithfulness
from sigscope.maps.clusters import find_clusters
from sigscope.maps.map import (
    FORMAT,
    Map,
    MapSettings,
    StaleMap,
    as_record,
    read_map,
    settings_key,
    vectors_key,
    write_map,
)
from sigscope.maps.sampling import is_sampled, picture_places, placed_note, sample
from sigscope.maps.telling import Tell, bar, share_of, told

VERSIONS = ("umap-learn", "numba", "scikit-learn")  # a map may look otherwise under others
START_S, POINT_S = 10.0, 0.001  # UMAP compiles first; then as measured
FARTHEST = 1.999  # UMAP cuts neighbours at cosine distance 2 off, which leaves a point without any
log = logging.getLogger(__name__)
_keys: WeakKeyDictionary[Embeddings, dict[tuple, tuple[int, str]]] = WeakKeyDictionary()


def open_map(
    embeddings: Embeddings, settings: MapSettings | None = None, *, progress: bool = False
) -> Map:
    """Return the map of embeddings: the shipped or the kept one, or one that is made now and kept.

    A kept map is loaded in milliseconds. A second process that wants a map which is being made
    waits for it.

    Args:
        embeddings: what to lay out.
        settings: how; None is two dimensions, pictures only.
        progress: show a bar on stderr while it is made.
    """
    return kept_map(embeddings, settings, bar(progress))


def kept_map(embeddings: Embeddings, settings: MapSettings | None, tell: Tell) -> Map:
    """Return what `open_map` does, telling a function how far it is."""
    settings = settings or MapSettings()
    record = settings_record(embeddings, settings)
    folder = map_folder(record)
    if not (folder / LOCK).exists() and (kept := stored_map(embeddings, settings)):
        return kept
    with folder_lock(folder, say=log.info):
        with suppress(StaleMap):  # whoever held it before us may have made it
            return read_map(folder, record)
        write_map(folder, make_map(embeddings, settings, tell=tell))
        return read_map(folder, record)


def stored_map(embeddings: Embeddings, settings: MapSettings | None = None) -> Map | None:
    """Return the shipped map or the one in the cache, None where there is none; milliseconds."""
    record = settings_record(embeddings, settings or MapSettings())
    for folder in (paths.SHIPPED_MAPS / settings_key(record), map_folder(record)):
        with suppress(StaleMap):
            return read_map(folder, record)
    return None


def map_folder(record: dict) -> Path:
    """Return where the map with these settings is kept."""
    return paths.CACHE / "maps" / settings_key(record)


def make_map(
    embeddings: Embeddings, settings: MapSettings | None = None, *, tell: Tell | None = None
) -> Map:
    """Return a new map of embeddings, judged and with its clusters; it is not kept.

    Args:
        embeddings: what to lay out. With no more points than n_neighbors there is no neighbourhood
            to keep: they are laid out by principal components, and the settings say so.
            Of very many pictures a sample is laid out, and the others placed (`maps.sampling`).
        settings: how; None is two dimensions, pictures only.
        tell: is told how far it is; while UMAP lays out, which tells nothing, by an estimate.

    Raises:
        ValueError: There is nothing to lay out, or a vector holds NaN or infinity.
    """
    settings, tell = settings or MapSettings(), tell or bar(False)
    if is_sampled(embeddings):
        return _make_sampled(embeddings, settings, tell)
    ids, kinds, vectors = points(embeddings, settings)
    record = settings_record(embeddings, settings)
    tell(0.0, "finding neighbours")
    if record["method"] == "UMAP":
        cosines, near = nearest(vectors, vectors, settings.n_neighbors, own=np.arange(len(vectors)))
        places = _umap(vectors, cosines, near, settings, tell)
    else:
        near, places = None, _components(vectors, settings.dims)
    tell(0.8, "judging the map")
    scores, trust = _judged(vectors, places, near, kinds, settings)
    tell(0.95, "naming clusters")
    pictures = len(embeddings.ids)
    found = find_clusters(places[:pictures], _captions(embeddings))
    labels = np.append(found.labels, np.full(len(ids) - pictures, -1, np.int32))
    tell(1.0, "writing it down")
    return Map(ids, kinds, places, record, scores, replace(found, labels=labels), trust)


def _make_sampled(embeddings: Embeddings, settings: MapSettings, tell: Tell) -> Map:
    few, rows = sample(embeddings, settings.seed)
    made = make_map(few, settings, tell=share_of(tell, 0, 0.5))
    own = few.images, made.places[: len(rows)]
    placed, error = picture_places(embeddings.images, rows, *own, share_of(tell, 0.5, 1))
    record = settings_record(embeddings, settings)
    return replace(made, settings=record, scores=made.scores | error, rows=rows, placed=placed)


def quick_map(embeddings: Embeddings, settings: MapSettings | None = None) -> Map:
    """Return a map by principal components: to show at once, and the baseline for a better one.

    It is neither judged nor clustered. 3,900 vectors of 384 numbers take about 20 ms.
    """
    settings = settings or MapSettings()
    if is_sampled(embeddings):
        few, rows = sample(embeddings, settings.seed)
        made = quick_map(few, settings)
        return replace(made, rows=rows, settings={**made.settings, "n": len(embeddings)})
    ids, kinds, vectors = points(embeddings, settings)
    note = "A quick map by principal components; it keeps few neighbours."
    record = {**settings_record(embeddings, settings), "method": "PCA", "note": note}
    return Map(ids, kinds, _components(vectors, settings.dims), record)


def points(
    embeddings: Embeddings, settings: MapSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the id, kind and vector of each point: pictures, then perhaps first captions."""
    ids, vectors = embeddings.ids, embeddings.images
    kinds = np.full(len(ids), "picture", dtype=object)
    if "caption" in settings.kinds:
        first = first_captions(embeddings)
        ids = np.concatenate([ids, embeddings.caption_ids[first]])
        kinds = np.concatenate([kinds, np.full(len(first), "caption", dtype=object)])
        vectors = np.concatenate([vectors, embeddings.captions[first]])
    return ids, kinds, _checked(ids, vectors)


def first_captions(embeddings: Embeddings) -> np.ndarray:
    """Return the row of each item's first caption, in the order of the captions."""
    return np.sort(np.unique(embeddings.caption_ids.astype(str), return_index=True)[1])


def settings_record(embeddings: Embeddings, settings: MapSettings) -> dict[str, Any]:
    """Return all that a map depends on, as JSON keeps it; its hash is worked out once."""
    keys = _keys.setdefault(embeddings, {})
    if settings.kinds not in keys:
        keys[settings.kinds] = _known(embeddings, settings)
    n, key = keys[settings.kinds]
    few, further = n <= settings.n_neighbors, {}
    note = f"{n} points are too few for UMAP; laid out by principal components." if few else ""
    if is_sampled(embeddings):
        note, further = placed_note(len(embeddings)), {"n": len(embeddings)}
    return {
        **as_record(settings),
        "vectors": key,
        "metric": "cosine",
        "method": "PCA" if few else "UMAP",
        "note": note,
        "versions": {name: version(name) for name in VERSIONS},
        "format": FORMAT,
        **further,
    }


def _known(embeddings: Embeddings, settings: MapSettings) -> tuple[int, str]:
    """Return how many points there are, and what changes with any of their vectors."""
    if embeddings.stamp:
        return len(embeddings), embeddings.stamp
    ids, _, vectors = points(embeddings, settings)
    return len(ids), vectors_key(ids, vectors)


def _checked(ids: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    if not len(vectors):
        raise ValueError("there is nothing to lay out: the embeddings hold no pictures")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"the vector of {ids[row]!r} (row {row}) holds NaN or infinity")
    return np.ascontiguousarray(vectors, np.float32)


def _umap(
    vectors: np.ndarray, cosines: np.ndarray, near: np.ndarray, settings: MapSettings, tell: Tell
) -> np.ndarray:
    """Return places by UMAP over the graph of exact neighbours, a point being its own first."""
    from umap import UMAP

    n, others = len(vectors), settings.n_neighbors - 1
    rows = np.hstack([np.arange(n)[:, None], near[:, :others]]).astype(np.int32)
    distances = np.hstack([np.zeros((n, 1)), 1 - cosines[:, :others]])
    method = UMAP(
        n_neighbors=settings.n_neighbors,
        min_dist=settings.min_dist,
        n_components=settings.dims,
        metric="cosine",
        init="pca",  # as faithful as the spectral start, and steadier from seed to seed
        random_state=settings.seed,
        n_jobs=1,
        precomputed_knn=(rows, np.clip(distances, 0, FARTHEST).astype(np.float32)),
    )
    with told(tell, 0.1, 0.8, "laying out", START_S + POINT_S * n), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is no transform, and one thread
        warnings.simplefilter("ignore", RuntimeWarning)  # that all points are one
        places = method.fit_transform(vectors)
    places = _whole_places(np.asarray(places, np.float32), vectors, settings.dims)
    return _components(places, settings.dims)  # turned so that it is widest along x


def _whole_places(places: np.ndarray, vectors: np.ndarray, dims: int) -> np.ndarray:
    """Return places, with the middle of the others for a point that UMAP left without one."""
    lost = ~np.isfinite(places).all(axis=1)
    if lost.all():
        return _components(vectors, dims)
    places[lost] = np.median(places[~lost], axis=0)
    return places


def _components(vectors: np.ndarray, dims: int) -> np.ndarray:
    """Return the first principal components, each with the sign that makes its largest part +."""
    centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    axes = axes[:, ::-1][:, :dims]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    places = centred @ axes.astype(np.float32)
    return np.pad(places, ((0, 0), (0, dims - places.shape[1])))  # vectors of one number


def _judged(
    vectors: np.ndarray,
    places: np.ndarray,
    near: np.ndarray | None,
    kinds: np.ndarray,
    settings: MapSettings,
) -> tuple[dict, np.ndarray]:
    """Return the scores of a map, and the trust of each point that was judged."""
    n, trust = len(vectors), np.full(len(vectors), np.nan, np.float32)
    k = min(faithfulness.K, (n - 1) // 2)
    if k < 1:
        return {}, trust
    rows = faithfulness.sampled(n, np.random.default_rng(settings.seed))
    found = faithfulness.point_scores(vectors, places, k=k, rows=rows)
    trust[rows] = found["trust"]
    scores = asdict(faithfulness.summary(found, n, k))
    if near is not None and len(settings.kinds) > 1:
        scores |= faithfulness.other_kind_share(near[:, :k], kinds)
    return scores, trust


def _captions(embeddings: Embeddings) -> list[list[str]]:
    """Return the captions of each picture, in the pictures' order."""
    texts: dict[str, list[str]] = {id_: [] for id_ in embeddings.ids}
    for id_, text in zip(embeddings.caption_ids, embeddings.caption_texts, strict=True):
        texts.get(id_, []).append(text)
    return list(texts.values())
