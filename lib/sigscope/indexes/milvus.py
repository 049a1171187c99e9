"""Milvus: rows searched in a vector database, a file of Milvus Lite's or a server.

What is in a collection, and how it gets there, `indexes.milvus_loading` says.
"""

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from sigscope.arguments import whole
from sigscope.indexes.specs import CELLS, GRAPH, IndexSpec, find_spec

KEY, VECTOR = "key", "vector"  # the fields of a row, beside those of text
COLUMNS = {"category": "category", "split": "split", "ids": "id"}  # filters, and fields of text
MOST = 16_384  # results that Milvus gives
SECONDS = 20  # that a server may take to answer
MISSING = "a store in Milvus needs its packages: pip install 'sigscope[milvus]'"
FORM = "milvus://FILE.db, milvus://HOST:19530 or either with /COLLECTION behind it"


class MilvusError(ValueError):
    """A database that cannot serve; the message is a sentence for a person."""


@dataclass(frozen=True)
class Address:
    """Where a collection is: what Milvus connects to, with which token, and its name there."""

    uri: str
    token: str
    collection: str

    @classmethod
    def of(cls, store: str, collection: str = "") -> "Address":
        """Return what ``milvus://file.db`` or ``milvus://user:password@host:19530/name`` says.

        Args:
            store: it, with a collection's name or without.
            collection: what it is called where store does not say.
        """
        form = re.fullmatch(r"milvus://(?:(.+\.db)|([^/\s]+))(?:/(\w+))?/?", store)
        if not form:
            raise ValueError(f"{re.sub('//.*@', '//', store)} is no store; give {FORM}")
        file, host, name = form.groups()
        token, _, host = (host or "").rpartition("@")
        return cls(os.path.expanduser(file or f"http://{host}"), token, name or collection)

    @property
    def shown(self) -> str:
        """What to call it, without a password."""
        return f"{self.collection} in {self.uri.removeprefix('http://')}"


class MilvusIndex:
    """A collection of Milvus with the id of each row; searches as a ``VectorIndex`` does."""

    rerank_bytes_per_vector, note = 0.0, ""

    def __init__(
        self,
        client: Any,
        at: Address,
        spec: IndexSpec,
        ids: Sequence[str],
        keys: np.ndarray,
        d: int,
        build_s: float,
    ) -> None:
        """Take an open client; row by row ids and keys; dimensions, and the seconds it took."""
        self.index, self._at, self.spec = client, at, spec
        self.name = f"{find_spec(spec)[0]} in Milvus"
        self.ids, self._keys = np.array([str(id) for id in ids], object), keys
        self.ids.setflags(write=False)
        self._place, self.d, self.build_s = pd.Index(keys), d, build_s

    def __len__(self) -> int:
        """Return the number of rows, n."""
        return len(self.ids)

    @property
    def efforts(self) -> tuple[int, ...]:
        """The values of the knob worth sweeping here, rising; empty where there is no knob."""
        return self.spec.efforts(len(self)) if self.spec.knob else ()

    @property
    def bytes_per_vector(self) -> float:
        """Bytes of a vector as float32; what Milvus keeps beside it, it does not say."""
        return 4.0 * self.d

    def search(
        self,
        xq: np.ndarray,
        k: int,
        *,
        rows: np.ndarray | None = None,
        effort: int | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k rows nearest each query, best first, as ``VectorIndex.search`` does.

        Args:
            xq: unit queries, float32, shape (queries, d).
            k: how many; Milvus gives MOST and no more.
            rows: row numbers to search among; None searches all rows.
            effort: the value of the knob; None is the default of the spec.
            filters: what rows follow from (`Filters`), if it is known: shorter than numbers.

        Raises:
            MilvusError: the database does not answer.
        """
        among = len(self) if rows is None else len(rows)
        k = min(whole("k", k, "ask for at least one result"), among, MOST)
        scores, found = np.full((len(xq), k), -np.inf, np.float32), np.full((len(xq), k), -1)
        if not k or not len(xq):
            return scores, found
        wanted = _expression(filters) if filters else ""
        if not wanted and rows is not None:
            wanted = f"{KEY} in {self._keys[rows].tolist()}"
        with told(self._at):
            answers = self.index.search(
                self._at.collection,
                data=list(np.asarray(xq, np.float32)),
                anns_field=VECTOR,
                limit=k,
                filter=wanted,
                output_fields=[KEY],
                search_params={"metric_type": "IP", "params": self._params(k, effort)},
            )
        for row, answer in enumerate(answers):
            place = self._place.get_indexer([hit[KEY] for hit in answer])
            known = place >= 0  # what another process has added since is not ours
            score = np.array([hit["distance"] for hit in answer], np.float32)[known]
            scores[row, : len(score)], found[row, : len(score)] = score, place[known]
        return scores, found

    def _params(self, k: int, effort: int | None) -> dict[str, int]:
        effort = effort or self.spec.default_effort(len(self))
        known = {GRAPH: {"ef": max(effort, k)}, CELLS: {"nprobe": effort}}
        return known.get(self.spec.knob, {})


def _expression(filters: Mapping[str, Any]) -> str:
    """Return filters in Milvus's language; "" where there are none, or some it cannot say.

    Args:
        filters: `search.filters.Filters`.
    """
    parts = []
    for name, value in filters.items():
        if value is None or (name == "without" and not len(value)):
            continue
        if name not in COLUMNS:
            return ""
        values = [value] if isinstance(value, str) else [str(each) for each in value]
        parts.append(f"{COLUMNS[name]} in {json.dumps(values, ensure_ascii=False)}")
    said = " and ".join(parts)
    return "" if "\\u" in said else said  # of JSON's escapes it knows all but this


@cache
def connected(at: Address) -> Any:
    """Return the client of a database, one for each, or raise MilvusError."""
    try:
        from pymilvus import MilvusClient

        if at.uri.endswith(".db"):
            import milvus_lite  # noqa: F401
    except ImportError as error:
        raise MilvusError(MISSING) from error
    for noisy in ("pymilvus", "milvus_lite", "grpc"):  # what goes wrong is said in a sentence
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    with told(at):
        return MilvusClient(at.uri, token=at.token, timeout=SECONDS)


@contextmanager
def told(at: Address) -> Iterator[None]:
    """Turn what Milvus raises in the block into a MilvusError."""
    from pymilvus import MilvusException

    try:
        yield
    except MilvusException as error:
        why = next(iter(str(error.message).splitlines()), "") or type(error).__name__
        where = "file" if at.uri.endswith(".db") else "server"
        hint = "that no other process has it open" if where == "file" else "that it runs"
        raise MilvusError(
            f"Milvus cannot serve {at.shown} ({why}); check the address of the {where}, and {hint}"
        ) from error
