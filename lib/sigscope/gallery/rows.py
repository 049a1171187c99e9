"""Rows: where the items of these ids are, also among millions, and no object for each is held.

Ids are an array of strings, or a column of a table: pandas keeps those as Arrow arrays, in which a
look at all of a million ids takes some milliseconds. Of few ids a dict is made instead.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

MANY = 100_000  # ids that are looked through; of fewer a dict is made
FEWER = 20  # times as many ids as there are wanted: each of the many is looked for among the few
Ids = np.ndarray | pd.api.extensions.ExtensionArray  # (n,) strings


class RowLookup:
    """Finds the row of an id; threads may share it."""

    def __init__(self, ids: Ids) -> None:
        """Keep the ids, n of them, each once."""
        self._ids = self._rows = None
        if len(ids) >= MANY:
            self._ids = _as_arrow(ids)
        else:
            self._rows = {id: row for row, id in enumerate(ids)}

    def row(self, id: object) -> int:
        """Return the row of an id, or -1 where it is none of these."""
        if self._rows is not None:
            return self._rows.get(id, -1) if isinstance(id, str) else -1
        if not isinstance(id, str):
            return -1
        return pc.index(self._ids, pa.scalar(id, self._ids.type)).as_py()


def rows_of(wanted: Ids | Sequence[str], ids: Ids) -> np.ndarray:
    """Return the row among ids of each of those wanted, int64, -1 where it is none of them."""
    if max(len(wanted), len(ids)) < MANY:
        return pd.Index(ids).get_indexer(pd.Index(wanted))
    if same_ids(wanted, ids):
        return np.arange(len(ids))
    few = len(wanted) < len(ids) / FEWER
    wanted, ids = _as_arrow(wanted), _as_arrow(ids)
    if not few:
        return pc.fill_null(pc.index_in(wanted, value_set=ids), -1).to_numpy().astype(np.int64)
    found = np.full(len(wanted), -1)
    places = pc.index_in(ids, value_set=wanted)
    there = pc.indices_nonzero(pc.is_valid(places)).to_numpy()
    found[places.take(there).to_numpy()] = there
    return found


def is_among(ids: Ids, wanted: Sequence[str]) -> np.ndarray:
    """Return which ids are among those wanted, a mask, (n,)."""
    if len(ids) < MANY:
        return pd.Index(ids).isin(wanted)
    column = _as_arrow(ids)
    return pc.is_in(column, value_set=pa.array(list(wanted), column.type)).to_numpy()


def same_ids(some: Ids | Sequence[str], others: Ids) -> bool:
    """Return whether two arrays hold the same ids in the same order."""
    if len(some) != len(others):
        return False
    if len(some) < MANY:
        return pd.Index(some).equals(pd.Index(others))
    return _as_arrow(some).equals(_as_arrow(others))


def _as_arrow(ids: Any) -> pa.ChunkedArray:
    """Return strings as an Arrow array of large strings, without a copy where they are one."""
    if isinstance(ids, pd.api.extensions.ExtensionArray) and hasattr(ids, "__arrow_array__"):
        column = ids.__arrow_array__()
    else:
        column = pa.array(ids, pa.large_string())
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    return column.cast(pa.large_string())


def as_items(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as items, without a copy: text as pandas' str, lists as Arrow's.

    A cell becomes an object when it is looked at.
    """

    def kind(type: pa.DataType) -> Any:
        is_text = pa.types.is_large_string(type) or pa.types.is_string(type)
        return pd.StringDtype("pyarrow", na_value=np.nan) if is_text else pd.ArrowDtype(type)

    return table.to_pandas(types_mapper=kind, split_blocks=True, self_destruct=False)


def captions_of(items: pd.DataFrame) -> pd.DataFrame:
    """Return one row per caption of such items, as ``Gallery.captions`` does."""
    lists = items["captions"].array.__arrow_array__().combine_chunks()
    lists = lists if isinstance(lists, pa.ListArray) else pa.concat_arrays(lists.chunks)
    owners = pc.list_parent_indices(lists).to_numpy()
    starts = pc.list_value_length(lists).to_numpy().cumsum()
    numbers = np.arange(len(owners)) - np.concatenate([[0], starts])[owners]
    texts = pd.Series(pc.list_flatten(lists), dtype=pd.StringDtype("pyarrow", na_value=np.nan))
    ids = items["id"].array.take(owners)
    return pd.DataFrame({"id": ids, "number": numbers, "caption": texts.array}, copy=False)


def write_column(file: Path, column: Ids) -> None:
    """Write a column of text to a file, as Arrow does."""
    table = pa.table({"text": _as_arrow(column)})
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_column(file: Path) -> pd.api.extensions.ExtensionArray:
    """Return the column of text that `write_column` wrote, mapped into memory."""
    return as_items(pa.ipc.open_file(pa.memory_map(str(file))).read_all())["text"].array
