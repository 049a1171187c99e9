"""Maps: points of a gallery laid out in a plane or a room, with the files that keep them.

A point is a picture (``kind`` "picture") or the first caption of one ("caption"); ``id`` is the
item's in both cases, so an id and a kind name one point. Pictures come first. The axes of a map
have no unit: what is near each other belongs together, what is far apart says little.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sigscope.cache import mark_used
from sigscope.embeddings.load import as_objects
from sigscope.files import atomic_write, read_sealed, sha256, write_sealed
from sigscope.gallery.rows import rows_of
from sigscope.maps.clusters import Clusters
from sigscope.maps.faithfulness import Faithfulness

FORMAT = 1  # raised when the same settings would give another map
RECORD = "map.json"
KINDS = ("picture", "caption")
AXES = ("x", "y", "z")


class StaleMap(ValueError):
    """The map in a folder is missing, broken, or of something else."""


@dataclass(frozen=True)
class MapSettings:
    """What a map is made of and how; a map made with others is another map.

    Attributes:
        kinds: "picture", or "picture" and "caption" together.
        dims: 2 or 3.
        n_neighbors: how many neighbours, the point itself counted, UMAP keeps together.
        min_dist: how close UMAP may put two points, in the units of the map.
        seed: of everything random.
    """

    kinds: tuple[str, ...] = ("picture",)
    dims: int = 2
    n_neighbors: int = 15
    min_dist: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        object.__setattr__(self, "kinds", tuple(self.kinds))
        if self.kinds not in (("picture",), KINDS):
            raise ValueError(f'kinds is {self.kinds}; it must be ("picture",) or {KINDS}')
        if self.dims not in (2, 3):
            raise ValueError(f"dims is {self.dims}; a map has 2 or 3")
        if self.n_neighbors < 2:
            raise ValueError(f"n_neighbors is {self.n_neighbors}; it must be at least 2")
        if not 0 <= self.min_dist <= 1:
            raise ValueError(f"min_dist is {self.min_dist}; it must be from 0 to 1")


@dataclass(frozen=True, eq=False)
class Map:
    """The places of n points, with all that was found out about them when they were laid out.

    Attributes:
        ids: the item of each point, strings, (n,).
        kinds: "picture" or "caption", (n,).
        places: float32, (n, 2) or (n, 3).
        settings: what the map was made of and how: the fields of MapSettings, and vectors (the
            SHA-256 of ids and vectors), method ("UMAP" or "PCA"), note (why not UMAP, or ""),
            metric, versions, format.
        scores: trustworthiness, continuity and more (`maps.faithfulness`); empty for a quick
            map.
        clusters: named groups of pictures (`sigscope.maps.clusters`), or None for a quick map.
        trust: each point's own trustworthiness, float32, (n,); nan where it was not worked out.
        rows: of a map of a sample (`maps.sampling`), the row in the embeddings of each picture that
            is a point, int64; None where all are.
        placed: the place of every picture of the embeddings, laid out or not, float32, (pictures,
            2) or (pictures, 3); None where all are points, or the map is a quick one.
    """

    ids: np.ndarray
    kinds: np.ndarray
    places: np.ndarray
    settings: dict
    scores: dict = field(default_factory=dict)
    clusters: Clusters | None = None
    trust: np.ndarray | None = None
    rows: np.ndarray | None = None
    placed: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of points, n."""
        return len(self.ids)

    @property
    def dims(self) -> int:
        """The number of dimensions, 2 or 3."""
        return self.places.shape[1]

    @property
    def size(self) -> float:
        """The diagonal of the box that holds all places; distances are stated as shares of it."""
        return float(np.linalg.norm(np.ptp(self.places.astype(np.float64), axis=0)))

    @property
    def faithfulness(self) -> Faithfulness | None:
        """How faithful the map is, or None where that has not been worked out."""
        names = [part.name for part in fields(Faithfulness)]
        if not all(name in self.scores for name in names):
            return None
        return Faithfulness(**{name: self.scores[name] for name in names})

    def of(self, kind: str) -> np.ndarray:
        """Return the row numbers of the points of a kind, in the order of the embeddings."""
        return np.flatnonzero(self.kinds == kind)

    def including(self, rows: np.ndarray, ids: Sequence[str]) -> "Map":
        """Return a map of a sample with further pictures as points, at their places.

        Args:
            rows: of the pictures in the embeddings; those that are points already stay as they are.
            ids: of these.
        """
        if self.placed is None:
            return self
        new = ~np.isin(rows, self.rows)
        rows, ids = np.asarray(rows)[new], as_objects(list(np.asarray(ids, object)[new]))
        clusters = self.clusters
        if clusters is not None:
            none = np.full(len(rows), -1, clusters.labels.dtype)
            clusters = replace(clusters, labels=np.concatenate([clusters.labels, none]))
        trust = self.trust
        if trust is not None:
            trust = np.concatenate([trust, np.full(len(rows), np.nan, trust.dtype)])
        return replace(
            self,
            ids=np.concatenate([self.ids, ids]),
            kinds=np.concatenate([self.kinds, np.full(len(rows), "picture", self.kinds.dtype)]),
            places=np.concatenate([self.places, self.placed[rows]]),
            clusters=clusters,
            trust=trust,
            rows=np.concatenate([self.rows, rows]),
        )

    def table(self, items: pd.DataFrame) -> pd.DataFrame:
        """Return one row per point whose item is in items: what the figures are drawn from.

        Args:
            items: such as ``gallery.items`` or a part of it: id, caption, category, split.

        Returns:
            Columns id, kind, x, y (and z), cluster (a name), trust, and the columns of items.
        """
        table = pd.DataFrame({"id": self.ids, "kind": self.kinds})
        for axis, values in zip(AXES, self.places.T, strict=False):
            table[axis] = values
        table["cluster"] = "" if self.clusters is None else self.clusters.of_points()
        table["trust"] = np.nan if self.trust is None else self.trust
        known = items[["id", "caption", "category", "split"]]
        if self.rows is not None:  # few of many items
            place = rows_of(self.ids, items["id"].array)
            known = known.iloc[np.unique(place[place >= 0])]
        return table.merge(known, on="id", how="inner", sort=False, validate="many_to_one")


def vectors_key(ids: Sequence[str], vectors: np.ndarray) -> str:
    """Return the SHA-256 of ids and vectors, 64 hexadecimal digits; 10 ms for 6 MB."""
    digest = hashlib.sha256(json.dumps([list(ids), list(vectors.shape)]).encode())
    digest.update(np.ascontiguousarray(vectors, np.float32).data)
    return digest.hexdigest()


def settings_key(settings: dict) -> str:
    """Return the name of the folder for a map with these settings, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def write_map(folder: Path, made: Map) -> None:
    """Write a map's files to folder, beside those of an older one, which goes with the last move.

    That gives the record its name, without which there is no map.
    """
    arrays = {"places": made.places, "trust": made.trust, "rows": made.rows, "placed": made.placed}
    if made.clusters is not None:
        arrays["labels"] = made.clusters.labels
    hashes = {}
    for name, array in arrays.items():
        if array is not None:
            hashes[name] = _write_array(folder, name, array)
    record = {
        "settings": made.settings,
        "scores": made.scores,
        "files": hashes,
        "clusters": None if made.clusters is None else made.clusters.record(),
        "kinds": {kind: len(made.of(kind)) for kind in made.settings["kinds"]},
        "ids": list(made.ids),
    }
    write_sealed(folder / RECORD, record)
    kept = {_file(folder, name, digest) for name, digest in hashes.items()}
    for path in set(folder.glob("*.npy")) - kept:
        path.unlink(missing_ok=True)


def read_map(folder: Path, settings: dict | None = None) -> Map:
    """Return the map in folder, its record and every file checked against their hashes.

    Args:
        folder: where `write_map` wrote it.
        settings: what it must have been made of and how; None leaves that unchecked.

    Raises:
        StaleMap: It is missing, broken, or of something else.
    """
    try:
        record = read_sealed(folder / RECORD)
        found = _from(record, folder, settings)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, StaleMap):
            raise
        raise StaleMap(f"there is no whole map in {folder} ({error}); make it again") from error
    mark_used(folder / RECORD)
    return found


def as_record(settings: MapSettings) -> dict[str, Any]:
    """Return settings as a dict that JSON gives back unchanged."""
    return {**asdict(settings), "kinds": list(settings.kinds)}


def settings_of(record: dict[str, Any]) -> MapSettings:
    """Return the settings that a map's record holds, without what was added to them."""
    return MapSettings(**{part.name: record[part.name] for part in fields(MapSettings)})


def _from(record: dict, folder: Path, settings: dict | None) -> Map:
    if settings is not None and record["settings"] != settings:
        raise StaleMap(f"{folder} holds a map of something else; make it in another folder")
    arrays = {name: _array(folder, name, digest) for name, digest in record["files"].items()}
    ids = np.empty(len(record["ids"]), dtype=object)
    ids[:] = record["ids"]
    kinds = np.repeat(list(record["kinds"]), list(record["kinds"].values()))
    n, dims = len(ids), record["settings"]["dims"]
    rows, placed = arrays.pop("rows", None), arrays.pop("placed", None)
    fits = rows is None or (len(rows) == (kinds == "picture").sum() and rows.max() < len(placed))
    fits &= arrays["places"].shape == (n, dims) and (placed is None or placed.shape[1] == dims)
    if not fits or any(len(a) != n for a in (kinds, *arrays.values())):
        raise StaleMap(f"the arrays in {folder} do not fit its {n} ids; make the map again")
    clusters = record["clusters"] and Clusters.from_record(arrays["labels"], record["clusters"])
    made = record["settings"], record["scores"], clusters, arrays.get("trust"), rows, placed
    return Map(ids, kinds, arrays["places"], *made)


def _file(folder: Path, name: str, digest: str) -> Path:
    """Return where an array is; arrays of two maps never have one name."""
    return folder / f"{name}-{digest[:16]}.npy"


def _write_array(folder: Path, name: str, array: np.ndarray) -> str:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    digest = sha256(buffer.getvalue())
    with atomic_write(_file(folder, name, digest)) as part:
        part.write_bytes(buffer.getvalue())
    return digest


def _array(folder: Path, name: str, digest: str) -> np.ndarray:
    path = _file(folder, name, digest)
    if sha256(path) != digest:
        raise StaleMap(f"{path} has changed since it was written; make the map again")
    array = np.load(path, mmap_mode="r" if name == "placed" else None, allow_pickle=False)
    array.setflags(write=False)
    return array
