"""Loading of Milvus: a collection is made, holds what a gallery has, and is checked.

A row goes by the number that follows from its id, its vector and what it is filtered by
(`growing.row_numbers`), so that loading goes on where it was stopped, and what was added, changed
or taken away since is seen. Only a collection that was made here, for the same pictures and by the
same encoder, is written to.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from sigscope.files import digest
from sigscope.indexes.growing import row_numbers
from sigscope.indexes.milvus import (
    KEY,
    MOST,
    VECTOR,
    Address,
    MilvusError,
    MilvusIndex,
    connected,
    told,
)
from sigscope.indexes.specs import IndexSpec, find_spec
from sigscope.indexes.training import BUILD_BEAM
from sigscope.progress import Progress, progress_bar

FIELDS = ("id", "caption", "category", "split")  # of text
ABOUT = "sigscope"  # the property of a collection that says what is in it
LETTERS = 16_000  # of a text; Milvus keeps 65,535 bytes
AT_ONCE = 1000  # rows given or taken at a time
CHECKED = 100  # vectors read again once all are loaded
OFF = 1e-6  # how far a number of theirs may be from ours
KINDS = {  # Faiss's recipe, what Milvus calls it, and its settings there
    r"Flat": ("FLAT", ()),
    r"HNSW(\d+)": ("HNSW", ("M",)),
    r"IVF(\d+),Flat": ("IVF_FLAT", ("nlist",)),
    r"IVF(\d+),SQ8": ("IVF_SQ8", ("nlist",)),
    r"IVF(\d+),PQ(\d+)x8np": ("IVF_PQ", ("nlist", "m")),
    r"IVF(\d+),RaBitQ": ("IVF_RABITQ", ("nlist",)),
}
IN_FILES = ("FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8")  # what Milvus Lite has of these
OTHER = "name another collection, as in milvus://photos.db/other"
log = logging.getLogger(__name__)


def open_milvus(
    store: str,
    index: str | IndexSpec,
    xb: np.ndarray,
    items: pd.DataFrame,
    about: Mapping[str, Any],
    what: str = "pictures",
    progress: Progress = False,
) -> MilvusIndex:
    """Return a collection that holds these rows, loaded now as far as they are not there yet.

    What is there and not among the rows is taken out. Once something was loaded the number of rows
    and CHECKED vectors, drawn at random, are compared with ours.

    Args:
        store: its address, as FORM says; without a name there is a collection for each gallery and
            encoder. Captions lie in one of their own beside it.
        index: a name in ``INDEXES`` or a spec that Milvus has too; a collection with another is
            given this one.
        xb: unit rows, float32, shape (n, d).
        items: of each row the FIELDS.
        about: what the rows are of: gallery (its name), model, encoder (its identity).
        what: the rows are.
        progress: show a bar while rows are loaded.

    Raises:
        ValueError: store is no address, or Milvus has no such index.
        MilvusError: packages are missing, the database cannot be reached, or the collection there
            is not ours, by another model, of other dimensions or pictures, or is not as loaded.
    """
    start, at = perf_counter(), Address.of(store, _collection(about))
    if what != "pictures":
        at = replace(at, collection=f"{at.collection}_{what}")
    spec = find_spec(index)[1]
    kind = _kind(at, spec, *xb.shape)
    about = {"gallery": about["gallery"], "model": about["model"], "rows": what,
             "encoder": digest(about["encoder"])}  # fmt: skip
    texts = items[list(FIELDS)].astype(str).map(lambda text: text[:LETTERS])
    keys = row_numbers(xb, texts.agg("\0".join, axis=1)).view(np.int64)
    client = connected(at)
    with told(at):
        _make(client, at, kind, xb.shape[1], about)
        there = _keys(client, at)
        _check_owner(at, there, keys)
        missing = np.flatnonzero(~np.isin(keys, there))
        _load(client, at, xb, texts, keys, missing, what, progress)
        gone = np.setdiff1d(there, keys)
        for first in range(0, len(gone), AT_ONCE):
            client.delete(at.collection, ids=gone[first : first + AT_ONCE].tolist())
        has_changed = missing.size or gone.size
        if has_changed or at.uri.endswith(".db"):  # Lite searches what is not written a row a time
            client.flush(at.collection)
        if has_changed:
            _check_rows(client, at, xb, keys)
    seconds = perf_counter() - start
    return MilvusIndex(client, at, spec, items["id"], keys, xb.shape[1], seconds)


def _collection(about: Mapping[str, Any]) -> str:
    """Return what to call the collection of a gallery by an encoder, in letters Milvus takes."""
    name = re.sub(r"\W+", "_", f"{about['gallery']}_{about['model']}", flags=re.ASCII)[:200]
    return f"sigscope_{name}_{digest([about['gallery'], about['encoder']])[:8]}"


def _kind(at: Address, spec: IndexSpec, n: int, d: int) -> tuple[str, dict[str, int]]:
    """Return what Milvus calls an index and the settings it takes."""
    for recipe, (name, settings) in KINDS.items():
        fits = re.fullmatch(recipe, spec.recipe(n, d))
        if not fits or spec.metric != "ip" or (at.uri.endswith(".db") and name not in IN_FILES):
            continue
        more = {"HNSW": {"efConstruction": BUILD_BEAM}, "IVF_PQ": {"nbits": 8}}.get(name, {})
        return name, dict(zip(settings, map(int, fits.groups()), strict=True)) | more
    has = "flat, hnsw, ivf, ivf-sq8" + ("" if at.uri.endswith(".db") else ", ivfpq, ivf-rabitq")
    raise ValueError(f"Milvus has no index like {find_spec(spec)[0]!r}; choose from {has}")


def _make(
    client: Any, at: Address, kind: tuple[str, dict], d: int, about: Mapping[str, str]
) -> None:
    """Make the collection if it is not there; else see that it is ours, with this kind of index."""
    from pymilvus import DataType

    indexed = client.prepare_index_params()
    indexed.add_index(VECTOR, index_type=kind[0], metric_type="IP", params=kind[1])
    if not client.has_collection(at.collection):
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(KEY, DataType.INT64, is_primary=True)
        for name in FIELDS:
            schema.add_field(name, DataType.VARCHAR, max_length=65_535)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=d)
        how = {"properties": {ABOUT: json.dumps(about)}, "consistency_level": "Strong"}
        client.create_collection(at.collection, schema=schema, index_params=indexed, **how)
        return
    _check_collection(at, client.describe_collection(at.collection), d, about)
    if client.describe_index(at.collection, VECTOR)["index_type"] != kind[0]:
        client.release_collection(at.collection)
        client.drop_index(at.collection, VECTOR)
        client.create_index(at.collection, indexed)
    client.load_collection(at.collection)


def _check_collection(at: Address, found: dict, d: int, about: Mapping[str, str]) -> None:
    dims = {f["name"]: f["params"].get("dim") for f in found["fields"]}
    said = found.get("properties", {}).get(ABOUT)
    if said is None:
        raise MilvusError(f"{at.shown} was not made by sigscope, and is left alone; {OTHER}")
    if int(dims[VECTOR]) != d:
        raise MilvusError(
            f"{at.shown} holds vectors of {dims[VECTOR]} dimensions, and these have {d}; {OTHER}"
        )
    theirs = json.loads(said)
    for name in ("model", "encoder", "gallery", "rows"):
        if theirs[name] != about[name]:
            who = "another version of it" if name == "encoder" else about[name]
            raise MilvusError(
                f"{at.shown} holds {theirs['rows']} of {theirs['gallery']} by {theirs['model']}, "
                f"not by or of {who}; {OTHER}"
            )


def _check_owner(at: Address, there: np.ndarray, keys: np.ndarray) -> None:
    if there.size and not np.isin(there, keys).any():
        raise MilvusError(
            f"none of the {len(there):,} rows of {at.shown} is of these pictures; {OTHER}"
        )


def _keys(client: Any, at: Address) -> np.ndarray:
    """Return the keys of all rows of a collection, int64."""
    rows, found = client.query_iterator(at.collection, MOST, filter="", output_fields=[KEY]), []
    while some := rows.next():
        found += [row[KEY] for row in some]
    rows.close()
    return np.array(found, np.int64)


def _load(
    client: Any,
    at: Address,
    xb: np.ndarray,
    texts: pd.DataFrame,
    keys: np.ndarray,
    missing: np.ndarray,
    what: str,
    progress: Progress,
) -> None:
    n, lies = len(keys), len(keys) - len(missing)
    if lies and missing.size:
        log.warning("%s holds %d of %d %s; the others are loaded now", at.shown, lies, n, what)
    bar = progress_bar(n, f"Loading {at.shown}", f" {what}", progress and missing.size, done=lies)
    with bar:
        for first in range(0, len(missing), AT_ONCE):
            rows = missing[first : first + AT_ONCE]
            records = texts.iloc[rows].to_dict("records")
            for row, record in zip(rows, records, strict=True):
                record |= {KEY: int(keys[row]), VECTOR: np.asarray(xb[row], np.float32)}
            client.upsert(at.collection, records)
            bar.update(len(rows))


def _check_rows(client: Any, at: Address, xb: np.ndarray, keys: np.ndarray) -> None:
    """Raise unless there are as many rows as ours, and CHECKED of them are as ours."""
    count = client.query(at.collection, filter="", output_fields=["count(*)"])[0]["count(*)"]
    drawn = np.random.default_rng(0).permutation(len(keys))[:CHECKED]
    given = client.get(at.collection, keys[drawn].tolist(), output_fields=[KEY, VECTOR])
    theirs = {row[KEY]: row[VECTOR] for row in given}
    wrong = [
        row for row in drawn
        if not np.allclose(theirs.get(int(keys[row]), np.nan), xb[row], rtol=0, atol=OFF)
    ]  # fmt: skip
    if count != len(keys) or wrong:
        raise MilvusError(
            f"{at.shown} holds {count:,} rows where {len(keys):,} were loaded, and {len(wrong)} of "
            f"{len(drawn)} vectors read again are not as they were; delete the collection, and it "
            "is loaded anew"
        )
